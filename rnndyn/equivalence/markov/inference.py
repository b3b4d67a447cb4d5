"""What symbols tell of the states of a hidden Markov model: likelihood, beliefs, and paths."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.equivalence.markov import passes
from rnndyn.equivalence.markov.passes import Counts
from rnndyn.equivalence.markov.probabilities import Probabilities
from rnndyn.equivalence.markov.sequences import Sequences, as_symbols
from rnndyn.schema import Status
from rnndyn.validate import as_generator, as_integer

if TYPE_CHECKING:
    from xarray import Dataset


class Inference(Probabilities):
    """Base of `HMM`: the passes over sequences of symbols, in the forms that `HMM` describes."""

    # --- likelihood and beliefs ---------------------------------------------------------------------------------------

    def loglik(self, x: Any, *, lengths: Any = None) -> Any:
        """Log-likelihood of symbols, the states summed out.

        Parameters
        ----------
        x, lengths
            Symbols; see the class.

        Returns
        -------
        float or (B,) array
            In nats; -inf for impossible symbols, 0 for an empty sequence.

        Notes
        -----
        Beliefs are normalised at each step and the logs of the normalisers added up, so nothing underflows, however
        long the sequence. Where a belief comes near the smallest float, a state could be lost that later symbols would
        have made the likely one: that sequence is done again in logarithms. Cost O(T K^2), memory O(T).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> chain = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> chain.loglik([[0, 1, 1], [0, 1, 0]]).tolist()
        [-0.6931471805599453, -inf]
        """
        data = self._symbols(x, lengths)
        found = passes.forward(self._tables, data, keep=False).loglik
        return float(found[0]) if data.single else found

    def filter(self, x: Any, *, lengths: Any = None) -> Dataset:
        """Beliefs about the state, given the symbols so far: the forward pass.

        Parameters
        ----------
        x, lengths
            Symbols; see the class.

        Returns
        -------
        Dataset
            ``predicted_belief`` (time, state), P(z_t | x_1..x_{t-1}); ``filtered_belief``, P(z_t | x_1..x_t);
            ``loglik_t``, log P(x_t | x_1..x_{t-1}); ``loglik``, their sum. ``status``: 9 (zero probability) where the
            symbols are impossible: `loglik` is then -inf, `loglik_t` at the symbol that is impossible, and beliefs from
            that time on are NaN, for nothing is known of them.

        Notes
        -----
        As `loglik`; memory O(T K).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> weather.filter([0, 1, 2]).filtered_belief.values.round(3).tolist()
        [[0.2, 0.8], [0.532, 0.468], [0.864, 0.136]]
        """
        data = self._symbols(x, lengths)
        return self._dataset("hmm_filter", data, passes.forward(self._tables, data), {"x": x, "lengths": lengths})

    def smooth(self, x: Any, *, lengths: Any = None) -> Dataset:
        """Beliefs about the state, given all symbols: the forward and the backward pass.

        Parameters
        ----------
        x, lengths
            Symbols; see the class.

        Returns
        -------
        Dataset
            That of `filter`, and ``smoothed_belief`` (time, state), P(z_t | x_1..x_T), NaN at all times of impossible
            symbols.

        Notes
        -----
        The backward pass carries the smoothed belief itself back, by the probabilities of where each state came from:
        there is no second likelihood that could overflow. Cost O(T K^2), memory O(T K).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> weather.smooth([0, 1, 2]).smoothed_belief.values.round(3).tolist()
        [[0.232, 0.768], [0.624, 0.376], [0.864, 0.136]]
        """
        data = self._symbols(x, lengths)
        made = passes.forward(self._tables, data)
        smoothed, _ = passes.backward(self._tables, data, made, counting=False)
        return self._dataset("hmm_smoother", data, made, {"x": x, "lengths": lengths}, smoothed_belief=smoothed)

    def expected_counts(self, x: Any, *, lengths: Any = None) -> Counts:
        """Expected numbers of first states, transitions and emissions: the gradient of the log-likelihood.

        Parameters
        ----------
        x, lengths
            Symbols; see the class. Those of several sequences are added up; impossible sequences do not count.

        Returns
        -------
        Counts
            ``initial`` (K,), ``transition`` (K, K) and ``emission`` (K, M), by name: d loglik / d ln of each
            probability, where these are taken as free numbers that need not sum to 1. By the logits of a softmax, the
            derivative is ``counts - counts.sum(-1) * probability``.

        Notes
        -----
        What backpropagation through time gives for the belief recursion is what Baum and Welch count ([eisner2016]_).
        Cost O(T K^2), memory O(T K).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> chain = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> chain.expected_counts([0, 0, 1, 1]).transition.tolist()
        [[1.0, 1.0], [0.0, 1.0]]
        """
        data = self._symbols(x, lengths)
        return passes.backward(self._tables, data, passes.forward(self._tables, data), keep=False)[1]

    # --- paths of states ----------------------------------------------------------------------------------------------

    def viterbi(self, x: Any, *, lengths: Any = None) -> tuple[np.ndarray, Any]:
        """Most probable path of states ([viterbi1967]_).

        Parameters
        ----------
        x, lengths
            Symbols; see the class.

        Returns
        -------
        (T,) array, float
            The states, and the log of their joint probability with the symbols; of several sequences (B, T) and (B,).
            Impossible symbols have the states -1 and -inf. Of equally probable states the lowest is taken, as far as
            rounding can tell. Cost O(T K^2), memory O(T K).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> path, log_probability = weather.viterbi([0, 1, 2])
        >>> path.tolist(), round(log_probability, 4)
        ([1, 0, 0], -4.3095)
        """
        data = self._symbols(x, lengths)
        path = passes.viterbi(self._tables, data)
        found = passes.joint_loglik(self._tables, data, path)
        return data.padded(path, -1), float(found[0]) if data.single else found

    def joint_loglik(self, states: Any, x: Any, *, lengths: Any = None) -> Any:
        """Log probability of states and symbols together.

        Parameters
        ----------
        states
            Integers of the form of `x`.
        x, lengths
            Symbols; see the class.

        Returns
        -------
        float or (B,) array
            In nats; -inf where they are impossible.

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> chain = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> chain.joint_loglik([0, 1, 1], [0, 1, 1])
        -0.6931471805599453
        """
        data = self._symbols(x, lengths)
        path = as_symbols(states, lengths, self.n_states, "states")
        if not np.array_equal(path.starts, data.starts) or path.single != data.single:
            raise ValueError(
                f"states has the lengths {path.lengths}, x has {data.lengths}: one state a symbol is wanted"
            )
        found = passes.joint_loglik(self._tables, data, path.x)
        return float(found[0]) if data.single else found

    def sample(self, n: int, rng: Any = None, *, sequences: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and states drawn from the model.

        Parameters
        ----------
        n
            Length.
        rng
            Seed or `numpy.random.Generator`.
        sequences
            How many; None for one, without a batch axis.

        Returns
        -------
        (n,) array, (n,) array
            The symbols, and the states that they came from; (sequences, n) of several.

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> chain = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> x, states = chain.sample(4, rng=1)
        >>> x.tolist()
        [0, 0, 0, 1]
        """
        n = as_integer(n, "n", minimum=0)
        count = 1 if sequences is None else as_integer(sequences, "sequences", minimum=1)
        z, x = passes.sample(self._tables, count, n, as_generator(rng))
        return (x[0], z[0]) if sequences is None else (x, z)

    def sample_posterior(self, x: Any, n: int = 1, rng: Any = None, *, lengths: Any = None) -> np.ndarray:
        """Paths of states drawn given the symbols, by filtering forward and sampling backward.

        Parameters
        ----------
        x
            Symbols; see the class.
        n
            Number of paths.
        rng
            Seed or `numpy.random.Generator`.
        lengths
            Where the sequences of (B, T) end.

        Returns
        -------
        (n, T) array
            States, or (n, B, T) of several sequences; -1 where the symbols are impossible. Cost O(T K (K + n)).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> paths = weather.sample_posterior([0, 1, 2], 10_000, rng=0)
        >>> (paths == 1).mean(axis=0).round(2).tolist()  # beside the smoothed 0.768, 0.376, 0.136
        [0.78, 0.38, 0.13]
        """
        data = self._symbols(x, lengths)
        n = as_integer(n, "n", minimum=1)
        paths = passes.sample_posterior(self._tables, data, n, as_generator(rng))
        return np.stack([data.padded(path, -1) for path in paths])

    @cached_property
    def _tables(self) -> passes.Tables:
        return passes.tables(self.initial, self.transition, self.emission)

    def _symbols(self, x: Any, lengths: Any) -> Sequences:
        return as_symbols(x, lengths, self.n_symbols)

    def _dataset(self, kind: str, data: Sequences, made: passes.Forward, call: dict, **further: np.ndarray) -> Dataset:
        impossible = made.loglik == -np.inf
        beliefs = {"predicted_belief": made.predicted, "filtered_belief": made.filtered}
        if impossible.any():  # the belief predicted for an impossible symbol is the last one that there is
            made.predicted[np.isnan(made.log_scale)] = np.nan
            made.filtered[~np.isfinite(made.log_scale)] = np.nan
        if made.wide.any():
            wide = np.repeat(made.wide, data.lengths)
            for values in beliefs.values():
                values[wide] = np.exp(values[wide])
        found = {name: data.padded(values, np.nan) for name, values in (beliefs | further).items()}
        found["loglik_t"] = data.padded(made.log_scale, np.nan)
        status = np.where(impossible, Status.ZERO_PROBABILITY, Status.OK)
        for name, values in (("loglik", made.loglik), ("status", status)):
            found[name] = values[0] if data.single else values
        return schema.build(kind, found, net=self, call=call)
