"""Coordinates of stable linear networks in which every point is one: no constraint is left for an optimiser.

In the basis in which the stationary covariance is the identity, A A' + L L' = I with Q = L L': the rows of [A, L] are
orthonormal. Any matrix X (n, 2 n) gives such rows, G^-1 X with G G' = X X'. So X, B, V, c and a triangular factor of R
are coordinates; the bias of the state is zero, for c does the same.
"""

from __future__ import annotations

import numpy as np

from rnndyn.equivalence.linear.state_space import StateSpace, factor, stationary


def to_vector(model: StateSpace) -> np.ndarray:
    """Coordinates of a stable model, whatever its basis; its noise must reach every mode."""
    mean, P = stationary(model)
    T = np.linalg.cholesky(P)
    A, L, B = (np.linalg.solve(T, M) for M in (model.A @ T, factor(model.Q), model.B))
    n = len(A)
    L = np.hstack([L, np.zeros((n, n - L.shape[1]))])
    root = factor(model.R)
    G = np.transpose(np.linalg.qr(root.T, mode="r")) if root.any() else np.zeros((len(root), 0))
    lower = np.zeros((len(root), len(root)))
    lower[:, : G.shape[1]] = G
    R = lower[np.tril_indices(len(root))]
    return np.concatenate([np.hstack([A, L]).ravel(), B.ravel(), (model.V @ T).ravel(), model.c + model.V @ mean, R])


def to_model(vector: np.ndarray, sizes: tuple[int, int, int]) -> StateSpace:
    """The model at these coordinates; sizes: state variables, outputs, inputs."""
    n, O, I = sizes
    X, B, V, c, lower = _parts(vector, sizes)
    Z = np.linalg.solve(np.linalg.cholesky(X @ X.T), X)
    return StateSpace(Z[:, :n], B, np.zeros(n), V, c, Z[:, n:] @ Z[:, n:].T, lower @ lower.T)


def pull_back(vector: np.ndarray, sizes: tuple[int, int, int], gradient: StateSpace) -> np.ndarray:
    """Derivative with respect to the coordinates, from that with respect to the model's arrays."""
    n, O, _ = sizes
    X, _, _, _, lower = _parts(vector, sizes)
    G = np.linalg.cholesky(X @ X.T)
    Z = np.linalg.solve(G, X)
    dZ = np.hstack([gradient.A, 2 * gradient.Q @ Z[:, n:]])
    # dG of the Cholesky factor: G^-1 dG is the lower half of W + W', W = G^-1 dX Z'.
    F = np.tril(dZ @ Z.T)
    F[np.diag_indices(n)] *= 0.5
    dX = np.linalg.solve(G.T, dZ - (F + F.T) @ Z)
    dR = (2 * gradient.R @ lower)[np.tril_indices(O)]
    return np.concatenate([dX.ravel(), gradient.B.ravel(), gradient.V.ravel(), gradient.c, dR])


def _parts(vector: np.ndarray, sizes: tuple[int, int, int]) -> tuple[np.ndarray, ...]:
    n, O, I = sizes
    ends = np.cumsum([2 * n * n, n * I, O * n, O])
    X, B, V, c, below = np.split(vector, ends)
    lower = np.zeros((O, O))
    lower[np.tril_indices(O)] = below
    return X.reshape(n, 2 * n), B.reshape(n, I), V.reshape(O, n), c, lower
