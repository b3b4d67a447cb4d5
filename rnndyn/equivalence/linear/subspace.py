"""A first estimate of a linear network from its outputs alone, by canonical correlations of past and future."""

from __future__ import annotations

import math

import numpy as np

from rnndyn.equivalence.linear.filtering import Series
from rnndyn.equivalence.linear.state_space import StateSpace, radius

LEAST_NOISE = 0.05  # share of the innovations' variance that read-out noise has at least
STABLE = 0.98  # largest spectral radius


def subspace(series: Series, n: int) -> StateSpace:
    """Estimate a model with n state variables whose stationary covariance is the identity ([larimore1990]_).

    The state is what of the past is most correlated with the future, inputs of the future taken off both; a model of it
    by regression. Missing values count as zero: outputs should have mean 0 and variance 1.

    Raises
    ------
    ValueError
        For too few steps.
    """
    y = np.nan_to_num(series.y)
    batch, T, O = y.shape
    x = np.zeros((batch, T, 0)) if series.x is None else np.broadcast_to(series.x, (batch, T, series.x.shape[2]))
    k = math.ceil(n / O) + 1  # lags on either side
    past = _windows(np.concatenate([y, x], axis=2)[:, : T - k], k)
    future, ahead = _windows(y[:, k:], k), _windows(x[:, k:], k)
    if len(past) < 2 * (past.shape[1] + future.shape[1] + ahead.shape[1]):
        wanted = 2 * (past.shape[1] + future.shape[1] + ahead.shape[1]) / batch + 2 * k
        raise ValueError(f"y has {T} times: at least {math.ceil(wanted)} are wanted for {n} hidden units")
    P, F = (part - ahead @ np.linalg.lstsq(ahead, part, rcond=None)[0] for part in (past, future))
    left, right = _whitener(P), _whitener(F)
    W, correlation, _ = np.linalg.svd(left.T @ P.T @ F @ right / len(P), full_matrices=False)
    W, correlation = W[:, :n], np.clip(correlation[:n], 0.05, 0.98)
    if len(correlation) < n:
        raise ValueError(f"hidden_size is {n}: no more than {len(correlation)} can be told from {O} outputs")
    z = (past @ left @ W * np.sqrt(correlation)).reshape(batch, -1, n)  # of covariance diag(correlation)
    now_y, now_x = y[:, k : T - k + 1], x[:, k : T - k + 1]
    both = np.concatenate([z, now_x], axis=2)
    VD, noise = _regression(both, now_y)
    AB, _ = _regression(both[:, :-1], z[:, 1:])
    A, V = AB[:, :n], VD[:, :n]
    B = np.linalg.lstsq(np.vstack([V, A]), np.vstack([VD[:, n:], AB[:, n:]]), rcond=None)[0]
    A = A * min(1.0, STABLE / max(radius(A), 1e-12))
    Q = _positive(np.eye(n) - A @ A.T, 1e-3)
    R = _positive(noise - V @ np.diag(1 - correlation) @ V.T, LEAST_NOISE * np.trace(noise) / O)
    return StateSpace(A, B, np.zeros(n), V, np.zeros(O), Q, R)


def _windows(a: np.ndarray, k: int) -> np.ndarray:
    """Rows of k successive values, of all sequences, one below the other."""
    batch, T, width = a.shape
    rows = np.lib.stride_tricks.sliding_window_view(a, k, axis=1) if T >= k else np.zeros((batch, 0, width, k))
    return rows.transpose(0, 1, 3, 2).reshape(rows.shape[0] * rows.shape[1], k * width)


def _whitener(a: np.ndarray) -> np.ndarray:
    """W with W' Cov(a) W = I, directions without variance left out."""
    values, vectors = np.linalg.eigh(a.T @ a / len(a))
    kept = values > 1e-10 * values.max(initial=0)
    return vectors[:, kept] / np.sqrt(values[kept])


def _regression(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of b on a, and the residual covariance."""
    a, b = a.reshape(-1, a.shape[2]), b.reshape(-1, b.shape[2])
    coefficients = np.linalg.lstsq(a, b, rcond=None)[0]
    residual = b - a @ coefficients
    return coefficients.T, residual.T @ residual / max(len(b), 1)


def _positive(S: np.ndarray, least: float) -> np.ndarray:
    """The nearest matrix whose eigenvalues are no smaller than `least`."""
    values, vectors = np.linalg.eigh(0.5 * (S + S.T))
    return (vectors * np.maximum(values, least)) @ vectors.T
