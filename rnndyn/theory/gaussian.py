"""Averages over Gaussian pre-activations: of one, on a grid; of two, by the Hermite coefficients of tanh."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.polynomial import polyval

REACH = 12.0  # standard deviations of the grid: beyond, the weight is below 1e-31
STEP = 0.01
TERMS = 4001


def grid(variance: float, step: float = STEP) -> tuple[np.ndarray, np.ndarray]:
    """Nodes x and weights of an average over a Gaussian of this variance.

    The trapezoidal rule converges exponentially for functions that are analytic in a strip, which narrows with the
    variance; the step does likewise.

    Parameters
    ----------
    variance
        Of x.
    step
        Largest step, in standard deviations.

    Returns
    -------
    (n,) array, (n,) array
        The weights sum to 1 up to rounding.

    Examples
    --------
    >>> x, weight = grid(2.0)
    >>> round(float(weight @ x**4), 12)
    12.0
    """
    h = step / max(1.0, 0.5 * np.sqrt(variance))
    z = h * np.arange(-int(REACH / h), int(REACH / h) + 1)
    return np.sqrt(variance) * z, h * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


def powers(variance: float, tolerance: float = 1e-15, step: float = STEP) -> np.ndarray:
    """Coefficients p_n with ``<tanh(x) tanh(x')> = sum_n p_n rho^n``, for Gaussians of this variance.

    rho is their correlation, and p_n the square of the n-th coefficient of tanh(x) in normalised Hermite polynomials
    (Mehler's formula). By Price's theorem, termwise integrals and derivatives in the covariance ``rho variance`` are
    the averages of ln cosh and of the slopes.

    Parameters
    ----------
    variance
        q.
    tolerance
        Share of the whole that may be left to later terms.
    step
        Of the grid.

    Returns
    -------
    (n,) array
        p_0, p_1, ...; those of even n are zero. At most 4001, whatever the tolerance.

    Examples
    --------
    >>> x, weight = grid(1.5)
    >>> bool(abs(powers(1.5).sum() - weight @ np.tanh(x) ** 2) < 1e-14)
    True
    """
    x, weight = grid(variance, step)
    x, weight = x[len(x) // 2 + 1 :], 2 * weight[len(x) // 2 + 1 :]  # what is averaged is even, and zero at 0
    z, f = x / np.sqrt(variance), np.tanh(x)
    half = np.sqrt(weight)  # Hermite functions, which do not overflow
    whole, before, now = weight @ f**2, np.zeros_like(z), half
    found, n, total = [], 0, 0.0
    while n < TERMS and total < whole * (1 - tolerance):
        found.append(0.0 if n % 2 == 0 else float((half * f) @ now) ** 2)
        total += found[-1]
        before, now = now, (z * now - np.sqrt(n) * before) / np.sqrt(n + 1)
        n += 1
    return np.array(found)


def average(rho, p: np.ndarray) -> np.ndarray:
    """``<tanh tanh> = sum_n p_n rho^n`` at correlations rho.

    Parameters
    ----------
    rho
        Between -1 and 1.
    p
        From `powers`.

    Returns
    -------
    array
        Of the shape of rho.
    """
    return rho * polyval(rho**2, p[1::2])


def slope_average(rho, p: np.ndarray) -> np.ndarray:
    """Derivative of `average` by rho: by Price's theorem ``<tanh' tanh'>`` times the variance.

    Parameters
    ----------
    rho
        Between -1 and 1.
    p
        From `powers`.

    Returns
    -------
    array
        Of the shape of rho.
    """
    odd = p[1::2]
    return polyval(rho**2, (2 * np.arange(len(odd)) + 1) * odd)
