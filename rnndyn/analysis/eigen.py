"""Eigenvalues with an estimate of their errors."""

from __future__ import annotations

import numpy as np

EPS = np.finfo(np.float64).eps


def eigenvalues(J: np.ndarray, error: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues by falling modulus, and how far each may be from the true one.

    The error is to first order the condition number of the eigenvalue ([wilkinson1965]_, chapter 2: 1/|y^H x| for unit
    left and right eigenvectors) times the error of the matrix; for defective matrices, where that is infinite, Elsner's
    bound ([elsner1985]_) limits it.

    Parameters
    ----------
    J : (n, S, S)
        Matrices.
    error : (n,)
        2-norms of what they may be wrong by, beside rounding.

    Returns
    -------
    (n, S) complex array, (n, S) array
        Eigenvalues and error estimates, in the same order; of two of equal modulus the one of larger imaginary part is
        first.
    """
    size = J.shape[-1]
    values, vectors = np.linalg.eig(J)
    norm = np.linalg.norm(J, axis=(-2, -1))
    off = np.asarray(error) + size * EPS * norm
    condition = np.linalg.norm(_inverse(vectors), axis=-1)  # the columns of `vectors` have norm 1
    elsner = (2 * norm + off) ** (1 - 1 / size) * off ** (1 / size)
    bounds = np.minimum(condition * off[:, None], elsner[:, None])
    modulus = np.abs(values)
    order = np.lexsort((-values.real, -values.imag, -modulus), axis=-1)
    values = np.take_along_axis(values, order, -1).astype(np.complex128)
    return values, np.take_along_axis(bounds, order, -1)


def _inverse(V: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(V)
    except np.linalg.LinAlgError:  # some matrix is defective to the last bit
        inverses = np.full(V.shape, np.inf, V.dtype)
        for k, matrix in enumerate(V):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                inverses[k] = np.linalg.inv(matrix)
        return inverses
