"""Dynamic mean-field theory in steps: correlation and largest exponent of large random leaky networks, with noise.

Units ``x' = (1 - alpha) x + alpha (J tanh(x) + noise)`` with weights J that mix them evenly: independent Gaussian ones
of variance g^2 / N, or g times a random orthogonal matrix. Both give the same: what the average over J has beyond its
second moment comes with overlaps of response fields among themselves, and these vanish by causality.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh_tridiagonal, solve_banded
from scipy.optimize import brentq

from rnndyn.theory.correlation import SMALL, Correlation, slopes
from rnndyn.theory.gaussian import STEP, average, powers, slope_average

HALVINGS = 24  # of the first guess
ROUGH = 1e-6  # share of the averages that the first guess leaves out
LONGEST, MOST = 20_000, 300_000  # lags of the first guess, and of the solution
FEWEST = 8  # lags: without memory the first few do not fall as later ones do
FINEST = 0.1  # alpha below which the correlation at this one is the first guess
NEWTON = 30  # iterations at most; it takes some five
ENOUGH = 1e-9  # relative change of the correlation: the next one is its square, or rounding
NUDGE = 1e-5  # relative, of the variance, for its derivative


def leaky_correlation(
    gain: float, alpha: float, noise: float = 0.0, *, step: float = STEP, small: float = SMALL
) -> Correlation:
    """Correlation of the leaky network at lags 0, alpha, 2 alpha, ...

    It obeys ``(1 + b^2) D(t) - b (D(t+1) + D(t-1)) = alpha^2 (g^2 <tanh tanh>(D(t)) + noise^2 [t = 0])``, where
    b = 1 - alpha, and dies out. Newton's iteration solves this for all lags together, from a first guess by shooting
    or, for small alpha, from the correlation at a larger one. Cost: the lags times the terms of `powers`, some 10
    times.

    Parameters
    ----------
    gain
        g, more than 1 without noise.
    alpha
        Between 0 and 1.
    noise
        Standard deviation of the noise at each step, which enters as the weights' drive does.
    step
        Of the averages; see `powers`.
    small
        Share of the variance down to which the lags go.

    Returns
    -------
    Correlation
        Beyond the last lag it falls exponentially.

    Raises
    ------
    ValueError
        Where correlations last for too many steps to be followed.
    """
    D = _guess(gain, alpha, noise, small)
    for _ in range(NEWTON if len(D) < MOST else 0):
        change = _newton_step(D, gain, alpha, noise, step)
        D = D - change
        if np.abs(change).max() < ENOUGH * D[0]:
            break
    else:
        raise ValueError(
            f"gain {gain}, alpha {alpha}, noise {noise}: correlations last for too many steps to be followed; go "
            "further from the transition, or to a larger alpha, or to alpha = 0"
        )
    return Correlation(alpha * np.arange(len(D)), D, float(D[0]), powers(D[0], step=step))


def _newton_step(D: np.ndarray, gain: float, alpha: float, noise: float, step: float) -> np.ndarray:
    """Change of all D to subtract: the Jacobian is tridiagonal, but for the variance D(0) that all averages hang on."""
    b, q, drive = 1 - alpha, D[0], (alpha * gain) ** 2
    p = powers(q, step=step)
    beyond = _decay(b, drive * p[1] / q)
    residual = (1 + b**2) * D - drive * average(D / q, p)
    residual[0] -= 2 * b * D[1] + (alpha * noise) ** 2
    residual[1:] -= b * D[:-1]
    residual[1:-1] -= b * D[2:]
    residual[-1] -= b * beyond * D[-1]
    bands = np.zeros((3, len(D)))
    bands[0, 1:] = bands[2, :-1] = -b
    bands[0, 1] *= 2
    bands[1] = 1 + b**2 - drive * slope_average(D / q, p) / q
    bands[1, -1] -= b * beyond
    around = [average(D / v, powers(v, step=step)) for v in ((1 + NUDGE) * q, (1 - NUDGE) * q)]
    column = -drive * (around[0] - around[1]) / (2 * NUDGE * q)
    change, tilt = solve_banded((1, 1), bands, np.stack([residual, column], axis=1)).T
    return change - tilt * change[0] / (1 + tilt[0])


def _decay(a: float, drive: float) -> float:
    """Factor k < 1 from lag to lag with ``1 + a^2 - a (k + 1/k) = drive``."""
    c = max((1 + a**2 - drive) / (2 * a), 1.0)
    return 1 / (c + np.sqrt(c**2 - 1))


# ---- the first guess -------------------------------------------------------------------------------------------------
def _guess(gain: float, alpha: float, noise: float, small: float) -> np.ndarray:
    """Covariances at lags 0, 1, ..., down to a small part of the first."""
    if alpha < FINEST:  # noise of the same strength per unit of time
        coarse = leaky_correlation(gain, FINEST, noise * np.sqrt(alpha / FINEST), small=small)
        lags = np.arange(0, coarse.lag[-1], alpha)
        return CubicSpline(coarse.lag, coarse.covariance)(lags)
    low, high = 1e-12, gain**2 + noise**2
    below = above = np.array([low])
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        D = _walk(gain, alpha, noise, middle)
        if D[-1] < 0:
            low, below = middle, D
        else:
            high, above = middle, D
    shared = min(len(below), len(above))
    apart = np.abs(below[:shared] - above[:shared]) > 0.05 * np.abs(below[:shared])
    D = below[: max(1, int(np.argmax(apart)) if apart.any() else shared)]
    p = powers(low, ROUGH)
    b = 1 - alpha
    factor = _decay(b, (alpha * gain) ** 2 * p[1] / low)
    more = max(FEWEST, int(np.ceil(np.log(D[-1] / (small * low)) / max(-np.log(factor), 1 / MOST))))
    return np.concatenate([D, D[-1] * factor ** np.arange(1, more)])


def _walk(gain: float, alpha: float, noise: float, q: float) -> np.ndarray:
    """D from D(0) = q on, until it is below zero or turns up."""
    b, p = 1 - alpha, powers(q, ROUGH)[1::2]
    n = np.arange(len(p))

    def force(D):
        rho = D / q
        return (1 + b**2) * D - (alpha * gain) ** 2 * rho * float(p @ (rho * rho) ** n)

    D = [q, (force(q) - (alpha * noise) ** 2) / (2 * b)]
    while 0 < D[-1] < D[-2] and len(D) < LONGEST:
        D.append(force(D[-1]) / b - D[-2])
    return np.array(D)


# ---- the largest exponent --------------------------------------------------------------------------------------------
def leaky_exponent(gain: float, alpha: float, c: Correlation) -> float:
    """Largest Lyapunov exponent of the leaky network, in nats per time constant.

    Where the lowest eigenvalue of ``T_s = (1 + a^2) - a (S + 1/S) - alpha^2 g^2 e^(-2 alpha s) <tanh' tanh'>`` is zero,
    S the shift by a step and a = b e^(-alpha s) ([schuecker2018]_). Its state is even, and falls exponentially beyond
    the last lag, where the average is that of independent slopes.

    Parameters
    ----------
    gain, alpha
        As in `leaky_correlation`.
    c
        From there.

    Returns
    -------
    float
        Above ``ln(b + alpha g <tanh'>) / alpha``, where T_s begins to have a continuous spectrum below zero.
    """
    W, last = slopes(c), c.powers[1] / c.variance

    def lowest(s: float) -> float:
        a, drive = (1 - alpha) * np.exp(-alpha * s), (alpha * gain * np.exp(-alpha * s)) ** 2
        diagonal = 1 + a**2 - drive * W
        diagonal[-1] -= a * _decay(a, drive * last)
        beside = np.full(len(W) - 1, -a)
        beside[0] *= np.sqrt(2)  # the even half of the line
        return float(eigh_tridiagonal(diagonal, beside, eigvals_only=True, select="i", select_range=(0, 0))[0])

    low, high = (np.log1p(alpha * (gain * slope - 1)) / alpha for slope in (np.sqrt(last), 1.0))
    return float(brentq(lowest, low, high, xtol=1e-13)) if lowest(low) < 0 else float(low)
