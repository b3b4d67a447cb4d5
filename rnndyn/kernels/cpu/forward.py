"""Forward pass, with or without a tape, for every cell."""

from rnndyn.cells.contract import activate, rate, update_from
from rnndyn.kernels.barrier import meet
from rnndyn.kernels.dispatch import (
    activates,
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
from rnndyn.kernels.jit import routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block
from rnndyn.kernels.tuples import halves, paired, scatter, scatter_pairs, scatter_part
from rnndyn.kernels.workers import handed_out, kernel


@routine
def split(g, total, wide):
    """Start and length of part ``g`` of ``total`` things cut into parts of ``wide``, then of one."""
    whole = total // wide
    if g < whole:
        return g * wide, wide
    return whole * wide + g - whole, 1


@routine
def parts(total, wide):
    """Number of parts that :func:`split` makes."""
    return total // wide + total % wide


@routine
def drive_tile(k, W, b, x, a, r, t, many, base, origin, n, count, times):
    """Input drive of one tile: many rows at one time, or one row at many times, at one block of units or two."""
    first = first_slot(k, "x")
    at = (t - origin, r - base, first, n)
    left = block(x, (r, t), 1, None, 2) if times else block(x, (r, t), 0, None, 2)
    if count == 2:
        out = block(a, at, 0, 3, None) if times else block(a, at, 1, 3, None)
        paired_product(k, many, out, block(b, (first, n), None, 1, None), left, block(W, (n,), None, 0, 2), x.shape[2])
    else:
        out = block(a, at, 0, 2, None) if times else block(a, at, 1, 2, None)
        product(k, "x", many, out, block(b, (first, n), None, 0, None), left, block(W, (n,), None, 1, 2), x.shape[2])


@routine
def drive(p, x, a, lo, hi, base, origin, start, stop, share, shares):
    """Input drive ``W_xh x + b_h`` of rows ``lo`` to ``hi`` at times ``start`` to ``stop``, into ``a``.

    The first row and time of ``a`` are ``base`` and ``origin``. Tiles are made of rows; of the rows left over, of
    times. Of all blocks of units this does one share.
    """
    k = kind(p)
    many, wide, blocks = block_rows(k), tile_blocks(k), a.shape[3]
    tiles, length = (hi - lo) // many, stop - start
    groups = tiles * length
    total = groups + (hi - lo - tiles * many) * parts(length, many)
    for g in range(share, parts(blocks, wide), shares):
        n, count = split(g, blocks, wide)
        for i in range(total):
            if i < groups:
                drive_tile(
                    k, p.W_x, p.b, x, a, lo + i % tiles * many, start + i // tiles, many, base, origin, n, count, False
                )
            else:
                t, times = split((i - groups) % parts(length, many), length, many)
                r = lo + tiles * many + (i - groups) // parts(length, many)
                drive_tile(k, p.W_x, p.b, x, a, r, start + t, times, base, origin, n, count, True)
    for slot in range(first_slot(k, "x") + slot_count(k, "x"), a.shape[2]):
        for t in range(start - origin, stop - origin):
            for r in range(lo, hi):
                for n in range(share, blocks, shares):
                    store(a, (t, r - base, slot, n, 0), load(p.b, (slot, n, 0)))


@routine
def recurrent(k, source, a, now, r, rows, base, n, count, left_rows, left_row, W):
    """Add ``W h`` (or ``W m``) to the pre-activations of some rows at some blocks of units."""
    first, depth = first_slot(k, source), W.shape[2]
    if rows == 1:
        out = block(a, (now, r - base, first, n), 3, 2, None)
        wide_product(k, source, count, out, out, left_row, block(W, (n,), 0, 1, 2), depth)
    elif count == 2:
        out = block(a, (now, r - base, first, n), 1, 3, None)
        paired_product(k, rows, out, out, left_rows, block(W, (n,), None, 0, 2), depth)
    else:
        out = block(a, (now, r - base, first, n), 1, 2, None)
        product(k, source, rows, out, out, left_rows, block(W, (n,), None, 1, 2), depth)


@routine
def unit(c, r, rows, n):
    """Row and block of number ``c`` of the registers of a tile, row after row and block after block."""
    return r + c % rows, n + c // rows


@routine
def rates(p, s, a, m, now, old, r, rows, base, n, count):
    """First stage of a cell that sends ``m = rate(a, s)`` through ``W_hh``."""
    k = kind(p)
    if slot_count(k, "h") > 0:
        left_rows, left_row = block(s, (old, r, 0), 1, None, 4), block(s, (old, r, 0), None, None, 4)
        recurrent(k, "h", a, now, r, rows, base, n, count, left_rows, left_row, p.W_h)
    for c in range(0, rows * count, 2):
        (i, j), (u, v) = unit(c, r, rows, n), unit(min(c + 1, rows * count - 1), r, rows, n)
        gates = paired(pre_activations(k, a, (now, i - base, 0, j, 0)), pre_activations(k, a, (now, u - base, 0, v, 0)))
        olds = paired(states(k, s, (old, i, 0, j, 0)), states(k, s, (old, u, 0, v, 0)))
        scatter_pairs(m, (now, i - base, j, 0), (now, u - base, v, 0), 2, (rate(k, gates, olds),))


@routine
def hand_out(y, t, i, j, fresh):
    """Store some states of a block of units for the caller."""
    lanes, units = width_of(y), y.shape[3]
    if (j + 1) * lanes <= units:
        scatter(y, (i, t, 0, j * lanes), 2, fresh)
    else:
        scatter_part(y, (i, t, 0, j * lanes), 2, fresh, units - j * lanes)


@routine
def keep(s, y, t, new, i, j, fresh):
    """Store the new states of a block of units; for the caller all or the first of them, without the padding."""
    scatter(s, (new, i, 0, j, 0), 2, fresh)
    if y.shape[1] > 0:
        if y.shape[2] == 1:
            hand_out(y, t, i, j, (fresh[0],))
        else:
            hand_out(y, t, i, j, fresh)


@routine
def advance(p, s, a, m, y, t, now, old, new, r, rows, base, n, count):
    """New states of some rows at some blocks of units."""
    k = kind(p)
    if m is not None:
        left_rows, left_row = block(m, (now, r - base), 1, None, 3), block(m, (now, r - base), None, None, 3)
        recurrent(k, "m", a, now, r, rows, base, n, count, left_rows, left_row, p.W_m)
    else:
        left_rows, left_row = block(s, (old, r, 0), 1, None, 4), block(s, (old, r, 0), None, None, 4)
        recurrent(k, "h", a, now, r, rows, base, n, count, left_rows, left_row, p.W_h)
    for c in range(0, rows * count, 2):
        (i, j), (u, v) = unit(c, r, rows, n), unit(min(c + 1, rows * count - 1), r, rows, n)
        gates = paired(pre_activations(k, a, (now, i - base, 0, j, 0)), pre_activations(k, a, (now, u - base, 0, v, 0)))
        olds = paired(states(k, s, (old, i, 0, j, 0)), states(k, s, (old, u, 0, v, 0)))
        q = paired(parameters(k, p.q, j), parameters(k, p.q, v))
        gates = activate(k, gates, olds, q)
        if activates(k):
            scatter_pairs(a, (now, i - base, 0, j, 0), (now, u - base, 0, v, 0), 2, gates)
        one, other = halves(update_from(k, gates, olds, q))
        keep(s, y, t, new, i, j, one)
        keep(s, y, t, new, u, v, other)


@routine
def step(p, s, a, m, y, lo, hi, base, t, now, stage, share, shares):
    """One stage of one step of rows ``lo`` to ``hi``: tiles of rows, then each row left over; one share of them."""
    k = kind(p)
    many, wide, panels, blocks = block_rows(k), tile_blocks(k), row_panels(k), a.shape[3]
    tiles, old, new = (hi - lo) // many, t % s.shape[0], (t + 1) % s.shape[0]
    groups = tiles * parts(blocks, wide)
    total = groups + (hi - lo - tiles * many) * parts(blocks, panels)
    for i in range(share, total, shares):
        if i < groups:
            r, rows = lo + i % tiles * many, many
            n, count = split(i // tiles, blocks, wide)
        else:
            r, rows = lo + tiles * many + (i - groups) // parts(blocks, panels), 1
            n, count = split((i - groups) % parts(blocks, panels), blocks, panels)
        if stage == 0:
            if m is not None:
                rates(p, s, a, m, now, old, r, rows, base, n, count)
        else:
            advance(p, s, a, m, y, t, now, old, new, r, rows, base, n, count)


@kernel
def forward(worker, p, x, s, a, m, y, steps, stretch, rows, workers, arrivals):
    """Run ``steps`` steps from the states ``s[0]``.

    Each worker takes groups of ``rows`` rows of the batch through all times, the input drives of a ``stretch`` of them
    at a time, while those are in its cache. With ``a`` as long as the run and as wide as the batch, it is the tape for
    :func:`rnndyn.kernels.cpu.backward.backward`. With a counter ``arrivals`` (1,) the workers share the units of every
    step, and wait for one another after each. ``m`` is None for a cell without a rate: what is for the others only is
    then not even compiled.
    """
    if handed_out(worker, workers):
        return
    batch = s.shape[1]
    groups = (batch + rows - 1) // rows
    together = arrivals.size > 0
    first_stage = 1 if m is None else 0
    share, shares, arrived = (worker, workers, 0) if together else (0, 1, 0)
    for group in range(0 if together else worker, groups, 1 if together else workers):
        lo = group * rows
        hi = min(batch, lo + rows)
        base = 0 if a.shape[1] >= batch else lo - worker * rows
        for start in range(0, steps, stretch):
            stop, origin = min(steps, start + stretch), 0 if a.shape[0] >= steps else start
            drive(p, x, a, lo, hi, base, origin, start, stop, share, shares)
            for t in range(start, stop):
                for stage in range(first_stage, 2):
                    if together:
                        arrived += workers
                        meet(arrivals, arrived)
                    step(p, s, a, m, y, lo, hi, base, t, t - origin, stage, share, shares)
            if together:
                arrived += workers
                meet(arrivals, arrived)
