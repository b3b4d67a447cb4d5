"""Slow manifolds of two dimensions or more: which slow states lie on one."""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.equation import Equation
from rnndyn.analysis.manifolds import slow_modes

ITERATIONS = 20


def sheets(equation: Equation, states: np.ndarray, dimension: int, separation: float) -> np.ndarray:
    """Which states of so many slow modes lie on one slow manifold.

    States are joined along their minimum spanning tree, where the middle between two of them, moved onto the manifold,
    stays between them and has as many slow modes.

    Parameters
    ----------
    equation
        Of the network.
    states : (n, S)
        Each with `dimension` slow modes.
    dimension
        d.
    separation
        See `rnndyn.analysis.manifolds.slow_modes`.

    Returns
    -------
    (n,) int array
        Number of the manifold of each state, from 0.
    """
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from scipy.spatial.distance import cdist

    n = len(states)
    gap = cdist(states, states)
    tree = minimum_spanning_tree(csr_array(gap + 1e-12 * equation.scale)).tocoo()  # a distance of zero is no edge
    a, b = tree.row, tree.col
    middle = (states[a] + states[b]) / 2
    foot, J = _descend(equation, middle, dimension)
    joined = np.linalg.norm(foot - middle, axis=1) <= gap[a, b] / 2
    joined &= slow_modes(J, separation) == dimension
    joined |= gap[a, b] <= 1e-9 * equation.scale
    edges = coo_array((np.ones(joined.sum()), (a[joined], b[joined])), shape=(n, n))
    return connected_components(edges, directed=False)[1]


def _descend(equation: Equation, x: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """States after Newton steps that leave out the weakest `dimension` directions, and their Jacobians."""
    fast = x.shape[1] - dimension
    for _ in range(ITERATIONS):
        G, A, _ = equation.at(x)
        U, sizes, Vt = np.linalg.svd(A)
        along = np.einsum("nsk,ns->nk", U[:, :, :fast], G) / sizes[:, :fast]
        step = np.einsum("nk,nks->ns", along, Vt[:, :fast])
        x = x - step
        if (np.linalg.norm(step, axis=1) <= 1e-9 * equation.scale).all():
            break
    return x, equation.at(x).A + np.eye(x.shape[1])
