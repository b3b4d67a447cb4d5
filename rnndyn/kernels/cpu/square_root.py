"""Covariances as factors: what a Kalman filter in square-root form is made of.

A covariance is held as a factor F, whose columns may be many: P = F F'. Where the start of a filter is diffuse, the
first columns weigh infinitely more than the others: P = k F F' + G G' with k towards infinity.
"""

import math

import numpy as np

from rnndyn.kernels.jit import routine, subroutine

EPS = float(np.finfo(np.float64).eps)
DIFFUSE = 1e-10  # relative size below which a direction is no longer diffuse


@routine
def clear(M, row, low, high):
    """Zeros in columns low..high of a row."""
    for k in range(low, high):
        M[row, k] = 0.0


@routine
def put(F, i, at, M, row, low, high):
    """Columns low..high of a row of M into row i of F, from column ``at`` on."""
    for k in range(low, high):
        F[i, at + k - low] = M[row, k]


@subroutine
def reflect(M, row, low, high, v):
    """Reflect columns low..high so that of them the row keeps the first only; its absolute value comes back."""
    norm = 0.0
    for k in range(low, high):
        norm += M[row, k] * M[row, k]
    norm = math.sqrt(norm)
    if norm == 0.0:
        return norm
    head = -math.copysign(norm, M[row, low])
    for k in range(low, high):
        v[k] = M[row, k]
    v[low] -= head
    half = -head * v[low]  # v'v / 2
    for i in range(row + 1, len(M)):
        dot = 0.0
        for k in range(low, high):
            dot += M[i, k] * v[k]
        dot /= half
        for k in range(low, high):
            M[i, k] -= dot * v[k]
    M[row, low] = head
    clear(M, row, low + 1, high)
    return norm


@subroutine
def triangle(M, rows, begin, infinite, columns, sizes, pivot, v):
    """Bring the first rows of M to lower echelon form by operations on its columns that keep M M'.

    Columns begin..infinite weigh infinitely more than those up to ``columns``, so that a rotation that mixes the two
    becomes an elimination. A row that depends on those before it, up to the rounding of what ``sizes`` (finite,
    infinite) says went into it, takes no column: its pivot is -1. Comes back: the first infinite and the first finite
    column that no row took.
    """
    first, second = begin, infinite
    for j in range(rows):
        pivot[j] = -1
        if first < infinite and reflect(M, j, first, infinite, v) > DIFFUSE * sizes[1, j]:
            for i in range(len(M) - 1, j - 1, -1):  # row j last: the others need it
                ratio = M[i, first] / M[j, first]
                for k in range(second, columns):
                    M[i, k] -= ratio * M[j, k]
            pivot[j] = first
            first += 1
            continue
        clear(M, j, first, infinite)
        norm = reflect(M, j, second, columns, v) if second < columns else 0.0
        if norm != 0.0 and not norm < 4 * EPS * columns * sizes[0, j]:  # what overflowed takes a column too
            pivot[j] = second
            second += 1
        else:
            clear(M, j, second, columns)
    return first, second


@routine
def times(W, i, F, low, high, M, row):
    """Row i of W F into M, columns low..high; the sum of all absolute values that went into it comes back."""
    size = 0.0
    clear(M, row, low, high)
    for m in range(len(F)):
        if W[i, m] != 0.0:
            for k in range(low, high):
                term = W[i, m] * F[m, k]
                M[row, k] += term
                size += abs(term)
    return size


@routine
def beside(G, i, M, row, at):
    """Row i of G into M from column ``at`` on; the sum of its absolute values comes back."""
    size = 0.0
    for k in range(G.shape[1]):
        M[row, at + k] = G[i, k]
        size += abs(G[i, k])
    return size


@subroutine
def square(F, top, low, infinite, high, P):
    """Covariance of the rows of F from ``top`` on: P[0] of columns infinite..high, P[1], if any, of low..infinite."""
    for part in range(len(P)):
        begin, end = (low, infinite) if part else (infinite, high)
        for i in range(P.shape[1]):
            for j in range(i + 1):
                total = 0.0
                for k in range(begin, end):
                    total += F[top + i, k] * F[top + j, k]
                P[part, i, j] = total
                P[part, j, i] = total


@routine
def solve_right(M, rows, pivot, X):
    """Solve ``X L = G``: L are the pivot columns of the first rows of M, G those of the rows below."""
    for i in range(len(X)):
        for j in range(rows - 1, -1, -1):
            X[i, j] = 0.0
            if pivot[j] >= 0:
                total = M[rows + i, pivot[j]]
                for k in range(j + 1, rows):
                    total -= X[i, k] * M[k, pivot[j]]
                X[i, j] = total / M[j, pivot[j]]


@routine
def whitening(M, pivot, infinite, U):
    """Inverse U of the triangle in M; rows without a pivot, and those of infinite variance, are zero."""
    for j in range(len(U)):
        for e in range(len(U)):
            total = 1.0 if e == j else 0.0
            for k in range(e, j):
                if pivot[k] >= 0:
                    total -= M[j, pivot[k]] * U[k, e]
            U[j, e] = total / M[j, pivot[j]] if e <= j and pivot[j] >= 0 else 0.0
    for j in range(len(U)):
        if pivot[j] < infinite:
            clear(U, j, 0, len(U))


@subroutine
def measure(F, infinite, width, V, R, seen, K, U, S, M, sizes, pivot, v):
    """Update the factor F by the outputs that are seen; fill gain, whitening and covariance of the innovations.

    Comes back: numbers of infinite and of all columns of F now, and the log determinant of that covariance; -1 columns
    where it is singular.
    """
    outputs, n, columns = len(V), len(F), width + R.shape[1]
    for o in range(outputs):
        clear(M, o, 0, columns)
        sizes[0, o] = sizes[1, o] = 0.0
        if seen[o]:
            sizes[1, o] = times(V, o, F, 0, infinite, M, o)
            sizes[0, o] = times(V, o, F, infinite, width, M, o) + beside(R, o, M, o, width)
    for i in range(n):
        put(M, outputs + i, 0, F, i, 0, width)
        clear(M, outputs + i, width, columns)
    block = M[: outputs + n]
    square(block, 0, 0, infinite, columns, S)
    first, second = triangle(block, outputs, 0, infinite, columns, sizes, pivot, v)
    logdet = 0.0
    for o in range(outputs):
        if seen[o]:
            if pivot[o] < 0:
                return 0, -1, 0.0
            logdet += 2 * math.log(abs(M[o, pivot[o]]))
    solve_right(block, outputs, pivot, K)
    whitening(block, pivot, infinite, U)
    left, kept = infinite - first, columns - second
    for i in range(n):
        put(F, i, 0, M, outputs + i, first, infinite)
        put(F, i, left, M, outputs + i, second, columns)
    return left, left + kept, logdet


@subroutine
def foresee(F, infinite, width, A, Q, J, C, M, sizes, pivot, v):
    """Turn a filtered factor F into that of the next prediction; fill the smoother's gain J and covariance C.

    J and C may be empty. Comes back: the number of columns of F now; the infinite ones stay as many.
    """
    n, columns = len(F), width + Q.shape[1]
    for i in range(n):
        sizes[1, i] = times(A, i, F, 0, infinite, M, i)
        sizes[0, i] = times(A, i, F, infinite, width, M, i) + beside(Q, i, M, i, width)
    for i in range(len(J)):
        put(M, n + i, 0, F, i, 0, width)
        clear(M, n + i, width, columns)
    for i in range(n):
        put(F, i, 0, M, i, 0, columns)
    if not len(J):
        return triangle(F, n, infinite, infinite, columns, sizes, pivot, v)[1]
    if infinite:  # a prediction keeps its finite part, which the elimination for the gain takes from
        width = triangle(F, n, infinite, infinite, columns, sizes, pivot, v)[1]
    block = M[: 2 * n]
    first, last = triangle(block, n, 0, infinite, columns, sizes, pivot, v)
    if not infinite:
        width = last
        for i in range(n):
            put(F, i, 0, M, i, 0, width)
    solve_right(block, n, pivot, J)
    for i in range(n, 2 * n):  # what the gain accounts for
        clear(M, i, infinite, last)
    square(block, n, first, infinite, columns, C)
    return width
