"""The passes over sequences of a hidden Markov model, on plain arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.equivalence.sequences import Sequences
from rnndyn.kernels.cpu import markov
from rnndyn.kernels.jit import parallel, threads_for

# Beliefs of 1e-250 (`markov.SMALLEST`) times two probabilities of this size are still normal floats: nothing vanishes
# unseen in a step. Models with smaller probabilities are done in logarithms from the outset.
SMALLEST = 1e-20
GROUPS = 64  # of sequences, in which counts are added up: fixed, so that sums do not depend on the threads


class Tables(NamedTuple):
    """What the kernels read: (initial, A, A', B'), the logarithms of the same, and B itself."""

    model: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    logs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    emission: np.ndarray
    tiny: bool  # whether a probability is too small for numbers


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
    least = min(a[a > 0].min() for a in (initial, transition, emission))
    return Tables(model, logs, np.array(emission), bool(least < SMALLEST))  # type: ignore[arg-type]


def forward(of: Tables, data: Sequences, *, keep: bool = True) -> Forward:
    """Run the filter; without ``keep`` only ``log_scale`` and ``loglik`` are worth reading."""
    states, count = len(of.model[0]), len(data.starts) - 1
    groups = min(GROUPS, max(count, 1))
    rows = len(data.x) if keep else 2 * groups
    made = Forward(
        np.empty((rows, states)),
        np.empty((rows, states)),
        np.empty(len(data.x)),
        np.empty(count),
        np.full(count, of.tiny),
    )
    with parallel(_threads(data, states, groups)):
        markov.forward(data.x, data.starts, groups, of.model, of.logs, *made, keep)
    return made


def backward(of: Tables, data: Sequences, made: Forward, *, keep: bool = True) -> tuple[np.ndarray, Counts]:
    """Smoothed beliefs (with ``keep``) and expected counts of all possible sequences together."""
    states, symbols = of.emission.shape
    groups = min(GROUPS, max(len(data.starts) - 1, 1))
    smoothed = np.full((len(data.x) if keep else 2 * groups, states), np.nan)
    initial, counts = np.zeros((groups, states)), np.zeros((groups, 2, states, states))
    emitted = np.zeros((groups, symbols, states))
    with parallel(_threads(data, states, groups)):
        markov.backward(
            data.x, data.starts, groups, of.model, of.logs, made.predicted, made.filtered, made.loglik, made.wide,
            smoothed, keep, np.empty((groups, states)), initial, counts, emitted,
        )  # fmt: skip
    by_number, by_log = counts.sum(axis=0)
    return smoothed, Counts(initial.sum(axis=0), by_number * of.model[1] + by_log, emitted.sum(axis=0).T)


def viterbi(of: Tables, data: Sequences) -> np.ndarray:
    """Most probable states of all sequences, -1 where there are none."""
    states = len(of.model[0])
    groups = min(GROUPS, max(len(data.starts) - 1, 1))
    path = np.empty(len(data.x), np.int64)
    came = np.empty((len(data.x), states), np.int32)
    room = np.empty((groups, 2, states)), came, np.empty((groups, states), np.int64)
    with parallel(_threads(data, states, groups)):
        markov.viterbi(data.x, data.starts, groups, of.logs, *room, path)
    return path


def joint_loglik(of: Tables, data: Sequences, path: np.ndarray) -> np.ndarray:
    """Log probabilities (B,) of paths of states together with the symbols; -inf for a path of -1."""
    initial, A, _, B = of.logs
    first = np.zeros(len(path), bool)
    first[data.starts[:-1][data.lengths > 0]] = True
    terms = B[data.x, path] + np.where(first, initial[path], A[np.roll(path, 1), path])
    terms[path < 0] = -np.inf
    return np.array([terms[a:b].sum() for a, b in zip(data.starts, data.starts[1:], strict=False)])


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


def _threads(data: Sequences, states: int, groups: int) -> int:
    return threads_for(2 * len(data.x) * states * states, groups)
