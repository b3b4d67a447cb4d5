"""What a network did: its outputs or states against time."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import PALETTE, chosen, drawing, label, line, require

MOST = 6  # lines that an eye can follow


def run(ds, ax=None, *, variable=None, sequence=0):
    """Draw the traces of one sequence of `rnndyn.run`: the outputs where there are any, else the hidden units.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.run`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    variable : str, optional
        "output", "hidden" or "state".
    sequence : int
        Which sequence of a batch.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each of the first six components.

    Raises
    ------
    TypeError, ValueError
        `ds` is no run, or lacks `variable` or `sequence`.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> ds = schema.build("run", {"state": np.zeros((9, 2)), "hidden": np.zeros((9, 2))})
    >>> len(run(ds).lines)
    2
    """
    variable = variable or ("output" if "output" in ds else "hidden")
    require(ds, variable, "time")
    traces = chosen(ds[variable], "batch", sequence, "sequence")
    component = next(d for d in traces.dims if d != "time")
    values = traces.transpose("time", component).values
    with drawing(ax) as ax:
        for k, color in zip(range(min(values.shape[1], MOST)), PALETTE, strict=False):
            line(ax, ds["time"].values, values[:, k], color=color, label=f"{k + 1}", linewidth=1.0)
        ax.set_xlabel("Time (step)")
        shown = "" if values.shape[1] <= MOST else f", {MOST} of {values.shape[1]}"
        ax.set_ylabel(label(ds[variable]) + shown)
        ax.set_xlim(1, max(2, len(values)))
        if 1 < values.shape[1]:
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "alignment": "left", "columnspacing": 1}
            ax.legend(title=component, ncols=min(values.shape[1], MOST), **above)
        if not np.isfinite(values).all():
            ax.set_title("not finite at some times", loc="right")
    return ax
