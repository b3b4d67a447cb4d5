"""Products of independent random matrices, whose exponents and fluctuations are known exactly."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, polygamma

from rnndyn.validate import as_integer, as_number, choice

ENSEMBLES = {"real": 0.5, "complex": 1.0}  # degrees of freedom of a chi-squared of R_ii^2, half of them


def random_matrix_exponents(n: int, k: int | None = None, scale: float = 1.0, *, ensemble: str = "real") -> np.ndarray:
    """Lyapunov exponents of products of independent matrices with independent Gaussian elements.

    In the QR of each factor, R_ii^2 is chi-squared with n - i + 1 degrees of freedom, so that for real elements
    lambda_i = (ln(2 scale^2) + psi((n - i + 1) / 2)) / 2, i = 1..n ([newman1986]_).

    Parameters
    ----------
    n
        Size of the matrices.
    k
        Number of leading exponents; None for all.
    scale
        Standard deviation of an element (for complex ones, of its modulus).
    ensemble
        "real", or "complex" (Ginibre's).

    Returns
    -------
    (k,) array
        Falling, in nats per matrix. Exact to rounding. Cost O(k).

    Raises
    ------
    TypeError, ValueError
        For a size, number, scale or ensemble that there is not.

    Examples
    --------
    >>> random_matrix_exponents(2).round(7).tolist()
    [0.0579658, -0.6351814]
    """
    half = _degrees(n, k, ensemble)
    return np.log(as_number(scale, "scale", above=0)) + 0.5 * (digamma(half) - np.log(ENSEMBLES[ensemble]))


def random_matrix_variances(n: int, k: int | None = None, *, ensemble: str = "real") -> np.ndarray:
    """Variances of the logarithms whose means are the exponents of `random_matrix_exponents`.

    The log R_ii are independent over i and over the factors, so an exponent measured over T matrices has the variance
    psi'((n - i + 1) / 2) / (4 T), exactly.

    Parameters
    ----------
    n, k, ensemble
        As in `random_matrix_exponents`.

    Returns
    -------
    (k,) array
        T times the variance of each exponent.

    Examples
    --------
    >>> np.sqrt(random_matrix_variances(2) / 1000).round(4).tolist()  # standard errors over 1000 matrices
    [0.0203, 0.0351]
    """
    return polygamma(1, _degrees(n, k, ensemble)) / 4


def _degrees(n: int, k: int | None, ensemble: str) -> np.ndarray:
    """Half the degrees of freedom of R_ii^2, i = 1..k."""
    n = as_integer(n, "n", minimum=1)
    k = n if k is None else as_integer(k, "k", minimum=1, maximum=n)
    return ENSEMBLES[choice(ensemble, "ensemble", ENSEMBLES)] * np.arange(n, n - k, -1.0)
