"""Affine maps of many rows, for read-outs and for gradients with respect to inputs."""

from rnndyn.kernels.lanes import load, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import scatter_part
from rnndyn.kernels.workers import handed_out, kernel

ROWS = 8


@kernel
def affine(worker, W, b, x, room, out, workers):
    """``out = x W' + b``: rows ``x`` (row, k), ``W`` (block, 1, k, lane), ``b`` (block, lane), ``out`` (row, unit)."""
    if handed_out(worker, workers):
        return
    units, lanes = out.shape[1], width_of(out)
    chunks = (len(out) + ROWS - 1) // ROWS
    for chunk in range(worker, chunks, workers):
        lo = chunk * ROWS
        hi = min(len(out), lo + ROWS)
        for n in range(W.shape[0]):
            init, right, depth = block(b, (n,), None, None, None), block(W, (n,), None, 1, 2), W.shape[2]
            if hi - lo == ROWS:
                rows = block(x, (lo,), 0, None, 1)
                if (n + 1) * lanes <= units:  # parts of a register are slow to store
                    tile(ROWS, 1, block(out, (lo, n * lanes), 0, None, None), init, rows, right, depth)
                    continue
                tile(ROWS, 1, block(room, (worker,), 1, None, None), init, rows, right, depth)
            else:
                for i in range(lo, hi):
                    to, row = block(room, (worker, i - lo), None, None, None), block(x, (i,), None, None, 1)
                    tile(1, 1, to, init, row, right, depth)
            for i in range(lo, hi):
                scatter_part(out, (i, n * lanes), 1, (load(room, (worker, i - lo, 0)),), units - n * lanes)
