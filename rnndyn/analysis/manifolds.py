"""Slow manifolds: curves of states along which a network hardly moves, followed from end to end.

On a line or ring attractor every state is nearly fixed, so what a search for fixed points finds there depends on its
tolerance. The curve does not. It is the set where the motion G(x) = F(x) - x points along the slow eigenvector of the
Jacobian ([maas1992]_: intrinsic low-dimensional manifold), as far as one mode is much slower than all others. It passes
through all fixed points on the way; no tolerance enters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis.completeness import Box
from rnndyn.analysis.eigen import spectrum
from rnndyn.analysis.equation import BATCH_ELEMENTS, Equation

ITERATIONS = 30
PRECISION, GOOD = 1e-13, 1e-7  # of a state on the curve, relative to its size: aimed at, accepted
LONGEST, LEAP, SHORTEST = 0.04, 1e-4, 1e-7  # steps, of the size of the box
STILL = 1e-12  # a rate |mu - 1| that counts as zero
TURN, CORNER = 0.1, 0.7  # radians between the tangents of neighbouring nodes: aimed at, and most at a kink
NODES = 5000


class Foot(NamedTuple):
    """Of n states on slow curves: the state, slow unit eigenvector, its eigenvalue less 1, and the motion along it."""

    x: np.ndarray
    v: np.ndarray
    rate: np.ndarray
    drift: np.ndarray
    drift_error: np.ndarray
    error: np.ndarray  # how far off the curve the state may be; inf where the iteration failed
    A: np.ndarray

    def take(self, rows) -> Foot:
        """Some of the states (by index or mask)."""
        return Foot(*(values[rows] for values in self))


class Curve(NamedTuple):
    """A slow curve: n nodes and their unit tangents (n, S), whether it is closed, and why it ends on either side."""

    nodes: np.ndarray
    tangents: np.ndarray
    closed: bool
    ends: tuple[str, str]


def slow_modes(J: np.ndarray, separation: float) -> np.ndarray:
    """How many modes of a Jacobian are slow, compared with the others and with one step.

    Parameters
    ----------
    J : (n, S, S)
        Jacobians.
    separation
        The rates |mu - 1| of the slow multipliers mu are so many times smaller than that of the next, and than 1.

    Returns
    -------
    (n,) int array
        The number before the widest gap of that kind; 0 where there is none. Rates below their own rounding error count
        as equal. All modes are slow only where the step is the identity to rounding: else slow means nothing.

    Examples
    --------
    >>> slow_modes(np.diag([0.9995, 0.999, 0.5, 0.4])[None], 10.0).tolist()
    [2]
    """
    values, bounds = spectrum(J)[:2]
    rates = np.sort(np.maximum(np.abs(values - 1), np.maximum(bounds, STILL)), axis=1)
    none = rates[:, -1:] <= STILL
    gaps = np.minimum(np.append(rates[:, 1:], none, axis=1), 1.0) / rates
    widest = gaps.argmax(axis=1)
    return np.where(gaps.max(axis=1) >= separation, widest + 1, 0)


def slow_vector(A: np.ndarray) -> np.ndarray:
    """Real unit eigenvectors (n, S) of the eigenvalues of A (n, S, S) nearest to 0, largest entry positive."""
    values, vectors = np.linalg.eig(A)
    nearest = np.abs(values).argmin(axis=1)
    v = np.take_along_axis(vectors, nearest[:, None, None], axis=2)[..., 0].real
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    return v * np.sign(np.take_along_axis(v, np.abs(v).argmax(axis=1)[:, None], axis=1))


def project(equation: Equation, x: np.ndarray, v: np.ndarray, across: np.ndarray | None = None) -> Foot:
    """Move states onto the slow curve near them, in the plane across a direction.

    Newton's method for G(x) = sigma v(x), where v is held during a step and then follows the Jacobian: the iteration is
    linear with a factor of about drift times curvature over the gap, so a handful of steps is enough.

    Parameters
    ----------
    equation
        Whose motion G = F(x) - x it is.
    x : (n, S)
        States.
    v : (n, S)
        Approximate slow eigenvectors; they give the orientation, too.
    across : (n, S), optional
        Directions in which the states do not move; `v` if left out.

    Returns
    -------
    Foot
        In the order of the states.
    """
    t = v if across is None else across
    x, size = x.copy(), 1e-3 * equation.scale + np.linalg.norm(x, axis=1)
    step, active, zero = np.full(len(x), np.inf), np.ones(len(x), bool), np.zeros((len(x), 1))
    for k in range(ITERATIONS):
        G, A, rounding = equation.at(x)
        A = np.where(np.isfinite(A), A, 0)
        v, rate = _eigenpair(A, v)
        M = _bordered(A, v, t)
        solution = _solve(M, np.append(-G, zero, axis=1))
        last, step = step, np.linalg.norm(solution[:, :-1], axis=1)
        stalled = (step > 0.5 * last) & (step <= GOOD * size)  # at the rounding error
        wandering = (step > 0.9 * last) & (k > 3)  # to and fro across the kink of a ReLU, say
        active &= (step > PRECISION * size) & (step < size) & ~stalled & ~wandering
        if not active.any():
            break
        x[active] += solution[active, :-1]
    weights = np.abs(_solve(np.swapaxes(M, 1, 2), np.append(np.zeros_like(G), zero + 1, axis=1))[:, :-1])
    drift_error = (weights * rounding).sum(axis=1)
    return Foot(x, v, rate, solution[:, -1], drift_error, np.where(step <= GOOD * size, step, np.inf), A)


def _bordered(A: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """[[A, -column], [row', 0]]: regular where A is singular along the column."""
    n, size = column.shape
    M = np.zeros((n, size + 1, size + 1))
    M[:, :size, :size] = A
    M[:, :size, size], M[:, size, :size] = -column, row
    return M


def _solve(M: np.ndarray, b: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(M, b[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one is singular to the last bit
        return (np.linalg.pinv(M) @ b[..., None])[..., 0]


def _eigenpair(A: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eigenpairs near the unit vectors v, by Newton's method for ``A v = rate v, |v| = 1``."""
    rate = np.einsum("ni,nij,nj->n", v, A, v)
    norm = np.linalg.norm(A, axis=(1, 2))
    for _ in range(8):
        off = (A @ v[..., None])[..., 0] - rate[:, None] * v
        if (np.linalg.norm(off, axis=1) <= 1e-14 * norm).all():
            break
        shifted = A - rate[:, None, None] * np.eye(A.shape[1])
        change = _solve(_bordered(shifted, v, v), np.append(-off, np.zeros((len(v), 1)), axis=1))
        v = v + change[:, :-1]
        rate = rate + change[:, -1]
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
    return v, rate


def trace(equation: Equation, box: Box, start: Foot, separation: float) -> Curve:
    """Follow a slow curve from one of its states, to both sides.

    Steps along the tangent, each followed by a return to the curve; their length keeps the turn between two nodes
    small. The curve ends where its mode is no longer `separation` times slower than the others, at the wall of the box,
    where no neighbouring state is found on it, or where it comes back to the start. Ends are located by bisection.

    Parameters
    ----------
    equation
        Of the network.
    box
        Where to stay.
    start
        One state (n = 1) on the curve.
    separation
        See `slow_modes`.

    Returns
    -------
    Curve
        Cost O(S^3) for each node, some hundred of them.
    """
    nodes, tangents, end = _walk(equation, box, start, start.v, separation)
    if end == "closed":
        return Curve(np.array(nodes), np.array(tangents), True, ("closed", "closed"))
    back, turned, other = _walk(equation, box, start, -start.v, separation)
    whole = np.array(back[:0:-1] + nodes)
    return Curve(whole, np.array([-t for t in turned[:0:-1]] + tangents), False, (other, end))


def _walk(equation, box, start, v, separation) -> tuple[list, list, str]:
    """Nodes from the start to the end on one side, their tangents, and why it ends."""
    size = float(np.linalg.norm(box.high - box.low)) / 2
    x, v, h, end = start.x[0], v[0], LEAP * size, ""
    nodes, tangents = [x], [v]
    while h > SHORTEST * size and len(nodes) < NODES:
        foot, turn, reason = _next(equation, box, x, v, h, separation)
        if reason in ("lost", "turn") and h <= LEAP * size:
            foot, turn, reason, h = _leap(equation, box, x, v, size, separation)
        if reason:
            end, h = reason, h / 2
            continue
        if len(nodes) > 3 and _passes(start.x[0], x, foot.x[0]):
            return nodes, tangents, "closed"
        x, v = foot.x[0], foot.v[0]
        nodes.append(x)
        tangents.append(v)
        if end in ("", "turn", "lost"):  # near a true end steps only become shorter
            h, end = min(h * min(1.5, TURN / max(turn, 1e-9)), LONGEST * size), ""
    return nodes, tangents, end or "length"


def _next(equation, box, x, v, h, separation, most=2 * TURN) -> tuple[Foot, float, str]:
    """A step along the tangent: the new state, the angle between the tangents, and what is wrong, or nothing."""
    foot = project(equation, (x + h * v)[None], v[None])
    turn = float(np.arccos(np.clip(foot.v[0] @ v, -1, 1)))
    return foot, turn, _fault(foot, box, x, v, h, separation) or ("turn" if turn > most else "")


def _leap(equation, box, x, v, size, separation) -> tuple[Foot, float, str, float]:
    """The shortest step that crosses a place where the curve is broken, as at the kinks of ReLU units."""
    h = LEAP * size
    while True:
        h = 2 * h
        foot, turn, reason = _next(equation, box, x, v, h, separation, CORNER)
        if reason not in ("lost", "turn") or h > LONGEST * size:
            return foot, turn, reason, LEAP * size if not reason else 0.0


def _fault(foot: Foot, box: Box, x, v, h, separation) -> str:
    """Why a new node is not one, or nothing."""
    if not np.isfinite(foot.error[0]) or np.linalg.norm(foot.x[0] - x - h * v) > 0.5 * h:
        return "lost"
    if not box.holds(foot.x)[0]:
        return "box"
    rates = np.append(np.sort(np.abs(np.linalg.eigvals(foot.A[0]))), STILL * separation)
    return "separation" if abs(foot.rate[0]) * separation > min(rates[1], 1.0) else ""


def _passes(point: np.ndarray, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the way from x to y leads by the point."""
    way, off = y - x, point - x
    share = (off @ way) / (way @ way)
    return bool(0 <= share <= 1 and np.linalg.norm(off - share * way) <= 0.2 * np.linalg.norm(way))


def in_parts(function, *arrays: np.ndarray):
    """Call a function of rows (n, S) with as many at a time as memory is meant for, and join what it returns.

    Parameters
    ----------
    function
        Of one array for each of `arrays`; returns an array, or a NamedTuple of arrays.
    *arrays : (n, S), (n, S, S)
        Rows.

    Returns
    -------
    array or NamedTuple
        As if called once.
    """
    rows = max(1, BATCH_ELEMENTS // max(1, arrays[0].shape[-1]) ** 2)
    parts = [function(*(a[k : k + rows] for a in arrays)) for k in range(0, max(1, len(arrays[0])), rows)]
    if not isinstance(parts[0], tuple):
        return np.concatenate(parts)
    return type(parts[0])(*(np.concatenate(values) for values in zip(*parts, strict=True)))
