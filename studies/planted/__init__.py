"""Planted fixed points: who finds how many, in equal time, who can prove that there are no more, and what is claimed.

The protocol of [katz2018]_: V uniform in (-1, 1)^(N x N), W = atanh(V) V^-1, so that the columns of V, their negatives
and 0 are fixed points of tanh(W x), among others. Each method searches each network for the same processor time, to a
tenth and by turns (wall time would not be equal on a machine that does other work): the package's Newton iteration from
visited states, directional fibres, SciPy's trust-region minimisation of ``|F(x) - x|^2 / 2`` (trust-ncg, Gauss-Newton
Hessian, then Newton: the paper's baseline) and SciPy's root finder. What all found together is compared with the
complete set, where branch and bound has proved it. Then `rd.fixed_points` as it is searches networks of 2 to 12 units:
no planted point may be missing while it claims that none is. Run it with ``OPENBLAS_NUM_THREADS=1``: idle threads spin,
and count.
"""

from studies.planted.compare import compare
from studies.planted.plot import plot
from studies.planted.run import add_arguments, run

__all__ = ["add_arguments", "compare", "plot", "run"]
