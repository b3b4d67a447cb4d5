"""Small linear equations in a block's memory, by all its threads: LU factors with partial pivoting."""

from rnndyn.kernels.cuda.device import cuda

EPS = 2.0**-52


@cuda.jit(device=True)
def largest(A, c, size):
    """Row of the largest number of column ``c`` from the diagonal on: every thread finds the same."""
    best = c
    for i in range(c + 1, size):
        if abs(A[i, c]) > abs(A[best, c]):
            best = i
    return best


@cuda.jit(device=True)
def exchange(A, i, j, first, size):
    """Exchange two rows, from column ``first`` on."""
    for c in range(first + cuda.threadIdx.x, size + 1, cuda.blockDim.x):
        A[i, c], A[j, c] = A[j, c], A[i, c]
    cuda.syncthreads()


@cuda.jit(device=True)
def eliminate(A, c, size):
    """Make column ``c`` zero below the diagonal; what is there already is not looked at again."""
    first, inverse = c + 1, 1 / A[c, c]
    for j in range(first + cuda.threadIdx.x, size + 1, cuda.blockDim.x):
        i = first
        while i < size:
            A[i, j] -= A[i, c] * inverse * A[c, j]
            i += 1
    cuda.syncthreads()


@cuda.jit(device=True)
def substitute(A, size):
    """Solve the triangular equations from the last one up."""
    for c in range(size - 1, -1, -1):
        x = A[c, size] / A[c, c]
        cuda.syncthreads()
        for i in range(cuda.threadIdx.x, c, cuda.blockDim.x):
            A[i, size] -= A[i, c] * x
        if cuda.threadIdx.x == 0:
            A[c, size] = x
        cuda.syncthreads()


@cuda.jit(device=True)
def solve(A, size):
    """Solve the equations ``A[:size, :size] x = A[:size, size]``, with x in the place of the right-hand side.

    Whether it could be done comes back: not where a pivot vanishes beside those before it, to rounding. The threads
    have to see the whole of ``A`` beforehand.
    """
    most = 0.0
    for c in range(size):
        best = largest(A, c, size)
        pivot = abs(A[best, c])
        most = max(most, pivot)
        cuda.syncthreads()
        if not pivot > size * size * EPS * most:  # what LU loses: size eps |L| |U|
            return False
        exchange(A, c, best, c, size)
        eliminate(A, c, size)
    substitute(A, size)
    return True
