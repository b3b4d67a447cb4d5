"""The graph of transitions: attractors, and the saddles between them."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.points import MARKS, filling, principal_components
from rnndyn.plot.style import GREY, drawing, require

MOST_NAMES = 32  # attractors that are named
OBLIQUE = (0.4, 0.25)  # where a unit of the third component goes, up to signs: a cube is seen as one


def transitions(ds, ax=None, *, names=None):
    """Draw which attractors the saddles join, in an oblique view of the attractors' first three principal components.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.transitions`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    names : sequence of str, optional
        Names of all points; those of the attractors are written instead of their numbers.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each way from a saddle to an attractor. Saddles with a side that arrives at none are diamonds.

    Raises
    ------
    ValueError
        `ds` holds no transitions.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = rd.Elman(None, [[2.0, 0.0], [0.0, 2.0]])
    >>> ax = transitions(rd.transitions(net, rd.fixed_points(net, starts=64, rng=0)))
    >>> [line.get_label() for line in ax.lines[-2:]]
    ['attractor (4)', 'saddle (4)']
    """
    require(ds, "saddle", "target", "state", "stability")
    states = ds["state"].transpose("point", "state").values
    saddle, target = ds["saddle"].values, ds["target"].values
    stable = np.flatnonzero(ds["stability"].values == "stable")
    components = principal_components(states[stable] if len(stable) > 1 else states, 3)
    view = _view(components.project(states[np.union1d(stable, saddle)]))
    place = components.project(states) @ view
    lost = np.unique(saddle[target < 0])
    with drawing(ax) as ax:
        for ends in sorted({(s, t) for s, t in zip(saddle.tolist(), target.tolist(), strict=True) if t >= 0}):
            ax.plot(*place[list(ends)].T, color=GREY, linewidth=0.8, zorder=1)
        _marks(ax, place[stable], "attractor", "stable", 9 if names is None else 5)
        _marks(ax, place[np.setdiff1d(saddle, lost)], "saddle", "undecided", 3)
        if len(lost):
            _marks(ax, place[lost], "saddle, one side open", "unstable", 3.5)
        _names(ax, stable[:MOST_NAMES], place, names)
        ax.set_xlabel(_label(components, view, 0))
        ax.set_ylabel(_label(components, view, 1))
        ax.margins(0.12)
        ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), columnspacing=0.8, handletextpad=0.2)
    return ax


def _marks(ax, places, name, stability, size):
    mark = MARKS[stability]
    look = {"color": mark.color, "markersize": size, "zorder": 3} | filling(mark)
    ax.plot(*places.T, mark.marker, label=f"{name} ({len(places)})", **look)


def _names(ax, numbers, place, names):
    """Write numbers on the marks, or names beside them."""
    beside = {"xytext": (4, 4), "textcoords": "offset points", "zorder": 2}
    paper = {"facecolor": "white", "edgecolor": "none", "boxstyle": "square,pad=0.05"}  # hides the lines beneath
    for k in numbers:
        if names is None:
            ax.annotate(f"{k}", place[k], fontsize=6, color="white", ha="center", va="center_baseline", zorder=4)
        else:
            ax.annotate(names[k], place[k], fontsize=7, bbox=paper, **beside)


def _view(places):
    """Choose, of the four oblique views of places (n, 3), the one in which the nearest two are farthest apart."""
    views = [np.array([[1, 0], [0, 1], [x * OBLIQUE[0], y * OBLIQUE[1]]]) for x in (1, -1) for y in (1, -1)]
    if len(places) < 2:
        return views[0]
    first, second = np.triu_indices(len(places), 1)
    apart = [np.linalg.norm((places[first] - places[second]) @ view, axis=1).min() for view in views]
    return views[int(np.argmax(np.round(apart, 9)))]


def _label(components, view, k):
    """Name an axis of the view, with what the third component adds to it."""
    if components.share is None or components.share[2] < 5e-3:
        return components.label(k)
    sign = "−" if view[2, k] < 0 else "+"
    shares = [f"{100 * share:.0f} %" for share in components.share]
    return f"PC {k + 1} ({shares[k]}) {sign} {OBLIQUE[k]:g} PC 3 ({shares[2]})"
