"""Forward pass, with or without a tape, for every cell."""

from numba import prange

from rnndyn.cells.contract import rate, update
from rnndyn.kernels.dispatch import (
    block_rows,
    first_slot,
    kind,
    paired_product,
    parameters,
    pre_activations,
    product,
    row_panels,
    slot_count,
    states,
    tile_blocks,
    wide_product,
)
from rnndyn.kernels.jit import kernel, routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block
from rnndyn.kernels.tuples import scatter, scatter_part


@routine
def drive_rows(p, x, a, r, base, n, count, start, stop):
    """Input drive of as many rows as a tile has, at one block of units or two."""
    k = kind(p)
    first = first_slot(k, "x")
    for t in range(start, stop):
        left = block(x, (r, t), 0, None, 2)
        if count == 2:
            out, init = block(a, (t - start, r - base, first, n), 1, 3, None), block(p.b, (first, n), None, 1, None)
            paired_product(k, out, init, left, block(p.W_x, (n,), None, 0, 2), x.shape[2])
        else:
            out, init = block(a, (t - start, r - base, first, n), 1, 2, None), block(p.b, (first, n), None, 0, None)
            product(k, "x", block_rows(k), out, init, left, block(p.W_x, (n,), None, 1, 2), x.shape[2])


@routine
def drive_times(p, x, a, r, base, n, count, start, stop):
    """Input drive of one row, its times as the rows of the tiles, at one block of units or two."""
    k = kind(p)
    many, first = block_rows(k), first_slot(k, "x")
    t = start
    while t < stop:
        times = many if t + many <= stop else 1
        left = block(x, (r, t), 1, None, 2)
        if count == 2 and times == many:
            out, init = block(a, (t - start, r - base, first, n), 0, 3, None), block(p.b, (first, n), None, 1, None)
            paired_product(k, out, init, left, block(p.W_x, (n,), None, 0, 2), x.shape[2])
        else:
            for j in range(n, n + count):
                out, init = block(a, (t - start, r - base, first, j), 0, 2, None), block(p.b, (first, j), None, 0, None)
                product(k, "x", times, out, init, left, block(p.W_x, (j,), None, 1, 2), x.shape[2])
        t += times


@routine
def drive(p, x, a, lo, hi, base, start, stop):
    """Input drive ``W_xh x + b_h`` of rows ``lo`` to ``hi`` at times ``start`` to ``stop``, into ``a`` from its time 0 on."""
    k = kind(p)
    many, wide, blocks = block_rows(k), tile_blocks(k), a.shape[3]
    whole = lo + (hi - lo) // many * many
    n = 0
    while n < blocks:
        count = wide if n + wide <= blocks else 1
        for r in range(lo, whole, many):
            drive_rows(p, x, a, r, base, n, count, start, stop)
        for r in range(whole, hi):
            drive_times(p, x, a, r, base, n, count, start, stop)
        n += count
    for slot in range(first_slot(k, "x") + slot_count(k, "x"), a.shape[2]):
        for t in range(start, stop):
            for r in range(lo, hi):
                for n in range(blocks):
                    store(a, (t - start, r - base, slot, n, 0), load(p.b, (slot, n, 0)))


@routine
def recurrent(p, source, a, now, r, rows, base, n, count, left_rows, left_row, W):
    """Add ``W h`` (or ``W m``) to the pre-activations of some rows at some blocks of units."""
    k = kind(p)
    first, depth = first_slot(k, source), W.shape[2]
    if rows == 1:
        out = block(a, (now, r - base, first, n), 3, 2, None)
        wide_product(k, source, count, out, out, left_row, block(W, (n,), 0, 1, 2), depth)
    elif count == 2:
        out = block(a, (now, r - base, first, n), 1, 3, None)
        paired_product(k, out, out, left_rows, block(W, (n,), None, 0, 2), depth)
    else:
        out = block(a, (now, r - base, first, n), 1, 2, None)
        product(k, source, rows, out, out, left_rows, block(W, (n,), None, 1, 2), depth)


@routine
def rates(p, s, a, m, now, old, r, rows, base, n, count):
    """First stage of a cell that sends ``m = rate(a, s)`` through ``W_hh``."""
    k = kind(p)
    if slot_count(k, "h") > 0:
        left_rows, left_row = block(s, (old, r, 0), 1, None, 4), block(s, (old, r, 0), None, None, 4)
        recurrent(p, "h", a, now, r, rows, base, n, count, left_rows, left_row, p.W_h)
    for i in range(r, r + rows):
        for j in range(n, n + count):
            gates = pre_activations(k, a, (now, i - base, 0, j, 0))
            store(m, (now, i - base, j, 0), rate(k, gates, states(k, s, (old, i, 0, j, 0))))


@routine
def advance(p, s, a, m, y, t, now, old, new, r, rows, base, n, count):
    """New states of some rows at one block of units, or of one row at some blocks."""
    k = kind(p)
    if slot_count(k, "m") > 0:
        left_rows, left_row = block(m, (now, r - base), 1, None, 3), block(m, (now, r - base), None, None, 3)
        recurrent(p, "m", a, now, r, rows, base, n, count, left_rows, left_row, p.W_m)
    else:
        left_rows, left_row = block(s, (old, r, 0), 1, None, 4), block(s, (old, r, 0), None, None, 4)
        recurrent(p, "h", a, now, r, rows, base, n, count, left_rows, left_row, p.W_h)
    lanes, units = width_of(s), y.shape[3]
    for j in range(n, n + count):
        q = parameters(k, p.q, j)
        for i in range(r, r + rows):
            gates = pre_activations(k, a, (now, i - base, 0, j, 0))
            fresh = update(k, gates, states(k, s, (old, i, 0, j, 0)), q)
            scatter(s, (new, i, 0, j, 0), 2, fresh)
            if y.shape[1] > 0:
                if (j + 1) * lanes <= units:
                    scatter(y, (i, t, 0, j * lanes), 2, fresh)
                else:
                    scatter_part(y, (i, t, 0, j * lanes), 2, fresh, units - j * lanes)


@routine
def stage(p, s, a, m, y, t, now, r, rows, base, n, count, second):
    """First or second stage of one step of some rows at some blocks of units."""
    old, new = t % s.shape[0], (t + 1) % s.shape[0]
    if second:
        advance(p, s, a, m, y, t, now, old, new, r, rows, base, n, count)
    else:
        rates(p, s, a, m, now, old, r, rows, base, n, count)


@routine
def step(p, s, a, m, y, lo, hi, base, t, now, second):
    """One stage of one time step of rows ``lo`` to ``hi``: tiles of rows, then each row left over."""
    k = kind(p)
    many, wide, panels, blocks = block_rows(k), tile_blocks(k), row_panels(k), a.shape[3]
    whole = lo + (hi - lo) // many * many
    n = 0
    while n < blocks:
        count = wide if n + wide <= blocks else 1
        for r in range(lo, whole, many):
            stage(p, s, a, m, y, t, now, r, many, base, n, count, second)
        n += count
    for r in range(whole, hi):
        n = 0
        while n < blocks:
            count = panels if n + panels <= blocks else 1
            stage(p, s, a, m, y, t, now, r, 1, base, n, count, second)
            n += count


@kernel
def forward(p, x, s, a, m, y, steps, rows, workers):
    """Run ``steps`` steps from the states ``s[0]``.

    Each worker takes groups of ``rows`` rows of the batch through all times, a buffer's length of input drives at a time.
    With ``a`` as long as the run and as wide as the batch, it is the tape for :func:`rnndyn.kernels.cpu.backward.backward`.
    """
    batch, length = s.shape[1], a.shape[0]
    groups = (batch + rows - 1) // rows
    for worker in prange(workers):
        for group in range(worker, groups, workers):
            lo = group * rows
            hi = min(batch, lo + rows)
            base = 0 if a.shape[1] >= batch else lo - worker * rows
            for start in range(0, steps, length):
                stop = min(steps, start + length)
                drive(p, x, a, lo, hi, base, start, stop)
                for t in range(start, stop):
                    if slot_count(kind(p), "m") > 0:
                        step(p, s, a, m, y, lo, hi, base, t, t - start, False)
                    step(p, s, a, m, y, lo, hi, base, t, t - start, True)
