"""Products of independent random matrices, whose exponents and fluctuations are known exactly."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, polygamma

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
    ValueError
        For a size, number, scale or ensemble that there is not.

    Examples
    --------
    >>> random_matrix_exponents(2).round(7).tolist()
    [0.0579658, -0.6351814]
    """
    half = _degrees(n, k, ensemble)
    if not scale > 0:
        raise ValueError(f"scale is {scale}: a positive number is wanted")
    return 0.5 * (np.log(scale**2 / ENSEMBLES[ensemble]) + digamma(half))


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
    if ensemble not in ENSEMBLES:
        raise ValueError(f"ensemble is {ensemble!r}: 'real' or 'complex' is wanted")
    if not (isinstance(n, int | np.integer) and n >= 1):
        raise ValueError(f"n is {n!r}: a size of at least 1 is wanted")
    k = n if k is None else k
    if not (isinstance(k, int | np.integer) and 1 <= k <= n):
        raise ValueError(f"k is {k!r}: a number from 1 to n = {n} is wanted")
    return ENSEMBLES[ensemble] * np.arange(n, n - k, -1.0)
