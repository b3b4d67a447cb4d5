"""Backpropagation through time: the adjoint of the forward pass, for every cell, from its partial derivatives alone."""

from rnndyn.cells.contract import partials_from, rate_partials
from rnndyn.cells.primitives import scaled
from rnndyn.kernels.barrier import meet
from rnndyn.kernels.cpu.forward import unit
from rnndyn.kernels.dispatch import first_slot, kind, parameter_count, parameters, pre_activations, slot_count, states
from rnndyn.kernels.jit import ROWS, routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import gather, load_part, paired, plus, pull, scatter_pairs
from rnndyn.kernels.workers import handed_out, kernel

TALL = ROWS[2]


@routine
def pull_back(left, left_row, W, out, init, rows, n, count, depth):
    """Adjoint product ``W' la`` of some rows at one or two blocks of units, or of one row at one, four or eight."""
    right = block(W, (n, 0), None, 0, 2)
    if rows == TALL:
        if count == 2:
            tile(TALL, 2, out, init, left, right, depth)
        else:
            tile(TALL, 1, out, init, left, right, depth)
    elif count == 8:
        tile(1, 8, out, init, left_row, right, depth)
    elif count == 4:
        tile(1, 4, out, init, left_row, right, depth)
    else:
        tile(1, 1, out, init, left_row, right, depth)


@routine
def local_adjoint(p, s, a, l, am, lm, gq, t, i, n, u, v, stage):
    """Adjoint of the update of two units: ``a`` becomes dL/da, ``l`` what reaches the old state without the weights.

    They are those of row ``i`` and block ``n``, and of row ``u`` and block ``v``, which may be the same. Where the cell
    sends ``m = rate(a, s)`` through ``W_hh``, stage 0 leaves dL/da of the second stage in ``am``, and stage 1 adds what
    comes back through ``lm = dL/dm``.
    """
    k = kind(p)
    gates = paired(pre_activations(k, a, (t, i, 0, n, 0)), pre_activations(k, a, (t, u, 0, v, 0)))
    old = paired(states(k, s, (t, i, 0, n, 0)), states(k, s, (t, u, 0, v, 0)))
    adjoint = paired(states(k, l, (0, i, 0, n, 0)), states(k, l, (0, u, 0, v, 0)))
    Da, Ds, Dq = partials_from(k, gates, old, paired(parameters(k, p.q, n), parameters(k, p.q, v)))
    la = pull(Da, adjoint)
    if stage == 0:
        if am is not None:
            scatter_pairs(am, (i, 0, n, 0), (u, 0, v, 0), 1, la)
    else:
        ls = pull(Ds, adjoint)
        if lm is not None:
            Ra, Rs = rate_partials(k, gates, old)
            (back,) = paired((load(lm, (i, n, 0)),), (load(lm, (u, v, 0)),))
            la, ls = plus(la, scaled(back, Ra)), plus(ls, scaled(back, Rs))
        scatter_pairs(a, (t, i, 0, n, 0), (t, u, 0, v, 0), 2, la)
        scatter_pairs(l, (0, i, 0, n, 0), (0, u, 0, v, 0), 2, ls)
        if parameter_count(k) > 0:
            lq = pull(Dq, adjoint)
            sums = paired(gather_like(gq, (i, 0, n, 0), lq), gather_like(gq, (u, 0, v, 0), lq))
            scatter_pairs(gq, (i, 0, n, 0), (u, 0, v, 0), 1, plus(sums, lq))


@routine
def gather_like(array, index, values):
    """As many registers along axis 1 as ``values`` has."""
    return gather(array, index, 1, len(values))


@routine
def add_losses(g, l, trace, start, t, i, n):
    """Add dL/dh of the loss at this time, and keep the sum, the whole dL/ds, if asked to."""
    lanes, units = width_of(l), g.shape[2]
    if (n + 1) * lanes <= units:
        direct = load(g, (i, start + t, n * lanes))
    else:
        direct = load_part(g, (i, start + t, n * lanes), units - n * lanes)
    store(l, (0, i, 0, n, 0), load(l, (0, i, 0, n, 0)) + direct)
    if trace.shape[0] > 0:
        for c in range(l.shape[2]):
            store(trace, (start + t, i, c, n, 0), load(l, (0, i, c, n, 0)))


@routine
def blocks_at_once(rows, left):
    """Blocks of units that one tile takes, of those that are left: a single row's sums are chains that need company."""
    if rows == TALL:
        return 2 if left >= 2 else 1
    if left >= 8:
        return 8
    return 4 if left >= 4 else 1


@routine
def through_weights(p, a, l, am, lm, t, lo, hi, first_block, last_block, through_m):
    """``l += W_hh' la`` of some rows and blocks; or ``lm = W_hh' la`` for the second stage of a two-stage cell."""
    k = kind(p)
    whole = lo + (hi - lo) // TALL * TALL
    r = lo
    while r < hi:
        rows = TALL if r < whole else 1
        n = first_block
        while n < last_block:
            count = blocks_at_once(rows, last_block - n)
            if through_m:
                if lm is not None:
                    for i in range(r, r + rows):
                        for j in range(n, n + count):
                            store(lm, (i, j, 0), load(lm, (i, j, 0)) * 0.0)
                    first, depth = first_slot(k, "m"), p.W_mT.shape[2]
                    left, left_row = block(am, (r, first), 0, None, 3), block(am, (r, first), None, None, 3)
                    out = block(lm, (r, n), 0, 1, None)
                    pull_back(left, left_row, p.W_mT, out, out, rows, n, count, depth)
            else:
                first, depth = first_slot(k, "h"), p.W_hT.shape[2]
                left, left_row = block(a, (t, r, first), 1, None, 4), block(a, (t, r, first), None, None, 4)
                out = block(l, (0, r, 0, n), 1, 3, None)
                pull_back(left, left_row, p.W_hT, out, out, rows, n, count, depth)
            n += count
        r += rows


@routine
def local_adjoints(p, g, s, a, l, am, lm, gq, trace, start, t, lo, hi, first_block, last_block, stage):
    """:func:`local_adjoint` of some rows and blocks; the losses come first, in the first stage that the cell has.

    Rows come one after the other, as they lie on the tape.
    """
    blocks = last_block - first_block
    units = (hi - lo) * blocks
    for c in range(0, units, 2):
        (n, i), (v, u) = unit(c, first_block, blocks, lo), unit(min(c + 1, units - 1), first_block, blocks, lo)
        if stage == 0 or lm is None:
            add_losses(g, l, trace, start, t, i, n)
            if c + 1 < units:
                add_losses(g, l, trace, start, t, u, v)
        local_adjoint(p, s, a, l, am, lm, gq, t, i, n, u, v, stage)


@kernel
def backward(worker, p, g, s, a, l, am, lm, gq, trace, start, rows, workers, arrivals):
    """Adjoint of :func:`rnndyn.kernels.cpu.forward.forward` over the times of one tape, backward from its end.

    ``g`` (batch, time, unit) is dL/dh of the losses, ``start`` the tape's first time in it. ``l`` (1, batch, component,
    block, lane) enters as dL/ds after the tape and leaves as dL/ds before it; the tape ``a`` is overwritten by dL/da;
    ``gq`` collects dL/dq of each row. ``am`` and ``lm`` are room for two-stage cells, else None. With a counter
    ``arrivals`` (1,) each worker owns some units of all rows, and waits for the others before it reads their dL/da.
    """
    if handed_out(worker, workers):
        return
    batch, length, blocks = a.shape[1], a.shape[0], a.shape[3]
    groups = (batch + rows - 1) // rows
    together = arrivals.size > 0
    k = kind(p)
    first, last, arrived = 0, blocks, 0
    if together:
        first, last = blocks * worker // workers, blocks * (worker + 1) // workers
    for group in range(0 if together else worker, groups, 1 if together else workers):
        lo = group * rows
        hi = min(batch, lo + rows)
        for back in range(length):
            t = length - 1 - back
            if lm is not None:
                local_adjoints(p, g, s, a, l, am, lm, gq, trace, start, t, lo, hi, first, last, 0)
                if together:
                    arrived += workers
                    meet(arrivals, arrived)
                through_weights(p, a, l, am, lm, t, lo, hi, first, last, True)
            local_adjoints(p, g, s, a, l, am, lm, gq, trace, start, t, lo, hi, first, last, 1)
            if together:
                arrived += workers
                meet(arrivals, arrived)
            if slot_count(k, "h") > 0:
                through_weights(p, a, l, am, lm, t, lo, hi, first, last, False)
