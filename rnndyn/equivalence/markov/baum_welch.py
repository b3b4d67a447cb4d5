"""Maximum likelihood for hidden Markov models: the steps of Baum and Welch, from several starts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.equivalence.markov import passes
from rnndyn.equivalence.markov.probabilities import Fit
from rnndyn.equivalence.markov.sequences import Sequences, as_symbols
from rnndyn.validate import as_integer, as_number

if TYPE_CHECKING:
    from rnndyn.equivalence.markov.hmm import HMM

log = logging.getLogger("rnndyn")


def fit(
    cls: type[HMM],
    x: Any,
    n_states: Any,
    lengths: Any,
    n_symbols: Any,
    start: HMM | None,
    starts: Any,
    iterations: Any,
    tol: Any,
    rng: np.random.Generator,
) -> HMM:
    """Fit a model; see `HMM.fit`.

    Parameters
    ----------
    cls
        The class of the model.
    x, n_states, lengths, n_symbols, start, starts, iterations, tol, rng
        As there.

    Returns
    -------
    HMM
        The best of all starts.
    """
    if start is not None and not isinstance(start, cls):
        raise TypeError(f"start is a {type(start).__name__}: an HMM is wanted")
    given = None if n_symbols is None else as_integer(n_symbols, "n_symbols", minimum=1)
    data = as_symbols(x, lengths, given if start is None else start.n_symbols)
    if not len(data.x):
        raise ValueError("x holds no symbols: at least one is wanted")
    most = as_integer(iterations, "iterations", minimum=1)
    enough = as_number(tol, "tol", minimum=0) * len(data.x)
    if start is not None:
        if np.isneginf(passes.forward(start._tables, data, keep=False).loglik).any():
            raise ValueError("x is impossible under start: put probabilities where its zeros forbid symbols")
        first = [start]
    else:
        if n_states is None:
            raise ValueError("n_states is missing: pass the number of states, or a model as start")
        K, M = as_integer(n_states, "n_states", minimum=1), given or int(data.x.max()) + 1
        first = [_random(cls, K, M, rng) for _ in range(as_integer(starts, "starts", minimum=1))]
    climbed = [_climbed(one, data, most, enough) for one in first]
    best, record = max(climbed, key=lambda pair: pair[1].loglik[-1])
    if not record.converged:
        log.warning("HMM.fit ended after %d iterations, not converged: raise iterations or tol", most)
    return best.with_fit(record)


def _random(cls: type[HMM], K: int, M: int, rng: np.random.Generator) -> HMM:
    """Model whose rows are uniform on the simplex."""
    return cls(rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K), rng.dirichlet(np.ones(M), K))


def _climbed(model: HMM, data: Sequences, most: int, enough: float) -> tuple[HMM, Fit]:
    """The model after as many steps as help, and their record."""
    logliks: list[float] = []
    while True:
        made = passes.forward(model._tables, data)
        logliks.append(float(made.loglik.sum()))
        converged = len(logliks) > 1 and logliks[-1] - logliks[-2] <= enough
        if converged or len(logliks) > most:
            return model, Fit(np.array(logliks), converged)
        model = model.from_counts(passes.backward(model._tables, data, made, keep=False)[1])
