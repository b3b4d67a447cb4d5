"""Hidden Markov models under test."""

import numpy as np

import rnndyn as rd

# A model with hard zeros in every array, and one without; the values were found by hmmlearn and over all 3^10 paths.
ZEROS = rd.HMM(
    [0.6, 0.4, 0.0],
    [[0.7, 0.3, 0.0], [0.1, 0.6, 0.3], [0.4, 0.0, 0.6]],
    [[0.5, 0.4, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4], [0.0, 0.25, 0.25, 0.5]],
)
POSITIVE = rd.HMM(
    [0.5, 0.3, 0.2],
    [[0.7, 0.25, 0.05], [0.1, 0.6, 0.3], [0.4, 0.15, 0.45]],
    [[0.5, 0.35, 0.1, 0.05], [0.1, 0.2, 0.3, 0.4], [0.05, 0.2, 0.25, 0.5]],
)
TEN = np.array([0, 1, 2, 3, 3, 1, 0, 2, 1, 3])


def rows(rng, shape, zeros):
    """Rows uniform on the simplex, with a share of zeros but at least one number."""
    a = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    a *= rng.random(shape) >= zeros
    a[a.sum(-1) == 0, rng.integers(shape[-1])] = 1
    return a / a.sum(-1, keepdims=True)


def random_model(seed, zeros=None, states=None):
    rng = np.random.default_rng(seed)
    K, M = states or rng.integers(1, 7), rng.integers(1, 9)
    zeros = rng.choice([0.0, 0.3, 0.6]) if zeros is None else zeros
    return rd.HMM(*(rows(rng, shape, zeros) for shape in ((K,), (K, K), (K, M)))), rng


def arrays(hmm):
    return hmm.initial, hmm.transition, hmm.emission
