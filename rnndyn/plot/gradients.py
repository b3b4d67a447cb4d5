"""How perturbations and gradients grow or fade with the time between cause and effect."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import BLUE, GREEN, GREY, LIGHT, PURPLE, VERMILLION, curve, drawing, label, require, rows

MOST = 8  # singular values drawn, the norm among them


def jacobian_products(ds, ax=None):
    """Draw the log norm of J_t ... J_1 against t, its upper bound beside it, and the next singular values in grey.

    For networks with a direct path its norm, and that of all paths through recurrent weights, are drawn too.

    Of several sequences or networks the median is drawn, and the band that holds them all.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.jacobian_products`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "norm" and "bound", and "direct" and "recurrent" where the network has both.

    Raises
    ------
    ValueError
        `ds` holds no Jacobian products.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> t = np.arange(1.0, 9.0)
    >>> ds = schema.build("jacobian_products", {"log_norm": -t, "bound": -t / 2})
    >>> [line.get_label() for line in jacobian_products(ds).lines[:2]]
    ['bound', 'norm']
    """
    require(ds, "log_norm", "bound", "time")
    time = ds["time"].values
    with drawing(ax) as ax:
        if "log_singular_value" in ds:
            _singular_values(ax, time, ds["log_singular_value"])
        curve(ax, time, rows(ds["bound"], last="time"), VERMILLION, "bound", linestyle="--")
        if "log_direct_norm" in ds and np.isfinite(ds["log_direct_norm"]).any():
            for name, color in (("recurrent", PURPLE), ("direct", GREEN)):
                curve(ax, time, rows(ds[f"log_{name}_norm"], last="time"), color, name, linewidth=0.9)
        curve(ax, time, rows(ds["log_norm"], last="time"), BLUE, "norm")
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        _frame(ax, ds["log_norm"])
        ax.set_xlabel("Time lag (step)")
        ax.set_ylabel(label(ds["log_norm"], "log norm of the product"))
        ax.set_xlim(time.min(initial=1), time.max(initial=2))
        ax.legend(reverse=True)
    return ax


def _singular_values(ax, time, array):
    first = array.isel({d: 0 for d in array.dims if d not in ("time", "index")}).transpose("time", "index").values
    first = np.where(np.isfinite(first), first, np.nan)[:, 1:MOST]
    ax.plot(time, first, color=LIGHT, linewidth=0.5, zorder=0)


def gradient_flow(ds, ax=None):
    """Draw the log norm of dL/ds_t against the time from t to the end, in all and along each path of a gated cell.

    Of several sequences the median is drawn, and the band that holds them all. Sequences that end sooner are moved, so
    that the last gradients of all stand above one another; a median is of those that are long enough.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.gradient_flow`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each path, and one for the bound where there is one.

    Raises
    ------
    ValueError
        `ds` is no gradient flow.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> log_norm = np.arange(-8.0, 0.0)
    >>> ds = schema.build("gradient_flow", {"gradient_norm": np.exp(log_norm), "log_gradient_norm": log_norm})
    >>> gradient_flow(ds).get_xlabel()
    'Time before the end (step)'
    """
    require(ds, "log_gradient_norm", "time")
    lag = ds["time"].values.max(initial=0) - ds["time"].values
    logs = rows(ds["log_gradient_norm"], last="time")
    paths = [("gradient_norm_hidden", "through h", GREEN), ("gradient_norm_cell", "through c", PURPLE)]
    with drawing(ax) as ax:
        split = any(name in ds for name, *_ in paths)
        curve(ax, lag, ends_together(logs, logs), BLUE, "gradient", linewidth=2.4 if split else 1.2)
        for name, text, color in paths:
            if name in ds:
                curve(ax, lag, ends_together(_log(ds[name]), logs), color, text, linewidth=0.9)
        if "bound" in ds:
            curve(ax, lag, ends_together(_log(ds["bound"]), logs), VERMILLION, "bound", linestyle="--")
        _frame(ax, ds["log_gradient_norm"])
        ax.set_xlabel("Time before the end (step)")
        ax.set_ylabel(label(ds["log_gradient_norm"], "log norm of the gradient"))
        ax.set_xlim(0, max(1, lag.max(initial=0)))
        if len(ax.lines) > 1:
            ax.legend()
    return ax


def ends_together(values, logs):
    """Move values (sequence, time) later, so that the last gradients of all sequences, by their logs, are at one time.

    Examples
    --------
    >>> logs = np.array([[0.0, -1.0, -2.0], [-3.0, -np.inf, -np.inf]])
    >>> ends_together(logs, logs).tolist()
    [[0.0, -1.0, -2.0], [nan, nan, -3.0]]
    """
    steps, some = np.arange(logs.shape[1]), np.isfinite(logs)
    ends = np.max(np.where(some, steps, -1), axis=1, initial=-1)
    late = np.where(ends >= 0, ends.max(initial=0) - ends, 0)[:, None]
    return np.where(steps >= late, np.take_along_axis(values, np.maximum(steps - late, 0), axis=1), np.nan)


def _frame(ax, logs):
    """Let a bound leave the frame rather than press what it bounds flat."""
    values = logs.values[np.isfinite(logs.values)]
    if not values.size:
        return
    room = max(np.ptp(values), 1.0)
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, values.min() - room), min(high, values.max() + room))


def _log(array):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(rows(array, last="time"))
