"""Lyapunov exponents against their number."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import BLUE, GREY, LIGHT, VERMILLION, drawing, label, require, rows


def lyapunov_spectrum(ds, ax=None):
    """Draw the exponents of `rnndyn.lyapunov_spectrum`, largest first, with bars of one standard error.

    Above the axis stand the Kaplan-Yorke dimension and the entropy rate. Several trajectories or networks are drawn
    over each other, and their medians are given. Where the trajectories of a network agree, their mean is drawn with
    bars of its 95 % interval, and each of them in grey without bars. Exponents of -inf (a singular Jacobian) are
    triangles on the edge.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.lyapunov_spectrum`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With one set of bars for each trajectory, or for each mean over trajectories.

    Raises
    ------
    ValueError
        `ds` is no spectrum.

    Examples
    --------
    >>> from rnndyn import schema
    >>> ds = schema.build("lyapunov_spectrum", {
    ...     "exponent": [0.42, -1.62], "stderr": [1e-3, 1e-3], "dimension": 1.26, "entropy_rate": 0.42,
    ...     "sum_rule_defect": 0.0, "status": 0})
    >>> lyapunov_spectrum(ds).get_xlabel()
    'Number'
    """
    require(ds, "exponent", "stderr")
    exponents = rows(ds["exponent"], last="index")
    means = "agreement" in ds and bool((ds["agreement"] == "agree").any())
    number = np.arange(1, exponents.shape[1] + 1)
    size = 3.5 if len(number) <= 64 else 2
    with drawing(ax) as ax:
        ax.axhline(0, color=GREY, linewidth=0.6)
        if means:
            ax.plot(number, exponents.T, "_", markersize=2 * size, color=LIGHT, zorder=1)
        for values, error in zip(*_bars(ds, means), strict=True):
            finite = np.isfinite(values)
            bars = np.where(np.isfinite(error), error, 0)[finite]
            ax.errorbar(number[finite], values[finite], bars, fmt="o", markersize=size, color=BLUE, elinewidth=0.8)
        singular = number[np.isneginf(exponents).any(axis=0)]
        if singular.size:
            edge = ax.get_xaxis_transform()
            ax.plot(singular, np.full(singular.size, 0.02), "v", color=VERMILLION, transform=edge, label="−∞")
            ax.legend(loc="lower left")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlim(0.5 if len(number) < 30 else 0, len(number) + 0.5)
        ax.set_xlabel("Number")
        ax.set_ylabel(label(ds["exponent"]))
        ax.set_title(_summary(ds), color=GREY)
    return ax


def _bars(ds, means):
    """Exponents with the lengths of their bars, (rows, index) each: of the means, or of every trajectory."""
    if not means:
        return rows(ds["exponent"], last="index"), rows(ds["stderr"], last="index")
    interval = ds["interval_factor"] * ds["exponent_mean_stderr"]
    return rows(ds["exponent_mean"], last="index"), rows(interval, last="index")


def _summary(ds):
    parts = ["trajectories differ"] if "agreement" in ds and (ds["agreement"] == "differ").any() else []
    for name, title in (("dimension", "dimension"), ("entropy_rate", "entropy rate")):
        if name in ds and ds[name].size and np.isfinite(np.median(ds[name])):  # of the first k alone, unknown
            units = ds[name].attrs["units"]
            parts.append(f"{title} {np.median(ds[name]):.3g}" + ("" if units == "1" else f" {units}"))
    return ", ".join(parts)
