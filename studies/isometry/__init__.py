"""Orthogonal recurrence keeps norms: exactly if linear, at what gain with tanh.

1. A linear network with ``W_hh = gain Q``: all singular values of the product are gain^t, and the state keeps its norm
   at gain 1. (A unitary matrix of n complex units is an orthogonal one of 2n real units.)
2. tanh networks over the gain, orthogonal and Gaussian weights: the largest exponent and the mean of all, beside ln
   gain and the mean-field values 1/2 ln(gain^2 <phi'^2>) and ln gain + <ln phi'>, less 1/2 for Gaussian weights.
   Averages are over a Gaussian of variance q = gain^2 <phi^2> [sompolinsky1988]_.
3. The spread of the singular values of the product: from the first step on with Gaussian weights, only through the
   slopes of tanh with orthogonal ones.
"""

from studies.isometry.compare import compare
from studies.isometry.plot import plot
from studies.isometry.run import run

__all__ = ["compare", "plot", "run"]
