"""Mean-field theory of large random tanh networks: variance, largest exponent, and the spectrum where it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.optimize import brentq
from scipy.special import expit

from rnndyn.theory.correlation import flow_exponent, leaky_exponent
from rnndyn.theory.gaussian import STEP, grid

CONNECTIVITIES = ("gaussian", "orthogonal")
NODES = 4001  # of the spectrum
# Beyond these gains sums are cut off, or the transition is too near, for the stated errors to hold.
LARGEST, LEAST_WITH_MEMORY, LARGEST_WITH_MEMORY = 50.0, 1.01, 6.0


@dataclass(frozen=True, eq=False)
class MeanField:
    """What `mean_field` finds, in the limit of many units; NaN where no theory is known.

    Attributes
    ----------
    gain, connectivity, noise, alpha
        As given.
    variance
        q, of the pre-activations x.
    slope
        <tanh'(x)^2>.
    exponent, exponent_error
        Largest Lyapunov exponent in nats per step, and a bound on its numerical error; for alpha = 0 per time constant.
    critical_gain
        Where the exponent passes zero, with this noise.
    unstable, dimension, entropy_rate
        Per unit: the fraction of positive exponents, the Kaplan-Yorke dimension, and the sum of the positive exponents
        in nats per step. For alpha = 1 only, as the next two.
    mean_exponent
        Mean of all exponents, in nats per step.
    spectrum_error
        Bound on the numerical error of the last four.
    lag, covariance
        For alpha < 1: lags, in time constants, and the autocovariance of x at them; else None.
    """

    gain: float
    connectivity: str
    noise: float
    alpha: float
    variance: float
    slope: float
    exponent: float
    exponent_error: float
    critical_gain: float
    unstable: float = np.nan
    dimension: float = np.nan
    entropy_rate: float = np.nan
    mean_exponent: float = np.nan
    spectrum_error: float = np.nan
    lag: np.ndarray | None = None
    covariance: np.ndarray | None = None

    def spectrum(self, fraction) -> np.ndarray:
        """Lyapunov exponents at the fractions i/N from the top.

        Parameters
        ----------
        fraction
            Between 0 (the largest) and 1.

        Returns
        -------
        array
            In nats per step.

        Raises
        ------
        ValueError
            For alpha other than 1, of which the whole spectrum is not known.

        Examples
        --------
        >>> mean_field(0.5).spectrum(0.75).round(6).item() == round(float(np.log(0.5) + np.log(0.25) / 2), 6)
        True
        """
        if self.alpha != 1:
            raise ValueError(f"alpha is {self.alpha:g}: the whole spectrum is known for alpha = 1 only")
        y = np.asarray(fraction, float)
        if not ((y >= 0) & (y <= 1)).all():
            raise ValueError("fraction is outside 0 to 1")
        if not self.variance:
            return _rest(self.gain, self.connectivity, y)
        at, exponents = _curve(self.gain, self.variance, self.connectivity, NODES, STEP)
        return np.interp(y, at, exponents)


def mean_field(gain: float, *, connectivity: str = "gaussian", noise: float = 0.0, alpha: float = 1.0) -> MeanField:
    """Mean-field theory of a random network of many tanh units, ``x' = (1 - alpha) x + alpha J tanh(x)``.

    In rnndyn's terms x are the pre-activations of an `Elman` network without bias (alpha = 1), whose states are
    tanh(x), or the states of a `Leaky` network of the form "voltage"; exponents are the same for both.

    Parameters
    ----------
    gain
        g: independent Gaussian weights have the variance g^2 / N; orthogonal ones are g times an orthogonal matrix.
    connectivity
        "gaussian" or "orthogonal".
    noise
        Standard deviation of independent Gaussian input to each unit at each step, for alpha = 1.
    alpha
        dt / tau: 1 for a network without leak, 0 for the limit of continuous time.

    Returns
    -------
    MeanField
        Below the critical gain and without noise the network is at rest, with variance 0.

    Raises
    ------
    ValueError
        For numbers out of range, and for cases of which no theory is known: noise or orthogonal weights with alpha < 1.

    Notes
    -----
    alpha = 1: the variance solves q = g^2 <tanh^2> + noise^2, the largest exponent is ln(g^2 <tanh'^2>) / 2
    ([molgedey1992]_). The whole spectrum takes the Jacobians for free products of an isotropic matrix and a diagonal
    one (Haagerup & Larsen [haagerup2000]_): with y = <t X / (1 + t X)>, X = tanh'(x)^2, the exponent at the fraction y
    from the top is ln(g^2 y / t) / 2 for Gaussian and ln(g^2 y / (t (1 - y))) / 2 for orthogonal weights. alpha < 1:
    see `rnndyn.theory.correlation`. Cost: some 0.3 s for alpha = 1, seconds otherwise.

    Examples
    --------
    >>> theory = mean_field(2.0)
    >>> round(theory.exponent, 6), round(theory.unstable, 3), round(theory.dimension, 3)
    (0.154724, 0.133, 0.258)
    """
    gain, noise, alpha = (
        float(_number(value, name)) for value, name in ((gain, "gain"), (noise, "noise"), (alpha, "alpha"))
    )
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f"connectivity is {connectivity!r}: 'gaussian' or 'orthogonal' is wanted")
    if not gain > 0 or noise < 0 or not 0 <= alpha <= 1:
        raise ValueError(
            f"gain {gain}, noise {noise}, alpha {alpha}: gain > 0, noise >= 0 and 0 <= alpha <= 1 are wanted"
        )
    if alpha < 1 and (noise or connectivity != "gaussian"):
        raise ValueError(
            "with alpha < 1 the theory is known for Gaussian weights without noise: set alpha=1, or leave them"
        )
    given = gain, connectivity, noise, alpha
    if max(gain, noise) > LARGEST or (alpha < 1 and (gain > LARGEST_WITH_MEMORY or 1 < gain < LEAST_WITH_MEMORY)):
        raise ValueError(
            f"gain {gain}, noise {noise}, alpha {alpha}: computed to the stated errors up to {LARGEST:g}, and with "
            f"alpha < 1 for gains up to 1 or from {LEAST_WITH_MEMORY:g} to {LARGEST_WITH_MEMORY:g}"
        )
    if alpha == 1:
        return _without_leak(*given)
    if gain <= 1:
        at_rest = gain - 1 if alpha == 0 else float(np.log1p(alpha * (gain - 1)))
        return MeanField(*given, 0.0, 1.0, at_rest, 1e-15, 1.0, lag=np.zeros(1), covariance=np.zeros(1))
    exponent, error, c = flow_exponent(gain) if alpha == 0 else leaky_exponent(gain, alpha)
    unit = alpha or 1.0
    slope = _slope(c.variance, STEP)
    return MeanField(*given, c.variance, slope, unit * exponent, unit * error, 1.0, lag=c.lag, covariance=c.covariance)


# ---- alpha = 1 -------------------------------------------------------------------------------------------------------
def _without_leak(gain: float, connectivity: str, noise: float, alpha: float) -> MeanField:
    given = gain, connectivity, noise, alpha
    critical = _critical_gain(noise)
    q = _variance(gain, noise)
    if not q:
        mean = float(np.log(gain)) - (0.5 if connectivity == "gaussian" else 0.0)
        return MeanField(*given, 0.0, 1.0, float(np.log(gain)), 1e-15, critical, 0.0, 0.0, 0.0, mean, 1e-15)
    exponents = [0.5 * float(np.log(gain**2 * _slope(_variance(gain, noise, step), step))) for step in (STEP, 2 * STEP)]
    fine, coarse = (
        _totals(gain, q, connectivity, nodes, step) for nodes, step in ((NODES, STEP), (NODES // 2 + 1, 2 * STEP))
    )
    error = float(np.abs(fine - coarse).max())
    bound = abs(exponents[0] - exponents[1]) + 1e-14
    unstable, dimension, entropy, mean = (float(value) for value in fine)
    found = q, _slope(q, STEP), exponents[0], bound, critical, unstable, dimension, entropy, mean, error
    return MeanField(*given, *found)


def _variance(gain: float, noise: float, step: float = STEP) -> float:
    """Solution q of q = g^2 <tanh^2> + noise^2 that the network goes to."""

    def excess(q: float) -> float:
        x, weight = grid(q, step)
        return gain**2 * float(weight @ np.tanh(x) ** 2) + noise**2 - q

    if noise == 0 and gain <= 1:
        return 0.0
    low = noise**2 if noise else 1e-3 * (1 - gain**-2)
    return float(brentq(excess, low, gain**2 + noise**2, xtol=1e-15, rtol=1e-14))


def _slope(q: float, step: float) -> float:
    x, weight = grid(q, step)
    return float(weight @ np.cosh(x) ** -4.0)


def _critical_gain(noise: float) -> float:
    if not noise:
        return 1.0

    def exponent(g: float) -> float:
        return float(np.log(g**2 * _slope(_variance(g, noise), STEP)))

    return float(brentq(exponent, 1.0, 10 + 10 * noise, xtol=1e-12))


def _curve(gain: float, q: float, connectivity: str, nodes: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Fractions y from the top, evenly in the logarithm of t, and the exponents there: y from 1e-9 to 1 - 1e-9."""
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


def _totals(gain: float, q: float, connectivity: str, nodes: int, step: float) -> np.ndarray:
    """Unstable fraction, dimension, entropy rate and mean exponent, per unit."""
    y, exponents = _curve(gain, q, connectivity, nodes, step)
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


def _crossing(y: np.ndarray, values: np.ndarray) -> float:
    """Where falling values pass zero."""
    k = int(np.argmax(values <= 0))
    return float(y[k - 1] + (y[k] - y[k - 1]) * values[k - 1] / (values[k - 1] - values[k]))


def _rest(gain: float, connectivity: str, y: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(gain) + (0.5 * np.log(1 - y) if connectivity == "gaussian" else np.zeros_like(y))


def _number(value, name: str) -> float:
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}: a finite number is wanted")
    return float(value)
