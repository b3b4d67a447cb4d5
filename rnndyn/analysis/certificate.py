"""How far a computed fixed point may be from a true one, and which computed points are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis.newton import BATCH_ELEMENTS, Equation

EPS = np.finfo(np.float64).eps
SAME_DIGITS = 12  # states that agree to so many digits of the scale are looked at once


class Certificate(NamedTuple):
    """Of n states: residual, radius of the error ball (2-norm), whether I - J is singular, J and its uncertainty."""

    residual: np.ndarray
    radius: np.ndarray
    singular: np.ndarray
    J: np.ndarray
    J_error: np.ndarray


def certify(equation: Equation, states: np.ndarray) -> Certificate:
    """Error estimates in the manner of Newton and Kantorovich ([ortega1970]_, section 12.6).

    With b = ||A^-1||, A = J - I, and r the residual and its rounding error, a true root is expected within 2 b r, if A
    changes by less than 1/(2 b) within that distance. The change is measured along the direction in which A is weakest,
    so this is an estimate, not a proof. Where the change is larger, A is singular for all that can be said: the radius
    is then how far one can go in that direction before the residual shows it.

    Parameters
    ----------
    equation
        What the states solve.
    states : (n, S)
        Computed roots.

    Returns
    -------
    Certificate
        In the order of the states.
    """
    rows = max(1, BATCH_ELEMENTS // states.shape[1] ** 2)
    if not len(states):
        return Certificate(*(np.zeros((0, *shape)) for shape in ((), (), (), (states.shape[1],) * 2, ())))
    parts = [_certify_batch(equation, states[k : k + rows]) for k in range(0, len(states), rows)]
    return Certificate(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _certify_batch(equation: Equation, x: np.ndarray) -> Certificate:
    G, A, rounding = equation.at(x)
    _, sizes, directions = np.linalg.svd(A)
    weakest, direction = sizes[:, -1], directions[:, -1]
    error = np.linalg.norm(G, axis=1) + np.linalg.norm(rounding, axis=1)
    with np.errstate(divide="ignore"):
        radius = 2 * error / weakest
    far = ~(radius < 1e-2 * equation.scale)
    change = _change(equation, x, A, np.where(far, 0, radius)[:, None] * direction)
    singular = far | ~(change <= weakest / 2)
    if singular.any():
        radius[singular] = _flat(equation, x[singular], direction[singular], error[singular])
        change[singular] = _change(equation, x[singular], A[singular], radius[singular, None] * direction[singular])
    return Certificate(np.abs(G).max(axis=1, initial=0.0), radius, singular, A + np.eye(x.shape[1]), change)


def _change(equation: Equation, x: np.ndarray, A: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Largest 2-norm of the change of A at a distance to both sides."""
    changes = [np.linalg.norm(equation.at(x + sign * off).A - A, ord=2, axis=(1, 2)) for sign in (1, -1)]
    return np.maximum(*changes)


def _flat(equation: Equation, x: np.ndarray, direction: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Twice the largest distance along the direction, to a side, up to which |G| stays within 4 times its error."""
    reach = np.full(len(x), EPS * equation.scale)
    for sign in (1, -1):
        open_, distance = np.ones(len(x), bool), EPS * equation.scale
        while open_.any() and distance < equation.scale:
            off = np.linalg.norm(equation.values(x + sign * distance * direction), axis=1)
            open_ &= off <= 4 * error
            reach[open_] = np.maximum(reach[open_], distance)
            distance *= 2
    return 2 * reach


def distinct(equation: Equation, states: np.ndarray) -> tuple[np.ndarray, Certificate, np.ndarray]:
    """Merge the states whose error balls touch.

    Parameters
    ----------
    equation
        What they solve.
    states : (n, S)
        Converged states.

    Returns
    -------
    (m, S) array, Certificate, (m,) int array
        One state for each point, that of the smallest residual; its certificate; how many states fell on it. In the
        order of the first components that differ in the ninth digit.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    quantum = 10.0**-SAME_DIGITS * equation.scale
    _, first, counts = np.unique(np.round(states / quantum), axis=0, return_index=True, return_counts=True)
    states = states[first]
    certificate = certify(equation, states)
    reach = 2 * certificate.radius + quantum
    near = 2 * reach.max(initial=0.0)
    pairs = cKDTree(states).query_pairs(near, output_type="ndarray") if len(states) else np.empty((0, 2), int)
    gap = np.linalg.norm(states[pairs[:, 0]] - states[pairs[:, 1]], axis=1)
    pairs = pairs[gap <= reach[pairs].sum(axis=1)]
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(states), len(states)))
    number, label = connected_components(graph, directed=False) if len(states) else (0, np.empty(0, int))
    hits = np.bincount(label, counts, number).astype(int)
    ranked = np.lexsort((certificate.residual, label))
    best = ranked[np.searchsorted(label[ranked], np.arange(number))]
    rough = np.round(states[best] / (1e-9 * equation.scale))
    order = np.lexsort((*states[best].T[::-1], *rough.T[::-1]))
    best, hits = best[order], hits[order]
    return states[best], Certificate(*(values[best] for values in certificate)), hits
