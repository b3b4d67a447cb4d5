"""Tangent vectors along runs of cell networks on a GPU: courses and frames as in :mod:`rnndyn.tangents`.

An ensemble that does not fit the device's memory goes through it some networks at a time, in every stretch again.
"""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.cuda import frame_steps, library
from rnndyn.kernels.cuda.device import cuda, on_device, room_for, spilled_numbers, threads_for
from rnndyn.kernels.cuda.frames import grow, room_numbers
from rnndyn.kernels.cuda.memory import fits, free_bytes, in_tiles, required
from rnndyn.kernels.cuda.pack import layout, weight_bytes
from rnndyn.passes_cuda import forward_bytes, room_for_derivatives, run_through
from rnndyn.tangents import Course, inputs_at
from rnndyn.validate import is_on_gpu
from rnndyn.wide_cuda import grid_of, place

RESOLVED = 4.0  # times S eps: the part of its length that a column must keep for its growth to be told from rounding
KEPT = 0.5  # of the squared length of each column, for a sweep to be the last: of [giraud2005]_
WORTH_LIBRARY = 1 << 16  # numbers of a frame, from which on a library's launches are the lesser cost


class DeviceStretch:
    """Some steps of the runs of a course, recorded on the device.

    Parameters
    ----------
    way : DeviceCourse
        The course.
    x : device array, shape (batch, time, input)
        Inputs of these steps.
    s : ndarray, shape (network, batch, state)
        States before them.
    steps : int
        Their number.
    """

    def __init__(self, way, x, s, steps):
        self.way, self.x, self.s, self.steps, self.whole = way, x, s, steps, None
        self.network_bytes = s.shape[1] * forward_bytes(way.one, steps, steps) + (0 if way.made else way.weight_bytes)

    def tape(self, nets):
        """Layout of some networks, states and pre-activations of their runs; kept if these are all."""
        if len(self.s[nets]) < len(self.s):
            self.whole = None
        if self.whole:
            return self.whole
        made, s = self.way.layout(nets), self.s[nets]
        where = place(made, s.shape[1]) if len(self.s) == 1 else None
        tape = made, *run_through(made, self.x, s.reshape(-1, s.shape[2]), self.steps, where)[:2]
        if len(s) == len(self.s):
            self.whole = tape
        return tape


class DeviceCourse(Course):
    """A course of cell networks whose stretches are tapes on a GPU, all networks at once, or as many as fit."""

    on_device = True

    def __init__(self, nets, x, s):
        super().__init__(nets, x, s)
        self.one, self.made = layout(nets[0]), None
        self.weight_bytes = weight_bytes(nets[0])
        numbers = self.one.gates + self.one.states + (self.one.m[1] > 0)
        self.step_bytes = s.shape[0] * s.shape[1] * numbers * self.one.units * s.itemsize

    def layout(self, nets):
        """Layout of some of the networks in device memory; kept if these are all."""
        if len(self.nets[nets]) < len(self.nets):
            self.made = None
            return layout(*self.nets[nets])
        self.made = self.made or layout(*self.nets)
        return self.made

    def stretch(self, steps):
        """Run the next steps; their tape comes back with the states (frame, time + 1, state) around them."""
        count, batch, size = self.s.shape
        x = self._inputs(steps, batch)
        stretch = DeviceStretch(self, x, self.s, steps)
        states = np.empty((count * batch, steps + 1, size), self.s.dtype)

        def run(nets):
            s, into = stretch.tape(nets)[1], states[nets.start * batch : nets.stop * batch]
            s.copy_to_host(into.reshape(s.shape))

        in_tiles(count, stretch.network_bytes, run, "network")
        self.s, self.t = np.ascontiguousarray(states[:, -1]).reshape(self.s.shape), self.t + steps
        return stretch, states

    def _inputs(self, steps, batch):
        """Inputs of the next steps, in device memory."""
        if is_on_gpu(self.x):
            return self.x[:, self.t : self.t + steps]
        x = inputs_at(self.nets[0], self.x, self.t, steps, batch)
        return required(lambda: cuda.to_device(x), x.nbytes, "stretch of inputs")

    def frames(self, Q):
        """Frames with the columns ``Q`` (frame, state, column), on the device."""
        return DeviceFrames(Q)


class DeviceFrames:
    """Orthonormal tangent vectors ``Q`` (frame, state, column), as :class:`rnndyn.tangents.Frames`.

    They are in device memory between the calls where there is room for three times as many.

    Parameters
    ----------
    Q : ndarray, shape (frame, state, column)
        Orthonormal columns.
    """

    def __init__(self, Q):
        self.Q, self.columns = np.array(Q, order="C"), Q.shape[2]
        self.resolved = (RESOLVED * Q.shape[1] * np.finfo(Q.dtype).eps) ** 2
        self.limits = cuda.to_device(np.array([0, self.resolved, KEPT, np.inf], Q.dtype))
        if 3 * Q.nbytes <= free_bytes():
            fits(self._hold)

    def _hold(self):
        self.Q = on_device(self.Q)

    def get(self, r):
        """Columns (state, column) of one frame."""
        return self.Q[r].copy() if isinstance(self.Q, np.ndarray) else self.Q[r].copy_to_host()

    def set(self, r, Q):
        """Replace one frame."""
        if isinstance(self.Q, np.ndarray):
            self.Q[r] = Q
        else:
            self.Q[r].copy_to_device(np.ascontiguousarray(Q, self.Q.dtype))

    def grow(self, stretch, interval, done, growth=None):
        """Push the frames through a stretch, orthonormalised every ``interval`` steps.

        Parameters
        ----------
        stretch : DeviceStretch
            Tape of steps.
        interval, done, growth
            As in :meth:`rnndyn.tangents.Frames.grow`.

        Returns
        -------
        growth : ndarray, shape (window, frame, column)
            R_jj of the windows that are done.
        R : None
            In the place of the factors, which are not kept.
        lost : ndarray of bool, shape (frame,)
            Where a window could not be resolved: the frame stands before it.
        """
        count, batch, size = stretch.s.shape
        windows, lost = -(-stretch.steps // interval), np.zeros(count * batch, np.bool_)
        growth = np.ones((windows, len(lost), self.columns), self.Q.dtype) if growth is None else growth

        def push(nets):
            rows = slice(nets.start * batch, nets.stop * batch)
            growth[:, rows], done[rows], lost[rows] = self._push(stretch, nets, rows, interval, done, growth)

        row_bytes = self._bytes(stretch.way.one, size, windows)
        held = 0 if stretch.whole else stretch.network_bytes
        in_tiles(count, held + batch * row_bytes, push, "network")
        return growth, None, lost

    def _bytes(self, made, size, windows):
        """Device memory that a frame takes beside the tape while it is pushed, if it is not there already."""
        held = 2 if isinstance(self.Q, np.ndarray) else 1
        driven = made.gates if self._wide(made) else 0
        numbers = (2 + held) * size + made.units * ((made.m[1] > 0) + driven) + 2 + windows
        derivatives = (made.states + 1) * (made.states + made.gates) * made.units
        spilled = spilled_numbers(room_numbers(self.columns), made.dtype)
        return (numbers * self.columns + derivatives + spilled) * made.dtype.itemsize

    def _push(self, stretch, nets, rows, interval, done, growth):
        """Push the frames of some networks; their growth, windows and losses come back."""
        (made, s, a), Q = stretch.tape(nets), on_device(self.Q[rows])
        count, _, columns = Q.shape
        D = room_for_derivatives(made, count)
        pushed, before = (cuda.device_array(Q.shape, made.dtype) for _ in range(2))
        here = np.ascontiguousarray(growth[:, rows]), done[rows].copy(), np.zeros(count, np.bool_)
        if len(stretch.s) == 1 and self._wide(made):
            self._push_wide(made, s, a, D, Q, pushed, before, *here, interval)
            if isinstance(self.Q, np.ndarray):
                self.Q[rows] = Q.copy_to_host()
            return here
        rates = cuda.device_array((count, made.units if made.m[1] else 0, columns), made.dtype)
        squares = cuda.device_array((count, 2, columns), made.dtype)
        found, counted, lost = map(cuda.to_device, here)
        bytes_shared, *room = room_for(count, room_numbers(columns), made)
        grow[count, threads_for(made.units * columns), 0, bytes_shared](
            made.weights, s, a, D, Q, pushed, before, rates, squares, self.limits, found, counted, lost, interval,
            *room,
        )  # fmt: skip
        if isinstance(self.Q, np.ndarray):
            self.Q[rows] = Q.copy_to_host()
        return found.copy_to_host(), counted.copy_to_host(), lost.copy_to_host()

    def _wide(self, made):
        """Whether a library takes a frame of such a network."""
        return made.states * made.units * self.columns >= WORTH_LIBRARY and library.cupy() is not None

    def _push_wide(self, made, s, a, D, Q, pushed, before, growth, done, lost, interval):
        """As :func:`rnndyn.kernels.cuda.frames.grow`, a frame after the other, by products and QR of a library.

        The processor looks at each window once: at the diagonal of its factor.
        """
        p, units, k = made.weights, made.units, self.columns
        (_, by_states), (_, by_rates) = made.h, made.m
        u, v = (cuda.device_array((count, units, k), made.dtype) for count in (by_states, by_rates))
        rates = cuda.device_array((units if by_rates else 0, k), made.dtype)
        grid, (threads, steps) = grid_of(units, k), (threads_for(units), a.shape[1])
        of_rates = through(p.W_mT, rates, v)
        with library.on_stream():
            for r, frame in enumerate(Q[r] for r in range(len(Q))):
                of_states = through(p.W_hT, frame[:units], u)
                for w in range(done[r], len(growth)):
                    before[r].copy_to_device(frame)
                    for t in range(w * interval, min((w + 1) * interval, steps)):
                        frame_steps.derive[1, threads](p, s, a, D, r, t)
                        of_states()
                        if by_rates:
                            frame_steps.send[grid](p, D, Q, r, u, rates)
                            of_rates()
                        frame_steps.combine[grid](p, D, Q, r, u, v, pushed)
                        frame.copy_to_device(pushed[r])
                    growth[w, r], squares = library.orthonormalise(frame)
                    kept = growth[w, r].astype(np.float64) ** 2
                    if not (np.isfinite(kept) & (kept > self.resolved * squares)).all():
                        growth[w, r] = 1
                        frame.copy_to_device(before[r])
                        lost[r] = True
                        break
                    done[r] = w + 1


def through(W, values, out):
    """Launch of ``out = W values`` for each pre-activation of ``W`` (network, pre-activation, unit, column)."""
    if not W.size:
        return lambda: None
    _, count, units, width = W.shape
    return library.product(W.reshape(count * units, width), values, out.reshape(count * units, out.shape[2]))
