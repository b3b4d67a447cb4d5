"""Passes of one cell network on a GPU: the same as :mod:`rnndyn.passes`, with its buffers in device memory.

Arrays come from the host and go back to it; between a tape's forward and backward pass they stay on the device.
"""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.cuda.backward import backward
from rnndyn.kernels.cuda.backward import room_numbers as backward_numbers
from rnndyn.kernels.cuda.device import BLOCKS, cuda, room_for, threads_for
from rnndyn.kernels.cuda.forward import forward
from rnndyn.kernels.cuda.forward import room_numbers as forward_numbers
from rnndyn.kernels.cuda.product import TILE, affine, outer, tiles
from rnndyn.kernels.cuda.tangent import derivatives
from rnndyn.passes import WeightSums


def run_through(made, x, s0, kept):
    """Take networks through inputs on the device.

    Parameters
    ----------
    made : Layout
        Of one network or, by :func:`rnndyn.kernels.cuda.pack.layout`, of several.
    x : device array, shape (sequence, time, input)
        Inputs.
    s0 : ndarray, shape (batch, state)
        States before the first step, for each network those of every sequence.
    kept : int
        Times of which the pre-activations are kept, at most.

    Returns
    -------
    s, a, m : device arrays, shapes (batch, time + 1, component, unit), (batch, kept, pre-activation, unit) and \
(batch, kept, unit)
        States, pre-activations and rates.
    """
    batch, steps = len(s0), x.shape[1]
    start = np.zeros((batch, steps + 1, made.states, made.units), made.dtype)
    start[:, 0] = s0.reshape(batch, made.states, made.units)
    s, kept = cuda.to_device(start), min(steps, kept)
    a = cuda.device_array((batch, kept, made.gates, made.units), made.dtype)
    m = cuda.device_array((batch, kept, made.units) if made.m[1] else (1, 1, 1), made.dtype)
    if batch and steps:
        size, spilled = room_for(batch, forward_numbers(made), made.dtype)
        forward[batch, threads_for(made.units), 0, size](made.weights, x, s, a, m, spilled)
    return s, a, m


def flat_states(s):
    """States (batch, time, state) on the host, of those (batch, time, component, unit) on the device."""
    s = s.copy_to_host()
    return s.reshape(*s.shape[:2], s.shape[2] * s.shape[3])


def run_states(net, x, s0):
    """States (batch, time, state) after each input ``x`` (batch, time, input) from ``s0`` (batch, state)."""
    return Tape(net, x, s0, recorded=False).states[:, 1:]


def room_for_derivatives(made, rows):
    """Room for the local derivatives of :mod:`rnndyn.kernels.cuda.tangent`, of so many rows."""
    shapes = (made.states, made.gates), (made.states, made.states), (made.gates,), (made.states,)
    return tuple(cuda.device_array((rows, *shape, made.units), made.dtype) for shape in shapes)


def local_derivatives(net, s, x):
    """Derivatives of each unit's update, as :func:`rnndyn.passes.local_derivatives`."""
    made = net.cuda_layout
    tape = Tape(net, x[:, None], s)
    D = room_for_derivatives(made, len(s))
    if len(s):
        derivatives[len(s), threads_for(made.units)](made.weights, tape.s, tape.a, D)
    return (*(d.copy_to_host() for d in D), tape.last)


class Tape:
    """Record of a cell network over one stretch of time, as :class:`rnndyn.passes.Tape`.

    Parameters
    ----------
    net : CellNetwork
        The network.
    x : ndarray, shape (batch, time, input)
        Inputs.
    s0 : ndarray, shape (batch, state)
        States before the first step.
    recorded : bool
        Whether to keep what the adjoint needs.
    """

    def __init__(self, net, x, s0, recorded=True):
        self.net, self.x = net, cuda.to_device(x)
        self.s, self.a, self.m = run_through(net.cuda_layout, self.x, s0, x.shape[1] if recorded else 1)

    @property
    def states(self):
        """States (batch, time + 1, state), those before the first step among them."""
        return flat_states(self.s)

    @property
    def hidden(self):
        """Hidden states (batch, time, unit), contiguous."""
        return np.ascontiguousarray(self.states[:, 1:, : self.net.cuda_layout.units])

    @property
    def last(self):
        """States (batch, state) after the last step."""
        return np.ascontiguousarray(self.states[:, -1])

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """Propagate an adjoint back through the stretch, as :meth:`rnndyn.passes.Tape.pull`."""
        made = self.net.cuda_layout
        batch, steps, gates, units = self.a.shape
        if not (steps and batch):
            return adjoint, np.zeros(self.x.shape, made.dtype) if inputs else None
        l = cuda.to_device(adjoint.reshape(batch, 1, made.states, units))
        kept = cuda.device_array((batch, 0 if trace is None else steps, made.states, units), made.dtype)
        size, spilled = room_for(batch, backward_numbers(made), made.dtype)
        launch = backward[batch, threads_for(units), 0, size]
        launch(made.weights, cuda.to_device(g), self.s, self.a, l, sums.collected, kept, spilled)
        sums.add(self)
        if trace is not None:
            trace[...] = kept.copy_to_host().reshape(trace.shape)
        return l.copy_to_host().reshape(adjoint.shape), self._input_gradient() if inputs else None

    def _input_gradient(self):
        """``dL/dx = W_xh' dL/da``, (batch, time, input)."""
        made, (first, count) = self.net.cuda_layout, self.net.cuda_layout.x
        batch, steps, gates, units = self.a.shape
        W = made.weights.W_xT.reshape(count * units, made.inputs)
        adjoints = self.a.reshape(batch * steps, gates * units)
        return apply_affine(W, np.zeros(made.inputs, made.dtype), adjoints, first * units).reshape(self.x.shape)


def apply_affine(W, b, left, first=0):
    """``left[:, first:] W + b`` as an array on the host, with ``W`` (k, number) and ``left`` on either side."""
    out = cuda.device_array((left.shape[0], W.shape[1]), b.dtype)
    if out.size:
        grid = tiles(out.shape[0]), tiles(out.shape[1])
        affine[grid, (TILE, TILE)](cuda.to_device(left), first, cuda.to_device(W), cuda.to_device(b), out)
    return out.copy_to_host()


class OuterSum:
    """Running sum of outer products ``sum_t a_t z_t'`` over stretches, as :class:`rnndyn.passes.OuterSum`.

    Parameters
    ----------
    count, units, width : int
        Pre-activations, their units, and numbers of ``z`` that count.
    dtype : dtype
        Of all.
    """

    def __init__(self, count, units, width, dtype):
        self.shape = count, units, width
        blocks = max(tiles(count * units) * tiles(width), 1)
        chunks = max(BLOCKS // blocks, 1)  # few tiles, as of small networks: the sum is cut as well
        self.matrix = cuda.to_device(np.zeros((chunks, count * units, width), dtype))
        self.vector = cuda.to_device(np.zeros((chunks, count * units, 1), dtype))

    def add(self, a, first, z):
        """Add products of ``a`` (batch, time, number) from ``first`` on with ``z`` (batch, time, number)."""
        ones = cuda.to_device(np.ones((*a.shape[:2], 1), a.dtype))
        for right, out in ((z, self.matrix), (ones, self.vector)):
            if out.size and a.size:
                grid = tiles(out.shape[1]), tiles(out.shape[2]), out.shape[0]
                outer[grid, (TILE, TILE)](a, first, right, out)

    @property
    def weights(self):
        """Sum of the products, (count, units, width)."""
        return self.matrix.copy_to_host().sum(axis=0).reshape(self.shape)

    @property
    def biases(self):
        """Sum of the ``a``, (count, units)."""
        return self.vector.copy_to_host().sum(axis=0).reshape(self.shape[:2])


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
        self.net, made = net, net.cuda_layout
        self.x = OuterSum(made.x[1], made.units, made.inputs, made.dtype)
        self.h = OuterSum(made.h[1], made.units, made.units, made.dtype)
        self.m = OuterSum(made.m[1], made.units, made.units, made.dtype)
        self.collected = cuda.to_device(np.zeros((batch, made.trained, made.units), made.dtype))

    @property
    def q(self):
        """dL/dq of each sequence, (batch, parameter, unit)."""
        return self.collected.copy_to_host()

    def add(self, tape):
        """Add what a tape holds after its backward pass."""
        made = self.net.cuda_layout
        batch, steps, gates, units = tape.a.shape
        a = tape.a.reshape(batch, steps, gates * units)
        self.x.add(a, made.x[0] * units, tape.x)
        self.h.add(a, made.h[0] * units, tape.s.reshape(batch, steps + 1, made.states * units))
        self.m.add(a, made.m[0] * units, tape.m)
