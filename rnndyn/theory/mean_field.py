"""Mean-field theory of large random tanh networks: variance, largest exponent, and the spectrum where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from rnndyn.theory.correlation import SMALL, flow_correlation, flow_exponent
from rnndyn.theory.gaussian import STEP
from rnndyn.theory.isotropic import NODES, curve, mean_with_leak, squared_slope, totals, variance
from rnndyn.theory.leaky import leaky_correlation, leaky_exponent
from rnndyn.theory.rest import CONNECTIVITIES, flow_at_rest, fractions, leaky_at_rest
from rnndyn.validate import choice

LARGEST = 50.0  # of gain and noise: beyond, averages are cut off
# With memory: gain and noise together, beyond which sums are cut off, and a gain too near the transition.
LARGEST_WITH_MEMORY, LEAST_WITH_MEMORY = 6.0, 1.01
ROUNDING = 1e-13  # relative, of solutions and sums
# Unstable fraction, dimension and entropy rate: without a positive exponent, and where they are not known.
CALM, UNKNOWN = (0.0,) * 3, (np.nan,) * 3


@dataclass(frozen=True, eq=False)
class MeanField:
    """What `mean_field` finds, in the limit of many units; NaN where no theory is known.

    Attributes
    ----------
    gain, connectivity, noise, alpha
        As given.
    variance, variance_error
        q, of the pre-activations x, and a bound on its numerical error.
    slope
        <tanh'(x)^2>.
    exponent, exponent_error
        Largest Lyapunov exponent in nats per step, and a bound on its numerical error; for alpha = 0 per time constant.
    mean_exponent
        Mean of all exponents, in the same unit.
    unstable, dimension, entropy_rate
        Per unit: the fraction of positive exponents, the Kaplan-Yorke dimension, and the sum of the positive exponents.
        Of chaotic networks for alpha = 1 only.
    spectrum_error
        Bound on the numerical error of the last four, or of those that are known.
    lag, covariance
        For alpha < 1: lags, in time constants, and the autocovariance of x at them; else None.
    """

    gain: float
    connectivity: str
    noise: float
    alpha: float
    variance: float
    variance_error: float
    slope: float
    exponent: float
    exponent_error: float
    mean_exponent: float
    spectrum_error: float
    unstable: float = np.nan
    dimension: float = np.nan
    entropy_rate: float = np.nan
    lag: np.ndarray | None = None
    covariance: np.ndarray | None = None

    @cached_property
    def critical_gain(self) -> float:
        """Gain at which the exponent passes zero, with this noise and alpha; NaN if that is beyond what is computed.

        Found when it is asked for, at the cost of some ten solutions.
        """
        if not self.noise:
            return 1.0

        def exponent(g: float) -> float:
            if self.alpha == 1:
                return float(np.log(g**2 * squared_slope(variance(g, self.noise))))
            return leaky_exponent(g, self.alpha, leaky_correlation(g, self.alpha, self.noise))

        most = 10 + 10 * self.noise if self.alpha == 1 else np.sqrt(LARGEST_WITH_MEMORY**2 - self.noise**2)
        return float(brentq(exponent, 1.0, most, xtol=1e-12)) if most > 1 and exponent(most) > 0 else np.nan

    def spectrum(self, fraction) -> np.ndarray:
        """Lyapunov exponents at the fractions i/N from the top.

        Parameters
        ----------
        fraction
            Between 0 (the largest) and 1.

        Returns
        -------
        array
            In nats per step; for alpha = 0 per time constant.

        Raises
        ------
        ValueError
            For networks with alpha other than 1 that are not at rest, of which the whole spectrum is not known: there
            the Jacobians of successive steps share what they do not share in free products.

        Examples
        --------
        >>> mean_field(0.5).spectrum(0.75).round(6).item() == round(float(np.log(0.5) + np.log(0.25) / 2), 6)
        True
        """
        y = fractions(fraction)
        if not self.variance:
            found = leaky_at_rest(self.alpha).spectrum if self.alpha else flow_at_rest
            return found(y, self.gain, self.connectivity)
        if self.alpha != 1:
            raise ValueError(f"alpha is {self.alpha:g}: unless at rest, the whole spectrum is known for alpha = 1 only")
        at, exponents = curve(self.gain, self.variance, self.connectivity, NODES, STEP)
        return np.interp(y, at, exponents)


def mean_field(gain: float, *, connectivity: str = "gaussian", noise: float = 0.0, alpha: float = 1.0) -> MeanField:
    """Mean-field theory of a random network of many tanh units, ``x' = (1 - alpha) x + alpha (J tanh(x) + noise)``.

    In rnndyn's terms x are the pre-activations of an `Elman` network without bias (alpha = 1), whose states are
    tanh(x), or the states of a `Leaky` network of the form "voltage". Without noise the form "rate" has the same
    exponents, and ``J h`` has the covariance of x.

    Parameters
    ----------
    gain
        g: independent Gaussian weights have the variance g^2 / N; orthogonal ones are g times an orthogonal matrix.
    connectivity
        "gaussian" or "orthogonal". Variance, correlation and largest exponent are the same for both.
    noise
        Standard deviation of independent Gaussian input to each unit at each step.
    alpha
        dt / tau: 1 for a network without leak, 0 for the limit of continuous time.

    Returns
    -------
    MeanField
        Below the critical gain and without noise the network is at rest, with variance 0.

    Raises
    ------
    ValueError
        For numbers out of range, for noise with alpha = 0, where that of single steps averages out, and where
        correlations last for too many steps: very near the transition, or for alpha below some 0.0005.

    Notes
    -----
    alpha = 1: the variance solves q = g^2 <tanh^2> + noise^2, the largest exponent is ln(g^2 <tanh'^2>) / 2
    ([molgedey1992]_). The whole spectrum takes the Jacobians for free products of an isotropic matrix and a diagonal
    one (Haagerup & Larsen [haagerup2000]_): with y = <t X / (1 + t X)>, X = tanh'(x)^2, the exponent at the fraction y
    from the top is ln(g^2 y / t) / 2 for Gaussian and ln(g^2 y / (t (1 - y))) / 2 for orthogonal weights. alpha < 1:
    see `rnndyn.theory.leaky` and `rnndyn.theory.correlation`. The mean exponent is that of ln |det J| of one step,
    which is known for every alpha. Errors are the changes when grids are made twice as coarse and lags are cut
    earlier. Cost: below a second, seconds for alpha below 0.05 or gains above 3.

    Examples
    --------
    >>> theory = mean_field(2.0)
    >>> round(theory.exponent, 6), round(theory.unstable, 3), round(theory.dimension, 3)
    (0.154724, 0.133, 0.258)
    >>> round(mean_field(3.0, alpha=0.5).exponent / 0.5, 5)
    0.21612
    """
    gain, noise, alpha = (
        float(_number(value, name)) for value, name in ((gain, "gain"), (noise, "noise"), (alpha, "alpha"))
    )
    _check(gain, connectivity, noise, alpha)
    given = gain, connectivity, noise, alpha
    if not noise and gain <= 1:
        return _at_rest(*given)
    return (_without_leak if alpha == 1 else _with_leak if alpha else _flow)(*given)


def _check(gain: float, connectivity: str, noise: float, alpha: float) -> None:
    choice(connectivity, "connectivity", CONNECTIVITIES)
    if not gain > 0 or noise < 0 or not 0 <= alpha <= 1:
        raise ValueError(
            f"gain {gain}, noise {noise}, alpha {alpha}: gain > 0, noise >= 0 and 0 <= alpha <= 1 are wanted"
        )
    if noise and alpha == 0:
        raise ValueError("noise of single steps averages out as alpha goes to 0: leave it, or give the alpha of a step")
    memory = alpha < 1 and (noise or gain > 1)
    if max(gain, noise) > LARGEST or (
        memory and (np.hypot(gain, noise) > LARGEST_WITH_MEMORY or (not noise and gain < LEAST_WITH_MEMORY))
    ):
        raise ValueError(
            f"gain {gain}, noise {noise}, alpha {alpha}: computed to the stated errors up to {LARGEST:g}, and with "
            f"alpha < 1 up to gain^2 + noise^2 = {LARGEST_WITH_MEMORY**2:g}, without noise for gains up to 1 or from "
            f"{LEAST_WITH_MEMORY:g} on"
        )


def _number(value, name: str) -> float:
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}: a finite number is wanted")
    return float(value)


# ---- the cases -------------------------------------------------------------------------------------------------------
def _at_rest(gain: float, connectivity: str, noise: float, alpha: float) -> MeanField:
    """Jacobian (1 - alpha) I + alpha J: its eigenvalues fill a disk evenly, or lie on its rim."""
    if alpha == 0:
        largest, mean = gain - 1, -1.0
    else:
        b, reach = 1 - alpha, alpha * gain
        largest = float(np.log(b + reach))
        mean = float(np.log(max(b, reach)))
        if connectivity == "gaussian" and b < reach:
            mean += 0.5 * (b / reach) ** 2 - 0.5
    given = gain, connectivity, noise, alpha
    none = None if alpha == 1 else np.zeros(1)
    return MeanField(*given, 0.0, 0.0, 1.0, largest, ROUNDING, mean, ROUNDING, *CALM, none, none)


def _without_leak(gain: float, connectivity: str, noise: float, alpha: float) -> MeanField:
    q, rough = (variance(gain, noise, step) for step in (STEP, 2 * STEP))
    slopes = squared_slope(q), squared_slope(rough, 2 * STEP)
    exponent, other = (0.5 * float(np.log(gain**2 * slope)) for slope in slopes)
    fine, coarse = (
        totals(gain, q, connectivity, nodes, step) for nodes, step in ((NODES, STEP), (NODES // 2 + 1, 2 * STEP))
    )
    unstable, dimension, entropy, mean = (float(value) for value in fine)
    found = q, abs(q - rough) + ROUNDING * q, slopes[0], exponent, abs(exponent - other) + ROUNDING
    error = float(np.abs(fine - coarse).max())
    return MeanField(gain, connectivity, noise, alpha, *found, mean, error, unstable, dimension, entropy)


def _with_leak(gain: float, connectivity: str, noise: float, alpha: float) -> MeanField:
    fine = leaky_correlation(gain, alpha, noise)
    coarse = leaky_correlation(gain, alpha, noise, step=2 * STEP, small=10 * SMALL)
    exponent, other = (alpha * leaky_exponent(gain, alpha, c) for c in (fine, coarse))
    q = fine.variance
    mean, rough = (
        mean_with_leak(gain, q, connectivity, alpha, nodes, step)
        for nodes, step in ((NODES, STEP), (NODES // 2 + 1, 2 * STEP))
    )
    pairs = (q, coarse.variance), (exponent, other), (mean, rough)
    errors = [abs(a - b) + ROUNDING * max(1, abs(a)) for a, b in pairs]
    found = q, errors[0], squared_slope(q), exponent, errors[1], mean, errors[2]
    known = CALM if exponent < 0 else UNKNOWN
    return MeanField(gain, connectivity, noise, alpha, *found, *known, fine.lag, fine.covariance)


def _flow(gain: float, connectivity: str, noise: float, alpha: float) -> MeanField:
    exponent, error, c = flow_exponent(gain)
    q, rough = c.variance, flow_correlation(gain, 1.0, 2 * STEP).variance
    found = q, abs(q - rough) + ROUNDING * q, squared_slope(q), exponent, error, -1.0, ROUNDING
    return MeanField(gain, connectivity, noise, alpha, *found, *UNKNOWN, c.lag, c.covariance)
