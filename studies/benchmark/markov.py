"""Hidden Markov models: rnndyn and hmmlearn, one long sequence and many short ones.

Both take the same symbols under the same random model, by their public calls, checks and results included; only
"smoother" is that of rnndyn on plain arrays, "dataset" with the Dataset made of it. hmmlearn scales its beliefs, which
is the faster of its two ways. "em" is one step of Baum and Welch.
"""

import logging

import numpy as np

import rnndyn as rd
from rnndyn.equivalence.markov import passes
from rnndyn.equivalence.markov.sequences import as_symbols
from studies.benchmark.peers import Rnndyn as Passes
from studies.benchmark.workers import Work

STATES = (4, 8, 16, 32)
LONG, SHORT = (1, 100_000), (256, 100)  # sequences, steps
SETTINGS = [(states, *shape) for shape in (LONG, SHORT) for states in STATES]
CALLS = ("likelihood", "smoother", "dataset", "viterbi", "em")


def problem(states: int, sequences: int, steps: int):
    """A random model with twice as many symbols as states, and symbols (sequences, steps) drawn from it."""
    rng = np.random.default_rng(0)
    symbols = 2 * states
    laws = [rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)]
    hmm = rd.HMM(*laws, rng.dirichlet(np.ones(symbols), states))
    return hmm, hmm.sample(steps, rng, sequences=sequences)[0]


def smoothed(hmm, x):
    """Smoothed beliefs as a plain array."""
    made, data = passes.tables(hmm.initial, hmm.transition, hmm.emission), as_symbols(x, None, hmm.n_symbols)
    return passes.backward(made, data, passes.forward(made, data), counting=False)[0]


class Rnndyn(Passes):
    """The methods of `rd.HMM`."""

    @staticmethod
    def load(hmm, x) -> Work:
        x = x[0] if len(x) == 1 else x
        calls = {
            "likelihood": lambda: hmm.loglik(x),
            "smoother": lambda: smoothed(hmm, x),
            "dataset": lambda: hmm.smooth(x),
            "viterbi": lambda: hmm.viterbi(x),
            "em": lambda: hmm.reestimate(x),
        }
        return Work(calls, lambda: (np.sum(hmm.loglik(x)), np.sum(hmm.viterbi(x)[1]), hmm.reestimate(x).transition))


class Hmmlearn:
    """Its categorical model."""

    @staticmethod
    def use(threads: int) -> None:
        """It has one thread."""

    @staticmethod
    def load(hmm, x) -> Work:
        from hmmlearn.hmm import CategoricalHMM

        logging.getLogger("hmmlearn").setLevel(logging.CRITICAL)  # one step of EM has not converged
        flat, lengths = x.reshape(-1, 1), np.full(len(x), x.shape[1])

        def model():
            made = CategoricalHMM(hmm.n_states, implementation="scaling", n_iter=1, init_params="")
            made.n_features = hmm.n_symbols
            made.startprob_, made.transmat_, made.emissionprob_ = hmm.initial, hmm.transition, hmm.emission
            return made

        fixed = model()
        calls = {
            "likelihood": lambda: fixed.score(flat, lengths),
            "smoother": lambda: fixed.predict_proba(flat, lengths),
            "dataset": lambda: fixed.predict_proba(flat, lengths),
            "viterbi": lambda: fixed.decode(flat, lengths),
            "em": lambda: model().fit(flat, lengths),
        }
        return Work(calls, lambda: (calls["likelihood"](), calls["viterbi"]()[0], calls["em"]().transmat_))


PEERS = {"rnndyn": Rnndyn, "hmmlearn": Hmmlearn}
