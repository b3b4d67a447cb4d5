"""Sums of outer products over times and rows: the gradients of all weights."""

from numba import prange
from numba.extending import overload

from rnndyn.kernels.jit import FEW_REGISTERS, INLINED, WIDTH, kernel, routine, signed
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import load_part

SAMPLES = 256
TALL = 4 if FEW_REGISTERS else 8


def accumulate(columns, out, left, right, depth):
    """Tile over the lanes of one register of adjoints and one or two registers of ``z``."""
    tile(min(TALL, WIDTH[out.dtype.name]), columns, out, out, left, right, depth)


@overload(accumulate, jit_options=INLINED)
def _accumulate(columns, out, left, right, depth):
    rows = min(TALL, WIDTH[out.dtype.name])

    def implementation(columns, out, left, right, depth):
        if columns == 2:
            tile(rows, 2, out, out, left, right, depth)
        else:
            tile(rows, 1, out, out, left, right, depth)

    return implementation


@routine
def copy_samples(z, batch_first, start, width, t, b, count, batch, to):
    """Copy ``count`` rows of ``z`` from time ``t``, row ``b`` on (times down, rows up) to (block, sample, lane)."""
    lanes = width_of(z)
    for n in range(to.shape[0]):
        time, row, left = t, b, width - n * lanes
        for sample in range(count):
            if batch_first:
                store(to, (n, sample, 0), load_part(z, (row, start + time, n * lanes), left))
            else:
                store(to, (n, sample, 0), load_part(z, (time, row, n * lanes), left))
            row += 1
            if row == batch:
                time, row = time - 1, 0


@routine
def copy_adjoints(a, slot, n, t, b, count, to, sums, place):
    """Copy one register of adjoints of ``count`` samples, and add them up on the way."""
    total = load(sums, (place, 0))
    for sample in range(count):
        adjoint = load(a, (t, b, slot, n, 0))
        total = total + adjoint
        store(to, (sample, 0), adjoint)
        b += 1
        if b == a.shape[1]:
            t, b = t - 1, 0
    store(sums, (place, 0), total)


@kernel
def outer(a, first, count, z, batch_first, start, width, out, sums, left, right, workers):
    """Add ``sum a z'`` over all times and rows to ``out`` (slot and block, lane, unit of z), and ``sum a`` to ``sums``.

    ``z`` is (batch, time, k) from time ``start`` on, or (time, batch, k); its first ``width`` numbers count. Each
    worker owns some rows of the result, and every number is one chain over times downward and rows upward: the sum
    depends neither on the number of threads nor on where a tape was cut. ``left`` and ``right`` are room for copies.
    """
    length, batch, blocks, lanes = a.shape[0], a.shape[1], a.shape[3], a.shape[4]
    samples = length * batch
    rows = min(TALL, lanes)
    for number in prange(workers):
        worker = signed(number)
        for begin in range(0, samples, SAMPLES):
            depth = min(SAMPLES, samples - begin)
            t, b = length - 1 - begin // batch, begin % batch
            copy_samples(z, batch_first, start, width, t, b, depth, batch, right[worker])
            for place in range(worker, count * blocks, workers):
                copy_adjoints(a, first + place // blocks, place % blocks, t, b, depth, left[worker], sums, place)
                n = 0
                while n < right.shape[1]:
                    columns = 2 if n + 2 <= right.shape[1] else 1
                    for row in range(0, lanes, rows):
                        to = block(out, (place, row, n), 1, 2, None)
                        adjoints = block(left, (worker, 0, row), 2, None, 1)
                        accumulate(columns, to, adjoints, block(right, (worker, n), None, 1, 2), depth)
                    n += columns
