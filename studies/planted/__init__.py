"""Planted fixed points: who finds how many, in equal time, and who can prove that there are no more.

The protocol of [katz2018]_: V uniform in (-1, 1)^(N x N), W = atanh(V) V^-1, so that the columns of V, their negatives
and 0 are fixed points of tanh(W x), among others. Each method searches each network for the same wall time: the
package's Newton iteration from visited states, directional fibres, SciPy's trust-region minimisation of
``|F(x) - x|^2 / 2`` (trust-ncg, Gauss-Newton Hessian, then Newton: the paper's baseline) and SciPy's root finder. What
all found together is compared with the complete set, where branch and bound has proved it.
"""

from studies.planted.compare import compare
from studies.planted.plot import plot
from studies.planted.run import add_arguments, run

__all__ = ["add_arguments", "compare", "plot", "run"]
