"""Cycles by multiple shooting: all points of a cycle are unknowns, so that no error is carried around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn import dynamics
from rnndyn.analysis import front

EPS = np.finfo(np.float64).eps
ITERATIONS = 100
SHORTEST = 2.0**-20  # of the Newton steps that are tried
BATCH_ELEMENTS = 2_000_000  # of the Jacobians that are held at once


# ---- the linear problem ----------------------------------------------------------------------------------------------


def solve_cyclic(J: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``x_{i+1} - J_i x_i = g_i`` around a cycle, i = 1 .. k with x_{k+1} = x_1.

    Pairs of equations are freed of their common unknown by orthogonal transformations until one is left
    ([wright1992]_, structured orthogonal factorisation), which is backward stable; the product J_k ... J_1, in which
    the contracting directions drown for long cycles, is never formed.

    Parameters
    ----------
    J : (n, k, S, S)
        The matrices of n cycles.
    g : (n, k, S, m)
        Right-hand sides.

    Returns
    -------
    (n, k, S, m) array, (n,) array
        The solutions, NaN where the system is singular to the last bit, and the largest condition number (1-norm) of
        the matrices that were inverted, cancellation included: beyond 1/eps the system is singular for all that can be
        said. Cost O(n k S^2 (S + m)).

    Examples
    --------
    >>> x, condition = solve_cyclic(np.full((1, 3, 1, 1), 0.5), np.ones((1, 3, 1, 1)))
    >>> x.ravel().round(12).tolist()
    [2.0, 2.0, 2.0]
    """
    eye = np.broadcast_to(np.eye(J.shape[-1]), J.shape)
    with np.errstate(all="ignore"):  # overflow in a hopeless row must not stop the others
        return _reduce(-J, eye, g)


def _reduce(A: np.ndarray, B: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``A_i x_i + B_i x_{i+1} = g_i``, in half as many unknowns."""
    n, k, S = g.shape[:3]
    if k == 1:
        inverse, condition = _inverse(A[:, 0] + B[:, 0], _norm(A[:, 0]) + _norm(B[:, 0]))
        return (inverse @ g[:, 0])[:, None], condition
    first, second = slice(0, k - 1, 2), slice(1, k, 2)
    Q, R = np.linalg.qr(_finite(np.concatenate([B[:, first], A[:, second]], axis=2)), mode="complete")
    nothing = np.zeros_like(A[:, first])
    before = np.swapaxes(Q, 2, 3) @ np.concatenate([A[:, first], nothing], axis=2)
    after = np.swapaxes(Q, 2, 3) @ np.concatenate([nothing, B[:, second]], axis=2)
    right = np.swapaxes(Q, 2, 3) @ np.concatenate([g[:, first], g[:, second]], axis=2)
    odd = slice(k - k % 2, k)
    x = np.empty_like(g)
    x[:, ::2], condition = _reduce(
        *(np.concatenate([two[:, :, S:], one[:, odd]], axis=1) for two, one in ((before, A), (after, B), (right, g)))
    )
    inverse, inner = _inverse(R[:, :, :S], _norm(R[:, :, :S]))
    known = before[:, :, :S] @ x[:, first] + after[:, :, :S] @ x[:, (np.arange(1, k, 2) + 1) % k]
    x[:, second] = inverse @ (right[:, :, :S] - known)
    return x, np.maximum(condition, inner.max(axis=1))


def _finite(matrices: np.ndarray) -> np.ndarray:
    """The matrices, zero, so singular, where an entry is not finite (LAPACK may not return from those)."""
    bad = ~np.isfinite(matrices).all(axis=(-2, -1))
    return np.where(bad[..., None, None], 0.0, matrices)


def _norm(M: np.ndarray) -> np.ndarray:
    """The 1-norm."""
    return np.abs(M).sum(axis=-2).max(axis=-1)


def _inverse(M: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses, NaN where there is none, and condition numbers (1-norm) beside the size of what M was formed from."""
    M = _finite(M)
    singular = np.linalg.slogdet(M)[0] == 0
    inverse = np.linalg.inv(np.where(singular[..., None, None], np.eye(M.shape[-1]), M))
    inverse[singular] = np.nan
    condition = size * _norm(inverse)
    return inverse, np.where(np.isfinite(condition), condition, np.inf)


# ---- Newton's iteration ----------------------------------------------------------------------------------------------


class _Defect(NamedTuple):
    """At n orbits: what each point misses the next by (n, k, S), the Jacobians, the rounding error of the first."""

    g: np.ndarray
    J: np.ndarray
    rounding: np.ndarray

    def close(self, tol: float | None) -> np.ndarray:
        """Whether each orbit (n,) is one, up to rounding or a tolerance."""
        near = np.abs(self.g) <= (self.rounding if tol is None else tol)
        return (near & np.isfinite(self.rounding)).all(axis=(1, 2))


def shoot(
    net, x: np.ndarray | None, starts: np.ndarray, *, tol: float | None = None, iterations: int = ITERATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """Cycles of any network near given orbits, by Newton's iteration on all points at once.

    The unknowns x_1 .. x_k solve ``F(x_i) = x_{i+1}``, cyclically ([stoer2002]_, section 7.3).
    Newton steps are halved until they lower the defect. A start is finished when its defect is within its own rounding
    error and no step lowers it any more (or when it is within `tol`), and leaves the batch. Starts best come from
    `segments` of runs: cycles embedded in chaos are passed by closely.

    Parameters
    ----------
    net
        A network with a step in time, float64.
    x : (I,) or None
        Its constant input.
    starts : (n, k, S)
        Orbits to start from.
    tol
        Bound on max |F(x_i) - x_{i+1}|; None for the rounding error.
    iterations
        Most Newton steps.

    Returns
    -------
    (n, k, S) array, (n,) bool array
        The last orbits, and which have converged. A converged orbit may be a shorter cycle, repeated; no start
        influences another. Cost O(n k S^3) a step.

    Examples
    --------
    >>> from rnndyn.networks import Elman
    >>> orbits, converged = shoot(Elman(None, [[-2.0]]), None, np.array([[[1.0], [-1.0]]]))
    >>> orbits.round(4).ravel().tolist(), converged.tolist()
    ([0.9575, -0.9575], [True])
    """
    k, size = starts.shape[1:]
    rows = max(1, BATCH_ELEMENTS // (k * size**2))
    parts = [_shoot(net, x, starts[i : i + rows], tol, iterations) for i in range(0, len(starts), rows)]
    if not parts:
        return starts.copy(), np.zeros(0, bool)
    return np.concatenate([orbits for orbits, _ in parts]), np.concatenate([converged for _, converged in parts])


def _shoot(net, x, starts, tol, iterations) -> tuple[np.ndarray, np.ndarray]:
    final, converged = starts.copy(), np.zeros(len(starts), bool)
    active, s = np.arange(len(starts)), starts
    for _ in range(iterations):
        if not len(active):
            break
        here = _defect(net, x, s)
        close = here.close(tol)
        step, condition = solve_cyclic(here.J, here.g[..., None])
        # A step from a singular system is rounding alone, and so long that every defect is within the rounding there.
        step = np.where(condition[:, None, None] < 1 / EPS, step[..., 0], np.nan)
        moved, better = _shortened(net, x, s, step, here.g, close)
        done = close & (~better if tol is None else True)
        final[active], converged[active[done]] = s, True
        on = better & ~done
        active, s = active[on], moved[on]
    if len(active):
        here = _defect(net, x, s)
        final[active] = s
        converged[active] = here.close(tol)
    return final, converged


def _shortened(net, x, s, step, g, close) -> tuple[np.ndarray, np.ndarray]:
    """The orbits a step further, each halved until it lowers the defect; which ones did. Close ones are not halved."""
    length, moved = np.ones(len(s)), s.copy()
    size, open_ = np.linalg.norm(g, axis=(1, 2)), np.isfinite(step).all(axis=(1, 2))
    better = np.zeros(len(s), bool)
    while open_.any():
        rows = np.flatnonzero(open_)
        tried = s[rows] + length[rows, None, None] * step[rows]
        lower = np.linalg.norm(_misses(net, x, tried), axis=(1, 2)) < (1 - 0.25 * length[rows]) * size[rows]
        moved[rows[lower]], better[rows[lower]] = tried[lower], True
        length[rows] /= 2
        open_[rows] = ~lower & ~close[rows] & (length[rows] > SHORTEST)
    return moved, better


def _misses(net, x, s) -> np.ndarray:
    """``F(x_i) - x_{i+1}``."""
    n, k, size = s.shape
    with np.errstate(all="ignore"):
        after = dynamics.step(net, np.ascontiguousarray(s.reshape(-1, size)), front.row(x, n * k))
    return after.reshape(s.shape) - np.roll(s, -1, axis=1)


def _defect(net, x, s) -> _Defect:
    """The defect with its Jacobians; rounding as for sums of S terms, as in `rnndyn.analysis.equation`."""
    n, k, size = s.shape
    g = _misses(net, x, s)
    with np.errstate(all="ignore"):
        J = dynamics.jacobian(net, np.ascontiguousarray(s.reshape(-1, size)), front.row(x, n * k))
    J = J.reshape(n, k, size, size)
    terms = (size + 4) * EPS
    after = np.abs(np.roll(s, -1, axis=1))
    scale = np.maximum(1.0, np.abs(s).max(axis=(1, 2), keepdims=True))
    rounding = terms * ((np.abs(J) @ np.abs(s)[..., None])[..., 0] + after) + EPS * scale
    return _Defect(g, J, rounding)


def segments(net, x: np.ndarray | None, first: np.ndarray, period: int, count: int, rng: np.random.Generator):
    """Pieces of runs, to start `shoot` from: from each the k states that come closest to closing.

    Parameters
    ----------
    net
        A network, float64.
    x : (I,) or None
        Its constant input.
    first : (m, S)
        States to run from.
    period
        k.
    count
        Number of segments wanted.
    rng
        The generator to draw from.

    Returns
    -------
    (count, k, S) array
        Half of them the segments that return best among twice as many, the rest drawn at random.
    """
    steps = 2 * period + max(64, 2 * count // len(first) + 1)
    states, s, inputs = np.empty((len(first), steps, first.shape[1])), first, front.row(x, len(first))
    for t in range(steps):
        states[:, t] = s
        s = dynamics.step(net, s, inputs)
        lost = ~(np.abs(s) < 1e6).all(axis=1)
        s = np.where(lost[:, None], first, s)  # a run that leaves all bounds begins anew
    begins = steps - period
    gap = np.linalg.norm(states[:, period:] - states[:, :begins], axis=2).ravel()
    best = np.argsort(gap, kind="stable")[: count // 2]
    chosen = np.concatenate([best, rng.integers(0, len(gap), count - len(best))])
    run, at = np.divmod(chosen, begins)
    return states[run[:, None], at[:, None] + np.arange(period)]
