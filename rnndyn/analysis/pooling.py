"""What several trajectories say together: the means of their exponents, the errors of these, whether they agree."""

from __future__ import annotations

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from rnndyn.analysis.growth import BLOCKS
from rnndyn.analysis.measure import TRANSIENT

CONFIDENCE = 0.95
FALSE_ALARM = 1e-3  # share of networks on one attractor of which it is said that their trajectories differ
AGREE, DIFFER, UNKNOWN = "agree", "differ", "unknown"


def pooled(result: dict[str, np.ndarray], duration: float) -> dict[str, np.ndarray]:
    """Means over the trajectories of each network, with errors from the scatter between them.

    Trajectories differ where the exponents scatter more than their own errors allow, by the F test, and by more than a
    transient leaves. Their mean is then one of nothing, so it is NaN.

    Parameters
    ----------
    result
        ``exponent`` and ``stderr`` (network, batch, index), ``dimension`` and ``entropy_rate`` (network, batch).
    duration
        Of a run, in the units of time of the exponents.

    Returns
    -------
    dict
        Variables of a `lyapunov_spectrum` without the axis batch; none for a single trajectory.
    """
    count, rows, k = result["exponent"].shape
    if rows < 2:
        return {}
    mean, error = _mean(result["exponent"])
    within = (result["stderr"] ** 2).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rows * error**2 / within
        spread = np.ptp(result["exponent"], axis=1)
    # A variance from n blocks, with its correlation at lag 1, is as uncertain as one with n / 3 degrees of freedom:
    # 2 / n of the scatter and 4 / n of the correlation add up to its squared relative error.
    most = fisher.isf(FALSE_ALARM / k, rows - 1, rows * max(1.0, min(BLOCKS, duration) / 3))
    apart = np.isnan(mean) | ((ratio > most) & (spread > TRANSIENT / duration))
    agreement = np.where(np.isnan(within).any(axis=-1), UNKNOWN, AGREE)
    agreement[apart.any(axis=-1)] = DIFFER
    found = {"exponent_mean": mean, "exponent_mean_stderr": error}
    for name, given in (("dimension_mean", "dimension"), ("entropy_mean", "entropy_rate")):
        found[name], found[f"{name}_stderr"] = _mean(result[given])
    for values in found.values():
        values[agreement == DIFFER] = np.nan
    return found | {
        "agreement": agreement,
        "variance_ratio": ratio,
        "dof": np.full(count, rows - 1),
        "interval_factor": np.full(count, student.ppf(0.5 + CONFIDENCE / 2, rows - 1)),
    }


def _mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over axis 1 and its standard error: -inf and 0 where all are -inf, else NaN where not all are finite."""
    lost, finite = np.isneginf(values).all(axis=1), np.isfinite(values).all(axis=1)
    known = np.where(finite[:, None], values, 0)
    mean, error = known.mean(axis=1), known.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    unknown = ~(finite | lost)
    mean[lost], mean[unknown], error[unknown] = -np.inf, np.nan, np.nan
    return mean, error
