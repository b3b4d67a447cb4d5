"""Local minima of the speed |F(x) - x|: fixed points, where it is zero, and slow points, where it is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis.equation import Equation
from rnndyn.analysis.manifolds import in_parts

EPS = np.finfo(np.float64).eps
HESSIANS, NEWTON_STEPS = 4, 20  # at most, of a refinement; steps with one Hessian
NEAR = 1e-4  # a move after which the Hessian is still good
STATIONARY = 1e-4  # cosine of the angle between G and what a small step can change of it
KNOWN = 1e-3  # a point whose error bound is larger is one of a continuum, for all that can be said


class Minima(NamedTuple):
    """Of n states: whether fixed, the speed and its error, gradient norm, error bound, Jacobian and its uncertainty."""

    x: np.ndarray
    fixed: np.ndarray
    speed: np.ndarray
    speed_error: np.ndarray
    gradient_norm: np.ndarray
    bound: np.ndarray
    J: np.ndarray
    J_error: np.ndarray

    def take(self, rows) -> Minima:
        """Some of the states (by index or mask)."""
        return Minima(*(values[rows] for values in self))


def minima(equation: Equation, states: np.ndarray, max_speed: float, known: np.ndarray | None = None) -> Minima:
    """Refine states that nearly minimise the speed, and bound their errors.

    A fixed point is one whose G = F(x) - x is within its rounding error; its error bound is twice |G| and its rounding,
    times ||(J - I)^-1||. Where G is not zero, the gradient of 1/2 |G|^2 is brought to zero by Newton's method; its
    Hessian H (of differences of the gradient) has to be positive definite, and the bound is twice the gradient, with
    its rounding, times ||H^-1||.

    Parameters
    ----------
    equation
        Whose motion it is.
    states : (n, S)
        From a search.
    max_speed
        Faster ones are left out.
    known : (n,), optional
        Error bounds of states that are known to be fixed points; infinite for the others.

    Returns
    -------
    Minima
        In no order; the bound is infinite where a state is no definite minimum.
    """
    known = np.full(len(states), np.inf) if known is None else known
    found = in_parts(lambda x, known: _of_part(equation, x, known, max_speed), states, known)
    return found.take(found.speed <= max_speed)


def _of_part(equation: Equation, x: np.ndarray, known: np.ndarray, max_speed: float) -> Minima:
    x, n, size = x.copy(), len(x), x.shape[1]
    G, A, rounding = equation.at(x)
    fixed = (np.abs(G) <= rounding).all(axis=1) | np.isfinite(known)
    bound = np.full(n, np.inf)
    still = stationary(G, A) | (size == 1)  # along the only direction no angle tells
    slow = ~fixed & still & (np.linalg.norm(G, axis=1) <= max_speed)
    for k in np.flatnonzero(slow):
        x[k], bound[k] = _refined(equation, x[k])
    G, A, rounding = equation.at(x)
    gradient = np.einsum("nij,ni->nj", A, G)
    speed, speed_error = np.linalg.norm(G, axis=1), np.linalg.norm(rounding, axis=1)
    _, sizes, directions = np.linalg.svd(A)
    bound = np.minimum(np.where(fixed, 2 * (speed + speed_error) / sizes[:, -1], bound), known)
    off = np.where(bound < KNOWN * equation.scale, bound, 0)[:, None] * directions[:, -1]
    change = np.linalg.norm(equation.at(x + off).A - A, ord=2, axis=(1, 2))
    return Minima(x, fixed, speed, speed_error, np.linalg.norm(gradient, axis=1), bound, A + np.eye(size), change)


def stationary(G: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Whether no small step changes |G| (n, S), to first order and nearly, where A (n, S, S) is its Jacobian."""
    gradient = np.linalg.norm(np.einsum("nij,ni->nj", A, G), axis=1)
    return gradient <= STATIONARY * np.linalg.norm(A, axis=(1, 2)) * np.linalg.norm(G, axis=1)


def _refined(equation: Equation, x: np.ndarray) -> tuple[np.ndarray, float]:
    """A stationary point of the speed near x, and its error bound; infinite if it is no definite minimum."""
    for _ in range(HESSIANS):
        start, best, H = x, np.inf, _hessian(equation, x)
        curvature = np.linalg.eigvalsh(H) if np.isfinite(H).all() else np.array([-1.0])
        if curvature[0] <= 1e-9 * abs(curvature[-1]):  # the accuracy of the differences
            return start, np.inf
        for _ in range(NEWTON_STEPS):
            G, A, rounding = (values[0] for values in equation.at(x[None]))
            g = A.T @ G
            if not np.linalg.norm(g) < best:
                break
            kept, best = x, float(np.linalg.norm(g))
            size = np.abs(A) + np.eye(len(x))  # of the Jacobian: what is left of it in A is rounded as it is
            error = np.linalg.norm(np.abs(A).T @ rounding + len(x) * EPS * size.T @ np.abs(G))
            x = x - np.linalg.solve(H, g)
        x, bound = kept, 2 * (best + error) / curvature[0]
        if np.linalg.norm(x - start) <= NEAR * equation.scale:
            return x, float(bound)
    return x, np.inf


def _hessian(equation: Equation, x: np.ndarray) -> np.ndarray:
    """Hessian (S, S) of 1/2 |G|^2, by central differences of the exact gradient A' G."""
    h = EPS ** (1 / 3) * equation.scale
    points = np.concatenate([x + h * np.eye(len(x)), x - h * np.eye(len(x))])
    gradient = in_parts(lambda part: _gradient(equation, part), points)
    H = (gradient[: len(x)] - gradient[len(x) :]) / (2 * h)
    return (H + H.T) / 2


def _gradient(equation: Equation, x: np.ndarray) -> np.ndarray:
    G, A, _ = equation.at(x)
    return np.einsum("nij,ni->nj", A, G)


def merged(points: Minima, scale: float) -> Minima:
    """One of all points whose error balls touch, that of the smallest bound; in the order of the first components."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(points.x):
        return points
    reach = np.minimum(points.bound, KNOWN * scale) + 1e-9 * scale
    pairs = cKDTree(points.x).query_pairs(2 * reach.max(), output_type="ndarray")
    gap = np.linalg.norm(points.x[pairs[:, 0]] - points.x[pairs[:, 1]], axis=1)
    pairs = pairs[gap <= reach[pairs].sum(axis=1)]
    n = len(points.x)
    _, label = connected_components(coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n)), False)
    ranked = np.lexsort((points.bound, label))
    points = points.take(ranked[np.unique(label[ranked], return_index=True)[1]])
    return points.take(np.lexsort(np.round(points.x / (1e-8 * scale)).T[::-1]))
