"""Sums of outer products over times and rows: the gradients of all weights."""

from numba.extending import overload

from rnndyn.kernels.jit import FEW_REGISTERS, INLINED, WIDTH, routine
from rnndyn.kernels.lanes import load, store, width_of
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import load_part
from rnndyn.kernels.workers import handed_out, kernel

# Adjoints are copied that many samples and places at a time, as they lie in memory. A pitch that is a power of two
# would put all copies of a sample into a few lines of the cache.
SAMPLES, PLACES = 128, 64
PITCH = SAMPLES + 2
# Rows of a tile, and of one with a single register in a row: its sums are chains that need company.
TALL, TALLER = (4, 8) if FEW_REGISTERS else (8, 16)


def accumulate(out, place, n, columns, left, copied, right, worker, depth):
    """Add the products of one register of adjoints with one to three registers of ``z``, from ``n`` on."""
    to, adjoints = block(out, (place, 0, n), 1, 2, None), block(left, (worker, copied, 0, 0), 3, None, 2)
    tile(WIDTH[out.dtype.name], columns, to, to, adjoints, block(right, (worker, n), None, 1, 2), depth)


@overload(accumulate, jit_options=INLINED)
def _accumulate(out, place, n, columns, left, copied, right, worker, depth):
    lanes = WIDTH[out.dtype.name]
    tall, taller = min(TALL, lanes), min(TALLER, lanes)

    def implementation(out, place, n, columns, left, copied, right, worker, depth):
        z = block(right, (worker, n), None, 1, 2)
        for row in range(0, lanes, taller if columns == 1 else tall):
            to, adjoints = block(out, (place, row, n), 1, 2, None), block(left, (worker, copied, 0, row), 3, None, 2)
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
def copy_samples(z, batch_first, start, width, t, b, count, batch, to, first):
    """Copy ``width`` numbers of ``count`` rows of ``z`` to (block, sample, lane), zeros behind them.

    The rows are those from time ``t``, row ``b`` on (times down, rows up), and those of a time are read as they lie in
    memory.
    """
    lanes, sample = width_of(z), 0
    whole = width // lanes
    while width > 0 and sample < count:
        run = min(count - sample, batch - b)
        for k in range(run):
            i, j = (b + k, t) if batch_first else (t, b + k)
            for n in range(whole):
                store(to, (first + n, sample + k, 0), load(z, (i, j, start + n * lanes)))
            if width > whole * lanes:
                rest = load_part(z, (i, j, start + whole * lanes), width - whole * lanes)
                store(to, (first + whole, sample + k, 0), rest)
        sample, t, b = sample + run, t - 1, 0


@routine
def add_up(copies, k, count, sums, place):
    """Add ``count`` copied adjoints to the sum of a place."""
    total = load(sums, (place, 0))
    for sample in range(count):
        total = total + load(copies, (k, sample, 0))
    store(sums, (place, 0), total)


@kernel
def outer(worker, a, batch_first, x, h, m, widths, firsts, taken, out, sums, left, right, workers):
    """Add ``sum a z'`` over all times and rows to ``out`` (place, lane, unit of z), and ``sum a`` to ``sums``.

    ``a`` is (time, batch, number) or (batch, time, number); a place is a register of its numbers. ``z`` are the first
    ``widths`` numbers of each of ``x`` (batch, time, k), ``h`` and ``m`` (time, batch, k), as registers from ``firsts``
    on. Each place has products with those from ``taken[place, 0]`` to ``taken[place, 1]``. Each worker owns some
    neighbouring places, and every number is one chain over times downward and rows upward: the sum depends neither on
    the number of threads nor on where a tape was cut. ``left`` and ``right`` are room for copies.
    """
    if handed_out(worker, workers):
        return
    length, batch = (a.shape[1], a.shape[0]) if batch_first else (a.shape[0], a.shape[1])
    samples, places, lanes = length * batch, out.shape[0], width_of(out)
    own, end = places * worker // workers, places * (worker + 1) // workers
    for begin in range(0, samples, SAMPLES):
        depth = min(SAMPLES, samples - begin)
        t, b = length - 1 - begin // batch, begin % batch
        copy_samples(x, True, 0, widths[0], t, b, depth, batch, right[worker], firsts[0])
        copy_samples(h, False, 0, widths[1], t, b, depth, batch, right[worker], firsts[1])
        copy_samples(m, False, 0, widths[2], t, b, depth, batch, right[worker], firsts[2])
        for first in range(own, end, PLACES):
            copied, start = min(PLACES, end - first), first * lanes
            width = min(copied * lanes, a.shape[2] - start)
            copy_samples(a, batch_first, start, width, t, b, depth, batch, left[worker], 0)
            for k in range(copied):
                add_up(left[worker], k, depth, sums, first + k)
                n, stop = taken[first + k, 0], taken[first + k, 1]
                while n < stop:
                    columns = columns_at_once(stop - n)
                    accumulate(out, first + k, n, columns, left, k, right, worker, depth)
                    n += columns
