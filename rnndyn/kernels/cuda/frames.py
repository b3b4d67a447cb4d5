"""Frames of tangent vectors, pushed along a tape and kept orthonormal: one block of threads takes one frame.

Modified Gram-Schmidt, swept over all columns and repeated until no column loses much of its length to the others
([giraud2005]_). The triangular factors of the sweeps multiply, so their diagonals do as well.
"""

import math

from rnndyn.kernels.cuda.device import THREADS, cuda
from rnndyn.kernels.cuda.forward import network_of
from rnndyn.kernels.cuda.near import near
from rnndyn.kernels.cuda.tangent import differentiate, push
from rnndyn.kernels.dispatch import kind

SWEEPS = 4
DONE, AGAIN, LOST = 0, 1, 2


def room_numbers(columns):
    """Numbers that the threads of a block share: of each thread and column, a part of a product and of a length."""
    return 2 * max(columns, THREADS)


@cuda.jit(device=True)
def copy(source, target, r):
    """Copy frame ``r``."""
    columns = source.shape[2]
    for item in range(cuda.threadIdx.x, source.shape[1] * columns, cuda.blockDim.x):
        target[r, item // columns, item % columns] = source[r, item // columns, item % columns]
    cuda.syncthreads()


@cuda.jit(device=True)
def product(Q, r, j, c, first, step, total):
    """Part of the scalar product of two columns: its rows are every so many, from ``first`` on."""
    i = first
    while i < Q.shape[1]:
        total += Q[r, i, j] * Q[r, i, c]
        i += step
    return total


@cuda.jit(device=True)
def added(room, start, columns, parts, c):
    """Sum of the parts of column ``c``."""
    total = room[start + c]
    for part in range(1, parts):
        total += room[start + part * columns + c]
    return total


@cuda.jit(device=True)
def sweep(Q, r, room, squares, limits):
    """Make the columns of frame ``r`` orthogonal to one another, not yet of length one; the verdict comes back.

    A column is the work of several threads where there are enough. ``squares`` (frame, 2, column) are the columns'
    squared lengths before and after. Every thread comes to the same verdict from the same numbers.
    """
    columns, zero, floor, kept, infinite = Q.shape[2], limits[0], limits[1], limits[2], limits[3]
    width = min(columns, cuda.blockDim.x)
    parts = cuda.blockDim.x // width
    column, part = cuda.threadIdx.x % width, cuda.threadIdx.x // width
    mine, lengths, verdict = part * columns, max(columns, cuda.blockDim.x), DONE
    first = column if part < parts else columns  # threads too few for one more part are idle
    for c in range(first, columns, width):
        room[lengths + mine + c] = product(Q, r, c, c, part, parts, zero)
    cuda.syncthreads()
    if part == 0:
        for c in range(first, columns, width):
            squares[r, 0, c] = added(room, lengths, columns, parts, c)
    cuda.syncthreads()
    for j in range(columns):
        before, square = squares[r, 0, j], added(room, lengths, columns, parts, j)
        if not floor * before < square < infinite:
            return LOST
        if square < kept * before:
            verdict = AGAIN
        if cuda.threadIdx.x == 0:
            squares[r, 1, j] = square
        for c in range(first, columns, width):
            if c > j:
                room[mine + c] = product(Q, r, j, c, part, parts, zero)
        cuda.syncthreads()
        for c in range(first, columns, width):
            if c > j:
                along, total, i = added(room, 0, columns, parts, c) / square, zero, part
                while i < Q.shape[1]:
                    Q[r, i, c] -= along * Q[r, i, j]
                    total += Q[r, i, c] * Q[r, i, c]
                    i += parts
                room[lengths + mine + c] = total
        cuda.syncthreads()
    return verdict


@cuda.jit(device=True)
def orthonormalise(Q, r, room, squares, limits, growth, w):
    """Make frame ``r`` orthonormal, with R_jj into ``growth[w, r]``; whether it could be done."""
    columns, verdict, number = Q.shape[2], AGAIN, 0
    while verdict == AGAIN and number < SWEEPS:
        verdict, number = sweep(Q, r, room, squares, limits), number + 1
        if verdict == LOST:
            return False
        for item in range(cuda.threadIdx.x, Q.shape[1] * columns, cuda.blockDim.x):
            Q[r, item // columns, item % columns] /= math.sqrt(squares[r, 1, item % columns])
        for c in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            growth[w, r, c] *= math.sqrt(squares[r, 1, c])
        cuda.syncthreads()
    return verdict == DONE


@cuda.jit
def grow(p, s, a, D, Q, pushed, before, rates, squares, limits, growth, done, lost, interval, spilled, copied):
    """Push frames through the steps of a tape, and make them orthonormal after every ``interval`` of them.

    ``s`` and ``a`` are the tape of :func:`rnndyn.kernels.cuda.forward.forward`; the local derivatives ``D`` by
    pre-activations (frame, component, pre-activation, unit) and states (frame, component, component, unit), and of the
    rate (frame, pre-activation, unit) and (frame, component, unit), are room for one time. ``Q``, ``pushed`` and
    ``before`` are (frame, state, column), ``rates`` (frame, unit, column). ``limits`` are zero, the parts of a
    squared length that must remain, for a growth to be told from rounding and for a sweep to be the last, and infinity.
    ``growth`` (window, frame, column), of ones, takes the R_jj; ``done`` counts the windows of each frame. Where a
    factor cannot be resolved, the frame is left as it was before that window, and ``lost`` says so.
    """
    r, steps = cuda.blockIdx.x, a.shape[1]
    k, n = kind(p), network_of(p, r, s.shape[0])
    W_h, W_m, q, shared = p.W_h[n], p.W_m[n], p.q[n], cuda.shared.array(0, Q.dtype)
    room = spilled[r] if spilled.shape[1] > 0 else shared
    if copied:
        W_h, W_m = near(W_h, W_m, shared)
    for w in range(done[r], growth.shape[0]):
        copy(Q, before, r)
        for t in range(w * interval, min((w + 1) * interval, steps)):
            differentiate(k, q, s, a, D, r, t)
            cuda.syncthreads()
            push(k, W_h, W_m, D, Q, pushed, rates, r, limits[0])
            copy(pushed, Q, r)
        if not orthonormalise(Q, r, room, squares, limits, growth, w):
            copy(before, Q, r)
            if cuda.threadIdx.x == 0:
                lost[r] = True
            return
        if cuda.threadIdx.x == 0:
            done[r] = w + 1
