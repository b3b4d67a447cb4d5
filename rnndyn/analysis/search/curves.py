"""Many curves ``H(x, a) = 0``, x of S components and a number a, followed side by side."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from rnndyn.analysis.completeness import Box

STEPS = 1000  # at most, on each curve
FIRST, LONGEST = 0.1, 1.0  # steps, in mean half sides of the box
SHORTEST = 1e-6
CORRECTIONS = 4
CLOSE = 1e-2  # to the curve, in steps
BEND = 0.5  # largest first correction, in steps; and smallest cosine between two tangents
STRAIGHT = 0.2  # first correction, in steps, after which the next step is longer
LONGER = 1.6
ALLOWANCE = 2.0  # of the estimate how far a goes between two points
AROUND = 0.25  # of the box's sides, on both sides, where curves are still followed


class Family(Protocol):
    """Equations ``H(x, a) = 0``, one for each curve, for a in a range; those with ``a = target`` are to be solved."""

    target: float
    range: tuple[float, float]

    def at(self, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """H (n, S) and its Jacobian (n, S, S + 1) at ``y = [x, a]`` (n, S + 1), on the curves of these numbers."""


class Path(NamedTuple):
    """Where n curves are followed: their numbers, points y, tangents t, next steps h, and sides of the target."""

    rows: np.ndarray
    y: np.ndarray
    t: np.ndarray
    h: np.ndarray
    side: np.ndarray

    def take(self, kept: np.ndarray) -> Path:
        """Some of the curves."""
        return Path(*(values[kept] for values in self))

    def replaced(self, good: np.ndarray, y: np.ndarray, t: np.ndarray, side: np.ndarray) -> Path:
        """With new points, tangents and sides on some of the curves."""
        new = (np.where(good[:, None], y, self.y), np.where(good[:, None], t, self.t))
        return Path(self.rows, *new, self.h, np.where(good, side, self.side))

    def at(self, begin: Path) -> np.ndarray:
        """Which curves are back where they began."""
        near = np.linalg.norm(self.y - begin.y[self.rows], axis=1) < self.h / 2
        return near & ((self.t * begin.t[self.rows]).sum(axis=1) > BEND)


def follow(family: Family, y: np.ndarray, sign: np.ndarray, box: Box) -> np.ndarray:
    """Where curves pass the target.

    Pseudo-arclength continuation ([keller1977]_): a step along the tangent, then Newton's iteration across it. A step
    is halved where the iteration is slow or the curve bends. The control is loose: a path that jumps to another curve
    does no harm here, where each passage is only a start for Newton's iteration.

    Parameters
    ----------
    family
        The curves.
    y : (n, S + 1)
        Points ``[x, a]`` on them to start from.
    sign : (n,)
        1 to start towards growing a, -1 for falling a.
    box
        Of x; a curve ends where it has left it by a quarter of a side.

    Returns
    -------
    (k, S) array
        x by linear interpolation, where a passes the target, or nearly touches it. Closed curves are followed once.
        Cost O(S^3) a step, some 3 evaluations of H each.
    """
    size = float(np.mean(box.high - box.low)) / 2
    around = Box(box.low - AROUND * (box.high - box.low), box.high + AROUND * (box.high - box.low))
    t = _tangent(family.at(y, np.arange(len(y)))[1], np.eye(y.shape[1])[-1] * sign[:, None])
    side = np.sign(y[:, -1] - family.target)
    path = Path(np.arange(len(y)), y, t, np.full(len(y), FIRST * size), np.where(side == 0, sign, side))
    begin, passed = path, [np.empty((0, y.shape[1] - 1))]
    for _ in range(STEPS):
        y, t, h, side = path[1:]
        z, D, first, last = _corrected(family, path)
        turned = _tangent(D, t)
        good = (last <= CLOSE * h) & (first <= BEND * h) & ((turned * t).sum(axis=1) >= BEND)
        through, touches, part = _passed(family.target, path, z[:, -1], turned[:, -1])
        passed.append((y + part[:, None] * (z - y))[good & (through | touches), :-1])
        path = path.replaced(good, z, turned, np.where(through, -side, side))
        longer = np.where(first < STRAIGHT * h, np.minimum(LONGER * h, LONGEST * size), h)
        path = path._replace(h=np.where(good, longer, h / 2))
        closed = good & path.at(begin)
        a = path.y[:, -1]
        inside = around.holds(path.y[:, :-1]) & (family.range[0] <= a) & (a <= family.range[1])
        path = path.take(inside & (path.h > SHORTEST * size) & ~closed)
        if not len(path.rows):
            break
    return np.concatenate(passed)


def _passed(target: float, path: Path, a: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which curves pass the target on the step to a; which nearly touch it; and at what part of the step.

    A step over two close roots changes no sign. It shows where a has an extremum on the step: by the slopes at both
    ends, da/ds of unit tangents, so far towards the target that with some allowance it may be reached.
    """
    before, fall = path.y[:, -1] - target, -path.side * path.t[:, -1]
    through = np.sign(a - target) != path.side
    rise = path.side * slope
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(through, np.abs(before) / (np.abs(before) + np.abs(a - target)), fall / (fall + rise))
    reach = np.where(part > 0, part, 0) * path.h * fall / 2
    touches = ~through & (fall > 0) & (rise > 0) & (np.abs(before) < ALLOWANCE * reach)
    return through, touches, np.where(np.isfinite(part), part, 0.0)


def _corrected(family: Family, path: Path) -> tuple:
    """Points a step on, moved onto the curves; last Jacobians; lengths of the first and the last corrections."""
    rows, y, t, h, _ = path
    z, D = y + h[:, None] * t, np.empty((len(t), t.shape[1] - 1, t.shape[1]))
    first, last, todo = np.empty(len(t)), np.empty(len(t)), np.arange(len(t))
    for k in range(CORRECTIONS):
        H, D[todo] = family.at(z[todo], rows[todo])
        move = _solve(D[todo], t[todo], np.concatenate([-H, np.zeros((len(H), 1))], axis=1))
        z[todo] += move
        last[todo] = np.linalg.norm(move, axis=1)
        if not k:
            first[:] = last
        todo = todo[(last[todo] > CLOSE * h[todo]) & (last[todo] < h[todo])]
        if not len(todo):
            break
    return z, D, first, last


def _tangent(D: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Unit tangents of the curves with Jacobians D (n, S, S + 1), on the side of the vectors t (n, S + 1)."""
    v = _solve(D, t, np.broadcast_to(np.eye(t.shape[1])[-1], t.shape))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def _solve(D: np.ndarray, t: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions of ``[D; t] v = right``; where there is none, NaN, which no step survives."""
    E = np.concatenate([D, t[:, None]], axis=1)
    try:
        return np.linalg.solve(E, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        with np.errstate(all="ignore"):
            singular = np.linalg.slogdet(E)[0] == 0
        E = np.where(singular[:, None, None], np.eye(E.shape[1]), E)
        return np.where(singular[:, None], np.nan, np.linalg.solve(E, right[..., None])[..., 0])
