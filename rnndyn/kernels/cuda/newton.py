"""Newton's method for fixed points, from many starts: one block of threads takes one start after the other.

The steps are those of :mod:`rnndyn.kernels.cpu.newton`, damped. The linear equations of few states are solved by LU
factors, in the block's memory; others, and those whose matrix is singular, by GMRES ([saad1986]_), whose products J v
take no matrix. A thread owns every so many numbers of a vector.
"""

import math

from rnndyn.kernels import least_squares
from rnndyn.kernels.cuda.device import THREADS, cuda
from rnndyn.kernels.cuda.forward import step
from rnndyn.kernels.cuda.lu import solve
from rnndyn.kernels.cuda.tangent import differentiate, push
from rnndyn.kernels.dispatch import kind
from rnndyn.kernels.least_squares import ENOUGH_LOWER, LOOSE, SHORTEST, TIGHT

LARGEST = 48  # states whose matrix a block has in its memory
COLUMNS = LARGEST + 1  # with the right-hand side

rotate, solve_triangle = (cuda.jit(device=True)(f) for f in (least_squares.rotate, least_squares.solve_triangle))


@cuda.jit(device=True)
def dot(V, j, k, r, room):
    """Product of the vectors ``j`` and ``k`` of block ``r``, the same bits for every thread."""
    thread, count = cuda.threadIdx.x, cuda.blockDim.x
    part = 0.0
    for i in range(thread, V.shape[2], count):
        part += V[j, r, i, 0] * V[k, r, i, 0]
    room[thread] = part
    cuda.syncthreads()
    while count > 1:
        half = (count + 1) // 2
        if thread < count - half:
            room[thread] += room[thread + half]
        cuda.syncthreads()
        count = half
    total = room[0]
    cuda.syncthreads()
    return total


@cuda.jit(device=True)
def add_multiple(V, j, k, factor, r):
    """Vector ``j`` of block ``r`` plus a multiple of vector ``k``."""
    for i in range(cuda.threadIdx.x, V.shape[2], cuda.blockDim.x):
        V[j, r, i, 0] += factor * V[k, r, i, 0]


@cuda.jit(device=True)
def scale(V, j, factor, r):
    """Vector ``j`` of block ``r`` times a number, for all threads to see."""
    for i in range(cuda.threadIdx.x, V.shape[2], cuda.blockDim.x):
        V[j, r, i, 0] *= factor
    cuda.syncthreads()


@cuda.jit(device=True)
def orthogonalise(V, j, H, r, room):
    """Make vector ``j + 1`` of block ``r`` orthogonal to those before it, and of length 1; its length comes back."""
    for k in range(j + 1):
        along = dot(V, j + 1, k, r, room)
        add_multiple(V, j + 1, k, -along, r)
        if cuda.threadIdx.x == 0:
            H[r, k, j] = along
    length = math.sqrt(dot(V, j + 1, j + 1, r, room))
    scale(V, j + 1, 1 / length if length > 0 else 1.0, r)
    return length


@cuda.jit(device=True)
def by_factors(k, W_h, W_m, D, V, rates, r, A):
    """Newton direction of block ``r``: ``(J - I) d = -G`` with G in vector 0; ``d`` is left in the last vector.

    By LU factors in ``A``, whose columns are those of unit vectors pushed through J; whether it could be done comes
    back.
    """
    thread, stride, size, last = cuda.threadIdx.x, cuda.blockDim.x, V.shape[2], V.shape[0] - 1
    for c in range(size):
        for i in range(thread, size, stride):
            V[1, r, i, 0] = 1.0 if i == c else 0.0
        cuda.syncthreads()
        push(k, W_h, W_m, D, V[1], V[last], rates, r, 0.0)
        for i in range(thread, size, stride):
            A[i, c] = V[last, r, i, 0] - V[1, r, i, 0]
    for i in range(thread, size, stride):
        A[i, size] = -V[0, r, i, 0]
    cuda.syncthreads()
    done = solve(A, size)
    for i in range(thread, size, stride):
        V[last, r, i, 0] = A[i, size]
    return done


@cuda.jit(device=True)
def by_gmres(k, W_h, W_m, D, V, rates, r, small, size, room):
    """As :func:`by_factors`, without a matrix: of least squares, to a part of the length ``size`` of G."""
    H, turns, e = small
    last, used, left = V.shape[0] - 1, 0, size
    scale(V, 0, -1 / size, r)
    if cuda.threadIdx.x == 0:
        e[r, 0] = size
    while used < last - 1 and left > min(LOOSE, max(TIGHT, size)) * size:
        push(k, W_h, W_m, D, V[used], V[used + 1], rates, r, 0.0)
        add_multiple(V, used + 1, used, -1.0, r)
        length = orthogonalise(V, used, H, r, room)
        if cuda.threadIdx.x == 0:
            rotate(H, r, used, length, turns, e)
        cuda.syncthreads()
        used += 1
        left = abs(e[r, used])
    if cuda.threadIdx.x == 0:
        solve_triangle(H, r, used, e)
    cuda.syncthreads()
    for i in range(cuda.threadIdx.x, V.shape[2], cuda.blockDim.x):
        d = 0.0
        for j in range(used):
            d += e[r, j] * V[j, r, i, 0]
        V[last, r, i, 0] = d


@cuda.jit(device=True)
def residual(k, p, n, x, s, a, m, V, r, room):
    """Residual ``G = F(s) - s`` of block ``r``, as vector 0; its length comes back."""
    units = s.shape[3]
    weights = p.W_x[n], p.W_h[n], p.W_m[n], p.b[n], p.q[n]
    step(k, weights, x, s, a, m, r, 0, s[r, 0, 0], m[r, 0])
    cuda.syncthreads()
    for i in range(cuda.threadIdx.x, V.shape[2], cuda.blockDim.x):
        V[0, r, i, 0] = s[r, 1, i // units, i % units] - s[r, 0, i // units, i % units]
    return math.sqrt(dot(V, 0, 0, r, room))


@cuda.jit
def newton(p, of, x, found, lengths, s, a, m, D, V, rates, small, enough, rounds):
    """Newton steps from each start until the length of G is ``enough`` or no part of a step lowers it.

    ``found`` (start, state) are the starts and becomes the last states, ``lengths`` (start,) the lengths of G there;
    start i is one of network ``of[i]`` among ``p`` under the inputs ``x[i]``. The rest is room of each block: ``s``
    (block, 2, component, unit), ``a`` (block, 1, pre-activation, unit), ``m`` (block, 1, unit), the local derivatives
    ``D`` of :mod:`rnndyn.kernels.cuda.tangent`, the vectors ``V`` (vector, block, state, 1), the tangents of the
    ``rates`` (block, unit, 1), and the ``small`` least-squares problem of :mod:`rnndyn.kernels.least_squares`. All in
    float64.
    """
    r, thread, stride, k = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x, kind(p)
    units, size, last = s.shape[3], V.shape[2], V.shape[0] - 1
    room = cuda.shared.array(THREADS, V.dtype)
    A = cuda.shared.array((LARGEST, COLUMNS), V.dtype)
    for start in range(r, found.shape[0], cuda.gridDim.x):
        n, length, part, tried = of[start], math.inf, 1.0, 0
        for i in range(thread, size, stride):
            V[last, r, i, 0] = 0.0
        while length > enough and part >= SHORTEST and tried < rounds:
            for i in range(thread, size, stride):
                s[r, 0, i // units, i % units] = found[start, i] + part * V[last, r, i, 0]
            cuda.syncthreads()
            now, tried = residual(k, p, n, x[start], s, a, m, V, r, room), tried + 1
            if now < length * (1 - ENOUGH_LOWER * part):
                length, part = now, 1.0
                for i in range(thread, size, stride):
                    found[start, i] = s[r, 0, i // units, i % units]
                if length > enough:
                    differentiate(k, p.q[n], s, a, D, r, 0)
                    given = k, p.W_h[n], p.W_m[n], D, V, rates, r
                    if size > LARGEST or not by_factors(*given, A):
                        by_gmres(*given, small, length, room)
            else:
                part /= 2
        if thread == 0:
            lengths[start] = length
