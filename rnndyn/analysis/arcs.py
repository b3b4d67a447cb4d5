"""Slow curves by arc length: splines through their nodes, their length, and the fixed points on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.analysis.equation import Equation
from rnndyn.analysis.manifolds import SHORTEST, Curve, Foot, in_parts, project
from rnndyn.schema import Status

GAUSS = np.polynomial.legendre.leggauss(8)
REFINEMENTS = 60


class Arc:
    """A curve in state space, as a cubic spline in its own arc length.

    Parameters
    ----------
    curve
        With 4 nodes or more.
    size
        Of the region; ends are known to a small part of it.
    """

    def __init__(self, curve: Curve, size: float) -> None:
        self.closed = curve.closed
        nodes = np.concatenate([curve.nodes, curve.nodes[:1]]) if curve.closed else curve.nodes
        self.spline = _by_arc_length(nodes, self.closed)
        self.length = float(self.spline.x[-1])
        sparse = nodes[np.unique(np.append(np.arange(0, len(nodes), 2), len(nodes) - 1))]
        coarse = _by_arc_length(sparse, self.closed).x[-1]  # an error 16 times larger, were the nodes equally spaced
        self.length_error = float(abs(coarse - self.length) + (0 if self.closed else 4 * SHORTEST * size))

    def at(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States and unit tangents (n, S) at the arc lengths s (n,)."""
        tangent = self.spline(s, 1)
        return self.spline(s), tangent / np.linalg.norm(tangent, axis=1, keepdims=True)

    def wrap(self, s: np.ndarray) -> np.ndarray:
        """Arc lengths brought into the range of the curve."""
        return np.mod(s, self.length) if self.closed else np.clip(s, 0, self.length)

    def equal(self, count: int) -> np.ndarray:
        """Arc lengths of so many states at equal distances, both ends of a line included."""
        return np.linspace(0, self.length, count, endpoint=not self.closed)

    def foot(self, equation: Equation, s: np.ndarray) -> Foot:
        """The states of the slow curve across from the spline's, at the arc lengths s (n,)."""
        x, tangent = self.at(s)
        return in_parts(lambda x, t: project(equation, x, t, t), x, tangent)

    def nearest(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of states (n, S): arc length of the nearest point of the curve, and whether the state lies on it."""
        from scipy.spatial import cKDTree

        s = np.linspace(0, self.length, 20 * len(self.spline.x))
        distance, k = cKDTree(self.spline(s)).query(states)
        return s[k], distance <= s[1]


def _by_arc_length(nodes: np.ndarray, closed: bool):
    """Cubic spline through the nodes, in its own arc length (to the order of the spline, after two passes)."""
    from scipy.interpolate import CubicSpline

    s = np.append(0, np.linalg.norm(np.diff(nodes, axis=0), axis=1).cumsum())
    ends = "periodic" if closed else "not-a-knot" if len(nodes) > 3 else "natural"
    for _ in range(3):
        spline = CubicSpline(s, nodes, bc_type=ends)
        half = np.diff(s) / 2
        places = (s[:-1] + half)[:, None] + half[:, None] * GAUSS[0]
        speed = np.linalg.norm(spline(places.ravel(), 1), axis=1).reshape(places.shape)
        s = np.append(0, (speed @ GAUSS[1] * half).cumsum())
    return CubicSpline(s, nodes, bc_type=ends)


def zeros(equation: Equation, arc: Arc, s: np.ndarray, foot: Foot) -> tuple[np.ndarray, np.ndarray]:
    """Fixed points on a slow curve, where the drift changes its sign.

    Bisection between neighbours whose drifts have opposite signs beyond their rounding errors. A double zero (a fixed
    point just being born) is not seen.

    Parameters
    ----------
    equation, arc
        Of the curve.
    s : (n,)
        Arc lengths, increasing.
    foot
        The curve's states there.

    Returns
    -------
    (m, S) array, (m,) array
        The points in the order of the curve, and bounds on their distance to the true ones: as far as one has to go
        before the drift is larger than its rounding error.
    """
    known = np.flatnonzero(np.abs(foot.drift) > foot.drift_error)
    s, sign = s[known], np.sign(foot.drift[known])
    if arc.closed and len(known):
        s, sign = np.append(s, s[0] + arc.length), np.append(sign, sign[0])
    turns = np.flatnonzero(sign[:-1] != sign[1:])
    if not len(turns):
        return np.empty((0, foot.x.shape[1])), np.empty(0)
    low, high, rising = s[turns], s[turns + 1], sign[turns + 1]

    def sides(s):  # 1 beyond the zero, -1 before it, 0 where rounding hides the sign
        there = arc.foot(equation, arc.wrap(s))
        return np.where(np.abs(there.drift) > there.drift_error, np.sign(there.drift) * rising, 0)

    first, last = low.copy(), high.copy()  # the surely known signs that enclose each zero most closely
    for _ in range(REFINEMENTS):
        middle = (low + high) / 2
        side = sides(middle)
        first, last = np.where(side < 0, middle, first), np.where(side > 0, middle, last)
        low, high = np.where(side > 0, low, middle), np.where(side < 0, high, middle)
        low, high = np.where(side == 0, middle, low), np.where(side == 0, middle, high)
    reach = 1e-15 * arc.length
    while ((last - first) > 4 * reach).any() and reach < arc.length:
        reach *= 2
        first = np.where(sides(low - reach) < 0, np.maximum(first, low - reach), first)
        last = np.where(sides(low + reach) > 0, np.minimum(last, low + reach), last)
    there = arc.foot(equation, arc.wrap(low))
    real = np.abs(there.drift) <= 10 * there.drift_error  # not a jump of the drift, as at the kinks of ReLU units
    return there.x[real], (np.maximum(last - low, low - first) + there.error)[real]


def describe(equation: Equation, arc: Arc, ends: tuple[str, str], samples: int) -> tuple[dict[str, Any], tuple]:
    """What is reported of a slow curve.

    Parameters
    ----------
    equation, arc
        Of the curve.
    ends
        Why it ends.
    samples
        States at equal arc length.

    Returns
    -------
    dict, ((m, S) array, (m,) array)
        The result's variables of one manifold, and the fixed points on it as from `zeros`.
    """
    s = arc.equal(samples)
    foot = arc.foot(equation, s)
    rates = np.linalg.eigvals(foot.A)
    others = np.abs(rates + 1)
    np.put_along_axis(others, np.abs(rates - foot.rate[:, None]).argmin(axis=1)[:, None], 0, axis=1)
    dense = np.union1d(s, arc.spline.x[:-1] if arc.closed else arc.spline.x)
    everywhere = arc.foot(equation, dense)
    ok = np.isfinite(foot.error).all() and not {"lost", "turn", "length"} & set(ends)
    described = {
        "dimension": 1,
        "topology": "ring" if arc.closed else "line",
        "length": arc.length,
        "length_error": arc.length_error,
        "max_drift": np.abs(everywhere.drift).max(),
        "first_end": ends[0],
        "last_end": ends[1],
        "manifold_status": Status.OK if ok else Status.NOT_CONVERGED,
        "arc_length": s,
        "sample_state": foot.x,
        "drift": foot.drift,
        "drift_error": foot.drift_error,
        "tangent": arc.at(s)[1],
        "multiplier_along": 1 + foot.rate,
        "modulus_across": others.max(axis=1),
    }
    return described, zeros(equation, arc, dense, everywhere)
