"""Kalman filter and smoother of linear networks.

What depends on the model and on which values are missing, but not on the values themselves, is computed once for all
series that lack the same ones (`gains`), and only while it changes: `step` tells for each time which entry holds. What
depends on the values then takes a few products a step.

========  ==================================  =========================================================================
A, V      (n, n), (O, n)                      state transition, read-out
Q, R      (n, k), (O, O)                      factors of the covariances of the noises
seen      (pattern, time, O)                  which outputs are there
step      (pattern, time)                     entry of the arrays below that holds at this time
K, U      (pattern, entry, n, O), (..., O, O)  filter gain; U'U is the inverse of the innovations' covariance
S         (pattern, entry, part, O, O)        covariance of the innovations: finite part, and that of a diffuse start
Pp, Pf    (pattern, entry, part, n, n)        predicted and filtered covariance, likewise
J, C      (pattern, entry, [part,] n, n)      smoother's gain, and covariance of a state given the next one; or empty
========  ==================================  =========================================================================
"""

import math

import numpy as np

from rnndyn.kernels.cpu.square_root import EPS, foresee, measure, put, square
from rnndyn.kernels.jit import routine
from rnndyn.kernels.workers import handed_out, kernel

LOG_2PI = math.log(2 * math.pi)
STEADY = 8 * EPS  # change in a step, relative to the standard deviations: the rounding of the step


@routine
def steady(P, before):
    """Whether a covariance changed by no more than rounding."""
    for i in range(len(P)):
        for j in range(i + 1):
            change = P[i, j] - before[i, j]
            if change * change > STEADY * STEADY * P[i, i] * P[j, j]:
                return False
    return True


@routine
def same(seen, t, u):
    """Whether the same outputs are seen at two times."""
    for o in range(seen.shape[1]):
        if seen[t, o] != seen[u, o]:
            return False
    return True


@kernel
def gains(worker, seen, A, V, Q, R, start, infinite, step, K, U, S, logdet, Pp, Pf, J, C, failed, rooms, workers):
    """Run the covariances of each pattern of missing values from the factor ``start`` (n, width) on.

    ``failed`` (pattern) becomes the first time at which the innovations' covariance is singular, or -1.
    ``rooms`` are those of each worker for two matrices, a row of them, two rows of numbers and one of integers.
    """
    if handed_out(worker, workers):
        return
    patterns, T, outputs = seen.shape
    n, smoothing = len(A), J.shape[2] > 0
    F, M, v, sizes, pivot = rooms[0][worker], rooms[1][worker], rooms[2][worker], rooms[3][worker], rooms[4][worker]
    for p in range(worker, patterns, workers):
        left, width, entry, t = infinite, start.shape[1], 0, 0
        for i in range(n):
            put(F, i, 0, start, i, 0, width)
        failed[p] = -1
        if T:
            square(F, 0, 0, left, width, Pp[p, 0])
        while t < T:
            step[p, t] = entry
            left, width, logdet[p, entry] = measure(
                F, left, width, V, R, seen[p, t], K[p, entry], U[p, entry], S[p, entry], M, sizes, pivot, v
            )
            if width < 0:
                failed[p] = t
                break
            square(F, 0, 0, left, width, Pf[p, entry])
            which = entry if smoothing else 0
            width = foresee(F, left, width, A, Q, J[p, which], C[p, which], M, sizes, pivot, v)
            t += 1
            if t < T:
                square(F, 0, 0, left, width, Pp[p, entry + 1])
                if left == 0 and same(seen[p], t, t - 1) and steady(Pp[p, entry + 1, 0], Pp[p, entry, 0]):
                    while t < T and same(seen[p], t, t - 1):
                        step[p, t] = entry
                        t += 1
                entry += 1


@kernel
def filter_means(
    worker, y, drive, start, A, V, pattern, seen, step, K, U, logdet, mp, mf, innovation, loglik, room, workers
):
    """Predicted means ``mp`` (batch, time, n), filtered ``mf``, innovations (NaN where missing), log-likelihoods.

    ``start`` (batch, n) is the mean of the first state; ``drive`` (1 or batch, 1 or time, n) is what inputs and biases
    add to the later ones. ``y`` (batch, time, O) has the read-out's bias taken off; ``room`` (worker, O).
    """
    if handed_out(worker, workers):
        return
    batch, T, outputs = y.shape
    n = len(A)
    e = room[worker]
    for b in range(worker, batch, workers):
        p, d = pattern[b], min(b, len(drive) - 1)
        for t in range(T):
            s, x = step[p, t], drive[d, min(t, drive.shape[1] - 1)]
            for i in range(n):
                total = start[b, i]
                if t:
                    total = x[i]
                    for k in range(n):
                        total += A[i, k] * mf[b, t - 1, k]
                mp[b, t, i] = total
            count = 0
            for o in range(outputs):
                e[o] = 0.0
                innovation[b, t, o] = np.nan
                if seen[p, t, o]:
                    total = y[b, t, o]
                    for i in range(n):
                        total -= V[o, i] * mp[b, t, i]
                    e[o] = total
                    innovation[b, t, o] = total
                    count += 1
            for i in range(n):
                total = mp[b, t, i]
                for o in range(outputs):
                    total += K[p, s, i, o] * e[o]
                mf[b, t, i] = total
            square_sum = 0.0
            for o in range(outputs):
                total = 0.0
                for q in range(o + 1):
                    total += U[p, s, o, q] * e[q]
                square_sum += total * total
            loglik[b, t] = -0.5 * (count * LOG_2PI + logdet[p, s] + square_sum)


@kernel
def smooth_means(worker, pattern, step, J, mp, mf, ms, workers):
    """Smoothed means (batch, time, n)."""
    if handed_out(worker, workers):
        return
    batch, T, n = mp.shape
    for b in range(worker, batch, workers):
        p = pattern[b]
        for i in range(n):
            ms[b, T - 1, i] = mf[b, T - 1, i]
        for t in range(T - 2, -1, -1):
            gain = J[p, step[p, t]]
            for i in range(n):
                total = mf[b, t, i]
                for k in range(n):
                    total += gain[i, k] * (ms[b, t + 1, k] - mp[b, t + 1, k])
                ms[b, t, i] = total


@routine
def carry(P, J, C, room, out):
    """``out = C + J P J'`` for each part."""
    n = len(J)
    for part in range(len(P)):
        for i in range(n):
            for k in range(n):
                room[i, k] = 0.0
            for m in range(n):
                for k in range(n):
                    room[i, k] += J[i, m] * P[part, m, k]
        for i in range(n):
            for k in range(i + 1):
                total = C[part, i, k]
                for m in range(n):
                    total += room[i, m] * J[k, m]
                out[part, i, k] = total
                out[part, k, i] = total


@routine
def copy(P, out):
    """Copy each part."""
    for part in range(len(P)):
        for i in range(P.shape[1]):
            for k in range(P.shape[1]):
                out[part, i, k] = P[part, i, k]


@kernel
def smooth_covariances(worker, step, J, C, Pf, Ps, room, workers):
    """Smoothed covariances (pattern, time, part, n, n): ``C + J Ps J'``, a sum of two that are positive.

    ``room`` (worker, n, n).
    """
    if handed_out(worker, workers):
        return
    patterns, T = Ps.shape[:2]
    for p in range(worker, patterns, workers):
        copy(Pf[p, step[p, T - 1]], Ps[p, T - 1])
        rest = False
        for t in range(T - 2, -1, -1):
            s = step[p, t]
            if rest and s == step[p, t + 1]:
                copy(Ps[p, t + 1], Ps[p, t])
            else:
                carry(Ps[p, t + 1], J[p, s], C[p, s], room[worker], Ps[p, t])
                rest = Ps.shape[2] == 1 and s == step[p, t + 1] and steady(Ps[p, t, 0], Ps[p, t + 1, 0])
