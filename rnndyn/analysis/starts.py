"""Where the search for fixed points starts: states that the network visits, and their surroundings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnndyn import dynamics
from rnndyn.analysis import front

TIMES = (1, 2, 4, 8, 16, 32, 64)
NOISE = (0.1, 1.0, 4.0)  # of the starts by turns, times the root mean square of the visited states


def visited(net, x: np.ndarray | None, count: int, rng: np.random.Generator) -> np.ndarray:
    """States at random times of runs from random initial states, with noise.

    Times are 0, 1, 2, 4, ... 64 with equal chances, so that the starts are spread over the whole approach. The noise is
    Gaussian, by turns a tenth of the root mean square of the visited states, all of it, and four times as much: near
    the attractors, between them, and outside ([golub2018]_ starts from the states of a task with noise).

    Parameters
    ----------
    net
        The network, float64.
    x : (I,) or None
        Constant input.
    count
        Number of starts.
    rng
        The generator to draw from.

    Returns
    -------
    (count, S) array
        Finite; a run that leaves all bounds is replaced by its initial state.
    """
    first = front.random_states(net, count, rng)
    states, times = first.copy(), rng.choice([0, *TIMES], count)
    for before, t in pairwise((0, *TIMES)):
        on = np.flatnonzero(times >= t)
        inputs = None if x is None else np.tile(x, (len(on), t - before, 1))
        states[on] = dynamics.forward(net, inputs, states[on], t - before)[:, -1]
    lost = ~(np.abs(states) < 1e6).all(axis=1)
    states[lost] = first[lost]
    noise = rng.standard_normal(states.shape) * np.sqrt(np.mean(states**2))
    return states + noise * np.take(NOISE, np.arange(count) % len(NOISE))[:, None]
