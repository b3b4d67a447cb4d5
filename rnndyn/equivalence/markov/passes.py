"""The passes over sequences of a hidden Markov model, on plain arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.equivalence.markov.sequences import Sequences
from rnndyn.kernels.cpu import markov
from rnndyn.kernels.cpu.markov_lanes import ROWS, SLOTS
from rnndyn.kernels.jit import WIDTH, parallel, threads_for
from rnndyn.kernels.memory import aligned_empty, aligned_zeros

# A step multiplies a belief by a probability of A and one of B. While that leaves it above `FLOOR`, nothing vanishes
# unseen, so the smallest belief allowed follows from the model. A model that would allow none is done in logarithms.
FLOOR = 1e-290
SMALLEST, LARGEST = 1e-250, 1e-30  # of that smallest belief
GROUPS = 32  # of units, in which counts are added up: fixed, so that sums do not depend on the threads
LANES = WIDTH["float64"]  # sequences side by side
PER_SYMBOL = 60  # operations, or the time of so many, that a symbol takes whatever the number of states


class Tables(NamedTuple):
    """What the kernels read: (initial, A, A', B'), the logarithms of the same, B itself; the first in whole tiles."""

    model: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    logs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    emission: np.ndarray
    padded: tuple[np.ndarray, np.ndarray, np.ndarray]
    least: float  # belief that numbers may hold; inf: none


class Forward(NamedTuple):
    """Beliefs (time of all sequences, state), as logarithms in sequences that are ``wide``."""

    predicted: np.ndarray
    filtered: np.ndarray
    log_scale: np.ndarray
    loglik: np.ndarray
    wide: np.ndarray


class Counts(NamedTuple):
    """Expected numbers of first states (K,), transitions (K, K) and emissions (K, M): d loglik / d ln of each."""

    initial: np.ndarray
    transition: np.ndarray
    emission: np.ndarray


def tables(initial: np.ndarray, transition: np.ndarray, emission: np.ndarray) -> Tables:
    """Copies of the probabilities in the layouts that the kernels read."""
    model = tuple(np.array(a, order="C") for a in (initial, transition, transition.T, emission.T))
    with np.errstate(divide="ignore"):
        logs = tuple(np.log(a) for a in model)
    first, step, seen = (a[a > 0].min() for a in (initial, transition, emission))
    with np.errstate(divide="ignore", over="ignore"):
        least = max(SMALLEST, float(FLOOR / step / seen))
    if least > LARGEST or first * seen < FLOOR:
        least = np.inf
    more = -len(initial) % ROWS
    padded = tuple(np.pad(a, (0, more)) for a in model[:3])
    return Tables(model, logs, np.array(emission), padded, least)  # type: ignore[arg-type]


def forward(of: Tables, data: Sequences, *, keep: bool = True) -> Forward:
    """Run the filter; without ``keep`` only ``loglik`` is worth reading."""
    states, count = len(of.model[0]), len(data.starts) - 1
    order, groups = _units(data)
    rows = len(data.x) if keep else 2 * groups
    made = Forward(
        aligned_empty((rows, states), np.float64),
        aligned_empty((rows, states), np.float64),
        aligned_empty((len(data.x),), np.float64),
        np.empty(count),
        np.full(count, of.least == np.inf),
    )
    work = (
        _room(of, groups), np.empty((groups, 2, LANES)), np.empty((groups, LANES), np.int64),
        np.empty((groups, LANES, 2)), np.zeros((1, LANES)),
    )  # fmt: skip
    with parallel(_threads(data, states, groups)):
        markov.forward(data.x, data.starts, order, groups, of.model, of.logs, of.padded, of.least, work, *made, keep)
    if keep:
        plain = True if not made.wide.any() else ~np.repeat(made.wide, data.lengths)
        with np.errstate(divide="ignore"):
            np.log(made.log_scale, out=made.log_scale, where=plain)
    return made


def backward(
    of: Tables, data: Sequences, made: Forward, *, keep: bool = True, counting: bool = True
) -> tuple[np.ndarray, Counts]:
    """Smoothed beliefs (with ``keep``), and (with ``counting``) expected counts of all possible sequences together."""
    states, symbols = of.emission.shape
    order, groups = _units(data)
    room = _room(of, groups)
    smoothed = aligned_empty((len(data.x) if keep else 2 * groups, states), np.float64)
    initial, counts = np.zeros((groups, states)), np.zeros((groups, 2, states, states))
    wide = room.shape[2]
    together = np.zeros((groups, wide, wide, LANES) if counting and len(order) >= LANES else (groups, 0, 0, LANES))
    emitted = np.zeros((groups, symbols, states))
    with parallel(_threads(data, states, groups)):
        markov.backward(
            data.x, data.starts, order, groups, of.model, of.logs, of.padded, (room, np.zeros((1, LANES))),
            made.predicted, made.filtered, made.loglik, made.wide, smoothed, keep, np.empty((groups, states)), initial,
            counts, together, emitted, counting,
        )  # fmt: skip
    impossible = np.isneginf(made.loglik)
    if keep and impossible.any():
        smoothed[np.repeat(impossible, data.lengths)] = np.nan
    by_number, by_log = counts.sum(axis=0)
    if together.size:
        by_number += together.sum(axis=(0, 3))[:states, :states]
    return smoothed, Counts(initial.sum(axis=0), by_number * of.model[1] + by_log, emitted.sum(axis=0).T)


def viterbi(of: Tables, data: Sequences) -> np.ndarray:
    """Most probable states of all sequences, -1 where there are none."""
    states = len(of.model[0])
    order, groups = _units(data)
    path = np.empty(len(data.x), np.int64)
    came = aligned_zeros((len(data.x), states), np.int32)
    score, origin = np.empty((groups, 2, states)), np.empty((groups, states), np.int64)
    with parallel(_threads(data, states, groups)):
        markov.viterbi(data.x, data.starts, order, groups, of.logs, _room(of, groups), score, origin, came, path)
    return path


def joint_loglik(of: Tables, data: Sequences, path: np.ndarray) -> np.ndarray:
    """Log probabilities (B,) of paths of states together with the symbols; -inf for a path of -1."""
    total = np.empty(len(data.starts) - 1)
    groups = min(GROUPS, max(len(total), 1))
    with parallel(threads_for(8 * len(data.x), groups)):
        markov.joint(data.x, path, data.starts, groups, of.logs, total)
    return total


def sample(of: Tables, count: int, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """States and symbols (count, steps) drawn from the model."""
    z, x = np.empty((2, count, steps), np.int64)
    groups = min(GROUPS, max(count, 1))
    model = (*of.model[:3], of.emission)
    with parallel(threads_for(z.size * len(of.emission), groups)):
        markov.sample(groups, model, rng.random((count, steps, 2)), z, x)
    return z, x


def sample_posterior(of: Tables, data: Sequences, count: int, rng: np.random.Generator) -> np.ndarray:
    """States (count, time of all sequences) drawn given the symbols; -1 where the symbols are impossible."""
    made, states = forward(of, data), len(of.model[0])
    groups = min(GROUPS, max(len(data.starts) - 1, 1))
    paths = np.empty((count, len(data.x)), np.int64)
    with parallel(threads_for(paths.size * states, groups)):
        markov.sample_back(
            data.starts, groups, of.model, of.logs, made.predicted, made.filtered, made.loglik, made.wide,
            rng.random(paths.shape), np.empty((groups, states)), paths,
        )  # fmt: skip
    return paths


def _units(data: Sequences) -> tuple[np.ndarray, int]:
    """Sequences by length, and into how many groups their units are dealt."""
    order = np.argsort(data.lengths, kind="stable")
    return order, min(GROUPS, max(1, -(-len(order) // LANES)))


def _room(of: Tables, groups: int) -> np.ndarray:
    return np.zeros((groups, SLOTS, len(of.padded[0]), LANES))


def _threads(data: Sequences, states: int, groups: int) -> int:
    return threads_for(len(data.x) * (2 * states * states + PER_SYMBOL), groups)
