"""Slow manifolds and slow points among the trajectories, with the direction of the drift."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.points import MARKS, MOST_TRAJECTORIES, _present, _trajectories, filling, principal_components
from rnndyn.plot.style import BLACK, GREEN, GREY, LIGHT, ORANGE, PURPLE, SKY, drawing, require

COLORS = (GREEN, PURPLE, ORANGE, SKY)
ARROWS = 12  # along each manifold
MOST_NAMED = 4


def slow_points(ds, ax=None, *, run=None):
    """Draw slow manifolds and points in the plane of the first two principal components.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.slow_points`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    run : Dataset, optional
        From `rnndyn.run`: its trajectories are drawn in grey, and its states give the principal components. Without it
        the components are those of the manifolds, or of the points where there is no manifold.

    Returns
    -------
    matplotlib.axes.Axes
        With a curve for each line or ring, named with its length and largest drift; arrows point where the drift goes,
        where it is beyond its rounding error. Markers show points by stability.

    Raises
    ------
    ValueError
        `ds` holds no slow points, or `run` has another state size.

    Examples
    --------
    >>> from rnndyn.analysis.slow_points import slow_points as find
    >>> from rnndyn.networks.elman import Linear
    >>> ds = find(Linear(None, [[1.0, 0.0], [0.0, 0.5]]), starts=16, rng=0)
    >>> slow_points(ds).get_legend_handles_labels()[1][0].split(", ")[:2]
    ['line', 'length 20']
    """
    require(ds, "state", "stability", "sample_state", "drift")
    points = ds["state"].transpose("point", "state").values
    curves = ds["sample_state"].transpose("manifold", "sample", "state").values
    drawn = np.flatnonzero(np.isfinite(curves).all(axis=(1, 2)))
    trajectories = _trajectories(run, points.shape[1])
    source = trajectories if run is not None else curves[drawn] if len(drawn) else points
    plane = principal_components(source.reshape(-1, points.shape[1]))
    with drawing(ax) as ax:
        for path in trajectories[:MOST_TRAJECTORIES]:
            ax.plot(*plane.project(path).T, color=LIGHT, linewidth=0.5, zorder=1)
        for k, m in enumerate(drawn):
            one = ds.isel(manifold=m)
            path = curves[m] if one["topology"] == "line" else np.concatenate([curves[m], curves[m][:1]])
            name = _name(one) if k < MOST_NAMED else None
            ax.plot(*plane.project(path).T, color=COLORS[k % len(COLORS)], linewidth=2, label=name, zorder=2)
            _arrows(ax, one, plane)
        for name, mark in _present(ds):
            chosen = plane.project(points[ds["stability"].values == name])
            look = filling(mark) | {"label": f"{name} ({len(chosen)})", "zorder": 4 if mark is MARKS["stable"] else 3}
            ax.plot(*chosen.T, mark.marker, color=mark.color, **look)
        ax.set_xlabel(plane.label(0))
        ax.set_ylabel(plane.label(1))
        ax.margins(0.08)
        if len(points) or len(drawn):
            ax.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), columnspacing=0.8, handletextpad=0.4)
        else:
            ax.set_title("no slow point was found", color=GREY)
    return ax


def _name(one) -> str:
    drift, error = float(np.abs(one["drift"]).max()), float(one["drift_error"].max())
    drift = max(drift, float(one["max_drift"]))
    size = f"max drift {drift:.2g}" if drift > error else f"drift < {1.05 * error:.2g}"
    return f"{one['topology'].item()}, length {one['length'].item():.3g}, {size}"


def _arrows(ax, one, plane):
    """Short arrows along the manifold in the direction of the drift, where that is known."""
    x, tangent = (plane.project(one[name].transpose("sample", "state").values) for name in ("sample_state", "tangent"))
    along = tangent - plane.project(np.zeros((1, one.sizes["state"])))  # a direction has no origin
    drift = one["drift"].values
    known = np.abs(drift) > one["drift_error"].values
    chosen = np.linspace(0, len(drift) - 1, 2 * ARROWS + 1).round().astype(int)[1::2]
    for k in chosen[known[chosen]]:
        tip = x[k] + 1e-3 * np.sign(drift[k]) * along[k]
        style = {"arrowstyle": "-|>", "color": BLACK, "linewidth": 0, "mutation_scale": 10, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=tip, xytext=x[k], arrowprops=style, zorder=3)
