"""Tangent vectors along runs of cell networks on a GPU: courses and frames as in :mod:`rnndyn.tangents`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnndyn.kernels.cuda.device import cuda, room_for, threads_for
from rnndyn.kernels.cuda.frames import grow, room_numbers
from rnndyn.kernels.cuda.pack import layout
from rnndyn.passes_cuda import flat_states, room_for_derivatives, run_through
from rnndyn.tangents import Course, inputs_at

RESOLVED = 4.0  # times S eps: the part of its length that a column must keep for its growth to be told from rounding
KEPT = 0.5  # of the squared length of each column, for a sweep to be the last: of [giraud2005]_


class DeviceStretch(NamedTuple):
    """Tape of some steps of some runs, in device memory."""

    made: Any
    s: Any
    a: Any
    steps: int


class DeviceCourse(Course):
    """A course of cell networks whose stretches are tapes on a GPU, all networks at once."""

    on_device = True

    def __init__(self, nets, x, s):
        super().__init__(nets, x, s)
        self.made = layout(*nets)
        numbers = self.made.gates + self.made.states + (self.made.m[1] > 0)
        self.step_bytes = s.shape[0] * s.shape[1] * numbers * self.made.units * s.itemsize

    def stretch(self, steps):
        """Run the next steps; their tape comes back with the states (frame, time + 1, state) around them."""
        count, batch, size = self.s.shape
        x = cuda.to_device(inputs_at(self.nets[0], self.x, self.t, steps, batch))
        s, a, _ = run_through(self.made, x, self.s.reshape(count * batch, size), steps)
        states = flat_states(s)
        self.s, self.t = np.ascontiguousarray(states[:, -1]).reshape(self.s.shape), self.t + steps
        return DeviceStretch(self.made, s, a, steps), states

    def frames(self, Q):
        """Frames with the columns ``Q`` (frame, state, column), on the device."""
        return DeviceFrames(Q)


class DeviceFrames:
    """Orthonormal tangent vectors ``Q`` (frame, state, column) in device memory, as :class:`rnndyn.tangents.Frames`.

    Parameters
    ----------
    Q : ndarray, shape (frame, state, column)
        Orthonormal columns.
    """

    def __init__(self, Q):
        self.Q, self.columns = cuda.to_device(np.ascontiguousarray(Q)), Q.shape[2]
        eps = np.finfo(Q.dtype).eps
        self.limits = cuda.to_device(np.array([0, (RESOLVED * Q.shape[1] * eps) ** 2, KEPT, np.inf], Q.dtype))

    def get(self, r):
        """Columns (state, column) of one frame."""
        return self.Q[r].copy_to_host()

    def set(self, r, Q):
        """Replace one frame."""
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
        made, (rows, _, columns) = stretch.made, self.Q.shape
        windows = -(-stretch.steps // interval)
        growth = np.ones((windows, rows, columns), made.dtype) if growth is None else growth
        D = room_for_derivatives(made, rows)
        pushed, before = (cuda.device_array(self.Q.shape, made.dtype) for _ in range(2))
        rates = cuda.device_array((rows, made.units if made.m[1] else 0, columns), made.dtype)
        squares = cuda.device_array((rows, 2, columns), made.dtype)
        found, counted, lost = (cuda.to_device(v) for v in (growth, done, np.zeros(rows, np.bool_)))
        bytes_shared, spilled = room_for(rows, room_numbers(columns), made.dtype)
        grow[rows, threads_for(made.units * columns), 0, bytes_shared](
            made.weights, stretch.s, stretch.a, D, self.Q, pushed, before, rates, squares, self.limits, found, counted,
            lost, interval, spilled,
        )  # fmt: skip
        done[:] = counted.copy_to_host()
        return found.copy_to_host(), None, lost.copy_to_host()
