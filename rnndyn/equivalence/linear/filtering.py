"""The Kalman filter and smoother on plain arrays: what the public calls and the likelihood of a fit have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.equivalence.linear.state_space import StateSpace, factor
from rnndyn.kernels.cpu import kalman
from rnndyn.kernels.jit import parallel, threads_for
from rnndyn.kernels.memory import aligned_empty


class Series(NamedTuple):
    """Outputs y (batch, time, O), NaN where missing, and inputs x (1 or batch, time, I), or None."""

    y: np.ndarray
    x: np.ndarray | None


class Start(NamedTuple):
    """Law of the first state before its input: mean (n,) or (batch, n), factor of the covariance.

    The first `infinite` columns of the factor are directions that nothing is known about.
    """

    mean: np.ndarray
    factor: np.ndarray
    infinite: int


class Gains(NamedTuple):
    """What `rnndyn.kernels.cpu.kalman.gains` fills, and the pattern of missing values of each series."""

    pattern: np.ndarray
    seen: np.ndarray
    step: np.ndarray
    K: np.ndarray
    U: np.ndarray
    S: np.ndarray
    logdet: np.ndarray
    Pp: np.ndarray
    Pf: np.ndarray
    J: np.ndarray
    C: np.ndarray

    def over_time(self, name: str) -> np.ndarray:
        """S, Pp or Pf as (batch, time, ., .), infinite where they are so."""
        values = getattr(self, name)
        if len(values) == 1:
            return self.spread(values[:, self.step[0]])
        if _counts(self.pattern, len(values)) and _counts(self.step, values.shape[1]):
            return _whole(values)
        return _whole(values[self.pattern[:, None], self.step[self.pattern]])

    def spread(self, covariance: np.ndarray) -> np.ndarray:
        """Covariances (pattern, time, part, ., .) as (batch, time, ., .); a view if all share one or none."""
        whole = _whole(covariance)
        if _counts(self.pattern, len(whole)):
            return whole
        if len(whole) == 1:
            return np.broadcast_to(whole[0], (len(self.pattern), *whole.shape[1:]))
        return whole[self.pattern]


def _counts(numbers: np.ndarray, many: int) -> bool:
    """Whether the numbers are 0, 1, .. along their last axis, as many as that."""
    return numbers.shape[-1] == many and bool((numbers == np.arange(many)).all())


def _whole(covariance: np.ndarray) -> np.ndarray:
    """Covariances (., time, part, ., .) without the parts: infinite where the second is not zero."""
    finite = covariance[:, :, 0]
    if covariance.shape[2] == 1:
        return finite
    infinite = covariance[:, :, 1]
    variance = np.sqrt(np.einsum("ptii->pti", infinite))
    there = np.abs(infinite) > 1e-10 * variance[..., None] * variance[..., None, :]
    return np.where(there, np.copysign(np.inf, infinite), finite)


class Filtered(NamedTuple):
    """Means (batch, time, n), innovations (batch, time, O), log-likelihoods (batch, time)."""

    predicted: np.ndarray
    filtered: np.ndarray
    innovation: np.ndarray
    loglik: np.ndarray


def _room(*shape: int) -> np.ndarray:
    return aligned_empty(shape, np.float64)


def rooms(workers: int, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Room for each worker, of at least these shapes: none shares a line of the cache with that of another."""
    return tuple(_room(workers, *rows, -(-columns // 8) * 8) for *rows, columns in shapes)


def gains(model: StateSpace, start: Start, y: np.ndarray, smoothing: bool) -> Gains:
    """Run the covariances, once for each pattern of missing values.

    Raises
    ------
    ValueError
        Where the innovations' covariance is singular.
    """
    seen, pattern = patterns(~np.isnan(y))
    count, T, outputs = seen.shape
    n, parts, kept = len(model.A), 2 if start.infinite else 1, T if smoothing else 0
    step, failed = np.zeros((count, T), np.int64), np.empty(count, np.int64)
    K, U, S = (_room(count, T, *shape) for shape in ((n, outputs), (outputs, outputs), (parts, outputs, outputs)))
    logdet, Pp, Pf = _room(count, T), _room(count, T, parts, n, n), _room(count, T, parts, n, n)
    J, C = _room(count, kept, n, n), _room(count, kept, parts, n, n)
    if not smoothing:
        J, C = np.empty((count, 1, 0, n)), np.empty((count, 1, 0, n, n))
    Q, R = factor(model.Q), factor(model.R)
    workers = threads_for(count * T * 20 * n**3, count)
    width, most = 4 * n + 2 * outputs, max(n, outputs)
    numbers = rooms(workers, (n, width), (max(2 * n, n + outputs), width), (width,), (2, most), (most,))
    room = (*numbers[:-1], numbers[-1].view(np.int64))
    arrays = (step, K, U, S, logdet, Pp, Pf, J, C, failed, room)
    with parallel(workers):
        kalman.gains(seen, model.A, model.V, Q, R, start.factor, start.infinite, *arrays, workers)
    if failed.max(initial=-1) >= 0:
        raise ValueError(
            f"linear gives outputs without error at time {failed.max() + 1}: the covariance of the innovations is "
            "singular, and there is no density; give observation_noise, or fewer outputs"
        )
    return Gains(pattern, seen, step, K, U, S, logdet, Pp, Pf, J, C)


def patterns(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows (pattern, time, O) of a mask (batch, time, O), and which of them each series has."""
    if seen.all():
        return np.ones((1, *seen.shape[1:]), bool), np.zeros(len(seen), np.int64)
    flat = np.packbits(seen.reshape(len(seen), -1), axis=1)
    _, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # as they come: where each series has its own, these are those of the series
    return np.ascontiguousarray(seen[first[order]]), np.argsort(order)[inverse.reshape(-1)]


def filter_means(model: StateSpace, start: Start, series: Series, gains: Gains) -> Filtered:
    """Run the means of all series."""
    y = np.ascontiguousarray(series.y - model.c)
    batch, T, outputs = y.shape
    n = len(model.A)
    drive = model.b[None, None] if series.x is None else model.b + series.x @ model.B.T
    first = start.mean + (drive[:, 0] - model.b if T else 0.0)
    first = np.ascontiguousarray(np.broadcast_to(first, (batch, n)))
    out = Filtered(_room(batch, T, n), _room(batch, T, n), _room(*y.shape), _room(batch, T))
    workers = threads_for(batch * T * 2 * (n * n + 2 * n * outputs), batch)
    g, room = gains, rooms(workers, (outputs,))
    with parallel(workers):
        kalman.filter_means(
            y, drive, first, model.A, model.V, g.pattern, g.seen, g.step, g.K, g.U, g.logdet, *out, *room, workers
        )
    return out


def smooth(gains: Gains, means: Filtered) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed means (batch, time, n) and covariances (pattern, time, part, n, n)."""
    batch, T, n = means.predicted.shape
    smoothed, covariances = _room(batch, T, n), _room(len(gains.step), T, *gains.Pf.shape[2:])
    if T:
        workers = threads_for(batch * T * 2 * n * n, batch)
        with parallel(workers):
            kalman.smooth_means(gains.pattern, gains.step, gains.J, means.predicted, means.filtered, smoothed, workers)
        workers = threads_for(len(gains.step) * T * 4 * n**3, len(gains.step))
        with parallel(workers):
            kalman.smooth_covariances(
                gains.step, gains.J, gains.C, gains.Pf, covariances, *rooms(workers, (n, n)), workers
            )
    return smoothed, covariances
