"""Dynamic mean-field theory: correlations in time of large random networks with memory, and their largest exponent.

Leaky units ``x' = (1 - alpha) x + alpha J tanh(x)``, and in the limit of small alpha ``dx/dt = -x + J tanh(x)``
(Sompolinsky, Crisanti & Sommers [sompolinsky1988]_), with independent Gaussian weights of variance g^2 / N. Time is in
units of the time constant: a step lasts alpha.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

from rnndyn.theory.gaussian import powers

SMALL = 1e-6  # of the variance: below it a correlation falls exponentially
HALVINGS = 60
LONGEST = 20_000  # lags


class Correlation(NamedTuple):
    """Autocovariance D of x at some lags, its variance D(0), and the coefficients of `powers` there."""

    lag: np.ndarray
    covariance: np.ndarray
    variance: float
    powers: np.ndarray


def slopes(c: Correlation) -> np.ndarray:
    """``<tanh'(x(t)) tanh'(x(t + lag))>`` at the lags.

    Parameters
    ----------
    c
        The correlation.

    Returns
    -------
    array
        By Price's theorem, the derivative of ``<tanh tanh>`` by the covariance.
    """
    n = np.arange(1, len(c.powers))
    return polyval(c.covariance / c.variance, n * c.powers[1:]) / c.variance


# ---- steps -----------------------------------------------------------------------------------------------------------
def leaky_correlation(gain: float, alpha: float) -> Correlation:
    """Correlation of the leaky network at lags 0, alpha, 2 alpha, ...

    It obeys ``(1 + b^2) D(t) - b (D(t+1) + D(t-1)) = alpha^2 g^2 <tanh tanh>(D(t))``, b = 1 - alpha, and dies out: of
    the variances D(0), smaller ones lead below zero and larger ones turn back up; the right one is found between.

    Parameters
    ----------
    gain
        g > 1.
    alpha
        Between 0 and 1.

    Returns
    -------
    Correlation
        Down to a millionth of the variance.
    """
    low, high = 1e-12, gain**2
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if _walk(gain, alpha, middle)[-1] < 0:
            low = middle
        else:
            high = middle
    D = _walk(gain, alpha, low)
    end = int(np.argmax(np.abs(D) < SMALL * low)) or len(D) - 1
    D = D[: end + 1]
    return Correlation(alpha * np.arange(len(D)), D, low, powers(low))


def _walk(gain: float, alpha: float, q: float) -> np.ndarray:
    """D from D(0) = q on, until it is below zero or turns up."""
    b, p = 1 - alpha, powers(q)
    n = np.arange(len(p))

    def force(D):
        return (1 + b**2) * D - alpha**2 * gain**2 * float(p @ (D / q) ** n)

    D = [q, force(q) / (2 * b)]
    while 0 < D[-1] < D[-2] and len(D) < LONGEST:
        D.append(force(D[-1]) / b - D[-2])
    return np.array(D)


def leaky_exponent(gain: float, alpha: float) -> tuple[float, float, Correlation]:
    """Largest Lyapunov exponent of the leaky network.

    Where the lowest eigenvalue of ``T_s = (1 + a^2) - a (S + 1/S) - alpha^2 g^2 e^(-2 alpha s) <tanh' tanh'>`` is zero,
    S the shift by a step and a = b e^(-alpha s).

    Parameters
    ----------
    gain, alpha
        As in `leaky_correlation`.

    Returns
    -------
    exponent, error
        In nats per time constant; the error is the change when the lags are followed a quarter less far.
    correlation
        The correlation.
    """
    c = leaky_correlation(gain, alpha)
    W = slopes(c)
    found = [_zero(gain, alpha, W[: max(2, int(part * len(W)))]) for part in (1.0, 0.75)]
    return found[0], abs(found[0] - found[1]) + 1e-9, c


def _zero(gain: float, alpha: float, W: np.ndarray) -> float:
    both = np.concatenate([W[:0:-1], W])

    def lowest(s: float) -> float:
        a = (1 - alpha) * np.exp(-alpha * s)
        diagonal = 1 + a**2 - alpha**2 * gain**2 * np.exp(-2 * alpha * s) * both
        values = eigh_tridiagonal(
            diagonal, np.full(len(both) - 1, -a), select="i", select_range=(0, 0), eigvals_only=True
        )
        return float(values[0])

    return brentq(lowest, 0.0, np.log1p(alpha * (gain - 1)) / alpha, xtol=1e-12)


# ---- continuous time -------------------------------------------------------------------------------------------------
def flow_correlation(gain: float, step: float) -> Correlation:
    """Correlation of the network in continuous time at lags 0, step, 2 step, ...

    ``D'' = D - g^2 <tanh tanh>(D)`` has the energy ``D'^2 / 2 - D^2 / 2 + g^2 (<Phi Phi>(D) - <Phi>^2)``, with
    Phi = ln cosh, which is zero for the solution that dies out; at lag 0 this gives the variance.

    Parameters
    ----------
    gain
        g > 1.
    step
        Of the lags, in time constants.

    Returns
    -------
    Correlation
        Down to a millionth of the variance, and on exponentially as far again.
    """

    def energy(q: float) -> float:
        p = powers(q)
        return q / 2 - gain**2 * (p / np.arange(1, len(p) + 1)).sum()

    q = brentq(energy, 1e-9 * (gain - 1), gain**2, xtol=1e-14, rtol=1e-14)
    p = powers(q)
    integral = np.concatenate([[0], q * p / np.arange(1, len(p) + 1)])

    def speed(t, D):
        return -np.sqrt(np.maximum(D**2 - 2 * gain**2 * polyval(D / q, integral), 0))

    def small(t, D):
        return D[0] - SMALL * q

    small.terminal = True  # type: ignore[attr-defined]
    bend, start = q - gain**2 * p.sum(), 1e-3  # at lag 0, where the speed is zero, by Taylor
    fourth = (1 - gain**2 * (np.arange(1, len(p)) * p[1:]).sum() / q) * bend
    first = q + bend * start**2 / 2 + fourth * start**4 / 24
    run = solve_ivp(
        speed, (start, 1e4), [first], method="DOP853", rtol=1e-11, atol=1e-13 * q, events=small, dense_output=True
    )
    lags = step * np.arange(int(2 * run.t[-1] / step) + 1)
    inside = np.minimum(lags, run.t[-1])
    D = np.where(lags < start, q + bend * lags**2 / 2 + fourth * lags**4 / 24, run.sol(np.maximum(inside, start))[0])
    rate = np.sqrt(1 - gain**2 * p[1] / q)
    return Correlation(lags, D * np.exp(-rate * (lags - inside)), q, p)


def flow_exponent(gain: float) -> tuple[float, float, Correlation]:
    """Largest Lyapunov exponent of the network in continuous time.

    ``-1 + sqrt(1 - E0)``, E0 the lowest energy of ``-d^2/dt^2 + 1 - g^2 <tanh' tanh'>(t)``; the second is zero, for D'
    is its state. From second-order differences, extrapolated from two steps.

    Parameters
    ----------
    gain
        g > 1.

    Returns
    -------
    exponent, error
        In nats per time constant; the error is from the second energy, which ought to be zero, and the extrapolation.
    correlation
        The correlation.
    """
    step = 0.02
    c = flow_correlation(gain, step)
    W = slopes(c)
    fine, coarse = _energies(gain, W, step), _energies(gain, W[::2], 2 * step)
    E = fine + (fine - coarse) / 3
    error = (np.abs(fine - coarse).max() / 30 + abs(E[1])) / (2 * np.sqrt(1 - E[0]))
    return float(-1 + np.sqrt(1 - E[0])), float(error), c


def _energies(gain: float, W: np.ndarray, step: float) -> np.ndarray:
    """The two lowest energies, for a potential that is given at lags 0, step, ..."""
    both = np.concatenate([W[:0:-1], W])
    diagonal = 2 / step**2 + 1 - gain**2 * both
    beside = np.full(len(both) - 1, -1 / step**2)
    return eigh_tridiagonal(diagonal, beside, select="i", select_range=(0, 1), eigvals_only=True)
