"""The 3-bit flip-flop: 8 memories, and the saddles that make a cube of them, in a tanh, a GRU and an LSTM network.

The trained networks of `data/networks` keep three bits: eight stable fixed points [sussillo2013]_. Three independent
bits have 3^3 = 27 fixed points, C(3, k) 2^(3-k) of them with k unstable directions: 8 corners, 12 edges, 6 faces and
the middle of a cube. Measured are

1. the fixed points under zero input by their number of unstable directions, beside these ideal numbers; their indices
   must sum to +1;
2. where both sides of the unstable manifold of each saddle with one unstable direction lead: the ideal graph is the
   cube, whose 12 edges join memories that differ in one bit, read out by the network's own read-out.
"""

from studies.flip_flop.compare import compare
from studies.flip_flop.plot import plot
from studies.flip_flop.run import run

__all__ = ["compare", "plot", "run"]
