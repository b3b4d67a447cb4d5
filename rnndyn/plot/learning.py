"""How training went: losses and gradient norm against the step."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import BLUE, GREY, ORANGE, PURPLE, VERMILLION, drawing, label, line, require

MOST = 3  # exponents drawn


def training(ds, ax=None):
    """Draw the loss and the norm of the gradient of `rnndyn.train` on one logarithmic axis.

    Of losses below 0, as densities and rewards have them, the logarithm is that of the size, and from -1 to 1 the axis
    is linear. Where Lyapunov exponents were watched, they stand on an axis of their own to the right.

    Parameters
    ----------
    ds : Dataset
        The second result of `rnndyn.train`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each of the two, and one for the loss on validation data where there is one.

    Raises
    ------
    ValueError
        `ds` is no training record.

    Examples
    --------
    >>> from rnndyn import schema
    >>> ds = schema.build("training", {"loss": [4.0, 2.0, 1.0], "gradient_norm": [1.0, 0.5, 0.2]})
    >>> training(ds).get_yscale()
    'log'
    """
    require(ds, "loss", "gradient_norm", "step")
    step = ds["step"].values
    with drawing(ax) as ax:
        line(ax, step, ds["gradient_norm"].values, color=ORANGE, label="gradient norm", linewidth=0.8)
        line(ax, step, ds["loss"].values, color=BLUE, label="loss")
        if "validation_loss" in ds:
            looks = np.isfinite(ds["validation_loss"].values)
            style = {"color": VERMILLION, "linestyle": "--", "label": "validation loss"}
            line(ax, step[looks], ds["validation_loss"].values[looks], **style)
        _scale(ax, ds)
        ax.set_xlim(0 if "exponent" in ds else 1, max(2, len(step)))
        if "exponent" in ds:
            _exponents(ax.twinx(), ds["exponent"])
        ax.set_xlabel("Training step")
        ax.set_ylabel("Loss, gradient norm")
        ax.legend(reverse=True)
    return ax


def _scale(ax, ds):
    """Make the axis of losses and norms logarithmic, on both sides of 0 where a loss is negative."""
    losses = [ds[name].values for name in ("loss", "validation_loss") if name in ds]
    if any((loss < 0).any() for loss in losses):
        ax.set_yscale("symlog", linthresh=1)
    else:
        ax.set_yscale("log")


def _exponents(ax, exponent):
    """Exponents that were watched, the first drawn strongest."""
    step, values = exponent["watched_step"].values, np.where(np.isfinite(exponent.values), exponent.values, np.nan)
    ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    for k in range(min(values.shape[1], MOST)):
        ax.plot(step, values[:, k], "o-", color=PURPLE, markersize=2, linewidth=0.8, alpha=1 / (1 + k))
    ax.spines["right"].set(visible=True, color=PURPLE)
    ax.tick_params(axis="y", colors=PURPLE)
    ax.set_ylabel(label(exponent), color=PURPLE)
