"""Dynamic mean-field theory in continuous time: correlation and largest exponent of large random networks.

``dx/dt = -x + J tanh(x)`` (Sompolinsky, Crisanti & Sommers [sompolinsky1988]_), with independent Gaussian weights of
variance g^2 / N, or with g times an orthogonal matrix; see `rnndyn.theory.leaky`, of which this is the limit of small
alpha. Time is in units of the time constant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

from rnndyn.theory.gaussian import STEP, powers, slope_average

SMALL = 1e-6  # of the variance: below it a correlation falls exponentially


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
    return slope_average(c.covariance / c.variance, c.powers) / c.variance


def flow_correlation(gain: float, step: float, grid_step: float = STEP) -> Correlation:
    """Correlation of the network in continuous time at lags 0, step, 2 step, ...

    ``D'' = D - g^2 <tanh tanh>(D)`` has the energy ``D'^2 / 2 - D^2 / 2 + g^2 (<Phi Phi>(D) - <Phi>^2)``, with
    Phi = ln cosh, which is zero for the solution that dies out; at lag 0 this gives the variance.

    Parameters
    ----------
    gain
        g > 1.
    step
        Of the lags, in time constants.
    grid_step
        Of the averages; see `powers`.

    Returns
    -------
    Correlation
        Down to a millionth of the variance, and on exponentially as far again.
    """

    def energy(q: float) -> float:
        p = powers(q, step=grid_step)
        return q / 2 - gain**2 * (p / np.arange(1, len(p) + 1)).sum()

    q = brentq(energy, 1e-9 * (gain - 1), gain**2, xtol=1e-14, rtol=1e-14)
    p = powers(q, step=grid_step)
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
