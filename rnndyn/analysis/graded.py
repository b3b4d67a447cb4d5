"""Singular values of long products of matrices, the small ones as accurate as the large, without overflow.

A product is kept as ``P_t = Q_t diag(exp(l)) V``: the factors R of successive QR decompositions ([stewart1995]_) are
multiplied into a triangular matrix whose rows have norm 1, their sizes in the logarithms l. Its singular values come
from one-sided Jacobi rotations, which act on columns whatever their scales and so keep each value's relative accuracy
([demmel1992]_).
"""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.frames import vanishing

SWEEPS = 40


class Product:
    """The product of the matrices pushed so far, as `log_rows` and unit `rows`: P = Q diag(exp(log_rows)) rows Q0'.

    Attributes
    ----------
    log_rows : (B, S)
        Logarithms of the norms of the rows; -inf for a row that has vanished.
    rows : (B, S, S)
        Upper triangular.
    unresolved : (B,)
        Whether a singular value has vanished within rounding, not for want of nonzero rows or columns.
    """

    def __init__(self, batch: int, size: int) -> None:
        # A frame in general position soon has its columns in the order of growth. Singular values do not depend on it.
        self.Q = np.repeat(np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0][None], batch, axis=0)
        self.log_rows = np.zeros((batch, size))
        self.lost = np.zeros((batch, size))  # what rounding has cut off the sums of logarithms
        self.rows = np.repeat(np.eye(size)[None], batch, axis=0)
        self.unresolved = np.zeros(batch, bool)

    def push(self, J: np.ndarray) -> None:
        """Multiply from the left.

        Parameters
        ----------
        J : (B, S, S)
            Finite matrices.
        """
        pushed = J @ self.Q
        Q, R = np.linalg.qr(pushed)
        diagonal = np.abs(np.einsum("bii->bi", R))
        if (diagonal <= 1e-12 * np.linalg.norm(pushed, axis=(-2, -1))[:, None]).any():
            lacking, small = vanishing(diagonal, pushed, J, self.Q)
            R[small] = 0  # the rows of what has vanished
            self.unresolved |= (small & ~lacking).any(axis=-1)
        self.Q = Q
        # Row i of R diag(exp l) V, divided by exp(m_i): by its own old scale, unless a much larger one enters.
        entering = np.where(R != 0, self.log_rows[:, None, :], -np.inf)
        top = entering.max(axis=-1)
        m = np.where(top > self.log_rows + 100, top, self.log_rows)
        shift = np.where(np.isfinite(m), m, 0)
        sums = (R * np.exp(entering - shift[..., None])) @ self.rows
        norms = np.linalg.norm(sums, axis=-1)
        self.rows = sums / np.where(norms > 0, norms, 1)[..., None]
        with np.errstate(divide="ignore"):
            self._grow(m, np.log(norms))

    def _grow(self, m: np.ndarray, growth: np.ndarray) -> None:
        """``log_rows = m + growth``, compensated ([kahan1965]_): over 1e5 steps nothing but the last bit is lost."""
        own = m == self.log_rows  # else the row is led by another, and what it has lost is not known
        with np.errstate(invalid="ignore"):
            growth = growth + np.where(own, self.lost, 0)
            total = m + growth
            lost = growth - (total - m)
        self.log_rows = total
        self.lost = np.where(np.isfinite(lost), lost, 0)


def log_singular_values(log_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Logarithms of the singular values of ``diag(exp(log_rows)) rows``.

    Parameters
    ----------
    log_rows : (n, S)
        Logarithmic scales; -inf for a zero row.
    rows : (n, S, S)
        Rows of norm 1 (or 0).

    Returns
    -------
    (n, S) array
        Falling. Errors are some eps times the condition number of `rows`, however far the scales are apart.
    """
    logs, columns = _preconditioned(log_rows.copy(), np.swapaxes(rows, 1, 2).copy())
    for _ in range(SWEEPS):
        if _sweep(logs, columns) < 1e-15 * rows.shape[-1]:
            break
    return -np.sort(-logs, axis=-1)


def _preconditioned(logs: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of the QR iteration on ``columns diag(exp(logs))``, after which graded columns are nearly orthogonal."""
    order = np.argsort(-logs, axis=-1, kind="stable")
    logs = np.take_along_axis(logs, order, -1)
    R = np.linalg.qr(np.take_along_axis(columns, order[:, None, :], -1))[1]
    scales = np.where(np.isfinite(logs), logs, -np.inf)
    with np.errstate(invalid="ignore"):
        ratio = np.exp(np.minimum(scales[:, None, :] - scales[:, :, None], 0))  # l_j - l_i, at most 0 for j > i
    # R diag(exp l) has the singular values of its transpose, diag(exp l) R', whose column i has the scale exp(l_i).
    lower = np.swapaxes(np.triu(R) * np.triu(np.where(np.isfinite(ratio), ratio, 0)), 1, 2)
    return _normalised(logs, lower)


def _normalised(logs: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    norms = np.linalg.norm(columns, axis=-2)
    with np.errstate(divide="ignore"):
        logs = logs + np.log(norms)
    return logs, columns / np.where(norms > 0, norms, 1)[:, None, :]


def _sweep(logs: np.ndarray, columns: np.ndarray) -> float:
    """Rotate all pairs of columns once, in S - 1 rounds of disjoint pairs; the largest cosine met."""
    size, worst = columns.shape[-1], 0.0
    ring = list(range(size + size % 2))
    for _ in range(len(ring) - 1):
        half = len(ring) // 2
        pairs = [(a, b) for a, b in zip(ring[:half], ring[: half - 1 : -1], strict=True) if max(a, b) < size]
        i, j = np.array(pairs, int).reshape(-1, 2).T
        worst = max(worst, _rotate(logs, columns, i, j))
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return worst


def _rotate(logs: np.ndarray, columns: np.ndarray, i: np.ndarray, j: np.ndarray) -> float:
    """Make the columns i and j, of scales exp(l_i) and exp(l_j), orthogonal."""
    swap = logs[:, j] > logs[:, i]
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    at = np.arange(len(logs))[:, None]
    large, small = columns[at, :, i], columns[at, :, j]  # (n, pairs, S)
    cosine = np.einsum("npk,npk->np", large, small)
    gap = np.where(np.isneginf(logs[at, j]), -np.inf, logs[at, j] - np.where(np.isneginf(logs[at, i]), 0, logs[at, i]))
    r = np.exp(np.minimum(gap, 0))
    # tan = tau r is the smaller root of r c (1 - tan^2) = (r^2 - 1) tan; tau stays finite as r goes to 0.
    spread = (1 - r) * (1 + r)
    root = np.hypot(spread, 2 * r * cosine)
    tau = np.where(cosine == 0, 0, -2 * cosine / np.where(spread + root > 0, spread + root, 1))
    cos = 1 / np.hypot(1, tau * r)
    tau, r, cos = tau[..., None], r[..., None], cos[..., None]
    new = cos * (large - tau * r * r * small), cos * (small + tau * large)
    for column, k in zip(new, (i, j), strict=True):
        norm = np.linalg.norm(column, axis=-1)
        with np.errstate(divide="ignore"):
            logs[at, k] += np.log(norm)
        columns[at, :, k] = column / np.where(norm > 0, norm, 1)[..., None]
    return float(np.abs(cosine).max(initial=0.0))
