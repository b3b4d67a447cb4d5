"""Frames of tangent vectors: pushed through linearised steps and kept orthonormal, by the same register tile.

A frame (state, column) is worked on in panels, two registers of columns wide. A panel is pushed through a window of
steps by itself; then it is made orthogonal to the panels before it, and within itself by its Cholesky factor (block
Gram-Schmidt). Where columns lose much of their length in this, it is done again, which is enough (Giraud et al.
[giraud2005]_).
"""

import math

from rnndyn.kernels.barrier import meet
from rnndyn.kernels.jit import FEW_REGISTERS, REGISTER_BYTES, routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.workers import handed_out, kernel

ROWS = 8 if REGISTER_BYTES == 64 else 4  # of a tile of two registers; the columns of a panel are a multiple of it
PUSHED = 6 if FEW_REGISTERS else ROWS  # of a tile that pushes: as many sums as there are registers for
PASSES = 4  # of Gram-Schmidt at most
SAME = 0.25  # of the square of its length is what the last pass leaves of a column at least
DONE, AGAIN, LOST = 0, 1, 2


@routine
def part(total, share, shares):
    """Bounds of one share of so many tiles, in rows."""
    return total * share // shares * ROWS, total * (share + 1) // shares * ROWS


@routine
def take_panel(frames, r, register, A, w, lo, hi):
    """Copy two registers of columns of frame ``r``, rows ``lo`` to ``hi``, into the panel ``A[w]``."""
    for i in range(lo, hi):
        for v in range(2):
            store(A, (w, i, v, 0), load(frames, (r, i, register + v, 0)))


@routine
def put_panel(A, w, frames, r, register, lo, hi):
    """Copy a panel into a frame."""
    for i in range(lo, hi):
        for v in range(2):
            store(frames, (r, i, register + v, 0), load(A, (w, i, v, 0)))


@routine
def add_product(W, net, slot, A, u, w, to, depth):
    """``u[to] += W A``, with packed ``W`` (network, slot, row block, k, row) and the first rows of a panel."""
    for n in range(W.shape[2]):
        out = block(u, (w, to, n * PUSHED), 2, 3, None)
        tile(PUSHED, 2, out, out, block(W, (net, slot, n), 4, None, 3), block(A, (w,), None, 2, 1), depth)


@routine
def combine(by_gate, by_state, u, A, w, units, to, first):
    """Derivatives by the pre-activations times ``u``, and by the states times the panel, into ``to`` from a row on."""
    for unit in range(units):
        for v in range(2):
            out = load(A, (w, unit, v, 0)) * by_state[0, unit]
            for c in range(1, by_state.shape[0]):
                out = out + load(A, (w, c * units + unit, v, 0)) * by_state[c, unit]
            for slot in range(by_gate.shape[0]):
                out = out + load(u, (w, slot, unit, v, 0)) * by_gate[slot, unit]
            store(to, (w, first + unit, v, 0), out)


@routine
def push_cell(weights, first, D, net, t, r, rooms, w, units):
    """One linearised step of the panel ``A[w]``, into ``B[w]``, for a cell network."""
    W_h, W_m = weights
    Da, Ds, Ra, Rs = D
    A, B, M, u = rooms
    for slot in range(u.shape[1]):
        for i in range(u.shape[2]):
            for v in range(2):
                store(u, (w, slot, i, v, 0), 0.0)
    for slot in range(W_h.shape[1]):
        add_product(W_h, net, slot, A, u, w, first[0] + slot, units)
    if W_m.shape[1] > 0:
        combine(Ra[t, r], Rs[t, r], u, A, w, units, M, 0)
        for slot in range(W_m.shape[1]):
            add_product(W_m, net, slot, M, u, w, first[1] + slot, units)
    for c in range(Da.shape[2]):
        combine(Da[t, r, c], Ds[t, r, c], u, A, w, units, B, c * units)


@routine
def push_matrix(J, at, rooms, w):
    """One step of the panel ``A[w]``, into ``B[w]``, by the packed matrix ``J[at]``."""
    A, B, M, u = rooms
    for n in range(J.shape[2]):
        for i in range(PUSHED):
            for v in range(2):
                store(B, (w, n * PUSHED + i, v, 0), 0.0)
        out = block(B, (w, n * PUSHED), 1, 2, None)
        tile(PUSHED, 2, out, out, block(J, (at, 0, n), 4, None, 3), block(A, (w,), None, 2, 1), J.shape[3])


@routine
def push(weights, first, D, J, Q, before, kept, rooms, w, r, net, t, steps, panels, size, share, shares):
    """Push one share of the panels of frame ``r`` through ``steps`` steps from ``t`` on.

    ``before`` keeps the frame as it was, unless it is ``kept`` there already.
    """
    A, B, M, u = rooms
    rows = A.shape[1]
    for p in range(share, panels, shares):
        take_panel(Q, r, 2 * p, A, w, 0, rows)
        if not kept:
            put_panel(A, w, before, r, 2 * p, 0, rows)
        for step in range(t, t + steps):
            if step > t:
                for i in range(rows):
                    for v in range(2):
                        store(A, (w, i, v, 0), load(B, (w, i, v, 0)))
            if J.shape[0] > 0:
                push_matrix(J, step * Q.shape[0] + r, rooms, w)
            else:
                push_cell(weights, first, D, net, step, r, rooms, w, size)
        put_panel(B, w, Q, r, 2 * p, 0, rows)


@routine
def project(Q, r, A, C, w, columns, zero, share, shares):
    """``C = Q'A`` over the columns before the panel."""
    lo, hi = part(columns // ROWS, share, shares)
    for i in range(lo, hi, ROWS):
        left = block(Q, (r, 0, 0, i), 3, None, 1)
        init, out = block(zero, (0,), None, None, None), block(C, (w, i), 1, 2, None)
        tile(ROWS, 2, out, init, left, block(A, (w,), None, 2, 1), A.shape[1])
        for j in range(i, i + ROWS):
            for v in range(2):
                store(C, (w, j, v, 0), -load(C, (w, j, v, 0)))


@routine
def subtract(Q, r, A, C, w, columns, share, shares):
    """``A -= Q C``; ``C`` comes with the sign turned."""
    lo, hi = part(A.shape[1] // ROWS, share, shares)
    for i in range(lo, hi, ROWS):
        out = block(A, (w, i), 1, 2, None)
        tile(ROWS, 2, out, out, block(Q, (r, i), 1, None, 3), block(C, (w,), None, 2, 1), columns)


@routine
def gram(A, G, w, zero, share, shares):
    """``G = A'A``."""
    lo, hi = part(G.shape[1] // ROWS, share, shares)
    for i in range(lo, hi, ROWS):
        out, init = block(G, (w, i), 1, 2, None), block(zero, (0,), None, None, None)
        tile(ROWS, 2, out, init, block(A, (w, 0, 0, i), 3, None, 1), block(A, (w,), None, 2, 1), A.shape[1])


@routine
def lengths(G, C, w, columns, size, zero):
    """Squares of the lengths of the columns before this pass, ``size[0]``, and after their projection, ``size[1]``."""
    lanes = width_of(G)
    for v in range(2):
        even, odd = load(zero, (0,)), load(zero, (0,))  # two sums hide one another's latency
        for i in range(0, columns, 2):
            even = even + load(C, (w, i, v, 0)) * load(C, (w, i, v, 0))
            odd = odd + load(C, (w, i + 1, v, 0)) * load(C, (w, i + 1, v, 0))
        store(size, (w, 0, v, 0), even + odd)
    for j in range(G.shape[1]):
        v, lane = j // lanes, j % lanes
        size[w, 1, v, lane] = G[w, j, v, lane]
        size[w, 0, v, lane] += G[w, j, v, lane]


@routine
def factor(G, X, w, count, size, units, pivots, firm, eps):
    """Cholesky factor R of ``G`` in place and its inverse ``X``; whether the pass has to be repeated, or is lost.

    ``pivots`` is multiplied by R_jj. A pivot that drowned in rounding is replaced by that rounding, so that the next
    pass can find it. With G = U' D U, U of unit diagonal, the next pivot waits for one division and no root; the
    inverse of U grows a column a step beside it, by operations that nothing waits for. ``units[0]`` are the rows of the
    identity, ``units[1]`` ones to the right of its diagonal.
    """
    lanes, verdict = width_of(G), DONE
    for j in range(G.shape[1]):
        v, lane = j // lanes, j % lanes
        d = G[w, j, v, lane]
        if j >= count:
            d = 1
        else:
            if not 0 < size[w, 1, v, lane] < math.inf:
                return LOST
            floor = 4 * eps * G.shape[1] * size[w, 1, v, lane]
            if not d > floor:
                d = floor
                verdict = AGAIN
            if d < firm[0] * size[w, 0, v, lane] or d < firm[1] * size[w, 1, v, lane]:
                verdict = AGAIN
        inverse = 1 / d
        for i in range(j + 1, G.shape[1]):
            along = G[w, j, i // lanes, i % lanes] * inverse
            for n in range(i // lanes, 2):
                store(G, (w, i, n, 0), load(G, (w, i, n, 0)) - load(G, (w, j, n, 0)) * along)
        for n in range(2):
            row = load(G, (w, j, n, 0)) * load(units, (1, j, n, 0)) * inverse
            store(X, (w, j, n, 0), load(units, (0, j, n, 0)) - row)
            if n >= v:
                for i in range(j):
                    store(X, (w, i, n, 0), load(X, (w, i, n, 0)) - row * X[w, i, v, lane])
        root = math.sqrt(d)
        pivots[w, j] *= root
        size[w, 2, v, lane] = 1 / root
        for n in range(v, 2):
            store(G, (w, j, n, 0), load(G, (w, j, n, 0)) * (1 / root))
        G[w, j, v, lane] = root
    for j in range(G.shape[1]):
        for n in range(2):
            store(X, (w, j, n, 0), load(X, (w, j, n, 0)) * load(size, (w, 2, n, 0)))
    return verdict


@routine
def normalise(A, X, w, Q, r, register, zero, share, shares):
    """``A X`` as the panel of the frame."""
    lo, hi = part(A.shape[1] // ROWS, share, shares)
    for i in range(lo, hi, ROWS):
        out, init = block(Q, (r, i, register), 1, 2, None), block(zero, (0,), None, None, None)
        tile(ROWS, 2, out, init, block(A, (w, i), 1, None, 3), block(X, (w,), None, 2, 1), X.shape[1])


@routine
def keep_factor(R, window, r, C, G, w, columns, again):
    """Put the factor of a pass into ``R``: of the first pass itself, of a later one times what is there."""
    lanes, first, wide = width_of(G), columns // width_of(G), G.shape[1]
    for j in range(wide - 1, -1, -1):
        vj, lj = j // lanes, j % lanes
        for i in range(columns):
            total = -C[w, i, vj, lj]
            if again:
                total = R[window, r, i, first + vj, lj]
                for n in range(j + 1):
                    total -= C[w, i, n // lanes, n % lanes] * R[window, r, columns + n, first + vj, lj]
            R[window, r, i, first + vj, lj] = total
        for i in range(wide):
            total = G[w, i, vj, lj] if i <= j else 0.0
            if again:
                total = 0.0
                for n in range(i, j + 1):
                    total += G[w, i, n // lanes, n % lanes] * R[window, r, columns + n, first + vj, lj]
            R[window, r, columns + i, first + vj, lj] = total


@routine
def wait(arrivals, arrived, workers):
    """Wait for the other shares of a frame, if there are any; the new count comes back."""
    if workers > 1:
        meet(arrivals, arrived + workers)
    return arrived + workers


@routine
def orthonormalise(Q, r, rooms, small, w, window, growth, R, count, firm, eps, share, shares, arrivals, arrived):
    """Make frame ``r`` orthonormal, its growth a factor of ``growth``; verdict and count of arrivals come back."""
    A = rooms[0]
    C, G, X, size, units, pivots, verdicts, zero = small
    wide, tiles = G.shape[1], A.shape[1] // ROWS
    verdict, once_more = DONE, (firm[0] * 0 + SAME, firm[1] * 0 + SAME)
    for p in range((count + wide - 1) // wide):
        columns = p * wide
        if share == 0:
            for j in range(wide):
                pivots[w, j] = 1
        for number in range(PASSES):
            lo, hi = part(tiles, share, shares)
            take_panel(Q, r, 2 * p, A, w, lo, hi)
            arrived = wait(arrivals, arrived, shares)
            if columns > 0:
                project(Q, r, A, C, w, columns, zero, share, shares)
                arrived = wait(arrivals, arrived, shares)
                subtract(Q, r, A, C, w, columns, share, shares)
                arrived = wait(arrivals, arrived, shares)
            gram(A, G, w, zero, share, shares)
            arrived = wait(arrivals, arrived, shares)
            if share == 0:
                lengths(G, C, w, columns, size, zero)
                bound = firm if number == 0 else once_more
                verdicts[w] = factor(G, X, w, count - columns, size, units, pivots, bound, eps)
                if R.shape[0] > 0:
                    keep_factor(R, window, r, C, G, w, columns, number > 0)
            arrived = wait(arrivals, arrived, shares)
            verdict = verdicts[w]
            if verdict == LOST:
                return verdict, arrived
            normalise(A, X, w, Q, r, 2 * p, zero, share, shares)
            if verdict == DONE:
                break
        if verdict != DONE:
            return LOST, arrived
        if share == 0:
            for j in range(min(wide, count - columns)):
                growth[window, r, columns + j] *= pivots[w, j]
    return verdict, wait(arrivals, arrived, shares)


@routine
def spread(growth, window, r):
    """Largest growth of a column in a window, by the smallest."""
    least = most = growth[window, r, 0]
    for j in range(1, growth.shape[2]):
        least, most = min(least, growth[window, r, j]), max(most, growth[window, r, j])
    return most / least


@routine
def go_back(Q, before, r, share, shares):
    """Put one share of frame ``r`` back to what it was before the window."""
    lo, hi = part(Q.shape[1] // ROWS, share, shares)
    for i in range(lo, hi):
        for n in range(before.shape[2]):
            store(Q, (r, i, n, 0), load(before, (r, i, n, 0)))


@kernel
def grow(
    worker, weights, first, D, J, nets, Q, before, rooms, small, growth, R, done, lost, steps, interval, widest, count,
    size, firm, eps, workers, arrivals,
):  # fmt: skip
    """Push frames through ``steps`` steps, and make them orthonormal after every ``interval`` of them.

    A window in which one column grows more than ``widest`` times as much as another is gone through again, and the
    frame made orthonormal after each of its steps.

    Either ``weights`` (packed: those that the state drives and those that the rate drives) and the local derivatives
    ``D`` (time, frame, ...) give the Jacobians, or ``J`` (time and frame, 1, row block, k, row) holds them. ``nets``
    is the network of each frame ``Q`` (frame, state, register, lane). ``growth`` (window, frame, column), of ones,
    receives the R_jj, ``R`` (window, frame, row, register, lane) the whole factors if it has any windows. ``done``
    counts the windows of each frame; where a factor cannot be resolved, the frame is left as it was before that window,
    and ``lost`` says so. Workers take frames, or with a counter ``arrivals`` (1,) share every one.
    """
    if handed_out(worker, workers):
        return
    together = arrivals.size > 0
    windows = growth.shape[0]
    share, shares, w = (worker, workers, 0) if together else (0, 1, worker)
    arrived, panels = 0, before.shape[2] // 2
    for r in range(0 if together else worker, Q.shape[0], 1 if together else workers):
        for window in range(done[r], windows):
            t, verdict = window * interval, DONE
            end = min(t + interval, steps)
            length, kept = end - t, False
            while t < end and verdict != LOST:
                push(
                    weights, first, D, J, Q, before, kept, rooms, worker, r, nets[r], t, length, panels, size,
                    share, shares,
                )  # fmt: skip
                arrived = wait(arrivals, arrived, shares)
                verdict, arrived = orthonormalise(
                    Q, r, rooms, small, w, window, growth, R, count, firm, eps, share, shares, arrivals, arrived
                )
                t, kept = t + length, True
                if verdict != LOST and length > 1 and spread(growth, window, r) > widest:
                    arrived = wait(arrivals, arrived, shares)
                    go_back(Q, before, r, share, shares)
                    if share == 0:
                        for j in range(count):
                            growth[window, r, j] = 1
                    arrived = wait(arrivals, arrived, shares)
                    t, length = window * interval, 1
            if verdict == LOST:
                go_back(Q, before, r, share, shares)
                if share == 0:
                    lost[r] = True
                break
            if share == 0:
                done[r] = window + 1
