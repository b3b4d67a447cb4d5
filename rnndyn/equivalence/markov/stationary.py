"""The stationary law of a Markov chain."""

from __future__ import annotations

import numpy as np


def stationary_law(A: np.ndarray) -> np.ndarray:
    """Law pi with pi = A' pi, exact zeros for states that are left for good.

    Parameters
    ----------
    A : (K, K)
        Transition matrix, rows sum to 1.

    Returns
    -------
    (K,) array
        By elimination without subtractions ([grassmann1985]_), so that small probabilities keep all their digits.

    Raises
    ------
    ValueError
        Where there are several such laws.

    Examples
    --------
    >>> stationary_law(np.array([[0.7, 0.3], [0.4, 0.6]])).round(4).tolist()
    [0.5714, 0.4286]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(csr_array(A > 0), directed=True, connection="strong")
    closed = [c for c in range(count) if not A[np.ix_(label == c, label != c)].any()]
    if len(closed) > 1:
        raise ValueError(
            f"transition has {len(closed)} classes of states that do not reach one another: its stationary law is not "
            "unique; take the part of one class"
        )
    recurrent = np.flatnonzero(label == closed[0])
    law = np.zeros(len(A))
    law[recurrent] = _eliminated(A[np.ix_(recurrent, recurrent)].copy())
    return law


def _eliminated(P: np.ndarray) -> np.ndarray:
    """Stationary law of an irreducible chain; P is overwritten."""
    for n in range(len(P) - 1, 0, -1):
        P[:n, n] /= P[n, :n].sum()
        P[:n, :n] += np.outer(P[:n, n], P[n, :n])
    law = np.ones(len(P))
    for n in range(1, len(P)):
        law[n] = law[:n] @ P[:n, n]
    return law / law.sum()
