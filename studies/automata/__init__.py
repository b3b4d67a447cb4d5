"""Automata: networks that run a finite automaton and a counter without error, and networks that approximate a map.

1. An automaton of random tables, and balanced brackets with a counter, over a million symbols, in a saturated-linear
   network: at how many times its outputs differ from the machine's. The automaton again with its state disturbed: how
   often the next state is wrong.
2. The logistic map by an interpolating layer and the Henon map by a fitted one, fed back on themselves: error and
   Lyapunov exponent over the number of units, beside the bound of interpolation and the known exponents.
"""

from studies.automata.compare import compare
from studies.automata.plot import plot
from studies.automata.run import run

__all__ = ["compare", "plot", "run"]
