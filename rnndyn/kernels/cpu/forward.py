"""Forward pass, with or without a tape, for every cell."""

from numba import prange

from rnndyn.cells.contract import rate, update
from rnndyn.kernels.dispatch import (
    block_rows,
    first_slot,
    kind,
    parameters,
    pre_activations,
    product,
    row_panels,
    scatter,
    scatter_part,
    slot_count,
    states,
    wide_product,
)
from rnndyn.kernels.jit import kernel, routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block


@routine
def drive(p, x, a, lo, hi, base, start, stop):
    """Input drive ``W_xh x + b_h`` of rows ``lo`` to ``hi`` at times ``start`` to ``stop``, into ``a`` from its time 0 on."""
    k = kind(p)
    many, first, driven = block_rows(k), first_slot(k, "x"), slot_count(k, "x")
    whole = lo + (hi - lo) // many * many
    for n in range(a.shape[3]):
        init, right = block(p.b, (first, n), None, 0, None), block(p.W_x, (n,), None, 1, 2)
        for t in range(start, stop):
            for r in range(lo, whole, many):
                out = block(a, (t - start, r - base, first, n), 1, 2, None)
                product(k, "x", many, out, init, block(x, (r, t), 0, None, 2), right, x.shape[2])
            for r in range(lo, hi):
                for slot in range(first + driven, a.shape[2]):
                    store(a, (t - start, r - base, slot, n, 0), load(p.b, (slot, n, 0)))
        for r in range(whole, hi):
            t = start
            while t < stop:
                times = many if t + many <= stop else 1
                out = block(a, (t - start, r - base, first, n), 0, 2, None)
                product(k, "x", times, out, init, block(x, (r, t), 1, None, 2), right, x.shape[2])
                t += times


@routine
def recurrent(p, source, a, now, r, rows, base, n, count, left_rows, left_row, W):
    """Add ``W h`` (or ``W m``) to the pre-activations of some rows at one block of units, or of one row at some blocks."""
    k = kind(p)
    first, depth = first_slot(k, source), W.shape[2]
    if rows > 1:
        out = block(a, (now, r - base, first, n), 1, 2, None)
        product(k, source, rows, out, out, left_rows, block(W, (n,), None, 1, 2), depth)
    else:
        out = block(a, (now, r - base, first, n), 3, 2, None)
        wide_product(k, source, count, out, out, left_row, block(W, (n,), 0, 1, 2), depth)


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
def step(p, s, a, m, y, lo, hi, base, t, now):
    """One time step of rows ``lo`` to ``hi``: tiles of rows, then the rows left over, each over several blocks of units."""
    k = kind(p)
    many, panels, blocks = block_rows(k), row_panels(k), a.shape[3]
    whole = lo + (hi - lo) // many * many
    old, new = t % s.shape[0], (t + 1) % s.shape[0]
    for stage in range(0 if slot_count(k, "m") > 0 else 1, 2):
        for n in range(blocks):
            for r in range(lo, whole, many):
                if stage == 0:
                    rates(p, s, a, m, now, old, r, many, base, n, 1)
                else:
                    advance(p, s, a, m, y, t, now, old, new, r, many, base, n, 1)
        for r in range(whole, hi):
            n = 0
            while n < blocks:
                count = panels if n + panels <= blocks else 1
                if stage == 0:
                    rates(p, s, a, m, now, old, r, 1, base, n, count)
                else:
                    advance(p, s, a, m, y, t, now, old, new, r, 1, base, n, count)
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
                    step(p, s, a, m, y, lo, hi, base, t, t - start)
