"""Newton's method for fixed points, from many starts at once, without a matrix.

The linear equation of each step is solved by GMRES (Saad & Schultz [saad1986]_), whose products J v take the same tiles
as the forward pass: weights are read once for a group of starts. A start that is finished makes room for the next one.
"""

import numpy as np

from rnndyn.kernels import least_squares
from rnndyn.kernels.cpu.forward import drive, recurrent, step
from rnndyn.kernels.cpu.tangent import differentiate
from rnndyn.kernels.dispatch import (
    block_rows,
    kind,
    member,
    row_panels,
    slot_count,
    tile_blocks,
)
from rnndyn.kernels.jit import routine
from rnndyn.kernels.lanes import load, store, total
from rnndyn.kernels.least_squares import ENOUGH_LOWER, LOOSE, SHORTEST, TIGHT
from rnndyn.kernels.tile import block
from rnndyn.kernels.workers import handed_out, kernel

FEW = 2  # gathered rows that are taken one by one, not as a tile
rotate, solve_triangle = routine(least_squares.rotate), routine(least_squares.solve_triangle)


@routine
def dot(V, i, j, k):
    """Product of the vectors ``j`` and ``k`` of row ``i``."""
    s = load(V, (i, j, 0, 0, 0)) * load(V, (i, k, 0, 0, 0))
    for c in range(V.shape[2]):
        for n in range(0 if c > 0 else 1, V.shape[3]):
            s = s + load(V, (i, j, c, n, 0)) * load(V, (i, k, c, n, 0))
    return total(s)


@routine
def add_multiple(V, i, j, k, factor):
    """Vector ``j`` of row ``i`` plus a multiple of vector ``k``."""
    for c in range(V.shape[2]):
        for n in range(V.shape[3]):
            store(V, (i, j, c, n, 0), load(V, (i, j, c, n, 0)) + factor * load(V, (i, k, c, n, 0)))


@routine
def scale(V, i, j, factor):
    """Vector ``j`` of row ``i`` times a number."""
    for c in range(V.shape[2]):
        for n in range(V.shape[3]):
            store(V, (i, j, c, n, 0), load(V, (i, j, c, n, 0)) * factor)


@routine
def width_at(k, rows, left):
    """Blocks of units that one product takes, of those that are left."""
    wide = row_panels(k) if rows == 1 else tile_blocks(k)
    return wide if wide <= left else 1


@routine
def tangents(p, V, j, s, u, m, Da, Ds, Ra, Rs, todo, used, chosen, lo, hi):
    """Vector ``j + 1`` = J times vector ``j``, of those rows that want it; these are gathered in tiles first."""
    many = block_rows(kind(p))
    count = 0
    for i in range(lo, hi):
        if todo[i] and used[i] == j:
            chosen[lo + count] = i
            for n in range(V.shape[3]):
                store(s, (1, lo + count, 0, n, 0), load(V, (i, j, 0, n, 0)))
            count += 1
    r = 0
    while r < count:
        rows = many if count - r > FEW and lo + r + many <= hi else 1
        tangents_of(p, V, j, s, u, m, Da, Ds, Ra, Rs, chosen, lo + r, rows, min(rows, count - r))
        r += rows


@routine
def tangents_of(p, V, j, s, u, m, Da, Ds, Ra, Rs, chosen, r, rows, wanted):
    """:func:`tangents` of one tile of gathered rows, of which the first ``wanted`` are kept."""
    k = kind(p)
    blocks = V.shape[3]
    for q in range(r, r + rows):
        for slot in range(u.shape[2]):
            for n in range(blocks):
                store(u, (0, q, slot, n, 0), 0.0)
    last = 0 if m is None else 1
    for stage in range(last + 1):
        n = 0
        while n < blocks:
            count = width_at(k, rows, blocks - n)
            if stage == 1:
                if m is not None:
                    left_rows, left_row = block(m, (0, r), 1, None, 3), block(m, (0, r), None, None, 3)
                    recurrent(k, "m", u, 0, r, rows, 0, n, count, left_rows, left_row, p.W_m)
            elif slot_count(k, "h") > 0:
                left_rows, left_row = block(s, (1, r, 0), 1, None, 4), block(s, (1, r, 0), None, None, 4)
                recurrent(k, "h", u, 0, r, rows, 0, n, count, left_rows, left_row, p.W_h)
            n += count
        for q in range(r, r + wanted):
            i = chosen[q]
            for n in range(blocks):
                if stage < last:
                    if m is not None:
                        store(m, (0, q, n, 0), combined(Ra, (i, 0, n, 0), Rs, (i, 0, n, 0), u, q, V, i, j, n))
                else:
                    for c in range(V.shape[2]):
                        out = combined(Da[i], (c, 0, n, 0), Ds[i], (c, 0, n, 0), u, q, V, i, j, n)
                        store(V, (i, j + 1, c, n, 0), out)


@routine
def combined(Da, at_a, Ds, at_s, u, q, V, i, j, n):
    """Derivatives by the pre-activations times row ``q`` of ``u``, and by the states times vector ``j``, of a block."""
    row, first, _, _ = at_a
    out = load(Da, (row, 0, n, 0)) * load(u, (0, q, 0, n, 0))
    for slot in range(1, u.shape[2]):
        out = out + load(Da, (row, slot, n, 0)) * load(u, (0, q, slot, n, 0))
    for c in range(V.shape[2]):
        out = out + load(Ds, (row, c, n, 0)) * load(V, (i, j, c, n, 0))
    return out


@routine
def orthogonalise(V, i, j, H):
    """Make vector ``j + 1`` of row ``i`` orthogonal to those before it, and of length 1; its length comes back."""
    for k in range(j + 1):
        H[i, k, j] = dot(V, i, j + 1, k)
        add_multiple(V, i, j + 1, k, -H[i, k, j])
    length = dot(V, i, j + 1, j + 1) ** 0.5
    if length > 0:
        scale(V, i, j + 1, 1 / length)
    return length


@routine
def directions(p, V, s, u, m, Da, Ds, Ra, Rs, H, turns, e, todo, size, used, chosen, lo, hi):
    """Newton directions of the rows to do: ``(J - I) d = -G`` with G in vector 0; ``d`` is left in the last vector."""
    last = V.shape[1] - 1
    open_ = 0
    for i in range(lo, hi):
        used[i] = 0
        if todo[i]:
            scale(V, i, 0, -1 / size[i])
            e[i, 0] = size[i]
            open_ += 1
    j = 0
    while open_ > 0 and j < last - 1:
        tangents(p, V, j, s, u, m, Da, Ds, Ra, Rs, todo, used, chosen, lo, hi)
        for i in range(lo, hi):
            if todo[i] and used[i] == j:
                add_multiple(V, i, j + 1, j, -1)
                left = rotate(H, i, j, orthogonalise(V, i, j, H), turns, e)
                if left > min(LOOSE, max(TIGHT, size[i])) * size[i] and left > 0:
                    used[i] = j + 1
                else:
                    used[i] = -(j + 1)  # done
                    open_ -= 1
        j += 1
    for i in range(lo, hi):
        if todo[i]:
            count = abs(used[i])
            solve_triangle(H, i, count, e)
            for c in range(V.shape[2]):
                for n in range(V.shape[3]):
                    d = e[i, 0] * load(V, (i, 0, c, n, 0))
                    for k in range(1, count):
                        d = d + e[i, k] * load(V, (i, k, c, n, 0))
                    store(V, (i, last, c, n, 0), d)


@routine
def take_start(starts, inputs, s, here, x, i, number):
    """Put a start and its inputs into row ``i``."""
    for j in range(x.shape[2]):
        x[i, 0, j] = inputs[number, j]
    for c in range(s.shape[2]):
        for n in range(s.shape[3]):
            register = load(starts, (number, c, n, 0))
            store(s, (0, i, c, n, 0), register)
            store(here, (i, c, n, 0), register)


@routine
def residual(s, V, i):
    """Residual ``G = F(x) - x`` of row ``i``, as vector 0; its length comes back."""
    for c in range(s.shape[2]):
        for n in range(s.shape[3]):
            store(V, (i, 0, c, n, 0), load(s, (1, i, c, n, 0)) - load(s, (0, i, c, n, 0)))
    return dot(V, i, 0, 0) ** 0.5


@routine
def copy_row(here, s, i):
    """Keep the states of row ``i``."""
    for c in range(s.shape[2]):
        for n in range(s.shape[3]):
            store(here, (i, c, n, 0), load(s, (0, i, c, n, 0)))


@routine
def give_result(found, here, number, i):
    """Write the states of row ``i`` as the result of its start."""
    for c in range(here.shape[1]):
        for n in range(here.shape[2]):
            store(found, (number, c, n, 0), load(here, (i, c, n, 0)))


@routine
def try_part(s, here, V, i, last, part):
    """Go a part of the step from the kept states."""
    for c in range(s.shape[2]):
        for n in range(s.shape[3]):
            store(s, (0, i, c, n, 0), load(here, (i, c, n, 0)) + part * load(V, (i, last, c, n, 0)))


@routine
def refill(starts, inputs, s, here, x, counts, size, i, number):
    """Begin with a new start in row ``i``."""
    take_start(starts, inputs, s, here, x, i, number)
    counts[0, i], counts[3, i], size[0, i], size[1, i] = number, 0, np.inf, 1


@routine
def work(p, of, inputs, starts, rooms, found, left, enough, rounds, worker, workers):
    """One worker's part of :func:`newton`: its starts of one network, then those of the next."""
    x, s, a, m, y, D, krylov, here, counts, size = rooms
    slots = counts.shape[1] // workers
    lo, hi = worker * slots, (worker + 1) * slots
    Da, Ds, Ra, Rs = D
    V, u, H, turns, e = krylov
    own, todo, used, age = counts[0], counts[1], counts[2], counts[3]
    length, part = size[0], size[1]
    upcoming, last = worker, starts.shape[0] - 1
    while upcoming <= last:
        n, first, busy = of[upcoming], upcoming, 0
        one = member(p, n)
        for i in range(lo, hi):
            own[i], todo[i] = -1, 0
            take_start(starts, inputs, s, here, x, i, first)  # something to compute with, should there be nothing else
            if upcoming <= last and of[upcoming] == n:
                refill(starts, inputs, s, here, x, counts, size, i, upcoming)
                upcoming, busy = upcoming + workers, busy + 1
        while busy > 0:
            drive(one, x, a, lo, hi, 0, 0, 0, 1, 0, 1)
            for stage in range(1 if m is None else 0, 2):
                step(one, s, a, m, y, lo, hi, 0, 0, 0, stage, 0, 1)
            for i in range(lo, hi):
                todo[i] = 0
                if own[i] >= 0:
                    now = residual(s, V, i)
                    if now < length[i] * (1 - ENOUGH_LOWER * part[i]):
                        length[i], part[i], todo[i] = now, 1, 1
                        copy_row(here, s, i)
                    else:
                        part[i] /= 2
                    age[i] += 1
                    if length[i] <= enough or part[i] < SHORTEST or age[i] >= rounds:
                        todo[i] = 0
                        give_result(found, here, own[i], i)
                        left[own[i]] = length[i]
                        own[i] = -1
                        busy -= 1
                        if upcoming <= last and of[upcoming] == n:
                            refill(starts, inputs, s, here, x, counts, size, i, upcoming)
                            upcoming, busy = upcoming + workers, busy + 1
                    elif todo[i]:
                        differentiate(one, s, a, Da, Ds, Ra, Rs, i)
            directions(one, V, s, u, m, Da, Ds, Ra, Rs, H, turns, e, todo, length, used, counts[4], lo, hi)
            for i in range(lo, hi):
                if own[i] >= 0 and age[i] > 0:
                    try_part(s, here, V, i, V.shape[1] - 1, part[i])


@kernel
def newton(
    worker, p, of, inputs, starts, x, s, a, m, y, D, krylov, here, counts, size, found, left, enough, rounds, workers
):
    """Newton steps from each of ``starts`` until the length of G is ``enough`` or no part of a step lowers it.

    Start i is one of network ``of[i]`` among ``p`` under ``inputs[i]``; those of a network come one after the other.
    ``found`` receives the last states, ``left`` the length of G there. Each worker owns some rows of all the rooms and
    takes every so-manieth start. ``x`` (row, 1, input) is room for the inputs of each row, ``D`` for its local
    derivatives, ``krylov`` for its vectors (row, vector, component, block, lane), the tangents of its pre-activations,
    and the small least-squares problem. ``counts`` (5, row): the start in a row, whether its direction is due, how many
    vectors made it, its age, the rows that are gathered; ``size`` (2, row): the length of G, and the part of the step
    that is tried.
    """
    if handed_out(worker, workers):
        return
    rooms = x, s, a, m, y, D, krylov, here, counts, size
    work(p, of, inputs, starts, rooms, found, left, enough, rounds, worker, workers)
