"""Sums of outer products over times and rows: the gradients of all weights."""

from numba import prange
from numba.extending import overload

from rnndyn.kernels.jit import FEW_REGISTERS, INLINED, WIDTH, kernel, routine, signed
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import load_part

SAMPLES = 256
# Rows of a tile, and of one with a single register in a row: its sums are chains that need company.
TALL, TALLER = (4, 8) if FEW_REGISTERS else (8, 16)


def accumulate(out, place, n, columns, left, right, worker, depth):
    """Add the products of one register of adjoints with one to three registers of ``z``, from ``n`` on."""
    to, adjoints = block(out, (place, 0, n), 1, 2, None), block(left, (worker, 0, 0), 2, None, 1)
    tile(WIDTH[out.dtype.name], columns, to, to, adjoints, block(right, (worker, n), None, 1, 2), depth)


@overload(accumulate, jit_options=INLINED)
def _accumulate(out, place, n, columns, left, right, worker, depth):
    lanes = WIDTH[out.dtype.name]
    tall, taller = min(TALL, lanes), min(TALLER, lanes)

    def implementation(out, place, n, columns, left, right, worker, depth):
        z = block(right, (worker, n), None, 1, 2)
        for row in range(0, lanes, taller if columns == 1 else tall):
            to, adjoints = block(out, (place, row, n), 1, 2, None), block(left, (worker, 0, row), 2, None, 1)
            if columns == 3:
                tile(tall, 3, to, to, adjoints, z, depth)
            elif columns == 2:
                tile(tall, 2, to, to, adjoints, z, depth)
            else:
                tile(taller, 1, to, to, adjoints, z, depth)

    return implementation


@routine
def columns_at_once(left):
    """Registers of ``z`` that one tile takes, of those that are left: three, or two where one would be left over."""
    if left == 3 or left > 4:
        return 3
    return 2 if left >= 2 else 1


@routine
def copy_samples(z, batch_first, width, t, b, count, batch, to, first):
    """Copy ``count`` rows of ``z`` from time ``t``, row ``b`` on (times down, rows up) to (block, sample, lane)."""
    lanes = width_of(z)
    for n in range((width + lanes - 1) // lanes):
        time, row, left = t, b, width - n * lanes
        for sample in range(count):
            if batch_first:
                store(to, (first + n, sample, 0), load_part(z, (row, time, n * lanes), left))
            else:
                store(to, (first + n, sample, 0), load_part(z, (time, row, n * lanes), left))
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
def outer(a, x, h, m, widths, firsts, taken, out, sums, left, right, workers):
    """Add ``sum a z'`` over all times and rows to ``out`` (slot and block, lane, unit of z), and ``sum a`` to ``sums``.

    ``z`` are the first ``widths`` numbers of each of ``x`` (batch, time, k), ``h`` and ``m`` (time, batch, k), as
    registers from ``firsts`` on. Each slot has products with those from ``taken[slot, 0]`` to ``taken[slot, 1]``. Each
    worker owns some rows of the result, and every number is one chain over times downward and rows upward: the sum
    depends neither on the number of threads nor on where a tape was cut. ``left`` and ``right`` are room for copies.
    """
    length, batch, slots, blocks = a.shape[0], a.shape[1], a.shape[2], a.shape[3]
    samples = length * batch
    for number in prange(workers):
        worker = signed(number)
        for begin in range(0, samples, SAMPLES):
            depth = min(SAMPLES, samples - begin)
            t, b = length - 1 - begin // batch, begin % batch
            copy_samples(x, True, widths[0], t, b, depth, batch, right[worker], firsts[0])
            copy_samples(h, False, widths[1], t, b, depth, batch, right[worker], firsts[1])
            copy_samples(m, False, widths[2], t, b, depth, batch, right[worker], firsts[2])
            for place in range(worker, slots * blocks, workers):
                copy_adjoints(a, place // blocks, place % blocks, t, b, depth, left[worker], sums, place)
                n, stop = taken[place // blocks, 0], taken[place // blocks, 1]
                while n < stop:
                    columns = columns_at_once(stop - n)
                    accumulate(out, place, n, columns, left, right, worker, depth)
                    n += columns
