"""Gradients of weights: running sums of outer products of adjoints with what the weights stand before."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from rnndyn.kernels.cpu.outer import PITCH, PLACES, outer
from rnndyn.kernels.jit import Call, threads_for
from rnndyn.kernels.memory import aligned_zeros, constant, scratch
from rnndyn.kernels.pack import FEW, Layout


class Source(NamedTuple):
    """What drives some pre-activations: how many numbers it has, the first of them, and how many they are."""

    width: int
    first: int
    driven: int


class Columns(NamedTuple):
    """Where the sources stand among the registers of a row of products."""

    widths: np.ndarray  # numbers of x, h and m
    firsts: np.ndarray  # their first registers
    taken: np.ndarray  # for each register of pre-activations, its first register and the one after its last
    registers: int


@lru_cache(maxsize=256)
def columns_of(sources, slots, blocks, lanes):
    """Columns of the sources ``x, h, m`` of ``slots`` pre-activations; those that drive the same are neighbours."""
    widths = [source.width if source.driven else 0 for source in sources]
    counts = [-(-width // lanes) for width in widths]
    firsts = [counts[1], 0, counts[0] + counts[1]]  # h, x, m
    taken = np.zeros((slots, 2), np.int64)
    for slot in range(slots):
        driving = [k for k, (_, first, driven) in enumerate(sources) if first <= slot < first + driven]
        if driving:
            taken[slot] = min(firsts[k] for k in driving), max(firsts[k] + counts[k] for k in driving)
    return Columns(np.array(widths), np.array(firsts), np.repeat(taken, blocks, axis=0), sum(counts))


class OuterSum:
    """Running sums of outer products ``sum_t a_t z_t'`` over stretches, later ones first, and of the ``a`` alone.

    Parameters
    ----------
    sources : tuple of Source
        The sources ``x``, ``h`` and ``m``; those that are not there drive no pre-activation.
    slots, blocks, lanes : int
        Pre-activations, and their units as blocks of registers.
    units : int
        Units of ``a`` that count.
    dtype : dtype
        Of all numbers.
    """

    def __init__(self, sources, slots, blocks, lanes, units, dtype):
        self.sources, self.units, self.dtype = sources, units, dtype
        self.columns = columns_of(sources, slots, blocks, lanes)
        shape, size = (slots, blocks, lanes, self.columns.registers, lanes), slots * blocks * lanes
        count = size * lanes * self.columns.registers
        self.numbers = aligned_zeros((count + size + 1,), dtype)  # and a zero
        self.matrix, self.vector = self.numbers[:count].reshape(shape), self.numbers[count:-1].reshape(shape[:3])
        self.nothing = np.empty((0, 0, 0), dtype)

    def add(self, a, x, h=None, m=None, batch_first=False):
        """Add products of ``a`` with ``x`` (batch, time, k), and with ``h`` and ``m`` (time, batch, k).

        ``a`` is (time, batch, slot, block, lane), or (batch, time, unit) of a single slot.
        """
        if self.vector.size and a.size:
            self.adding(a, x, h, m, batch_first).run()

    def adding(self, a, x, h=None, m=None, batch_first=False):
        """Call that adds the products of what is in these arrays when it is run."""
        slots, blocks, lanes, columns, _ = self.matrix.shape
        samples, places = a.shape[0] * a.shape[1], slots * blocks
        threads = threads_for(2 * samples * self.matrix.size, places)
        a, *z = (constant(self.nothing if array is None else array) for array in (a, x, h, m))
        matrix, vector = self.matrix.reshape(places, lanes, columns, lanes), self.vector.reshape(places, lanes)
        left = scratch((threads, min(PLACES, places), PITCH, lanes), self.dtype)
        right = scratch((threads, columns, PITCH, lanes), self.dtype, 1)
        given = a.reshape(*a.shape[:2], -1), batch_first, *z, *self.columns[:3], matrix, vector
        return Call(outer, threads, (*given, left, right, threads))

    def found(self, number):
        """Sum of the products with a source, by its number, (slot, unit, k); and of the ``a`` alone, (slot, unit)."""
        width, first, driven = self.sources[number]
        slots, blocks, lanes, columns, _ = self.matrix.shape
        start, rows = self.columns.firsts[number] * lanes, slice(first, first + driven)
        weights = self.matrix.reshape(slots, blocks * lanes, columns * lanes)
        return weights[rows, : self.units, start : start + width], self.biases[rows]

    @property
    def biases(self):
        """Sum of the ``a``, (slot, unit)."""
        slots, blocks, lanes = self.vector.shape
        return self.vector.reshape(slots, blocks * lanes)[:, : self.units]


class WeightSums:
    """Gradients of a cell network's weights, summed over stretches.

    Parameters
    ----------
    net : CellNetwork
        The network.
    batch : int
        Number of sequences.
    """

    made: Any
    total: Any
    q: Any

    def __init__(self, net, batch):
        made = net.layout
        self.net, self.made = net, made
        self.total = total_of(made)
        self.q = aligned_zeros((batch, made.trained, made.blocks, made.lanes), made.dtype)

    def add(self, tape):
        """Add what a tape holds after its backward pass."""
        self.total.add(*self.of(tape))

    def of(self, tape):
        """What of a tape is added up."""
        steps, batch, _, blocks, lanes = tape.a.shape
        h = tape.s.reshape(steps + 1, batch, self.made.states * blocks * lanes)
        m = None if tape.m is None else tape.m.reshape(steps, batch, blocks * lanes)
        return tape.a, tape.x, h, m

    def found(self):
        """For ``x, h, m``: sum of the products, (slot, unit, k), and of the adjoints alone, (slot, unit)."""
        return [self.total.found(number) for number in range(3)]

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of the network's fields, with those of its read-out if it has one."""
        made, rows = self.made, len(self.net.W_hh)
        q = self.q.sum(axis=0).reshape(made.trained, -1)[:, : made.units] if made.trained else None
        return self.net.fold_gradients(*self.weights(rows), q, W_hy, b_y)

    def weights(self, rows):
        """Gradients of what ``cell_weights`` gives but the per-unit parameters, with so many biases."""
        numbers = self.total.numbers
        if numbers.size > FEW:
            return by_gate(self.made, rows, self.found())
        sources, parts = places(rows, *self.made[1:])
        taken = numbers.take(sources)
        return [part and taken[part[0] : part[1]].reshape(part[2]) for part in parts]


def total_of(made):
    """Empty sums of the products of a network's adjoints with what drives it."""
    sources = Source(made.inputs, *made.x), Source(made.units, *made.h), Source(made.units, *made.m)
    return OuterSum(sources, made.gates, made.blocks, made.lanes, made.units, made.dtype)


@lru_cache(maxsize=64)
def places(rows, *sizes):
    """Where the weights of a small network stand among its sums, found by sorting the numbers of places.

    Parameters
    ----------
    rows : int
        As in :func:`by_gate`.
    *sizes
        Of the network's layout.

    Returns
    -------
    sources : ndarray of int
        For each number of the weights, one array after the other, its place; that of the zero where nothing drives it.
    parts : list of tuple, or None
        For each array where it starts, where it stops, and its shape.
    """
    made = Layout(None, *sizes)._replace(dtype=np.dtype(np.float64))
    total = total_of(made)
    total.numbers[:-1] = np.arange(total.numbers.size - 1) - (total.numbers.size - 1)  # from the end, where the zero is
    arrays = by_gate(made, rows, [total.found(number) for number in range(3)])
    stops = np.cumsum([0 if array is None else array.size for array in arrays])
    parts = [a if a is None else (stop - a.size, stop, a.shape) for a, stop in zip(arrays, stops, strict=True)]
    sources = np.concatenate([array.ravel() for array in arrays if array is not None]).astype(np.intp) - 1
    return sources, parts


def by_gate(made, rows, found):
    """Weights ``W_xh``, ``W_hh``, ``b_h``, of so many rows, and a cell's ``b_hn``, from what was found by slot."""
    gates = rows // made.units
    W_xh = np.zeros((gates, made.units, made.inputs), made.dtype)
    W_hh = np.zeros((gates, made.units, made.units), made.dtype)
    b_h, b_hn = np.zeros((gates, made.units), made.dtype), None
    for W, (weights, biases), first in zip((W_xh, W_hh, W_hh), found, (made.x[0], made.h[0], made.m[0]), strict=True):
        for k in range(len(weights)):
            gate = made.cell.gates[first + k]
            W[gate] = weights[k]
            if W is W_xh:
                b_h[gate] = biases[k]
            elif "x" not in made.cell.drives[first + k]:
                b_hn = biases[k]
    return W_xh.reshape(rows, made.inputs), W_hh.reshape(rows, made.units), b_h.reshape(rows), b_hn
