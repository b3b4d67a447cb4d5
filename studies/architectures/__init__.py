"""Architectures compared: six recurrent networks learn six tasks; losses, gradients, errors, processor time.

All have 32 units (the bidirectional one 16 tanh units in each direction), begin as their class draws them, and are
trained alike: Adam, the norm of the gradient clipped to 1, as many steps of as many sequences. Gates cost weights, so a
seventh network, of 64 tanh units, has about as many weights as the LSTM.

1. Flip-flop: the sign of the last pulse on each of three channels. Its reverse wants that of the next pulse, which only
   a network that reads the future can know.
2. Sine generator: an oscillation of the frequency that the input names [sussillo2013]_.
3. The adding problem over 100 steps [hochreiter1997]_.
4. Copying five symbols after 20 steps [arjovsky2016]_.
5. Nested parentheses of three kinds, up to eight deep: which closes next.
"""

from studies.architectures.compare import compare
from studies.architectures.plot import plot
from studies.architectures.run import run

__all__ = ["compare", "plot", "run"]
