"""Chaos of an LSTM with two units: its whole spectrum, the wrong sign that h alone gives, and where gated rest ends.

1. The LSTM of Laurent and von Brecht [laurent2017]_, without input and biases: all four exponents from many initial
   states, with their errors, and the attractor. The paper shows the attractor and gives no exponents; the values set
   beside ours come from an independent program: 3 initial states, 1e6 steps each.
2. What a published program for LSTMs computes instead: the 2 x 2 blocks dh'/dh of the Jacobians, with c held, and
   transposed, in forward order. It calls the chaotic network stable. Without the transposition the sign is right, the
   value is not: no exponent of the network comes of h alone.
3. Distances between neighbouring orbits, computed without any tangent: they grow at the rate of the largest exponent.
4. Random GRU and LSTM networks without input: the gain at which the fixed point 0 loses its stability in theory, for
   many units, beside the gain at which the Jacobian of one network does.

The paper's GRU is left out: whether its reset gate acts before the product and which way its update gate writes could
not be checked, and the exponents depend on both.
"""

from studies.laurent_von_brecht.compare import compare
from studies.laurent_von_brecht.plot import plot
from studies.laurent_von_brecht.run import run

__all__ = ["compare", "plot", "run"]
