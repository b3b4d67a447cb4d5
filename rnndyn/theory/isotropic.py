"""Large random tanh networks without leak: moments of one time, and spectra of free products."""

from __future__ import annotations

import numpy as np
from scipy.integrate import cumulative_simpson, trapezoid
from scipy.optimize import brentq
from scipy.special import expit

from rnndyn.theory.gaussian import STEP, grid

NODES = 4001  # of a curve


def variance(gain: float, noise: float, step: float = STEP) -> float:
    """Solution q of q = g^2 <tanh^2> + noise^2 that the network goes to.

    Parameters
    ----------
    gain, noise
        g, and the standard deviation of the noise.
    step
        Of the average; see `grid`.
    """

    def excess(q: float) -> float:
        x, weight = grid(q, step)
        return gain**2 * float(weight @ np.tanh(x) ** 2) + noise**2 - q

    if noise == 0 and gain <= 1:
        return 0.0
    low = noise**2 if noise else 1e-3 * (1 - gain**-2)
    return float(brentq(excess, low, gain**2 + noise**2, xtol=1e-15, rtol=1e-14))


def squared_slope(q: float, step: float = STEP) -> float:
    """``<tanh'^2>`` at the variance q.

    Parameters
    ----------
    q, step
        As in `grid`.
    """
    x, weight = grid(q, step)
    return float(weight @ np.cosh(x) ** -4.0)


def curve(gain: float, q: float, connectivity: str, nodes: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum of a product of free matrices, each an isotropic one times a diagonal one of slopes.

    The same curve is that of ln |z| of the eigenvalues z of one such matrix (Haagerup & Larsen [haagerup2000]_).

    Parameters
    ----------
    gain, q, connectivity
        As in `rnndyn.theory.mean_field`.
    nodes, step
        Number of points, and step of the averages.

    Returns
    -------
    array, array
        Fractions y from the top, from 1e-9 to 1 - 1e-9, and the exponents there.
    """
    x, weight = grid(q, step)
    logs = -4 * np.log(np.cosh(x))

    def left(log_t: float) -> float:  # 1 - y, without cancellation
        return float(weight @ expit(-log_t - logs))

    last = brentq(lambda log_t: np.log(left(log_t) / 1e-9), 0, -logs.min() + 40, xtol=1e-6)
    log_t = np.linspace(np.log(1e-9), last, nodes)
    y = np.array([float(weight @ expit(s + logs)) for s in log_t])
    exponents = np.log(gain) + 0.5 * (np.log(y) - log_t)
    if connectivity == "orthogonal":
        exponents -= 0.5 * np.log([left(s) for s in log_t])
    return y, exponents


def totals(gain: float, q: float, connectivity: str, nodes: int, step: float) -> np.ndarray:
    """Unstable fraction, dimension, entropy rate and mean exponent, per unit.

    Parameters
    ----------
    gain, q, connectivity, nodes, step
        As in `curve`.

    Returns
    -------
    (4,) array
        In nats per step.
    """
    y, exponents = curve(gain, q, connectivity, nodes, step)
    sums = cumulative_simpson(exponents, x=y, initial=0) + exponents[0] * y[0]
    x, weight = grid(q, step)
    mean = np.log(gain) - (0.5 if connectivity == "gaussian" else 0.0) - 2 * float(weight @ np.log(np.cosh(x)))
    if exponents[0] <= 0:
        return np.array([0.0, 0.0, 0.0, mean])
    unstable = _crossing(y, exponents)
    above = exponents > 0
    entropy = float(np.interp(unstable, y, sums))
    dimension = 1.0 if sums[-1] > 0 else _crossing(y[above.sum() - 1 :], sums[above.sum() - 1 :])
    return np.array([unstable, dimension, entropy, mean])


def mean_with_leak(gain: float, q: float, connectivity: str, alpha: float, nodes: int, step: float) -> float:
    """Mean exponent of a leaky network, the mean of ln |det| of ``b + alpha J diag(tanh')``, b = 1 - alpha.

    The eigenvalues z of the second part lie evenly around 0, so that each ring counts as ln max(b, |z|) (Jensen).

    Parameters
    ----------
    gain, q, connectivity
        As in `curve`.
    alpha
        Between 0 and 1.
    nodes, step
        As in `curve`.

    Returns
    -------
    float
        In nats per step.
    """
    y, logs = curve(gain, q, connectivity, nodes, step)
    rings = np.maximum(np.log1p(-alpha), np.log(alpha) + logs)
    return float(trapezoid(rings, y) + rings[0] * y[0] + rings[-1] * (1 - y[-1]))


def _crossing(y: np.ndarray, values: np.ndarray) -> float:
    """Where falling values pass zero."""
    k = int(np.argmax(values <= 0))
    return float(y[k - 1] + (y[k] - y[k - 1]) * values[k - 1] / (values[k - 1] - values[k]))
