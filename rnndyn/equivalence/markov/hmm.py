"""Hidden Markov models with symbols: how they are learnt, and the networks that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.equivalence.markov.inference import Inference
from rnndyn.validate import as_generator, choice

if TYPE_CHECKING:
    from xarray import Dataset

    from rnndyn.networks.base import Network


class HMM(Inference):  # numpydoc ignore=PR02
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
        from rnndyn.equivalence.markov.baum_welch import fit

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
        from rnndyn.equivalence.markov import hmm_networks

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
            the normalised recursion, ``to_rnn("belief")``, are ``exponent[i] - exponent[0]``, K - 1 of them, and below
            these rounding. Cost O(T K^2 k).

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
