"""Affine maps of many rows, for read-outs and for gradients with respect to inputs."""

from numba import prange

from rnndyn.kernels.jit import kernel, signed
from rnndyn.kernels.lanes import load, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import scatter_part

ROWS = 8


@kernel
def affine(W, b, x, room, out, workers):
    """``out = x W' + b``: rows ``x`` (row, k), ``W`` (block, 1, k, lane), ``b`` (block, lane), ``out`` (row, unit)."""
    rows, units, lanes = out.shape[0], out.shape[1], width_of(out)
    chunks = (rows + ROWS - 1) // ROWS
    for number in prange(workers):
        worker = signed(number)
        for chunk in range(worker, chunks, workers):
            lo = chunk * ROWS
            hi = min(rows, lo + ROWS)
            for n in range(W.shape[0]):
                init, right = block(b, (n,), None, None, None), block(W, (n,), None, 1, 2)
                if hi - lo == ROWS:
                    tile(
                        ROWS,
                        1,
                        block(room, (worker,), 1, None, None),
                        init,
                        block(x, (lo,), 0, None, 1),
                        right,
                        W.shape[2],
                    )
                else:
                    for i in range(lo, hi):
                        to, row = block(room, (worker, i - lo), None, None, None), block(x, (i,), None, None, 1)
                        tile(1, 1, to, init, row, right, W.shape[2])
                for i in range(lo, hi):
                    scatter_part(out, (i, n * lanes), 1, (load(room, (worker, i - lo, 0)),), units - n * lanes)
