"""Passes of one cell network on a GPU: the same as :mod:`rnndyn.passes`, with its buffers in device memory.

Arrays come from the host, or are on the device already, and go back to the host; between a tape's forward and backward
pass they stay on the device. What does not fit its memory goes through it a few sequences at a time: each has a block
of threads to itself, or its row of a product (:mod:`rnndyn.wide_cuda`), and sums over all are cut where they always
are, so no bit of a result depends on it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rnndyn import wide_cuda
from rnndyn.kernels.cuda.backward import backward
from rnndyn.kernels.cuda.backward import room_numbers as backward_numbers
from rnndyn.kernels.cuda.device import BLOCKS, cuda, on_device, room_for, spilled_numbers, threads_for
from rnndyn.kernels.cuda.forward import forward
from rnndyn.kernels.cuda.forward import room_numbers as forward_numbers
from rnndyn.kernels.cuda.memory import fits, free_bytes, in_tiles, required, rows_within
from rnndyn.kernels.cuda.product import SIDE, TILE, blocks, outer, product
from rnndyn.kernels.cuda.tangent import derivatives
from rnndyn.passes import derivative_shapes
from rnndyn.sums import WeightSums, by_gate
from rnndyn.validate import is_on_gpu


def run_through(made, x, s0, kept, place=None):
    """Take networks through inputs on the device.

    Parameters
    ----------
    made : Layout
        Of one network or, by :func:`rnndyn.kernels.cuda.pack.layout`, of several.
    x : device array, shape (sequence, time, input)
        Inputs.
    s0 : ndarray or device array, shape (batch, state)
        States before the first step, for each network those of every sequence.
    kept : int
        Times of which the pre-activations are kept, at most.
    place : Place, optional
        Of the sequences, if one network takes them by products, see :mod:`rnndyn.wide_cuda`.

    Returns
    -------
    s, a, m : device arrays, shapes (batch, time + 1, component, unit), (batch, kept, pre-activation, unit) and \
(batch, kept, unit)
        States, pre-activations and rates.
    """
    batch, steps = len(s0), x.shape[1]
    start = on_device(s0.reshape(batch, 1, made.states, made.units))
    s, kept = cuda.device_array((batch, steps + 1, made.states, made.units), made.dtype), min(steps, kept)
    a = cuda.device_array((batch, kept, made.gates, made.units), made.dtype)
    m = cuda.device_array((batch, kept, made.units if made.m[1] else 0), made.dtype)
    if batch and steps and place:
        wide_cuda.by_panels(wide_cuda.forward, made, place, x, start, s, a, m)
    elif batch:
        size, *room = room_for(batch, forward_numbers(made), made)
        forward[batch, threads_for(made.units), 0, size](made.weights, x, start, s, a, m, *room)
    return s, a, m


def forward_bytes(made, steps, kept):
    """Device memory that a sequence takes in :func:`run_through`."""
    numbers = made.states * (steps + 2) + min(steps, kept) * (made.gates + (made.m[1] > 0))
    spilled = spilled_numbers(forward_numbers(made), made.dtype)
    return (numbers * made.units + steps * made.inputs + spilled) * made.dtype.itemsize


def backward_bytes(made, steps, trace, inputs):
    """Device memory that a sequence takes beside its tape while an adjoint goes back through it."""
    numbers = (steps + made.states * (1 + steps * trace)) * made.units + steps * made.inputs * inputs
    return (numbers + spilled_numbers(backward_numbers(made), made.dtype)) * made.dtype.itemsize


def flat_states(s):
    """States (batch, time, state) on the host, of those (batch, time, component, unit) on the device."""
    s = s.copy_to_host()
    return s.reshape(*s.shape[:2], s.shape[2] * s.shape[3])


def all_states(net, x, s0):
    """States (batch, time + 1, state) on the host, those before the first step among them."""
    made, (batch, steps) = net.cuda_layout, x.shape[:2]
    states = np.empty((batch, steps + 1, made.states * made.units), made.dtype)

    def run(rows):
        s = run_through(made, on_device(x[rows]), s0[rows], 1, wide_cuda.place(made, batch, rows.start))[0]
        s.copy_to_host(states[rows].reshape(s.shape))

    in_tiles(batch, forward_bytes(made, steps, 1), run)
    return states


def run_states(net, x, s0):
    """States (batch, time, state) after each input ``x`` (batch, time, input) from ``s0`` (batch, state)."""
    return all_states(net, x, s0)[:, 1:]


def stack_states(nets, x, s0):
    """States (batch, time, state) of layers on top of each other, whose hidden states go up on the device."""
    ends = np.cumsum([net.state_size for net in nets])
    states = np.empty((*x.shape[:2], ends[-1]), nets[0].dtype)

    def run(rows):
        below = on_device(x[rows])
        for net, stop in zip(nets, ends, strict=True):
            made, places = net.cuda_layout, slice(stop - net.state_size, stop)
            where = wide_cuda.place(made, len(x), rows.start)
            s = run_through(made, below, np.ascontiguousarray(s0[rows, places]), 1, where)[0]
            states[rows, :, places] = flat_states(s)[:, 1:]
            below = s[:, 1:, 0]

    if states.size:
        in_tiles(len(x), sum(forward_bytes(net.cuda_layout, x.shape[1], 1) for net in nets), run)
    return states


class Record(NamedTuple):
    """What the adjoint needs of some sequences: inputs, and what :func:`run_through` gives; in device memory."""

    x: Any
    s: Any
    a: Any
    m: Any


def room_for_derivatives(made, rows):
    """Room for the local derivatives of :mod:`rnndyn.kernels.cuda.tangent`, of so many rows."""
    return tuple(cuda.device_array((rows, *shape, made.units), made.dtype) for shape in derivative_shapes(made))


def local_derivatives(net, s, x):
    """Derivatives of each unit's update, as :func:`rnndyn.passes.local_derivatives`."""
    made, batch = net.cuda_layout, len(s)
    found = [np.empty((batch, *shape, made.units), made.dtype) for shape in derivative_shapes(made)]
    after = np.empty(s.shape, made.dtype)

    def run(rows):
        where = wide_cuda.place(made, batch, rows.start)
        states, a, _ = run_through(made, on_device(x[rows][:, None]), s[rows], 1, where)
        D = room_for_derivatives(made, len(states))
        derivatives[len(states), threads_for(made.units)](made.weights, states, a, D)
        for part, d in zip(found, D, strict=True):
            part[rows] = d.copy_to_host()
        after[rows] = flat_states(states)[:, -1]

    numbers = (made.states + 1) * (made.states + made.gates) * made.units
    in_tiles(batch, forward_bytes(made, 1, 1) + numbers * made.dtype.itemsize, run)
    return *found, after


class Tape:
    """Record of a cell network over one stretch of time, as :class:`rnndyn.passes.Tape`.

    Where the whole does not fit the device's memory, the adjoint makes the record of some sequences at a time again.

    Parameters
    ----------
    net : CellNetwork
        The network.
    x : ndarray or device array, shape (batch, time, input)
        Inputs.
    s0 : ndarray or device array, shape (batch, state)
        States before the first step.
    """

    def __init__(self, net, x, s0):
        self.net, self.x, self.s0, self.record = net, x, s0, None
        made, (self.batch, self.steps) = net.cuda_layout, x.shape[:2]
        self.forward_bytes = forward_bytes(made, self.steps, self.steps)
        row_bytes = self.forward_bytes + backward_bytes(made, self.steps, False, False)
        if rows_within(free_bytes(), row_bytes, self.batch) >= self.batch:
            fits(self._record_all)

    def _record_all(self):
        self.record = self._recorded(slice(0, self.batch))

    def _recorded(self, rows):
        """Record of some sequences."""
        x, made = on_device(self.x[rows]), self.net.cuda_layout
        where = wide_cuda.place(made, self.batch, rows.start)
        return Record(x, *run_through(made, x, self.s0[rows], self.steps, where))

    @cached_property
    def states(self):
        """States (batch, time + 1, state), those before the first step among them."""
        return flat_states(self.record.s) if self.record else all_states(self.net, self.x, self.s0)

    @property
    def hidden(self):
        """Hidden states (batch, time, unit), contiguous."""
        return np.ascontiguousarray(self.states[:, 1:, : self.net.cuda_layout.units])

    @property
    def passed(self):
        """Hidden states as a layer above takes them: a view of the record, if it is kept."""
        return self.record.s[:, 1:, 0] if self.record and self.batch * self.steps else self.hidden

    @property
    def last(self):
        """States (batch, state) after the last step."""
        return np.ascontiguousarray(self.states[:, -1])

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """Propagate an adjoint back through the stretch, as :meth:`rnndyn.passes.Tape.pull`.

        ``g`` may be on the device; dL/dx comes back there, if the inputs are there and all sequences go together.
        """
        made, batch = self.net.cuda_layout, self.batch
        before = adjoint.copy()
        gx = np.zeros(self.x.shape if inputs else 0, made.dtype)

        def back(rows):
            nonlocal gx
            if rows.stop - rows.start < batch:
                self.record = None
            record = self.record or self._recorded(rows)
            count, steps, _, units = record.a.shape
            l = on_device(adjoint[rows].reshape(count, 1, made.states, units))
            kept = cuda.device_array((count, 0 if trace is None else steps, made.states, units), made.dtype)
            gq = cuda.to_device(np.zeros((count, made.trained, units), made.dtype))
            given = on_device(g[rows]), record.s, record.a, l, gq, kept
            where = wide_cuda.place(made, batch, rows.start)
            if where:
                wide_cuda.by_panels(wide_cuda.backward, made, where, *given)
            else:
                size, *room = room_for(count, backward_numbers(made), made)
                backward[count, threads_for(units), 0, size](made.weights, *given, *room)
            before[rows] = l.copy_to_host().reshape(before[rows].shape)
            if trace is not None:
                trace[rows] = kept.copy_to_host().reshape(trace[rows].shape)
            if inputs:
                found = input_gradient(made, record.a)
                if is_on_gpu(self.x) and count == batch:
                    gx = found
                else:
                    gx[rows] = found.copy_to_host()
            sums.q[rows] += gq.copy_to_host()
            sums.collect(record, rows.start, batch)

        if self.steps:
            row_bytes = backward_bytes(made, self.steps, trace is not None, inputs)
            in_tiles(batch, row_bytes + (0 if self.record else self.forward_bytes), back)
        return before, gx if inputs else None


def input_gradient(made, a):
    """``dL/dx = W_xh' dL/da``, (batch, time, input), on the device."""
    first, count = made.x
    batch, steps, gates, units = a.shape
    out = cuda.device_array((batch, steps, made.inputs), made.dtype)
    if out.size:
        adjoints = a.reshape(batch * steps, gates * units)[:, first * units : (first + count) * units]
        W = made.weights.W_xT.reshape(count * units, made.inputs)
        product(adjoints, W, out.reshape(batch * steps, made.inputs))()
    return out


class OuterSum:
    """Running sum of outer products ``sum_t a_t z_t'`` over stretches, as :class:`rnndyn.sums.OuterSum`.

    Parameters
    ----------
    count, units, width : int
        Pre-activations, their units, and numbers of ``z`` that count.
    dtype : dtype
        Of all.
    """

    def __init__(self, count, units, width, dtype):
        self.shape = count, units, width + 1  # the last column is the sum of the a
        tiles = max(blocks(count * units) * blocks(width + 1), 1)
        chunks = max(BLOCKS // (SIDE * tiles), 1)  # few tiles, as of small networks: the sum is cut as well
        zeros = np.zeros((chunks, count * units, width + 1), dtype)
        self.matrix = required(lambda: cuda.to_device(zeros), zeros.nbytes, "sum of gradients")

    def add(self, a, first, z, row, batch):
        """Add products of ``a`` (rows, time, number) from ``first`` on with ``z`` (rows, time, number).

        They are those of a batch of so many, from ``row`` on; rows are added in their order.
        """
        chunks, m, n = self.matrix.shape
        if a.size and m:
            length = -(-batch * a.shape[1] // chunks)
            grid = blocks(m), blocks(n), chunks
            outer[grid, (TILE, TILE)](a, first, z, self.matrix, row * a.shape[1], length)

    @cached_property
    def total(self):
        """Sum over the chunks, (count, units, width + 1), once all is added."""
        return self.matrix.copy_to_host().sum(axis=0).reshape(self.shape)

    @property
    def weights(self):
        """Sum of the products, (count, units, width)."""
        return self.total[:, :, :-1]

    @property
    def biases(self):
        """Sum of the ``a``, (count, units)."""
        return self.total[:, :, -1]


class DeviceSums(WeightSums):
    """Gradients of a cell network's weights, summed over stretches in device memory.

    Parameters
    ----------
    net : CellNetwork
        The network.
    batch : int
        Number of sequences.
    """

    def __init__(self, net, batch):
        made = net.cuda_layout
        self.net, self.made = net, made
        self.x = OuterSum(made.x[1], made.units, made.inputs, made.dtype)
        self.h = OuterSum(made.h[1], made.units, made.units, made.dtype)
        self.m = OuterSum(made.m[1], made.units, made.units, made.dtype)
        self.q = np.zeros((batch, made.trained, made.units), made.dtype)

    def found(self):
        """As :meth:`rnndyn.sums.WeightSums.found`."""
        return [(total.weights, total.biases) for total in (self.x, self.h, self.m)]

    def weights(self, rows):
        """As :meth:`rnndyn.sums.WeightSums.weights`."""
        return by_gate(self.made, rows, self.found())

    def collect(self, record, row, batch):
        """Add what the record of some sequences, from ``row`` on of a batch, holds after its backward pass."""
        made = self.made
        rows, steps, gates, units = record.a.shape
        a = record.a.reshape(rows, steps, gates * units)
        s = record.s.reshape(rows, steps + 1, made.states * units)
        for total, source, z in ((self.x, made.x, record.x), (self.h, made.h, s), (self.m, made.m, record.m)):
            total.add(a, source[0] * units, z, row, batch)
