"""The small least-squares problem of GMRES ([saad1986]_), by Givens rotations: plain formulas for either device.

``H`` (row, vector + 1, vector) is triangular but for its newest column, ``turns`` (row, vector, 2) are the cosines and
sines, and ``e`` (row, vector + 1) is the right-hand side. Beside it, what Newton's method asks of its steps.
"""

import math

SHORTEST, ENOUGH_LOWER = 1 / 64, 1e-4  # smallest part of a step; wanted fall of the length of G, for a whole step
LOOSE, TIGHT = 0.1, 1e-2  # how far GMRES lowers the residual, far from a solution and near it


def rotate(H, i, j, length, turns, e):
    """Rotate the new column ``j`` of row ``i`` into triangular form; what is left of the residual returns."""
    for k in range(j):
        above, below = H[i, k, j], H[i, k + 1, j]
        H[i, k, j] = turns[i, k, 0] * above + turns[i, k, 1] * below
        H[i, k + 1, j] = turns[i, k, 0] * below - turns[i, k, 1] * above
    size = math.sqrt(H[i, j, j] * H[i, j, j] + length * length)
    if size > 0:
        turns[i, j, 0], turns[i, j, 1] = H[i, j, j] / size, length / size
    else:
        turns[i, j, 0], turns[i, j, 1] = 1, 0
    H[i, j, j] = size
    e[i, j + 1] = -turns[i, j, 1] * e[i, j]
    e[i, j] = turns[i, j, 0] * e[i, j]
    return abs(e[i, j + 1])


def solve_triangle(H, i, count, e):
    """Coefficients of the first ``count`` vectors of row ``i``, in the place of the right-hand side."""
    for k in range(count - 1, -1, -1):
        for q in range(k + 1, count):
            e[i, k] -= H[i, k, q] * e[i, q]
        e[i, k] = e[i, k] / H[i, k, k] if H[i, k, k] != 0 else 0
