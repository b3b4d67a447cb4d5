"""Passes of one cell network over a stretch of time: buffers, kernels, and results as plain arrays.

A stretch is run without memory (:func:`run_states`), or recorded on a tape (:class:`Tape`) from which
:meth:`Tape.pull` propagates an adjoint backward. Stretches join without a change in any bit.
"""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.cpu.affine import affine
from rnndyn.kernels.cpu.backward import backward
from rnndyn.kernels.cpu.forward import forward
from rnndyn.kernels.cpu.outer import SAMPLES, outer
from rnndyn.kernels.cpu.tangent import derivatives, products
from rnndyn.kernels.dispatch import slots
from rnndyn.kernels.jit import WIDTH, parallel, threads_for
from rnndyn.kernels.pack import blocks_of, to_lanes
from rnndyn.kernels.tile import aligned_empty, aligned_zeros

BUFFER_BYTES = 1 << 18  # of input drives that a thread forms at a time: a part of the second-level cache
GROUP_ROWS = 64


def sizes(net):
    """Components, pre-activations, blocks and lanes of a network's packed arrays."""
    lanes = WIDTH[net.dtype.name]
    return net.cell.states, len(net.cell.drives), blocks_of(net.hidden_size, net.dtype), lanes


def groups(net, batch, steps):
    """Rows that a thread takes through time together, and the number of threads."""
    threads = threads_for(steps * batch * 2 * net.W_hh.size, batch)
    return min(-(-batch // (8 * threads)) * 8, GROUP_ROWS), threads


def pack_states(net, s):
    """States (batch, state) in the layout of the kernels (batch, component, block, lane)."""
    return to_lanes(s.reshape(len(s), net.cell.states, net.hidden_size), net.hidden_size)


def unpack_states(net, s):
    """Inverse of :func:`pack_states`."""
    rows = s.reshape(len(s), net.cell.states, -1)[:, :, : net.hidden_size]
    return rows.reshape(len(s), net.state_size)


def no_inputs(net, batch, steps):
    """Inputs of an autonomous network: none, at every step."""
    return np.empty((batch, steps, 0), net.dtype)


def run_states(net, x, s0):
    """States (batch, time, state) after each input ``x`` (batch, time, input) from ``s0`` (batch, state)."""
    batch, steps = x.shape[:2]
    states = np.empty((batch, steps, net.state_size), net.dtype)
    if batch == 0 or steps == 0:
        return states
    components, gates, blocks, lanes = sizes(net)
    rows, threads = groups(net, batch, steps)
    room = BUFFER_BYTES // (rows * gates * blocks * lanes * net.dtype.itemsize)
    length = min(steps, max(8, room))
    s = aligned_empty((2, batch, components, blocks, lanes), net.dtype)
    s[0] = pack_states(net, s0)
    a = aligned_empty((length, min(batch, rows * threads), gates, blocks, lanes), net.dtype)
    m = aligned_empty((*a.shape[:2], blocks, lanes) if slots(net.cell, "m")[1] else (1, 1, 1, lanes), net.dtype)
    with parallel(threads):
        forward(net.packed, x, s, a, m, states.reshape(batch, steps, components, -1), steps, rows, threads)
    return states


class Tape:
    """Record of a cell network over one stretch of time.

    Parameters
    ----------
    net : CellNetwork
        The network.
    x : ndarray, shape (batch, time, input)
        Inputs.
    s0 : ndarray, shape (batch, state)
        States before the first step.
    """

    def __init__(self, net, x, s0):
        self.net, self.x = net, x
        batch, steps = x.shape[:2]
        components, gates, blocks, lanes = sizes(net)
        self.rows, self.threads = groups(net, batch, steps)
        self.s = aligned_empty((steps + 1, batch, components, blocks, lanes), net.dtype)
        self.s[0] = pack_states(net, s0)
        self.a = aligned_empty((steps, batch, gates, blocks, lanes), net.dtype)
        staged = slots(net.cell, "m")[1] > 0
        self.m = aligned_empty((steps, batch, blocks, lanes) if staged else (1, 1, 1, lanes), net.dtype)
        nothing = np.empty((batch, 0, components, net.hidden_size), net.dtype)
        if batch and steps:
            with parallel(self.threads):
                forward(net.packed, x, self.s, self.a, self.m, nothing, steps, self.rows, self.threads)

    @property
    def states(self):
        """States (batch, time, state)."""
        steps, batch = self.a.shape[:2]
        by_time = unpack_states(self.net, self.s[1:].reshape(-1, *self.s.shape[2:]))
        return np.ascontiguousarray(by_time.reshape(steps, batch, -1).transpose(1, 0, 2))

    @property
    def hidden(self):
        """Hidden states (batch, time, unit), contiguous."""
        steps, batch = self.a.shape[:2]
        h = self.s[1:, :, 0].reshape(steps, batch, -1)[:, :, : self.net.hidden_size]
        return np.ascontiguousarray(h.transpose(1, 0, 2))

    @property
    def last(self):
        """States (batch, state) after the last step."""
        return unpack_states(self.net, self.s[-1])

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """Propagate an adjoint back through the stretch; the tape is used up.

        Parameters
        ----------
        g : ndarray, shape (batch, time, unit)
            dL/dh_t of what depends on h_t directly.
        adjoint : ndarray, shape (batch, state)
            dL/ds after the last step.
        sums : WeightSums
            Collects the gradients of the weights.
        inputs : bool
            Whether dL/dx is wanted.
        trace : ndarray, shape (batch, time, state), optional
            Receives the whole dL/ds_t.

        Returns
        -------
        adjoint : ndarray, shape (batch, state)
            dL/ds before the first step.
        gx : ndarray, shape (batch, time, input), or None
            dL/dx.
        """
        net, p = self.net, self.net.packed
        steps, batch, gates, blocks, lanes = self.a.shape
        if not (steps and batch):
            return adjoint, np.zeros_like(self.x) if inputs else None
        l = pack_states(net, adjoint)[None].copy()  # noqa: E741
        staged = slots(net.cell, "m")[1]
        am = aligned_empty((batch, gates, blocks, lanes) if staged else (1, 1, 1, lanes), net.dtype)
        lm = aligned_zeros((batch, blocks, lanes) if staged else (1, 1, lanes), net.dtype)
        kept = aligned_empty((0 if trace is None else steps, batch, *self.s.shape[2:]), net.dtype)
        with parallel(self.threads):
            backward(p, g, self.s, self.a, l, am, lm, sums.q, kept, 0, self.rows, self.threads)
        sums.add(self)
        if trace is not None:
            for t in range(steps):
                trace[:, t] = unpack_states(net, kept[t])
        return unpack_states(net, l[0]), self._input_gradient() if inputs else None

    def _input_gradient(self):
        """``dL/dx = W_xh' dL/da``, (batch, time, input)."""
        steps, batch = self.a.shape[:2]
        first, count = slots(self.net.cell, "x")
        adjoints = self.a[:, :, first : first + count].reshape(steps * batch, -1)
        out = np.empty((steps * batch, self.x.shape[2]), self.net.dtype)
        apply_affine(self.net.packed.W_xT, np.zeros(self.net.packed.W_xT.shape[::3], self.net.dtype), adjoints, out)
        return np.ascontiguousarray(out.reshape(steps, batch, -1).transpose(1, 0, 2))


def apply_affine(W, b, x, out):
    """``out = x W' + b`` with packed ``W`` and ``b``."""
    if out.size:
        threads = threads_for(2 * len(out) * W.size, len(out))
        room = aligned_empty((threads, 8, W.shape[3]), out.dtype)
        with parallel(threads):
            affine(W, b, np.ascontiguousarray(x), room, out, threads)


class OuterSum:
    """Running sum of outer products ``sum_t a_t z_t'`` over stretches, later ones first."""

    def __init__(self, count, units, width, dtype):
        lanes = WIDTH[dtype.name]
        self.count, self.units, self.width, self.dtype = count, units, width, dtype
        blocks, right = blocks_of(units, dtype), blocks_of(width, dtype)
        self.matrix = aligned_zeros((count * blocks, lanes, right, lanes), dtype)
        self.vector = aligned_zeros((count * blocks, lanes), dtype)

    def add(self, a, first, z, *, batch_first):
        """Add the products of the pre-activations ``first``, ... of ``a`` with ``z``; (batch, time, k) or (time, batch, k)."""
        if not (self.count and a.size):
            return
        lanes = a.shape[4]
        threads = threads_for(2 * a.shape[0] * a.shape[1] * self.matrix.size, len(self.matrix))
        left = aligned_empty((threads, SAMPLES, lanes), self.dtype)
        right = aligned_empty((threads, self.matrix.shape[2], SAMPLES, lanes), self.dtype)
        with parallel(threads):
            outer(a, first, self.count, z, batch_first, 0, self.width, self.matrix, self.vector, left, right, threads)

    @property
    def weights(self):
        """Sum of the products, (count * units, width)."""
        blocks, lanes, right, _ = self.matrix.shape
        whole = self.matrix.reshape(self.count, blocks // max(self.count, 1) * lanes, right * lanes)
        return whole[:, : self.units, : self.width]

    @property
    def biases(self):
        """Sum of the ``a``, (count, units)."""
        return self.vector.reshape(self.count, len(self.vector) // max(self.count, 1) * self.vector.shape[1])[:, : self.units]


class WeightSums:
    """Gradients of a cell network's weights, summed over stretches."""

    def __init__(self, net, batch):
        self.net = net
        _, _, blocks, lanes = sizes(net)
        self.outer = {}
        for source, width in (("x", net.input_size), ("h", net.hidden_size), ("m", net.hidden_size)):
            self.outer[source] = OuterSum(slots(net.cell, source)[1], net.hidden_size, width, net.dtype)
        trained = net.cell.parameters if net.cell.trainable else 0
        self.q = aligned_zeros((batch, trained, blocks, lanes), net.dtype)

    def add(self, tape):
        """Add what a tape holds after its backward pass."""
        steps, batch = tape.a.shape[:2]
        old_h = tape.s[:-1].reshape(steps, batch, -1)
        rates = tape.m.reshape(*tape.m.shape[:2], -1)
        for source, z, batch_first in (("x", tape.x, True), ("h", old_h, False), ("m", rates, False)):
            first = slots(self.net.cell, source)[0]
            self.outer[source].add(tape.a, first, z, batch_first=batch_first)

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of the network's fields, with those of its read-out if it has one."""
        net, units = self.net, self.net.hidden_size
        gates = len(net.W_hh) // units
        W_xh, W_hh = (np.zeros((gates, units, width), net.dtype) for width in (net.input_size, units))
        b_h, b_hn = np.zeros((gates, units), net.dtype), None
        for source, W in (("x", W_xh), ("h", W_hh), ("m", W_hh)):
            first, count = slots(net.cell, source)
            weights, biases = self.outer[source].weights, self.outer[source].biases
            for k in range(count):
                gate = net.cell.gates[first + k]
                W[gate] = weights[k]
                if source == "x":
                    b_h[gate] = biases[k]
                elif "x" not in net.cell.drives[first + k]:
                    b_hn = biases[k]
        q = self.q.sum(axis=0)
        q = q.reshape(len(q), q.shape[1] * q.shape[2])[:, :units]
        flat = W_xh.reshape(-1, net.input_size), W_hh.reshape(-1, units), b_h.reshape(-1)
        return net.fold_gradients(*flat, b_hn, q if len(q) else None, W_hy, b_y)


def local_derivatives(net, s, x):
    """Derivatives of each unit's update at states ``s`` (batch, state) and inputs ``x`` (batch, input), in kernel layout.

    Returns ``Da`` (batch, component, pre-activation, unit), ``Ds`` (batch, component, component, unit) and those of the rate,
    ``Ra`` (batch, pre-activation, unit) and ``Rs`` (batch, component, unit), and the new states (batch, state).
    """
    tape = Tape(net, x[:, None], s)
    batch = len(s)
    components, gates, blocks, lanes = sizes(net)
    shapes = (components, gates), (components, components), (gates,), (components,)
    made = [aligned_empty((batch, *shape, blocks, lanes), net.dtype) for shape in shapes]
    if batch:
        with parallel(tape.threads):
            derivatives(net.packed, tape.s, tape.a, *made, tape.threads)
    trimmed = (d.reshape(*d.shape[:-2], -1)[..., : net.hidden_size] for d in made)
    return (*(np.ascontiguousarray(d) for d in trimmed), tape.last)


def gate_matrices(net, source):
    """Weights (pre-activation, unit, column) of what ``source`` drives, and the first such pre-activation."""
    W_xh, W_hh = net.cell_weights()[:2]
    W = W_xh if source == "x" else W_hh
    first, count = slots(net.cell, source)
    by_gate = W.reshape(-1, net.hidden_size, W.shape[1])
    return by_gate[list(net.cell.gates[first : first + count])], first


def add_products(net, D, source, J):
    """``J += sum_k diag(D_k) W_k`` over the pre-activations that ``source`` drives."""
    W, first = gate_matrices(net, source)
    if J.size and len(W):
        threads = threads_for(2 * J.size * len(W), len(J))
        with parallel(threads):
            products(W, D, first, J, threads)


