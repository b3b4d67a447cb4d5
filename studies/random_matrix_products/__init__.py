"""Lyapunov exponents of random matrix products: the measured ones and their error bars against exact laws.

1. Independent Gaussian matrices of several sizes: exponents against [ln 2 + psi((N - i + 1) / 2)] / 2, as z-scores by
   their exact standard error sqrt(psi'((N - i + 1) / 2) / (4 T)), and the standard errors that the program gives
   against that one [newman1986]_.
2. The same with one size, many times over: how often the interval of two standard errors holds the exact exponent.
3. Orthogonal matrices times g: every exponent is ln g, to rounding.
4. A product that repeats three matrices: exponents are ln |eig(W_3 W_2 W_1)| / 3, and those of the transposed matrices
   in the same order are others. (With two in turn they would be the same, and a program that multiplies by the
   transposed ones would pass.)
"""

from studies.random_matrix_products.compare import compare
from studies.random_matrix_products.plot import plot
from studies.random_matrix_products.run import run

__all__ = ["compare", "plot", "run"]
