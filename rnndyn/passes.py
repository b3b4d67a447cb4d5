"""Passes of one cell network over a stretch of time: buffers, kernels, and results as plain arrays.

A stretch is run without memory (:func:`run_states`), or recorded on a tape (:class:`Tape`) from which
:meth:`Tape.pull` propagates an adjoint backward. Stretches join without a change in any bit.
"""

from __future__ import annotations

import numpy as np

from rnndyn.devices import on_gpu
from rnndyn.kernels.cpu.affine import affine
from rnndyn.kernels.cpu.backward import backward
from rnndyn.kernels.cpu.forward import forward
from rnndyn.kernels.cpu.tangent import derivatives, products
from rnndyn.kernels.dispatch import slots
from rnndyn.kernels.jit import Call, parallel, threads_for, threads_meet
from rnndyn.kernels.memory import aligned_empty, aligned_zeros, constant, scratch

BUFFER_BYTES = 1 << 18  # of input drives that a thread forms at a time: a part of the second-level cache
GROUP_ROWS = 64
SHARED_BYTES = 1 << 17  # of recurrent weights, from which on threads share a step


def groups(net, batch, steps):
    """Rows that a thread takes through time together, and the number of threads."""
    threads = threads_for(steps * batch * 2 * net.W_hh.size, batch)
    return min(-(-batch // (8 * threads)) * 8, GROUP_ROWS), threads


def shared_steps(net, batch, steps):
    """Counter for threads that share every step, and their number; an empty counter where they should not.

    A few rows through weights that do not fit a thread's share of the cache are worth it: each thread then reads its
    part of the weights from its own cache.
    """
    threads = threads_for(steps * batch * 2 * net.W_hh.size, net.layout.blocks)
    if threads > 1 and batch < 8 and net.W_hh.nbytes >= SHARED_BYTES and threads_meet():
        return np.zeros(1, np.int64), threads
    return np.empty(0, np.int64), 0


def stretch_of(net, rows, steps):
    """Steps whose input drives a thread forms at a time, for its rows."""
    made = net.layout
    step = rows * made.gates * made.blocks * made.lanes * made.dtype.itemsize
    return min(steps, max(8, BUFFER_BYTES // step))


def pack_states(net, s, to):
    """Put states (batch, state) into the layout of the kernels, ``to`` (batch, component, block, lane)."""
    components, blocks, lanes = to.shape[1:]
    units = net.layout.units
    padded = to.reshape(len(s), components, blocks * lanes)
    padded[:, :, :units] = s.reshape(len(s), components, units)
    padded[:, :, units:] = 0


def unpack_states(net, s):
    """States (batch, state) from the layout of the kernels."""
    batch, components, blocks, lanes = s.shape
    units = net.layout.units
    return s.reshape(batch, components, blocks * lanes)[:, :, :units].reshape(batch, components * units)


def no_inputs(net, batch, steps):
    """Inputs of an autonomous network: none, at every step."""
    return np.empty((batch, steps, 0), net.dtype)


def run_states(net, x, s0):
    """States (batch, time, state) after each input ``x`` (batch, time, input) from ``s0`` (batch, state)."""
    batch, steps = x.shape[:2]
    made = net.layout
    states = aligned_empty((batch, steps, made.states * made.units), made.dtype)
    if batch == 0 or steps == 0:
        return states
    rows, threads = groups(net, batch, steps)
    arrivals, together = shared_steps(net, batch, steps)
    threads = together or threads
    length = stretch_of(net, rows, steps)
    s = aligned_empty((2, batch, made.states, made.blocks, made.lanes), made.dtype)
    pack_states(net, s0, s[0])
    a = aligned_empty((length, min(batch, rows * threads), made.gates, made.blocks, made.lanes), made.dtype)
    m = aligned_empty((*a.shape[:2], made.blocks, made.lanes), made.dtype) if made.m[1] else None
    with parallel(threads):
        into = states.reshape(batch, steps, made.states, made.units)
        forward(made.weights, constant(x), s, a, m, into, steps, length, rows, threads, arrivals)
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
        self.net, self.x = net, constant(x)
        batch, steps = x.shape[:2]
        made = net.layout
        self.rows, self.threads = groups(net, batch, steps)
        self.s = aligned_empty((steps + 1, batch, made.states, made.blocks, made.lanes), made.dtype)
        pack_states(net, s0, self.s[0])
        self.a = aligned_empty((steps, batch, made.gates, made.blocks, made.lanes), made.dtype)
        self.m = aligned_empty((steps, batch, made.blocks, made.lanes), made.dtype) if made.m[1] else None
        self.y = aligned_empty((batch, steps, 1, made.units), made.dtype)
        if batch and steps:
            self.recording().run()

    def recording(self):
        """Call that records the stretch, from the inputs and the first states that are there when it is run."""
        steps, batch = self.a.shape[:2]
        arrivals, together = shared_steps(self.net, batch, steps)
        threads, stretch = together or self.threads, stretch_of(self.net, self.rows, steps)
        given = self.net.layout.weights, self.x, self.s, self.a, self.m, self.y
        return Call(forward, threads, (*given, steps, stretch, self.rows, threads, arrivals))

    def adjoints(self):
        """Room for adjoints: of the states, and of both stages of a cell with a rate, else None."""
        made, (_, batch, gates, blocks, lanes) = self.net.layout, self.a.shape
        of_states = aligned_zeros((1, batch, made.states, blocks, lanes), made.dtype)
        if not made.m[1]:
            return of_states, None, None
        return of_states, *(aligned_zeros((batch, *k, blocks, lanes), made.dtype) for k in ((gates,), ()))

    def pulling(self, g, adjoints, q, kept):
        """Call that propagates adjoints back and uses the tape up."""
        steps, batch = self.a.shape[:2]
        arrivals, together = shared_steps(self.net, batch, steps)
        threads = together or self.threads
        given = self.net.layout.weights, g, self.s, self.a, *adjoints, q, kept
        return Call(backward, threads, (*given, 0, self.rows, threads, arrivals))

    @property
    def hidden(self):
        """Hidden states (batch, time, unit), contiguous."""
        return self.y[:, :, 0]

    @property
    def passed(self):
        """Hidden states as a layer above takes them: here, those of `hidden`."""
        return self.hidden

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
        net, made = self.net, self.net.layout
        steps, batch, _, blocks, lanes = self.a.shape
        if not (steps and batch):
            return adjoint, np.zeros_like(self.x) if inputs else None
        adjoints = self.adjoints()
        pack_states(net, adjoint, adjoints[0][0])
        kept = aligned_empty((0 if trace is None else steps, batch, made.states, blocks, lanes), made.dtype)
        self.pulling(g, adjoints, sums.q, kept).run()
        sums.add(self)
        if trace is not None:
            for t in range(steps):
                trace[:, t] = unpack_states(net, kept[t])
        return unpack_states(net, adjoints[0][0]), self._input_gradient() if inputs else None

    def _input_gradient(self):
        """``dL/dx = W_xh' dL/da``, (batch, time, input)."""
        steps, batch = self.a.shape[:2]
        made = self.net.layout
        first, count = made.x
        width = count * made.blocks * made.lanes
        adjoints = self.a[:, :, first : first + count].reshape(steps * batch, width)
        out = np.empty((steps * batch, made.inputs), made.dtype)
        if out.size:
            W = made.weights.W_xT
            affine_call(W, np.zeros(W.shape[::3], made.dtype), np.ascontiguousarray(adjoints), out).run()
        return np.ascontiguousarray(out.reshape(steps, batch, made.inputs).transpose(1, 0, 2))


def affine_call(W, b, x, out):
    """Call for ``out = x W' + b`` with packed ``W`` and ``b``, and contiguous ``x``."""
    threads = threads_for(2 * len(out) * W.size, len(out))
    room = scratch((threads, 8, W.shape[3]), out.dtype)
    return Call(affine, threads, (W, b, constant(x), room, out, threads))


def derivative_shapes(made):
    """Shapes of the local derivatives of a unit: by pre-activations, by states, and those of the rate by both."""
    return (made.states, made.gates), (made.states, made.states), (made.gates,), (made.states,)


def local_derivatives(net, s, x):
    """Derivatives of each unit's update at states ``s`` (batch, state) and inputs ``x`` (batch, input).

    Returns ``Da`` (batch, component, pre-activation, unit), ``Ds`` (batch, component, component, unit) and those of the
    rate, ``Ra`` (batch, pre-activation, unit) and ``Rs`` (batch, component, unit), and the new states (batch, state).
    """
    if on_gpu():
        from rnndyn import passes_cuda

        return passes_cuda.local_derivatives(net, s, x)
    tape = Tape(net, x[:, None], s)
    made, batch = net.layout, len(s)
    of_unit = made.blocks, made.lanes
    found = [aligned_empty((batch, *shape, *of_unit), made.dtype) for shape in derivative_shapes(made)]
    if batch:
        with parallel(tape.threads):
            derivatives(made.weights, tape.s, tape.a, *found, tape.threads)
    width = made.blocks * made.lanes
    trimmed = (d.reshape(*d.shape[:-2], width)[..., : made.units] for d in found)
    return (*(np.ascontiguousarray(d) for d in trimmed), tape.last)


def gate_matrices(net, source):
    """Weights (pre-activation, unit, column) of what ``source`` drives, and the first such pre-activation."""
    W_xh, W_hh = net.cell_weights()[:2]
    W = W_xh if source == "x" else W_hh
    first, count = slots(net.layout.cell, source)
    by_gate = W.reshape(len(W) // net.layout.units, net.layout.units, W.shape[1])
    return by_gate[list(net.layout.cell.gates[first : first + count])], first


def add_products(net, D, source, J):
    """``J += sum_k diag(D_k) W_k`` over the pre-activations that ``source`` drives."""
    W, first = gate_matrices(net, source)
    if J.size and len(W):
        threads = threads_for(2 * J.size * len(W), len(J))
        with parallel(threads):
            products(W, D, first, J, threads)
