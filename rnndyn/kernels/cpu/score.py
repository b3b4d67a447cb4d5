"""The Kalman filter backward in time: derivatives of the log-likelihood with respect to the means."""

import numpy as np

from rnndyn.kernels.workers import handed_out, kernel


@kernel
def adjoint_means(worker, pattern, step, A, V, K, U, Pp, predicted, innovation, r, e, smoothed, rooms, workers):
    """Fill ``r`` (batch, time, n) and ``e`` (batch, time, O), and the smoothed means.

    They are the derivatives of the log-likelihood with respect to the state's and the output's noise at that time; with
    arrays as in `rnndyn.kernels.cpu.kalman`, ``e_t = F^-1 v_t - K' q_t``, ``r_t = q_t + V' e_t``, ``q_t = A' r_{t+1}``.
    ``rooms`` are those of each worker for q, v and another O numbers.
    """
    if handed_out(worker, workers):
        return
    batch, T, n = predicted.shape
    outputs = len(V)
    q, v, u = rooms[0][worker], rooms[1][worker], rooms[2][worker]
    for b in range(worker, batch, workers):
        p = pattern[b]
        for t in range(T - 1, -1, -1):
            s = step[p, t]
            for i in range(n):
                q[i] = 0.0
                if t < T - 1:
                    for k in range(n):
                        q[i] += A[k, i] * r[b, t + 1, k]
            for o in range(outputs):
                v[o] = 0.0 if np.isnan(innovation[b, t, o]) else innovation[b, t, o]
            for o in range(outputs):
                u[o] = 0.0
                for m in range(o + 1):
                    u[o] += U[p, s, o, m] * v[m]
            for o in range(outputs):
                total = 0.0
                for m in range(o, outputs):
                    total += U[p, s, m, o] * u[m]
                for i in range(n):
                    total -= K[p, s, i, o] * q[i]
                e[b, t, o] = total
            for i in range(n):
                total = q[i]
                for o in range(outputs):
                    total += V[o, i] * e[b, t, o]
                r[b, t, i] = total
            for i in range(n):
                total = predicted[b, t, i]
                for k in range(n):
                    total += Pp[p, s, i, k] * r[b, t, k]
                smoothed[b, t, i] = total
