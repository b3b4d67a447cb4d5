"""The paths of a gradient: through the gates of a cell, and through the steps of a scalar recurrence."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.gradients import ends_together
from rnndyn.plot.style import BLUE, GREY, PALETTE, VERMILLION, curve, drawing, label, require, rows


def gate_paths(ds, ax=None):
    """Draw how much of the gradient arrives by each path through one step, against the time to the end.

    A path's part is drawn by the log of its norm over that of the gradient; parts may cancel, so it can be above 0. Of
    several sequences the median is drawn, and the band that holds them all, moved as in `gradient_flow`.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.gradient_flow`, of a network of cells.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each path that there is.

    Raises
    ------
    ValueError
        `ds` is no gradient flow, or that of a network without cells.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> log_norm = np.arange(-8.0, 0.0)
    >>> parts = np.stack([log_norm - 0.1, log_norm - 3], axis=1)
    >>> ds = schema.build("gradient_flow", {
    ...     "gradient_norm": np.exp(log_norm), "log_gradient_norm": log_norm, "log_path_norm": parts},
    ...     coords={"path": ("path", ["direct", "h"])})
    >>> [line.get_label() for line in gate_paths(ds).lines[:-1]]
    ['direct', 'h']
    """
    require(ds, "log_gradient_norm", "log_path_norm", "time", "path")
    lag = ds["time"].values.max(initial=0) - ds["time"].values
    with drawing(ax) as ax:
        logs = rows(ds["log_gradient_norm"], last="time")
        whole = np.where(np.isfinite(logs), logs, np.nan)
        for k, name in enumerate(ds["path"].values):
            part = rows(ds["log_path_norm"].isel(path=k), last="time")
            if np.isfinite(part).any():
                look = {"linestyle": "-" if k < 6 else "--", "linewidth": 0.9}
                curve(ax, lag, ends_together(part - whole, logs), PALETTE[k % 6], str(name), **look)
        ax.set_xlabel("Time before the end (step)")
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        ax.set_ylabel(label(ds["log_path_norm"], "log of part over gradient"))
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, -1), max(high, 0.1))  # a single path is all of the gradient: no picture of its rounding
        ax.set_xlim(0, max(1, lag.max(initial=0)))
        if len(ax.lines) > 1:
            ax.legend(ncols=2)
    return ax


def gradient_paths(ds, ax=None):
    """Draw the sum of all paths of one length, positive sums filled and negative ones open, over their mass in grey.

    Of several sequences the first is drawn.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.gradient_paths`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "mass", "sum > 0", "sum < 0" where there are any, and a dashed line at the whole product.

    Raises
    ------
    ValueError
        `ds` holds no gradient paths.

    Examples
    --------
    >>> from rnndyn.analysis.gradient_paths import gradient_paths_from_terms
    >>> ax = gradient_paths(gradient_paths_from_terms([0.5] * 6, [0.25, -0.1] * 3))
    >>> ax.get_xlabel()
    'Recurrent factors of a path'
    """
    require(ds, "log_sum", "sign", "log_mass", "log_product", "length")
    first = ds.isel(batch=0) if "batch" in ds.dims else ds
    length = first["length"].values
    with drawing(ax) as ax:
        curve(ax, length, first["log_mass"].values[None], GREY, "mass", linewidth=0.8)
        for sign, name, face in ((1, "sum > 0", BLUE), (-1, "sum < 0", "none")):
            values = np.where(first["sign"] == sign, first["log_sum"], np.nan)
            if np.isfinite(values).any():
                ax.plot(length, values, "o", markersize=3, color=BLUE, markerfacecolor=face, label=name)
        if np.isfinite(first["log_product"]):
            ax.axhline(first["log_product"].item(), color=VERMILLION, linestyle="--", linewidth=0.9, label="all paths")
        ax.set_xlabel("Recurrent factors of a path")
        ax.set_ylabel(label(ds["log_sum"], "log of the sum"))
        ax.legend()
    return ax
