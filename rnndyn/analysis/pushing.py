"""Frames pushed along runs with their triangular factors, and back to where they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.analysis.measure import STRETCH_BYTES
from rnndyn.kernels.jit import COMPILED
from rnndyn.tangents import Course, Frames, Stretch

WORTH_TILES = 1e5  # operations between two frames that are wanted: a millisecond of NumPy


class Push:
    """Frames on their way, with the factors ``J Q = Q' R`` of each window; the R_jj are positive.

    Parameters
    ----------
    way : Course
        The runs.
    Q : (R, S, k)
        Orthonormal frames, as many for each run, the first few for the first.
    interval
        Steps of a window.

    Attributes
    ----------
    Q
        Frames, where they are now.
    diverged, singular, unresolved : (R,) bool
        Whether a state or vector left the range of numbers; whether k columns were not independent; whether a window
        was too long for its spread. The factors are then those of the identity, or not to be trusted.
    """

    def __init__(self, way: Course, Q: np.ndarray, interval: int) -> None:
        self.way, self.Q, self.interval = way, Q, interval
        self.each = len(Q) // len(self.states)
        self.eps = float(np.finfo(Q.dtype).eps)
        self.diverged, self.singular, self.unresolved = (np.zeros(len(Q), bool) for _ in range(3))

    @property
    def states(self) -> np.ndarray:
        """States (runs, S) where the frames are."""
        return self.way.s.reshape(-1, self.way.s.shape[-1])

    def checkpoint(self) -> Any:
        """What `restore` takes to come back here."""
        return self.way.t, self.way.s, self.Q

    def restore(self, checkpoint: Any) -> None:
        """Go back to a checkpoint.

        Parameters
        ----------
        checkpoint
            From `checkpoint`.
        """
        self.way.t, self.way.s, self.Q = checkpoint

    def ahead(self, steps: int, every: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Push the frames on.

        Parameters
        ----------
        steps, every
            How far, and after how many steps each the frames are wanted: multiples of the interval.

        Returns
        -------
        (windows, R, k, k) array, list of (R, S, k) arrays, list of (runs, S) arrays
            The factors, in float64; the frames and the states.
        """
        rows, size, k = self.Q.shape
        compiled = COMPILED and rows * k * size**2 * every > WORTH_TILES
        most = max(1, STRETCH_BYTES // self.way.step_bytes // self.interval) * self.interval
        factors, frames, states, at = [], [], [], 0
        while at < steps:
            part = min(most, steps - at, every - at % every if compiled else steps)
            R, Q, s = (self._by_tiles if compiled else self._by_householder)(part)
            factors.append(R)
            for n, frame in enumerate(Q, 1):
                t = n * part // len(Q)
                if (at + t) % every == 0:
                    frames.append(frame)
                    states.append(s[:, t])
            at += part
        R = np.concatenate(factors)
        wide = np.ptp(np.log(np.einsum("wrkk->wrk", R)), axis=2) > -np.log(self.eps) / 2
        self.unresolved |= (wide & (self.interval > 1)).any(axis=0)
        return R, frames, states

    def _by_householder(self, steps: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Factors, frames at the ends of all windows, and states (runs, time + 1, S)."""
        J, states = self.way.matrices(steps)
        self._lose(states)
        J, factors, frames = np.repeat(J, self.each, axis=1), [], []
        for t in range(0, steps, self.interval):
            factors.append(self._window(J[t : t + self.interval]))
            frames.append(self.Q)
        return np.stack(factors), frames, states

    def _window(self, J: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
        """Push some frames through one window of Jacobians (time, rows, S, S); their factors come back."""
        pushed = self.Q[rows]
        for matrices in J:
            pushed = matrices @ pushed
        bad = ~np.isfinite(pushed).all(axis=(1, 2))
        Q, R = np.linalg.qr(np.where(bad[:, None, None], self.Q[rows], pushed))
        signs = np.where(np.einsum("rkk->rk", R) < 0, -1, 1).astype(R.dtype)
        Q, R = Q * signs[:, None], (R * signs[:, :, None]).astype(np.float64)
        diagonal = np.einsum("rkk->rk", R)
        vanished = (diagonal <= self.eps * np.abs(R).max(axis=1)).any(axis=1)
        R[bad | vanished] = np.eye(R.shape[1])
        self.diverged[rows] |= bad
        self.singular[rows] |= vanished & ~bad
        if isinstance(rows, slice):
            self.Q = Q
        else:
            self.Q[rows] = Q
        return R

    def _by_tiles(self, steps: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Factors, the frames at the end, and states (runs, time + 1, S)."""
        start = self.way.t
        stretch, states = self.way.stretch(steps)
        self._lose(states)
        stretch = self._for_frames(stretch)
        windows, frames = steps // self.interval, Frames(self.Q)
        done = np.where(self.diverged, windows, 0)
        R = np.broadcast_to(np.eye(self.Q.shape[2]), (windows, *self.Q.shape[::2], self.Q.shape[2])).copy()
        while (done < windows).any():
            begun = done.copy()
            _, factors, lost = frames.grow(stretch, self.interval, done, factors=True)
            for r, (first, last) in enumerate(zip(begun, done, strict=True)):
                R[first:last, r] = factors[first:last, r]
            self.Q = frames.get()
            for r in map(int, np.flatnonzero(lost)):  # what Gram-Schmidt cannot resolve, Householder's QR decides
                t = done[r] * self.interval
                run = r // self.each
                J = self.way.jacobians(run, start + t, states[run, t : t + self.interval])
                R[done[r], r] = self._window(J[:, None], [r])[0]
                frames.set(r, self.Q[r])
                done[r] += 1
        return R, [self.Q], states

    def _lose(self, states: np.ndarray) -> None:
        self.diverged |= np.repeat(~np.isfinite(states).all(axis=(1, 2)), self.each)

    def _for_frames(self, stretch: Stretch) -> Stretch:
        """Steps of every frame, from those of the runs."""
        J = stretch.J.reshape(len(stretch.J) // len(stretch.nets), len(stretch.nets), *stretch.J.shape[1:])
        return stretch._replace(
            D=tuple(np.repeat(d, self.each, axis=1) for d in stretch.D),
            J=np.repeat(J, self.each, axis=1).reshape(-1 if J.size else 0, *J.shape[2:]),
            nets=np.repeat(stretch.nets, self.each),
        )
