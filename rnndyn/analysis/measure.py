"""The measurement of Lyapunov exponents: frames on their way along runs, and what is learnt of their growth.

Two movers push frames along the same runs: :class:`ByHouseholder`, step by step with NumPy, and :class:`ByTiles`,
compiled, for which Householder's QR decides where a factor cannot be resolved. A :class:`Measure` collects what either
finds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rnndyn.analysis.frames import Frame, spreads
from rnndyn.analysis.growth import Tally, dimension_weights, entropy_rate, kaplan_yorke
from rnndyn.kernels.jit import COMPILED
from rnndyn.schema import Status
from rnndyn.tangents import CellCourse, Course, Stretch

SUM_RULE = 1e-6  # nats per step; a larger defect is the fault of the QR, not of the run
WORTH_COMPILING = 1e8  # operations of all steps: some seconds without compiled code
STRETCH_BYTES = 16_000_000
TRANSIENT = 20.0  # nats: so much may be left of it in any run
EVERY = 16  # windows, of which one is checked by its determinants where these cost as much as a part of a step
CHECKS = 64  # at least, where there are so many windows
BEGIN = 8  # windows, where those that spread too much are gone through again
LOSS = 1 / 3  # of the digits is what an R_ii may lose there


class Summary(NamedTuple):
    """Results of R runs: arrays (R, k) of exponents and their errors, (R,) of the rest."""

    exponent: np.ndarray
    stderr: np.ndarray
    dimension: np.ndarray
    dimension_stderr: np.ndarray
    entropy_rate: np.ndarray
    entropy_stderr: np.ndarray
    sum_rule_defect: np.ndarray
    status: np.ndarray


class Measure:
    """Growth along R runs in k directions: sums in blocks, the sum rule, and what went wrong.

    Parameters
    ----------
    rows, k
        R and k.
    complete
        Whether the sum rule holds, with as many directions as states.
    tell
        Called with the number of steps whenever growth over some comes in.

    Attributes
    ----------
    diverged, unresolved : (R,) bool
        Whether a state or a tangent vector left the range of numbers; whether a window was too long for its spread.
    zeros : (R, k)
        Windows at which a direction vanished to rounding, of ``windows``.
    """

    def __init__(self, rows: int, k: int, complete: bool, tell: Callable[[int], Any] = lambda steps: None) -> None:
        self.complete, self.tell = complete, tell
        self.logs = Tally((rows, k))
        self.windows, self.zeros = 0, np.zeros((rows, k), int)
        self.unresolved, self.diverged = np.zeros(rows, bool), np.zeros(rows, bool)
        self.defect, self.checked = np.zeros(rows), 0

    def add(self, logs: np.ndarray, steps: np.ndarray) -> None:
        """Take log R_ii (windows, R, k) of windows of so many steps each."""
        self.logs.add_many(logs, steps)
        self.windows += len(logs)
        self.tell(int(steps.sum()))

    def check(self, defect: np.ndarray, steps: int) -> None:
        """Take the sum over some steps of what log R_ii have beyond log |det J|, (R,)."""
        self.defect += defect
        self.checked += steps

    def summary(self) -> Summary:
        """What the runs tell so far."""
        exponent, stderr = self.logs.mean(), self.logs.stderr()
        drift, error = self.logs.drift()
        exponent[(self.zeros == self.windows) & (self.windows > 0)] = -np.inf
        stderr[np.isneginf(exponent)] = 0
        restless = (np.abs(drift) > 5 * error + TRANSIENT / self.logs.total) & np.isfinite(exponent)
        defect = self.defect / self.checked if self.checked else np.full(len(exponent), np.nan)
        found = summarise(exponent, stderr, defect, self.complete, self.logs)
        found.status[restless.any(axis=-1)] = Status.NOT_CONVERGED
        found.status[self.unresolved] = Status.ILL_CONDITIONED
        found.status[found.sum_rule_defect > SUM_RULE] = Status.CHECK_FAILED
        found.status[self.diverged] = Status.DIVERGED
        for values in found[:-1]:
            values[self.diverged] = np.nan
        return found


def summarise(exponent, stderr, defect, complete: bool, logs: Tally | None = None) -> Summary:
    """Sort the exponents (R, k) and derive the rest from them; every status is OK.

    Parameters
    ----------
    exponent, stderr : (R, k)
        Exponents in any order, and their errors.
    defect : (R,)
        Of the sum rule, with its sign.
    complete
        Whether they are all that there are.
    logs
        Blocks of growth in the same order, for the errors of dimension and entropy rate; None for exact exponents.
    """
    order = np.argsort(-exponent, axis=-1, kind="stable")
    exponent, stderr = (np.take_along_axis(v, order, -1) for v in (exponent, stderr))
    known = complete & np.isfinite(exponent).all(axis=-1)
    dimension, entropy = kaplan_yorke(exponent, complete), entropy_rate(exponent, complete)
    errors = np.zeros((2, len(exponent)))
    if logs is not None:
        slopes = dimension_weights(exponent, complete), 1.0 * (exponent > 0)
        for error, slope in zip(errors, slopes, strict=True):
            weights = np.empty_like(slope)
            np.put_along_axis(weights, order, slope, -1)
            error[:] = logs.stderr_of(weights)
    errors[0][np.isnan(dimension)] = np.nan
    errors[1][np.isnan(entropy)] = np.nan
    status = np.full(len(exponent), int(Status.OK))
    return Summary(
        exponent, stderr, dimension, errors[0], entropy, errors[1], np.abs(np.where(known, defect, np.nan)), status
    )


class ByHouseholder:
    """Mover of frames, step by step.

    Parameters
    ----------
    way : Course
        The R runs.
    Q : (R, S, k)
        Orthonormal frames, one for each run.
    interval
        Steps of a window; None to adapt them.
    """

    def __init__(self, way: Course, Q: np.ndarray, interval: int | None) -> None:
        self.way, self.frame, self.fixed = way, Frame(Q), interval

    def advance(self, steps: int, measure: Measure) -> int:
        """Move on by so many steps, or as many as there are; their number comes back."""
        self.frame.restart()
        pushed, done, window = self.frame.Q, 0, []
        while done < steps:
            J, states = self.way.matrices(min(steps - done, max(1, STRETCH_BYTES // self.way.step_bytes)))
            if not len(J):
                break
            lost = ~(np.isfinite(J).all(axis=(2, 3)) & np.isfinite(states[:, 1:]).all(axis=2).T)
            J[lost] = np.eye(J.shape[2])
            measure.diverged |= lost.any(axis=0)
            for matrices in J:
                pushed, done = matrices @ pushed, done + 1
                window.append(matrices)
                if len(window) >= (self.fixed or self.frame.interval()):
                    pushed, window = self._close(pushed, window, measure), []
        if window:
            self._close(pushed, window, measure)
        measure.zeros += self.frame.zeros
        measure.unresolved |= self.frame.unresolved
        return done

    def _close(self, pushed, window: list[np.ndarray], measure: Measure) -> np.ndarray:
        """End a window with a QR, or if that does not resolve it, with one at each step; the new frame comes back."""
        frame, steps = self.frame, len(window)
        bad = ~np.isfinite(pushed).all(axis=(-2, -1))
        before = frame.Q, frame.zeros.copy(), frame.windows, frame.unresolved.copy()
        logs = frame.orthonormalise(np.where(bad[:, None, None], frame.Q, pushed), steps, lambda: window[-1])
        if steps > 1 and not self.fixed and (bad | frame.unresolved & ~before[3]).any():
            frame.Q, frame.zeros, frame.windows, frame.unresolved = before
            for matrices in window:
                self._close(matrices @ frame.Q, [matrices], measure)
            return frame.Q
        measure.diverged |= bad
        measure.add(logs[None], np.array([steps]))
        if measure.complete:
            with np.errstate(divide="ignore", invalid="ignore"):
                determinants = sum(np.linalg.slogdet(matrices.astype(np.float64))[1] for matrices in window)
                measure.check(logs.sum(axis=-1) - determinants, steps)
        return frame.Q


class ByTiles:
    """As :class:`ByHouseholder`, compiled: windows of many steps at a time, on the processor or on a GPU."""

    def __init__(self, way: Course, Q: np.ndarray, interval: int | None) -> None:
        self.way, self.frames, self.fixed = way, way.frames(Q), interval
        self.judge, self.windows = Frame(Q[:1]), 0
        self.alive = np.ones(len(Q), bool)
        # Where windows that spread too much are gone through again, their length is that which costs least.
        self.guard = {"widest": self.judge.eps**-LOSS} if interval is None and not way.on_device else {}
        self.cheapest = 1

    def advance(self, steps: int, measure: Measure) -> int:
        """Move on by so many steps, or as many as there are; their number comes back."""
        left, stride = steps, 0
        while left:
            interval = self.fixed or (self.cheapest if self.guard else self.judge.interval())
            if not stride:
                # Determinants are the processor's: beside a GPU, those of many windows would take most of the time.
                stride = max(1, min(steps if self.way.on_device else EVERY, steps // interval // CHECKS))
            most = max(1, STRETCH_BYTES // self.way.step_bytes // interval)
            if not self.fixed:
                # The spread is measured before it is relied on.
                most = min(most, max(BEGIN if self.guard else 16, self.windows))
            start = self.way.t
            stretch, states = self.way.stretch(min(left, most * interval))
            if not stretch.steps:
                break
            self._lose(~np.isfinite(states).all(axis=(1, 2)), measure)
            logs, lengths = self._grow(stretch, states, interval, start, measure)
            measure.add(logs, lengths)
            if measure.complete:
                self._check(stretch, states, logs, interval, stride, start, measure)
            left -= stretch.steps
            self.windows += len(logs)
            self.judge.taken = self.windows
        return steps - left

    def _lose(self, rows, measure: Measure) -> None:
        """Give up runs whose states or tangent vectors left the range of numbers."""
        self.alive[rows] = False
        measure.diverged[rows] = True

    def _grow(self, stretch: Stretch, states, interval: int, start: int, measure: Measure):
        """Logarithms of R_ii (windows, R, k) over a stretch, and the steps of its windows."""
        windows = -(-stretch.steps // interval)
        done = np.where(self.alive, 0, windows)
        growth, _, lost = self.frames.grow(stretch, interval, done, **self.guard)
        logs = np.zeros(growth.shape)
        judged = np.zeros(growth.shape[:2], bool)
        while lost.any():
            for r in np.flatnonzero(lost).tolist():
                w = done[r]
                at = slice(w * interval, min((w + 1) * interval, stretch.steps))
                logs[w, r], judged[w, r] = self._judge(r, start + at.start, states[r, at], measure), True
                done[r] = windows if not self.alive[r] else w + 1
            growth, _, lost = self.frames.grow(stretch, interval, done, growth=growth, **self.guard)
        usual = ~judged & self.alive
        logs[usual] = np.log(growth[usual].astype(np.float64))
        lengths = np.full(windows, interval)
        lengths[-1] = stretch.steps - interval * (windows - 1)
        self.judge.learn(logs[usual], np.broadcast_to(lengths[:, None], usual.shape)[usual])
        if self.guard:
            share = 2 * self.frames.size * self.frames.columns / stretch.operations
            self.cheapest = self._cheapest(logs, lengths, usual, share)
        elif interval > 1:
            measure.unresolved[:] |= self._too_wide(logs, usual).any(axis=0)
        return logs, lengths

    def _cheapest(self, logs: np.ndarray, lengths: np.ndarray, usual: np.ndarray, share: float) -> int:
        """Steps of a window that cost least, had all windows spread like these, by the work of a QR beside a step's.

        Of single steps two at a time count: they spread less than twice as much as one.
        """
        if lengths.max() == 1 and len(logs) > 1:
            logs, lengths, usual = logs[1:] + logs[:-1], lengths[1:] + lengths[:-1], usual[1:] & usual[:-1]
        if not usual.any():
            return 1
        each = np.sort((spreads(logs) / lengths[:, None])[usual])
        steps = np.arange(1, self.judge.longest() + 1)
        redone = 1 - np.searchsorted(each, np.log(self.guard["widest"]) / steps, side="right") / len(each)
        redone[0] = 0
        return int(steps[np.argmin(share / steps + redone * (1 + share))])

    def _too_wide(self, logs: np.ndarray, usual: np.ndarray) -> np.ndarray:
        """Windows (windows, R) whose growth spreads over more than half the digits."""
        return usual & (logs.max(axis=-1) - logs.min(axis=-1) > -np.log(self.judge.eps) / 2)

    def _judge(self, r: int, t: int, states: np.ndarray, measure: Measure) -> np.ndarray:
        """Take frame ``r`` through one window by Householder's QR, after every step where the interval is free."""
        J = self.way.jacobians(r, t, states)
        if not (np.isfinite(J).all() and np.isfinite(states).all()):
            self._lose(r, measure)
            return np.zeros(self.frames.columns)
        judge, total = Frame(self.frames.get(r)[None]), np.zeros(self.frames.columns)
        parts = [len(J)] if self.fixed else [1] * len(J)
        zero, at = np.ones(self.frames.columns, bool), 0
        for steps in parts:
            pushed = judge.Q
            for matrix in J[at : at + steps]:
                pushed = matrix @ pushed
            at += steps
            if not np.isfinite(pushed).all():
                self._lose(r, measure)
                return np.zeros(self.frames.columns)
            last = J[at - 1]
            before = judge.zeros.copy()
            total += judge.orthonormalise(pushed, steps, partial(np.expand_dims, last, 0))[0]
            zero &= (judge.zeros > before)[0]
        self.frames.set(r, judge.Q[0])
        measure.zeros[r] += zero
        measure.unresolved[r] |= judge.unresolved[0]
        return total

    def _check(self, stretch: Stretch, states, logs, interval: int, stride: int, start: int, measure: Measure) -> None:
        """Compare windows with the determinants of their Jacobians: all where these are products, else a sample."""
        exact = log_determinants(stretch, self.way)
        if exact is not None:
            with np.errstate(invalid="ignore"):
                measure.check(logs.sum(axis=(0, 2)) - exact, stretch.steps)
            return
        for w in range(-self.windows % stride, len(logs), stride):
            at = slice(w * interval, min((w + 1) * interval, stretch.steps))
            with np.errstate(divide="ignore", invalid="ignore"):
                J = (self.way.jacobians(r, start + at.start, states[r, at]) for r in range(len(states)))
                found = np.array([np.linalg.slogdet(each.astype(np.float64))[1].sum() for each in J])
                measure.check(logs[w].sum(axis=-1) - found, at.stop - at.start)


def log_determinants(stretch: Stretch, way: Course) -> np.ndarray | None:
    """Sums (R,) over a stretch of log |det J| where J = diag(d) W, W the recurrent weights; else None."""
    if not isinstance(way, CellCourse):
        return None
    W_h, W_m = stretch.weights
    if W_h.shape[1] != 1 or W_m.shape[1] or stretch.D[0].shape[2] != 1 or stretch.D[1].any():
        return None
    d = stretch.D[0][:, :, 0, stretch.first[0], : stretch.units].astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.log(np.abs(d)).sum(axis=(0, 2)) + stretch.steps * way.weight_determinants[stretch.nets]


def mover(way: Course, Q: np.ndarray, interval: int | None, steps: int) -> ByHouseholder | ByTiles:
    """The mover for so many steps: compiled where that is worth it, or a GPU was asked for."""
    rows, size, k = Q.shape
    compiled = COMPILED and steps * rows * k * size**2 > WORTH_COMPILING
    return (ByTiles if compiled or way.on_device else ByHouseholder)(way, Q, interval)
