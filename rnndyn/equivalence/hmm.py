"""Hidden Markov models with symbols: likelihood, beliefs, paths, learning, and the networks that they are."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.equivalence import passes
from rnndyn.equivalence.passes import Counts
from rnndyn.equivalence.probabilities import Probabilities
from rnndyn.equivalence.sequences import Sequences, as_symbols
from rnndyn.schema import Status
from rnndyn.validate import as_generator, as_integer, choice

if TYPE_CHECKING:
    from xarray import Dataset

    from rnndyn.networks.base import Network


class HMM(Probabilities):  # numpydoc ignore=PR02
    """Hidden Markov model: a Markov chain of K states, of which M symbols are seen ([rabiner1989]_).

    ``P(z_1) = initial``, ``P(z_t = j | z_{t-1} = i) = transition[i, j]``, ``P(x_t = o | z_t = i) = emission[i, o]``.

    Parameters
    ----------
    initial : (K,)
        Law of the first state.
    transition : (K, K)
        A row for each state, which sums to 1. Zeros are hard: what is impossible stays impossible.
    emission : (K, M)
        A row for each state, which sums to 1.

    Attributes
    ----------
    n_states, n_symbols
        K and M.
    fitted
        From `fit`: the log-likelihood at each step, and whether it converged; None for a model that was made.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: for other shapes, for negative probabilities, and for rows that do not sum to 1 within 1e-8
        (1e-5 in float32); smaller differences are divided out.

    Notes
    -----
    Nothing of a model can be changed; all numbers are float64. Its methods take one sequence of symbols ``x``, (T,)
    integers from 0; several as (B, T), with `lengths` where they end sooner; or a list of sequences. The results of
    several have a leading batch axis, and after the end of a sequence hold NaN (paths: -1).

    As xarray DataArrays the arrays have the dimensions ``state``, ``next_state`` and ``symbol``.

    Examples
    --------
    >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
    >>> weather
    HMM(n_states=2, n_symbols=3)
    >>> round(float(np.exp(weather.loglik([0, 1, 2]))), 9)
    0.033612
    """

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
        Beliefs are normalised at each step and the logs of the normalisers added up with their rounding, so nothing
        underflows, however long the sequence. Where a belief falls below 1e-250, or the model has probabilities below
        1e-20, a sequence is done in logarithms. Cost O(T K^2), memory O(T).

        Examples
        --------
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
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> paths = weather.sample_posterior([0, 1, 2], 10_000, rng=0)
        >>> (paths == 1).mean(axis=0).round(2).tolist()  # beside the smoothed 0.768, 0.376, 0.136
        [0.78, 0.38, 0.13]
        """
        data = self._symbols(x, lengths)
        n = as_integer(n, "n", minimum=1)
        paths = passes.sample_posterior(self._tables, data, n, as_generator(rng))
        return np.stack([data.padded(path, -1) for path in paths])

    # --- learning -----------------------------------------------------------------------------------------------------

    def reestimate(self, x: Any, *, lengths: Any = None) -> HMM:
        """One step of Baum and Welch: the model with the expected counts of this one for probabilities.

        Parameters
        ----------
        x, lengths
            Symbols; see the class. Impossible sequences do not count.

        Returns
        -------
        HMM
            No sequence becomes less likely together with the others ([baum1970]_). Zeros stay zeros. The row of a state
            that is never expected stays as it is.

        Examples
        --------
        >>> chain = HMM([0.5, 0.5], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> chain.reestimate([0, 0, 0, 1]).transition.round(3).tolist()
        [[0.667, 0.333], [0.0, 1.0]]
        """
        return self.from_counts(self.expected_counts(x, lengths=lengths))

    @classmethod
    def fit(
        cls,
        x: Any,
        n_states: int | None = None,
        *,
        lengths: Any = None,
        n_symbols: int | None = None,
        start: HMM | None = None,
        starts: int = 5,
        iterations: int = 1000,
        tol: float = 1e-7,
        rng: Any = None,
    ) -> HMM:
        """Fit a model by maximum likelihood, with the algorithm of Baum and Welch ([baum1970]_).

        Parameters
        ----------
        x
            Symbols; see the class.
        n_states
            K; not needed with `start`.
        lengths
            Where the sequences of (B, T) end.
        n_symbols
            M; None for the largest symbol plus 1.
        start
            A model to start from, whose zeros stay; it takes the place of the random ones.
        starts
            Number of random starts, rows uniform on the simplex. The likelihood has many maxima: the best of those
            found comes back.
        iterations
            Most steps of each start.
        tol
            A start ends when a step adds less than this to the log-likelihood, in nats a symbol.
        rng
            Seed or `numpy.random.Generator`.

        Returns
        -------
        HMM
            Its ``fitted.loglik`` holds the log-likelihood before each step and at the end, which never falls, and
            ``fitted.converged`` whether `tol` was reached; otherwise a warning is logged. States are in no particular
            order. Cost O(starts iterations T K^2).

        Raises
        ------
        TypeError, ValueError
            Naming the argument; for symbols that are impossible under `start`.

        Examples
        --------
        >>> truth = HMM([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.1, 0.9]])
        >>> x, _ = truth.sample(500, rng=0)
        >>> fitted = HMM.fit(x, 2, rng=0)
        >>> fitted.fitted.converged, fitted.loglik(x) > truth.loglik(x)
        (True, True)
        """
        from rnndyn.equivalence.baum_welch import fit

        return fit(cls, x, n_states, lengths, n_symbols, start, starts, iterations, tol, as_generator(rng))

    # --- networks -----------------------------------------------------------------------------------------------------

    def to_rnn(self, kind: str = "belief") -> Network:
        """Return a network that is this model.

        Parameters
        ----------
        kind
            ``"belief"``: a `Map` driven by one-hot symbols, whose state is the filtered belief; deterministic and
            exact. ``"one_hot"``: an `Elman` network whose state is to be sampled; its weights are logarithms.

        Returns
        -------
        Network
            ``"belief"``: the state (K + 2) is ``[belief, 1, log c]``, with c = P(x_t | x_1..x_{t-1}). From the state 0,
            with which `rnndyn.run` starts, the first step takes the law `initial`: ``run(net,
            hmm.one_hot(x)).state[:, -1]`` sums to ``loglik(x)``. After impossible symbols all is NaN. The recursion is
            multiplicative: ``b_t`` is proportional to ``B[:, x_t] (A' b_{t-1})``.

            ``"one_hot"``: ``W_hh = (ln A)'`` and no activation, ``W_hy = (ln B)'`` with a softmax; the only input is 1
            at the first step and 0 afterwards, with ``W_xh = ln initial``. Zeros of the probabilities are -1e4, which a
            softmax takes to exactly 0, because ``-inf * 0`` is NaN. The network is this model when its state is
            sampled: after each step draw the unit z from ``softmax(h)`` and put the one-hot vector of z in the place
            of h; the read-out of that vector is the law of the symbol. The log probability of states and symbols is
            `joint_loglik`.

        Notes
        -----
        Feeding the belief through the softmax network instead of a sample is a common mistake: it pools the rows of A
        geometrically, and its likelihood is another.

        Examples
        --------
        >>> import rnndyn as rd
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> run = rd.run(weather.to_rnn(), weather.one_hot([0, 1, 2]))
        >>> bool(abs(run.state[:, -1].sum() - weather.loglik([0, 1, 2])) < 1e-14)
        True
        """
        from rnndyn.equivalence import hmm_networks

        choice(kind, "kind", ("belief", "one_hot"))
        return hmm_networks.belief(self) if kind == "belief" else hmm_networks.one_hot(self)

    def exponents(self, x: Any, *, k: int | None = None) -> Dataset:
        """Lyapunov exponents of the belief recursion: likelihood per step, and the rate of forgetting.

        Parameters
        ----------
        x
            Symbols (T,), possible under the model.
        k
            Number of exponents; None for all K.

        Returns
        -------
        Dataset
            That of `rnndyn.lyapunov_from_jacobians` for the product of ``diag(B[:, x_t]) A'``. ``exponent[0]`` is the
            log-likelihood per step, which on the model's own data is minus the entropy rate ([jacquet2004]_), up to
            O(1/T). ``exponent[0] - exponent[1]`` is the rate at which the first belief is forgotten. The others of
            the normalised recursion, ``to_rnn("belief")``, are ``exponent[i] - exponent[0]``. Cost O(T K^2 k).

        Raises
        ------
        ValueError
            For impossible symbols.

        Examples
        --------
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]])
        >>> x, _ = weather.sample(2000, rng=0)
        >>> ds = weather.exponents(x)
        >>> bool(abs(ds.exponent[0] - weather.loglik(x) / 2000) < 2 / 2000)
        True
        """
        from rnndyn.analysis.lyapunov import lyapunov_from_jacobians

        data = self._symbols(x, None)
        if not data.single or not len(data.x):
            raise ValueError("x holds several sequences or none: one sequence (T,) with at least one symbol is wanted")
        if self.loglik(data.x) == -np.inf:
            raise ValueError("x is impossible under this model, so its belief has no exponents: pass possible symbols")
        factors = self.emission.T[:, :, None] * self.transition.T
        return lyapunov_from_jacobians((factors[symbol] for symbol in data.x), k=k)

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
