"""Learning as bifurcations: loss, Lyapunov exponents and fixed points of a network while it learns to remember bits.

A tanh network that forgets is trained on the flip-flop task of two bits, and watched (`rnndyn.Watch`). A memory of two
bits needs four stable fixed points, and the network begins with one: they must arise by bifurcations on the way
[doya1992]_. Shown are, step by step:

1. Loss and norm of the gradient.
2. The leading exponents under the inputs of the task: they come close to zero, and with them gradients grow, while the
   fixed points part.
3. The numbers of fixed points without input, by unstable directions. Those with an even number less those with an odd
   one make 1 at each step, as they must for a map of a ball into itself.
"""

from studies.training_dynamics.compare import compare
from studies.training_dynamics.plot import plot
from studies.training_dynamics.run import run

__all__ = ["compare", "plot", "run"]
