"""Damped Newton iteration with a matrix, from many starts at once ([levenberg1944]_, [marquardt1963]_)."""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.equation import BATCH_ELEMENTS, Equation, Point
from rnndyn.kernels.threads import in_parts

ITERATIONS = 200


def solve_dense(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Roots of an equation by Newton steps with a matrix, damped where they do not lower |G|.

    Parameters
    ----------
    equation
        What to solve.
    starts : (n, S)
        Where to start.
    tol
        Bound on max |G|; None for the rounding error.

    Returns
    -------
    (n, S) array, (n,) bool array
        The last states, and which of them have converged. Cost O(S^3) a step and start.
    """
    n, size = starts.shape
    rows = max(1, BATCH_ELEMENTS // size**2)
    parts = in_parts(lambda part: _solve_batch(equation, starts[part], tol), n, size, rows)
    return np.concatenate([states for states, _ in parts]), np.concatenate([converged for _, converged in parts])


def _solve_batch(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
    final, converged = starts.copy(), np.zeros(len(starts), bool)
    here = equation.at(starts)
    active = np.flatnonzero(np.isfinite(here.G).all(axis=1) & np.isfinite(here.A).all(axis=(1, 2)))
    x, here, damping = starts[active], here.take(active), np.zeros(len(active))
    for _ in range(ITERATIONS):
        if not len(active):
            break
        close = here.solved(tol)
        step, damping = _steps(here, damping)
        there = equation.at(x + step)
        better = _norm(there.G) < _norm(here.G)  # False for NaN
        better &= np.isfinite(there.A).all(axis=(1, 2))
        done = close & (~better if tol is None else True)
        final[active], converged[active[done]] = x, True
        if tol is not None:
            better &= ~done
        hopeless = damping > 1e10 * (1 + _square(here.A))
        damping = np.where(better, _eased(damping, here.A), np.maximum(10 * damping, 1e-4 * _square(here.A) + 1e-12))
        x = np.where(better[:, None], x + step, x)
        here = here.replaced(better, there)
        on = ~done & ~hopeless
        active, x, here, damping = active[on], x[on], here.take(on), damping[on]
    if len(active):
        final[active], converged[active] = x, here.solved(tol)
    return final, converged


def _norm(G: np.ndarray) -> np.ndarray:
    return np.linalg.norm(G, axis=1)


def _square(A: np.ndarray) -> np.ndarray:
    return (A * A).sum(axis=(1, 2))


def _eased(damping: np.ndarray, A: np.ndarray) -> np.ndarray:
    """A tenth of the damping after a good step; nothing once it no longer matters."""
    eased = damping / 10
    return np.where(eased < 1e-8 * _square(A), 0, eased)


def _steps(here: Point, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps where the damping is 0, else ``-(A'A + damping)^-1 A' G``; singular A are damped."""
    G, A, _ = here
    with np.errstate(all="ignore"):
        singular = np.linalg.slogdet(A)[0] == 0
    damping = np.where(singular, np.maximum(damping, 1e-8 * _square(A) + 1e-12), damping)
    steps = np.empty_like(G)
    plain = damping == 0
    steps[plain] = np.linalg.solve(A[plain], -G[plain][..., None])[..., 0]
    At = np.swapaxes(A[~plain], 1, 2)
    normal = At @ A[~plain] + damping[~plain, None, None] * np.eye(G.shape[1])
    steps[~plain] = np.linalg.solve(normal, -(At @ G[~plain][..., None]))[..., 0]
    return steps, damping
