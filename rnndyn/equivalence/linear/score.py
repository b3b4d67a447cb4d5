"""The exact derivative of the log-likelihood of a linear network with noise, from one pass back through the filter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.equivalence.linear import filtering
from rnndyn.equivalence.linear.filtering import Gains, Series, Start
from rnndyn.equivalence.linear.state_space import StateSpace, factor, lyapunov, stationary
from rnndyn.kernels.cpu.score import adjoint_means
from rnndyn.kernels.jit import parallel, threads_for

STEADY = 1e-15  # relative change of a step from which on the sums of covariances go on by counting


class _Sums(NamedTuple):
    """Sums over time, of covariances of what `adjoint_means` gives: N (but for t = 1), D, N A Pf, and that for V."""

    N: np.ndarray
    D: np.ndarray
    A: np.ndarray
    V: np.ndarray
    first: np.ndarray


def score(model: StateSpace, series: Series) -> tuple[float, StateSpace]:
    """Log-likelihood of all series from the stationary start, and its derivative with respect to every array.

    By the smoothed disturbances ([koopman1992]_), which need the inverse of neither noise: Q and R may be singular. The
    derivatives with respect to Q and R are symmetric. Cost that of a smoother.

    Raises
    ------
    ValueError
        Where the innovations' covariance is singular.
    """
    A, V = model.A, model.V
    mean, cov = stationary(model)
    start = Start(mean, factor(cov), 0)
    gains = filtering.gains(model, start, series.y, smoothing=False)
    means = filtering.filter_means(model, start, series, gains)
    r, e, smoothed = (np.empty_like(a) for a in (means.predicted, means.innovation, means.predicted))
    batch, T, n = r.shape
    workers = threads_for(batch * T * 4 * (n * n + n * len(V)), batch)
    arrays = (gains.K, gains.U, np.ascontiguousarray(gains.Pp[:, :, 0]), means.predicted, means.innovation)
    with parallel(workers):
        room = filtering.rooms(workers, (n,), (len(V),), (len(V),))
        adjoint_means(gains.pattern, gains.step, A, V, *arrays, r, e, smoothed, room, workers)
    counts = np.bincount(gains.pattern)
    each = zip(*(_pattern_sums(model, gains, p) for p in range(len(counts))), strict=True)
    sums = _Sums(*(np.tensordot(counts, part, 1) for part in each))
    later = r[:, 1:].reshape(-1, n)
    dA = later.T @ smoothed[:, :-1].reshape(-1, n) - sums.A
    flat_e, flat_h = e.reshape(-1, len(V)), smoothed.reshape(-1, n)
    dV = flat_e.T @ flat_h - sums.V
    dQ, dR = 0.5 * (later.T @ later - sums.N), 0.5 * (flat_e.T @ flat_e - sums.D)
    dB = np.zeros_like(model.B)
    if series.x is not None:
        dB = np.einsum("bti,btk->ik", r, np.broadcast_to(series.x, (batch, T, model.B.shape[1])))
    first = r[:, 0]
    # The stationary law: P = A P A' + Q, and (I - A) m = b.
    X = lyapunov(A.T, 0.5 * (first.T @ first - sums.first))
    w = np.linalg.solve((np.eye(n) - A).T, first.sum(axis=0))
    dA += 2 * X @ A @ cov + np.outer(w, mean)
    db = later.sum(axis=0) + w
    return float(means.loglik.sum()), StateSpace(dA, dB, db, dV, flat_e.sum(axis=0), dQ + X, dR)


def _pattern_sums(model: StateSpace, gains: Gains, p: int) -> _Sums:
    """Backward in time: ``N_t = V' F^-1 V + (I - K V)' M (I - K V)``, M = A' N_{t+1} A."""
    A, V, step = model.A, model.V, gains.step[p]
    n, O = len(A), len(V)
    N, at, t = np.zeros((n, n)), -1, len(step) - 1
    sum_N, sum_D, sum_A, sum_V = np.zeros((n, n)), np.zeros((O, O)), np.zeros((n, n)), np.zeros((O, n))
    while t >= 0:
        rest_before, s = at, step[t]
        if s != at:
            at, begin = s, int(np.argmax(step == s))
            K, inverse = gains.K[p, s], gains.U[p, s].T @ gains.U[p, s]
            rest = np.eye(n) - K @ V
        M, before = A.T @ N @ A, N
        N = V.T @ inverse @ V + rest.T @ M @ rest
        # At rest each step adds the same, down to where the gains are others.
        steady = s == rest_before and np.abs(N - before).max() <= STEADY * np.abs(N).max()
        repeats = max(t - begin, 1) if steady else 1
        sum_D += repeats * (inverse + K.T @ M @ K)
        sum_V += repeats * (inverse @ V - K.T @ M @ rest) @ gains.Pp[p, s, 0]
        if t:
            sum_N += repeats * N
            sum_A += repeats * N @ A @ gains.Pf[p, step[t - 1], 0]
        t -= repeats
    return _Sums(sum_N, sum_D, sum_A, sum_V, N)
