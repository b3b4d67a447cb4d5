"""Passes of a wide network on a GPU: step by step, with one product of matrices for all sequences.

Where a multiprocessor's cache does not hold the recurrent weights, every block would read them from afar at each step.
Here a step is a product of what the sequences send and the weights, and one pointwise kernel (two of each for a cell
with rates); all are launched without waiting for any.

A library may add up in another order for another number of rows. So a product always has the rows of a whole panel, and
each sequence its row there, whichever of them go through the device's memory together: no bit depends on that. The
gradients of weights are sums over the sequences, which a library would have to form one at a time for that: they are by
our own kernel, :func:`rnndyn.kernels.cuda.product.outer`, as those of other networks are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnndyn.kernels.cuda import steps
from rnndyn.kernels.cuda.device import cuda, threads_for
from rnndyn.kernels.cuda.library import on_stream, product

ROWS = 1024  # of a panel: enough to keep a GPU busy
CACHE_BYTES = 227 * 1024  # of a multiprocessor, which is its shared memory as well
AT_ONCE = 128  # blocks that run together
WORTH_BYTES = 1 << 22  # of weights that one multiprocessor reads a step, from which on launches are the lesser cost
PIECE_BYTES = 1 << 26  # of input drives that are formed at a time


class Place(NamedTuple):
    """Which sequences of a batch go through it by products: those from ``first`` on."""

    first: int
    batch: int


def place(made, batch, first=0):
    """Place of sequences in a batch that goes through one network by products.

    Parameters
    ----------
    made : Layout
        Of the network.
    batch, first : int
        Sequences of the whole batch, and the first of those that go through now.

    Returns
    -------
    Place or None
        None where a block a sequence is the faster way.
    """
    weights = (made.h[1] + made.m[1]) * made.units**2 * made.dtype.itemsize
    worth = weights * -(-batch // AT_ONCE) >= WORTH_BYTES
    return Place(first, batch) if worth and weights > CACHE_BYTES else None


class Panel(NamedTuple):
    """Sequences that meet the weights together.

    ``rows`` are theirs in what is recorded, ``at`` is the first of theirs in a product, which has ``height`` of them.
    """

    rows: slice
    at: int
    height: int

    def of(self, array):
        """Rows of an array; Numba cannot slice an empty one on the device."""
        return array[self.rows] if array.size else array


def panels(place, count):
    """Panels of ``count`` sequences."""
    first, batch = place
    for start in range(first - first % ROWS, first + count, ROWS):
        low, high = max(start, first), min(start + ROWS, first + count)
        yield Panel(slice(low - first, high - first), low - start, min(ROWS, batch - start))


def grid_of(rows, width, *more):
    """Blocks and threads for so many numbers of so many rows."""
    threads = threads_for(width)
    return (rows, -(-width // threads), *more), threads


def through(W, values, out, *, back=False) -> Callable[[], object]:
    """Launch of ``out = values W'``, or of ``out = values W`` for an adjoint; of nothing where ``W`` is empty.

    ``W`` is (network, pre-activation, unit, column); all that stands before the last axis of what it acts on, or before
    the pre-activations, are rows.
    """
    if not W.size:
        return lambda: None
    _, count, units, width = W.shape
    sent, received = (count * units, width) if back else (width, count * units)
    values, out = values.reshape(values.size // sent, sent), out.reshape(out.size // received, received)
    return product(values, W.reshape(count * units, width), out, transposed=not back)


class Drives:
    """What the inputs of a panel add to the pre-activations, for a piece of time after the other.

    Parameters
    ----------
    made : Layout
        Of the network.
    panel : Panel
        The sequences.
    x : device array, shape (sequence, time, input)
        Inputs.
    """

    def __init__(self, made, panel, x):
        self.x, self.at, (rows, self.steps, width) = x, panel.at, x.shape
        shape = panel.height, made.x[1], made.units
        step_bytes = panel.height * (made.x[1] * made.units + width) * made.dtype.itemsize
        self.length = min(self.steps, max(1, PIECE_BYTES // step_bytes))
        self.u = cuda.to_device(np.zeros((1, *shape), made.dtype))
        if width:
            self.u = cuda.device_array((self.length, *shape), made.dtype)
            self.inputs = cuda.device_array((self.length, panel.height, width), made.dtype)
            lengths = {self.length, self.steps % self.length or self.length}
            self.products = {n: through(made.weights.W_xT, self.inputs[:n], self.u[:n]) for n in lengths}
            self.grid = {n: grid_of(rows, width, n) for n in lengths}

    def form(self, t):
        """Drives of the piece that begins at time ``t``, if one does; the time of ``t`` in ``u`` comes back."""
        if not self.x.shape[2]:
            return 0
        if t % self.length == 0:
            count = min(self.length, self.steps - t)
            steps.arrange[self.grid[count]](self.x, t, self.inputs, self.at)
            self.products[count]()
        return t % self.length


def by_panels(work, made, place, *arrays):
    """Do some work for each panel of the sequences whose arrays these are; at least one sequence and one step."""
    with on_stream():
        for panel in panels(place, len(arrays[0])):
            work(made, panel, *map(panel.of, arrays))


def forward(made, panel, x, s0, s, a, m):
    """Take a panel of sequences through time, as :func:`rnndyn.kernels.cuda.forward.forward` does."""
    p, at, grid, (_, rated) = made.weights, panel.at, grid_of(len(s), made.units), made.m
    h, v, rates, w = (cuda.device_array(shape, made.dtype) for shape in shapes(made, panel))
    drives = Drives(made, panel, x)
    by_states, by_rates = through(p.W_hT, h, v), through(p.W_mT, rates, w)
    steps.begin[grid](p, s0, s, h, at)
    send, advance = steps.send[grid], steps.advance[grid]
    for t in range(x.shape[1]):
        piece = drives.form(t)
        by_states()
        if rated:
            send(p, drives.u, v, s, a, m, rates, at, piece, t)
            by_rates()
        advance(p, drives.u, v, w, s, a, h, at, piece, t)


def backward(made, panel, g, s, a, l, gq, trace):
    """Take the adjoint of a panel back, as :func:`rnndyn.kernels.cuda.backward.backward` does."""
    p, at, grid, (_, rated) = made.weights, panel.at, grid_of(len(s), made.units), made.m
    lh = cuda.to_device(np.zeros((panel.height, made.units), made.dtype))
    _, la_h, lm, la_m = (cuda.device_array(shape, made.dtype) for shape in shapes(made, panel))
    of_states, of_rates = through(p.W_hT, la_h, lh, back=True), through(p.W_mT, la_m, lm, back=True)
    receive, retreat = steps.receive[grid], steps.retreat[grid]
    for t in reversed(range(a.shape[1])):
        if rated:
            receive(p, g, s, a, l, lh, la_m, trace, at, t)
            of_rates()
        retreat(p, g, s, a, l, lh, lm, la_h, gq, trace, at, t)
        of_states()
    steps.settle[grid](l, lh, at)


def shapes(made, panel):
    """Shapes of what states and rates of a panel are, each with that of the pre-activations that they drive."""
    for _, count in (made.h, made.m):
        yield panel.height, made.units
        yield panel.height, count, made.units
