"""Fixed points among the trajectories, and the eigenvalues that decide their stability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.plot.style import BLUE, GREY, LIGHT, VERMILLION, drawing, require


class Mark(NamedTuple):
    """How points of one stability look: colour and shape both tell."""

    color: str
    marker: str
    filled: bool


MARKS = {
    "stable": Mark(BLUE, "o", True),
    "unstable": Mark(VERMILLION, "D", False),
    "undecided": Mark(GREY, "s", False),
}
UNKNOWN = Mark(GREY, "X", False)
MOST_TRAJECTORIES = 50
MOST_DIRECTIONS = 3
LEGEND = {"ncols": 3, "loc": "lower left", "bbox_to_anchor": (0, 1), "columnspacing": 0.8, "handletextpad": 0.2}


def fixed_points(ds, ax=None, *, run=None, input_index=None, network=None):
    """Draw fixed points in the plane of the first two principal components, by stability.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.fixed_points`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    run : Dataset, optional
        From `rnndyn.run`: its states give the principal components, and its trajectories are drawn in grey. Without it
        the components are those of the points.
    input_index, network : int, optional
        Of points under several inputs or of several networks, those of this one are drawn; by default those of the
        first that has any.

    Returns
    -------
    matplotlib.axes.Axes
        With a set of markers for each kind of stability. Short lines are unstable directions, where `ds` has
        eigenvectors, and ellipses are the planes of unstable complex pairs, as they show in the plane of the figure.

    Raises
    ------
    ValueError
        `ds` holds no fixed points, or `run` has another state size.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> ds = schema.build("fixed_points", {
    ...     "state": np.eye(3), "residual": np.zeros(3), "status": ["certified"] * 3, "error_bound": np.zeros(3),
    ...     "eigenvalue": np.full((3, 3), 0.5 + 0j), "n_unstable": np.zeros(3, int),
    ...     "stability": np.array(["stable"] * 3), "index": np.ones(3, int)})
    >>> fixed_points(ds).get_xlabel()
    'PC 1 (50 % of the variance)'
    """
    require(ds, "state", "stability")
    ds, title = _of_one(ds, network=network, input_index=input_index)
    points = ds["state"].transpose("point", "state").values
    trajectories = _trajectories(run, points.shape[1])
    plane = principal_components(points if run is None else trajectories.reshape(-1, points.shape[1]))
    with drawing(ax) as ax:
        for path in trajectories[:MOST_TRAJECTORIES]:
            ax.plot(*plane.project(path).T, color=LIGHT, linewidth=0.5, zorder=1)
        _directions(ax, ds, points, plane)
        for name, mark in _present(ds):
            chosen = plane.project(points[ds["stability"].values == name])
            text = f"{name} ({len(chosen)})"
            ax.plot(*chosen.T, mark.marker, color=mark.color, label=text, zorder=3, **filling(mark))
        ax.set_xlabel(plane.label(0))
        ax.set_ylabel(plane.label(1))
        ax.margins(0.08)
        _legend(ax, points, title)
    return ax


def eigenvalues(ds, ax=None, *, input_index=None, network=None):
    """Draw the eigenvalues of all fixed points in the complex plane, with the unit circle.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.fixed_points`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    input_index, network
        As in `fixed_points`.

    Returns
    -------
    matplotlib.axes.Axes
        With a set of markers for each kind of stability; eigenvalues outside the circle are unstable directions.

    Raises
    ------
    ValueError
        `ds` has no eigenvalues.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn import schema
    >>> ds = schema.build("fixed_points", {
    ...     "state": np.zeros((1, 2)), "residual": np.zeros(1), "status": ["certified"], "error_bound": np.zeros(1),
    ...     "eigenvalue": np.array([[0.5 + 0.1j, 0.5 - 0.1j]]), "n_unstable": np.zeros(1, int),
    ...     "stability": np.array(["stable"]), "index": np.ones(1, int)})
    >>> eigenvalues(ds).get_ylabel()
    'Eigenvalue, imaginary part'
    """
    require(ds, "eigenvalue", "stability")
    ds, title = _of_one(ds, network=network, input_index=input_index)
    values = ds["eigenvalue"].transpose("point", "mode").values
    size = 2.5 if values.size <= 256 else 1.6
    angle = np.linspace(0, 2 * np.pi, 361)
    with drawing(ax) as ax:
        ax.plot(np.cos(angle), np.sin(angle), color=GREY, linewidth=0.7, zorder=1)
        for name, mark in _present(ds):
            chosen = values[ds["stability"].values == name].ravel()
            face = filling(mark) | {"markersize": size, "markeredgewidth": 0.6, "zorder": 3 if mark.filled else 2}
            ax.plot(chosen.real, chosen.imag, mark.marker, color=mark.color, label=name, **face)
        ax.set_aspect("equal")
        ax.set_xlabel("Eigenvalue, real part")
        ax.set_ylabel("Eigenvalue, imaginary part")
        _legend(ax, values, title)
    return ax


def _legend(ax, points, title):
    """Name the marks, or say that there are none."""
    if len(points):
        ax.legend(title=title, **LEGEND)
    else:
        ax.set_title("no fixed point was found", color=GREY)


def _of_one(ds, **numbers):
    """Choose the points of one network under one input, and give a title that names these where there are several."""
    titles = []
    for name, number in numbers.items():
        word = name.removesuffix("_index")
        if name not in ds.coords:
            if number is not None:
                raise ValueError(f"{name}: got {number!r}; the points are all of one {word}: leave it out")
            continue
        rows = ds[name].values
        k = (rows[0] if len(rows) else 0) if number is None else number
        if len(rows) and k not in rows:
            raise ValueError(f"{name}: got {k!r}; there are points of {np.unique(rows).tolist()}")
        ds = ds.isel(point=np.flatnonzero(rows == k))
        titles.append(f"{word} {k}")
    return ds, ", ".join(titles) or None


class Components(NamedTuple):
    """Principal directions in state space, as columns, and the share of the variance along each."""

    mean: np.ndarray
    axes: np.ndarray
    share: np.ndarray | None

    def project(self, states):
        """Components of states (..., S) along the axes."""
        return (states - self.mean) @ self.axes

    def label(self, k):
        """Name of the axis along component k."""
        if self.share is None:
            return f"State {k + 1}"
        return f"PC {k + 1} ({100 * self.share[k]:.0f} % of the variance)"


def principal_components(states, count=2):
    """Give the leading components, each with its largest entry positive, so that equal results give equal figures.

    Directions that the states (n, S) do not have are zero; if they do not vary at all, the first axes are given.
    """
    size = states.shape[1]
    states = states[np.isfinite(states).all(axis=1)]
    axes = np.zeros((size, count))
    mean = states.mean(axis=0) if len(states) else np.zeros(size)
    variance, vectors = np.linalg.eigh((states - mean).T @ (states - mean))
    n = min(size, count)
    if len(states) < 2 or variance.sum() <= 0:
        axes[:n] = np.eye(count)[:n]
        return Components(np.zeros(size), axes, None)
    axes[:, :n] = vectors[:, ::-1][:, :n]
    axes *= np.where(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], 0) < 0, -1.0, 1.0)
    share = np.append(variance[::-1], np.zeros(count))[:count].clip(0) / variance.sum()
    return Components(mean, axes, share)


def _trajectories(run, size):
    if run is None:
        return np.empty((0, 0, size))
    require(run, "state", "time")
    states = run["state"].transpose(..., "time", "state").values
    if states.shape[-1] != size:
        raise ValueError(f"run: got a state size of {states.shape[-1]}; the fixed points have {size}")
    return states.reshape(-1, *states.shape[-2:])


def _present(ds):
    found = {str(name) for name in ds["stability"].values}
    return [(name, mark) for name, mark in MARKS.items() if name in found] + [
        (name, UNKNOWN) for name in sorted(found - MARKS.keys())
    ]


def filling(mark):
    """Give the arguments of `plot` that fill a mark, or leave it open."""
    return {"markerfacecolor": mark.color if mark.filled else "white", "linestyle": "none"}


def _directions(ax, ds, points, plane):
    """Draw each point's leading unstable directions, as they show in the plane.

    An eigenvector times any phase is one too: all of them, in real states, lie on an ellipse about the point, whose
    longest axis has unit length. It is a line where the eigenvalue is real.
    """
    if "right_eigenvector" not in ds or not len(points):
        return
    vectors = ds["right_eigenvector"].transpose("point", "mode", "state").values
    length = 0.08 * np.ptp(plane.project(points), axis=0).max(initial=0) or 0.1
    values = ds["eigenvalue"].transpose("point", "mode").values[:, :MOST_DIRECTIONS]
    phases = np.exp(1j * np.linspace(0, 2 * np.pi, 73))[:, None]
    for point, mode in zip(*np.nonzero((np.abs(values) > 1) & (values.imag >= 0)), strict=True):
        ellipse = (phases * vectors[point, mode]).real
        ellipse *= length / np.linalg.norm(ellipse, axis=1).max()
        ax.plot(*plane.project(points[point] + ellipse).T, color=VERMILLION, linewidth=0.8, zorder=2)
