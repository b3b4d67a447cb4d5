"""Tangent vectors along runs of networks: stretches of linearised steps, and frames that are pushed through them.

A :class:`Stretch` is what compiled code needs of the Jacobians of some steps of some runs; a course makes one stretch
after the other. :class:`Frames` are orthonormal tangent vectors (frame, state, column), one frame a run, which a
stretch pushes and whose growth it measures.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np

from rnndyn import dynamics
from rnndyn.devices import resolve_for
from rnndyn.kernels.cpu.ensemble import linearised
from rnndyn.kernels.cpu.frames import PUSHED, ROWS, grow
from rnndyn.kernels.cpu.tangent import derivatives
from rnndyn.kernels.jit import WIDTH, parallel, threads_for, threads_meet
from rnndyn.kernels.memory import aligned_empty, aligned_zeros, constant
from rnndyn.kernels.pack import stacked
from rnndyn.networks.map import Map
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import (
    Tape,
    derivative_shapes,
    gate_matrices,
    no_inputs,
    pack_states,
    stretch_of,
    unpack_states,
)
from rnndyn.validate import is_on_gpu

WORTH_SHARING = 10_000_000  # operations of a window and a thread, from which on threads share a frame


def padded(size, multiple):
    """Smallest multiple that is not less than ``size``."""
    return -(-size // multiple) * multiple


def left_panels(matrices):
    """Matrices (..., row, k) as the blocks of rows (..., block, k, row) that stand on the left of the tile."""
    *batch, rows, depth = matrices.shape
    blocks = padded(rows, PUSHED) // PUSHED
    packed = aligned_zeros((*batch, blocks, depth, PUSHED), matrices.dtype)
    whole = rows // PUSHED
    cut = matrices[..., : whole * PUSHED, :].reshape(*batch, whole, PUSHED, depth)
    packed[..., :whole, :, :] = np.swapaxes(cut, -1, -2)
    if whole < blocks:
        packed[..., whole, :, : rows - whole * PUSHED] = np.swapaxes(matrices[..., whole * PUSHED :, :], -1, -2)
    return packed


class Stretch(NamedTuple):
    """Linearised steps, as :func:`rnndyn.kernels.cpu.frames.grow` takes them, of ``frames`` runs."""

    weights: tuple
    first: tuple
    D: tuple
    J: np.ndarray
    nets: np.ndarray
    steps: int
    units: int
    operations: int  # of a step and a column, without the orthonormalisation


class Course:
    """Runs of the networks of an ensemble, of one class and size, linearised some steps at a time, by matrices.

    Frames are the networks' sequences, one network after the other.

    Parameters
    ----------
    nets : list of Network
        The networks.
    x : ndarray or device array, shape (batch, time, input), or None
        Inputs, the same for every network; None for zeros. On a GPU only if that makes the stretches.
    s : ndarray, shape (network, batch, state)
        States at the start.

    Attributes
    ----------
    on_device : bool
        Whether a GPU makes the stretches and pushes the frames.
    """

    on_device = False

    def __init__(self, nets, x, s):
        self.nets, self.x, self.s, self.t = nets, x, s, 0
        self.step_bytes = s.size * s.shape[-1] * s.itemsize

    def matrices(self, steps):
        """Jacobians (time, frame, state, state) of the next steps, and states (frame, time + 1, state) around them."""
        count, batch, size = self.s.shape
        x = inputs_at(self.nets[0], self.x, self.t, steps, batch)
        J = np.empty((steps, count, batch, size, size), self.s.dtype)
        states = np.empty((count, batch, steps + 1, size), self.s.dtype)
        states[:, :, 0] = self.s
        given = None if x is None else np.ascontiguousarray(x.swapaxes(0, 1)).reshape(steps * batch, x.shape[2])
        for n, net in enumerate(self.nets):
            states[n, :, 1:] = walked(net, x, self.s[n], steps)
            before = np.ascontiguousarray(states[n, :, :-1].swapaxes(0, 1)).reshape(steps * batch, size)
            J[:, n] = dynamics.jacobian(net, before, given).reshape(steps, batch, size, size)
        self.s, self.t = np.ascontiguousarray(states[:, :, -1]), self.t + steps
        return J.reshape(steps, count * batch, size, size), states.reshape(count * batch, steps + 1, size)

    def stretch(self, steps):
        """Linearise the next steps; they come back with the states (frame, time + 1, state) around them."""
        J, states = self.matrices(steps)
        return matrix_stretch(J), states

    def frames(self, Q):
        """Frames with the columns ``Q`` (frame, state, column), to be pushed through the stretches."""
        return Frames(Q)

    def jacobians(self, r, t, states):
        """Jacobians (time, state, state) of frame ``r`` at its states (time, state) from time ``t`` on."""
        net, row = self.nets[r // self.s.shape[1]], r % self.s.shape[1]
        x = inputs_at(net, None if self.x is None else self.x[row : row + 1], t, len(states), 1)
        return dynamics.jacobian(net, np.ascontiguousarray(states), None if x is None else x[0])


class CellCourse(Course):
    """A course of cell networks, whose Jacobians are never formed."""

    def __init__(self, nets, x, s):
        super().__init__(nets, x, s)
        made = nets[0].layout
        driven = [[gate_matrices(net, source) for net in nets] for source in "hm"]
        self.weights = tuple(left_panels(np.stack([W for W, _ in parts])) for parts in driven)
        self.first = tuple(parts[0][1] for parts in driven)
        self.operations = 2 * made.units**2 * (self.weights[0].shape[1] + self.weights[1].shape[1])
        numbers = 2 * made.gates + made.states * (made.gates + made.states + 2)
        self.step_bytes = s.shape[0] * s.shape[1] * numbers * made.blocks * made.lanes * made.dtype.itemsize

    def stretch(self, steps):
        made, (count, batch, size) = self.nets[0].layout, self.s.shape
        rows, x = count * batch, inputs_at(self.nets[0], self.x, self.t, steps, batch)
        of_step = [(steps, rows, *shape, made.blocks, made.lanes) for shape in derivative_shapes(made)]
        D = tuple(aligned_empty(shape, made.dtype) for shape in of_step)
        s = (self._walk if count == 1 else self._walk_each)(x, D)
        flat = unpack_states(self.nets[0], s.reshape(-1, *s.shape[2:])).reshape(steps + 1, rows, size)
        states = np.ascontiguousarray(flat.swapaxes(0, 1))
        self.s, self.t = flat[-1].reshape(count, batch, size).copy(), self.t + steps
        D = tuple(d.reshape(*d.shape[:-2], made.blocks * made.lanes) for d in D)
        none = np.empty((0, 1, 0, 0, PUSHED), made.dtype)
        nets = np.repeat(np.arange(count), batch)
        made_of = Stretch(self.weights, self.first, D, none, nets, steps, made.units, self.operations)
        return made_of, states

    def _walk(self, x, D):
        """States (time + 1, frame, component, block, lane) of the only network; local derivatives go into ``D``."""
        tape = Tape(self.nets[0], x, self.s[0])
        at = (d.reshape(1, -1, *d.shape[2:]) for d in (tape.s[:-1], tape.a))
        with parallel(tape.threads):
            derivatives(self.nets[0].layout.weights, *at, *(d.reshape(-1, *d.shape[2:]) for d in D), tape.threads)
        return tape.s

    def _walk_each(self, x, D):
        """As :meth:`_walk`, of several networks: small ones, as a rule, so that one launch takes them all."""
        made, (count, batch, _), steps = self.nets[0].layout, self.s.shape, x.shape[1]
        threads = threads_for(count * batch * steps * 2 * self.nets[0].W_hh.size, count)
        s = aligned_empty((steps + 1, count * batch, made.states, made.blocks, made.lanes), made.dtype)
        pack_states(self.nets[0], self.s.reshape(count * batch, -1), s[0])
        room = stretch_of(self.nets[0], batch, steps), threads * batch
        a = aligned_empty((*room, made.gates, made.blocks, made.lanes), made.dtype)
        m = aligned_empty((*room, made.blocks, made.lanes), made.dtype) if made.m[1] else None
        none = np.empty((batch, 0, made.states, made.units), made.dtype)
        with parallel(threads):
            linearised(self.stacked, constant(x), s, a, m, none, D, threads)
        return s

    @cached_property
    def stacked(self):
        """Packed weights of all networks."""
        return stacked(self.nets)

    @cached_property
    def weight_determinants(self):
        """Log |det W| (network,) of the recurrent weights of each network of one gate.

        Once, not for each stretch: the threads of BLAS stay awake for a while and take the cores from those that share
        a frame.
        """
        W = np.stack([net.cell_weights()[1] for net in self.nets])
        return np.linalg.slogdet(W.astype(np.float64))[1]


class GivenCourse(Course):
    """A course of which nothing but the Jacobians is known.

    Parameters
    ----------
    matrices : iterator of ndarray, shape (state, state)
        The Jacobians.
    size : int
        Number of states.
    """

    def __init__(self, matrices, size):
        super().__init__([None], None, np.zeros((1, 1, size)))
        self.left, self.start, self.J = matrices, 0, np.empty((0, size, size))

    def matrices(self, steps):
        self.start, taken = self.t, list(islice(self.left, steps))
        self.J = np.array(taken).reshape(-1, *self.J.shape[1:])
        self.t += len(taken)
        return self.J[:, None], np.zeros((1, len(taken) + 1, self.J.shape[1]))

    def jacobians(self, r, t, states):
        return self.J[t - self.start : t - self.start + len(states)]


def device_of(device, net):
    """Name of the device on which frames go along runs of such networks, as :func:`rnndyn.devices.resolve_for`."""
    return resolve_for(device, isinstance(net, CellNetwork), f"the spectrum of a {type(net).__name__}")


def course(nets, x, s, device="cpu"):
    """Course of these networks, on a device that :func:`device_of` gave; see :class:`Course`."""
    if device == "cuda":
        from rnndyn.tangents_cuda import DeviceCourse

        return DeviceCourse(nets, x, s)
    return (CellCourse if isinstance(nets[0], CellNetwork) else Course)(nets, x, s)


def walked(net, x, s, steps):
    """States (batch, time, state) after each step. Those of a Map that leave the range of numbers go on from zero."""
    if not isinstance(net, Map):
        return dynamics.forward(net, x, s, steps)
    states = np.empty((len(s), steps, s.shape[1]), s.dtype)
    for t in range(steps):
        s = dynamics.step(net, s, None if x is None else np.ascontiguousarray(x[:, t]))
        states[:, t] = s
        s = np.where(np.isfinite(s).all(axis=1, keepdims=True), s, 0)
    return states


def inputs_at(net, x, t, steps, batch):
    """Inputs (batch, time, input) of some steps, on the processor; None for a network without, unless of a cell."""
    if not net.input_size:
        return no_inputs(net, batch, steps) if isinstance(net, CellNetwork) else None
    if x is None:
        return np.zeros((batch, steps, net.input_size), net.dtype)
    part = x[:, t : t + steps]
    return np.ascontiguousarray(part.copy_to_host() if is_on_gpu(part) else part)


def matrix_stretch(J):
    """Steps with the Jacobians ``J`` (time, frame, state, state)."""
    steps, rows, size = J.shape[:3]
    packed = left_panels(np.ascontiguousarray(J).reshape(steps * rows, 1, size, size))
    none = tuple(np.empty((0, rows, *(0,) * n), J.dtype) for n in (3, 3, 2, 2))
    no_weights = (np.empty((1, 0, 0, 0, PUSHED), J.dtype),) * 2
    return Stretch(no_weights, (0, 0), none, packed, np.zeros(rows, np.int64), steps, size, 2 * size**2)


class Frames:
    """Orthonormal tangent vectors ``Q`` (frame, state, column) in the layout of the kernels.

    Parameters
    ----------
    Q : ndarray, shape (frame, state, column)
        Orthonormal columns.
    """

    def __init__(self, Q):
        rows, self.size, self.columns = Q.shape
        self.dtype, self.width = Q.dtype, WIDTH[Q.dtype]
        wide = 2 * self.width
        self.panels = padded(self.columns, wide) // wide
        tall = padded(self.size, ROWS)
        # One register more than the panels need: no rows stand a power of two apart, which would share cache lines.
        self.packed = aligned_zeros((rows, tall, 2 * self.panels + 1, self.width), self.dtype)
        self.before = aligned_zeros((rows, tall, 2 * self.panels, self.width), self.dtype)
        self.set(slice(None), Q)

    def get(self, r=slice(None)):
        """Columns (..., state, column) of some frames."""
        flat = self.packed.reshape(*self.packed.shape[:2], -1)
        return flat[r, : self.size, : self.columns].copy()

    def set(self, r, Q):
        """Replace some frames."""
        self.packed.reshape(*self.packed.shape[:2], -1)[r, : self.size, : self.columns] = Q

    def grow(self, stretch, interval, done, *, factors=False, growth=None, widest=np.inf):
        """Push the frames through a stretch, orthonormalised every ``interval`` steps.

        Parameters
        ----------
        stretch : Stretch
            Linearised steps.
        interval : int
            Steps of a window.
        done : ndarray of int, shape (frame,)
            Windows that are done, of each frame; counted up in place.
        factors : bool
            Whether the triangular factors are wanted.
        growth : ndarray, shape (window, frame, column), optional
            Of an earlier call with the same stretch, to go on with.
        widest : float
            A window in which one column grows more than so many times as much as another is gone through again, step by
            step; not with ``factors``.

        Returns
        -------
        growth : ndarray, shape (window, frame, column)
            R_jj of the windows that are done.
        R : ndarray, shape (window, frame, column, column), or None
            The factors.
        lost : ndarray of bool, shape (frame,)
            Where a window could not be resolved: the frame stands before it.
        """
        rows, tall, _, width = self.packed.shape
        windows, wide = -(-stretch.steps // interval), 2 * width
        columns = self.panels * wide
        operations = self.columns * (stretch.operations * interval + 4 * self.size * self.columns)
        threads = threads_for(rows * windows * operations, max(rows, self.panels))
        together = rows < threads and operations / threads > WORTH_SHARING and threads_meet()
        if not together:
            threads = min(threads, rows)
        slots = max(stretch.D[0].shape[3], 1)
        units, pushed = padded(stretch.units, PUSHED), max(tall, padded(self.size, PUSHED))
        rooms = tuple(aligned_zeros((threads, height, 2, width), self.dtype) for height in (tall, pushed, units))
        u = aligned_zeros((threads, slots, units, 2, width), self.dtype)
        C = aligned_zeros((threads, columns, 2, width), self.dtype)
        G, X = (aligned_zeros((threads, wide, 2, width), self.dtype) for _ in range(2))
        size, pivots = aligned_zeros((threads, 3, 2, width), self.dtype), np.ones((threads, wide), self.dtype)
        units = aligned_empty((2, wide, 2, width), self.dtype)
        units[:] = np.reshape([np.eye(wide), np.triu(np.ones((wide, wide)), 1)], units.shape)
        small = C, G, X, size, units, pivots, np.zeros(threads, np.int64), aligned_zeros((width,), self.dtype)
        growth = np.ones((windows, rows, self.columns), self.dtype) if growth is None else growth
        R = aligned_zeros((windows if factors else 0, rows, columns, 2 * self.panels, width), self.dtype)
        lost, eps = np.zeros(rows, np.bool_), np.finfo(self.dtype).eps
        firm = self.dtype.type(eps**0.5), self.dtype.type(eps**0.25)
        with parallel(threads):
            grow(
                stretch.weights, stretch.first, stretch.D, stretch.J, stretch.nets, self.packed, self.before,
                (*rooms, u), small, growth, R, done, lost, stretch.steps, interval, self.dtype.type(widest),
                self.columns, stretch.units, firm, self.dtype.type(eps), threads,
                np.zeros(1 if together else 0, np.int64),
            )  # fmt: skip
        whole = R.reshape(*R.shape[:3], -1)[:, :, : self.columns, : self.columns] if factors else None
        return growth, whole, lost
