"""The cost of a run and of its gradient: exponents in T, H and I, fitted to measured times, against T (H^2 + H I).

Each series varies one size and keeps the others where the term in question leads. The expected exponent is that of
T (H^2 + H I) fitted over the very same sizes, so that it is not quite 1 or 2 where the other term still has a share.
"""

from studies.cost.compare import compare
from studies.cost.plot import plot
from studies.cost.run import run

__all__ = ["compare", "plot", "run"]
