"""The two networks that a hidden Markov model is: one of beliefs, and one of sampled one-hot states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnndyn.networks.elman import Elman
from rnndyn.networks.map import Map

if TYPE_CHECKING:
    from rnndyn.equivalence.markov.hmm import HMM

HARD_ZERO = -1e4  # a softmax in float64 is exactly 0 from 745 below its maximum


def belief(hmm: HMM) -> Map:
    """Network of normalised beliefs, driven by one-hot symbols.

    Parameters
    ----------
    hmm
        The model.

    Returns
    -------
    Map
        State ``[belief, 1, log c]``, (K + 2); see `HMM.to_rnn`.
    """
    return Map(
        step,
        hmm.n_states + 2,
        input_size=hmm.n_symbols,
        parameters=(hmm.initial, hmm.transition, hmm.emission),
        jacobian=jacobian,
    )


def _weighted(state, x, parameters):
    """Joint probabilities of each state and of this symbol; and the probabilities of the symbol."""
    initial, A, B = parameters
    seen = B @ x
    # The component before the last is 0 only in the state 0, from which the first step is taken; then it is 1.
    return seen * (A.T @ state[:-2] + (1 - state[-2]) * initial), seen


def step(state: np.ndarray, x: np.ndarray, parameters: tuple) -> np.ndarray:
    """Step of the network of beliefs.

    Parameters
    ----------
    state : (K + 2,)
        Belief, whether there was a step before, and the log of that step's normaliser.
    x : (M,)
        One-hot symbol.
    parameters
        (initial, transition, emission).

    Returns
    -------
    (K + 2,) array
        The next state.
    """
    weighted, _ = _weighted(state, x, parameters)
    total = weighted.sum()
    return np.concatenate([weighted / total, [1.0, np.log(total)]])


def jacobian(state: np.ndarray, x: np.ndarray, parameters: tuple) -> np.ndarray:
    """Jacobian of `step`.

    Parameters
    ----------
    state, x, parameters
        As there.

    Returns
    -------
    (K + 2, K + 2) array
        Its columns for beliefs sum to 0, as beliefs sum to 1.
    """
    initial, A, _ = parameters
    weighted, seen = _weighted(state, x, parameters)
    total = weighted.sum()
    J = np.zeros((len(state), len(state)))
    J[:-2, :-2], J[:-2, -2] = seen[:, None] * A.T, -seen * initial
    sums = J.sum(axis=0)
    J[:-2] = (J[:-2] - np.outer(weighted / total, sums)) / total
    J[-1] = sums / total
    return J


def one_hot(hmm: HMM) -> Elman:
    """Network of sampled one-hot states.

    Parameters
    ----------
    hmm
        The model.

    Returns
    -------
    Elman
        With K units, one input, and M outputs; see `HMM.to_rnn`.
    """
    with np.errstate(divide="ignore"):
        logs = [np.maximum(np.log(a), HARD_ZERO) for a in (hmm.initial, hmm.transition, hmm.emission)]
    initial, A, B = logs
    return Elman(initial[:, None], A.T, activation="identity", W_hy=B.T, output_activation="softmax")
