"""How training went: losses and gradient norm against the step."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import BLUE, ORANGE, VERMILLION, drawing, require


def training(ds, ax=None):
    """Draw the loss and the norm of the gradient of `rnndyn.train` on one logarithmic axis.

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
        ax.plot(step, ds["gradient_norm"].values, color=ORANGE, label="gradient norm", linewidth=0.8)
        ax.plot(step, ds["loss"].values, color=BLUE, label="loss")
        if "validation_loss" in ds:
            looks = np.isfinite(ds["validation_loss"].values)
            style = {"color": VERMILLION, "linestyle": "--", "label": "validation loss"}
            ax.plot(step[looks], ds["validation_loss"].values[looks], **style)
        ax.set_yscale("log")
        ax.set_xlim(1, max(2, len(step)))
        ax.set_xlabel("Training step")
        ax.set_ylabel("Loss, gradient norm")
        ax.legend(reverse=True)
    return ax
