"""Markov chains of some order from counts of n-grams: the baseline that a recurrent network has to beat."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from rnndyn.equivalence.markov.sequences import Sequences, as_symbols
from rnndyn.validate import as_integer, as_number


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NGram:  # numpydoc ignore=PR02
    """Markov model of order tau: the law of a symbol given the tau symbols before it, from counts.

    ``P(s | c) = (n(c, s) + a) / (n(c) + a M)``, with n the counts of a context c and of the symbol s after it, of M
    symbols, and a the smoothing. Made by `NGram.fit`.

    Parameters
    ----------
    order
        tau; 0 for independent symbols.
    n_symbols
        M.
    smoothing
        a; 0 is maximum likelihood, 1/2 the estimator of [krichevsky1981]_, 1 Laplace's.
    grams : (n, tau + 1)
        The contexts that were seen, each with a symbol that followed it, in rising order.
    counts : (n,)
        How often.

    Examples
    --------
    >>> model = NGram.fit([0, 1, 0, 1, 1, 0, 1], order=1)
    >>> model
    NGram(order=1, n_symbols=2, smoothing=0.0, 3 contexts and symbols)
    >>> round(float(np.exp(model.loglik([0, 1, 0]))), 6)  # P(1 | 0) P(0 | 1)
    0.666667
    """

    order: int
    n_symbols: int
    smoothing: float
    grams: np.ndarray
    counts: np.ndarray

    @classmethod
    def fit(
        cls, x: Any, order: int, *, lengths: Any = None, n_symbols: int | None = None, smoothing: float = 0.0
    ) -> NGram:
        """Count.

        Parameters
        ----------
        x
            Symbols, integers from 0: (T,), (B, T), or a list of sequences.
        order
            tau. The first tau symbols of each sequence are context only.
        lengths
            Where the sequences of (B, T) end.
        n_symbols
            M; None for the largest symbol plus 1.
        smoothing
            a, added to every count.

        Returns
        -------
        NGram
            The model; cost O(T log T) and memory O(T), whatever the number of possible contexts.

        Raises
        ------
        TypeError, ValueError
            Naming the argument; for an order with more than 2^63 possible contexts and symbols.

        Examples
        --------
        >>> NGram.fit([[0, 1, 2], [0, 1, 0]], order=2).counts.tolist()
        [1, 1]
        """
        tau = as_integer(order, "order", minimum=0)
        given = None if n_symbols is None else as_integer(n_symbols, "n_symbols", minimum=1)
        data = as_symbols(x, lengths, given)
        M = given or int(data.x.max(initial=0)) + 1
        if M ** (tau + 1) >= 2**63:
            raise ValueError(f"order is {tau}, which with {M} symbols makes more than 2^63 contexts: take a lower one")
        codes, counts = np.unique(_codes(data, tau, M)[0], return_counts=True)
        grams = np.stack([codes // M**k % M for k in range(tau, -1, -1)], axis=1)
        for array in (grams, counts):
            array.flags.writeable = False
        return cls(tau, M, as_number(smoothing, "smoothing", minimum=0), grams, counts)

    def log_probabilities(self, x: Any, *, lengths: Any = None) -> np.ndarray:
        """Log probability of each symbol, given those before.

        Parameters
        ----------
        x, lengths
            Symbols as in `fit`.

        Returns
        -------
        (T,) or (B, T) array
            In nats; NaN for the first tau symbols and after the end. Without smoothing -inf for what was never seen,
            contexts included.

        Examples
        --------
        >>> np.exp(NGram.fit([0, 1, 0, 0], order=1, smoothing=1).log_probabilities([0, 0, 1])).tolist()
        [nan, 0.5, 0.5]
        """
        data = as_symbols(x, lengths, self.n_symbols)
        values = np.full(len(data.x), np.nan)
        codes, places = _codes(data, self.order, self.n_symbols)
        values[places] = self._log_probabilities(codes)
        return data.padded(values, np.nan)

    def loglik(self, x: Any, *, lengths: Any = None) -> Any:
        """Log-likelihood of symbols, given the first tau.

        Parameters
        ----------
        x, lengths
            Symbols as in `fit`.

        Returns
        -------
        float or (B,) array
            In nats; -inf for what has probability zero.

        Examples
        --------
        >>> NGram.fit([0, 0, 1, 1, 0], order=1).loglik([1, 1, 1, 0])
        -2.0794415416798357
        """
        found = np.nansum(self.log_probabilities(x, lengths=lengths), axis=-1)
        return float(found) if found.ndim == 0 else found

    def perplexity(self, x: Any, *, lengths: Any = None) -> float:
        """Perplexity: exp of minus the mean log probability of a symbol, over all sequences together.

        Parameters
        ----------
        x, lengths
            Symbols as in `fit`.

        Returns
        -------
        float
            From 1, for symbols that are known for sure, to inf, for impossible ones; a uniform guess has M.

        Raises
        ------
        ValueError
            Where no sequence is longer than the order.

        Examples
        --------
        >>> NGram.fit([0, 1, 2, 3], order=0).perplexity([0, 1, 2, 3])
        4.0
        """
        values = self.log_probabilities(x, lengths=lengths)
        values = values[~np.isnan(values)]
        if not values.size:
            raise ValueError(f"x has no sequence longer than the order {self.order}: there is no symbol to predict")
        return float(np.exp(-values.mean()))

    @property
    def entropy_rate(self) -> float:
        """Entropy of a symbol given its context, in nats, of the data that were counted.

        It is that of the counts, plus half a degree of freedom for each count, which is the bias of counting
        ([miller1955]_).
        """
        context = self._contexts()
        total = np.bincount(context, self.counts)
        entropy = -(self.counts * np.log(self.counts / total[context])).sum()
        return float((entropy + (len(self.counts) - len(total)) / 2) / max(self.counts.sum(), 1))

    def __eq__(self, other: object) -> bool:
        """Whether order, smoothing and all counts are equal."""
        if not isinstance(other, NGram):
            return NotImplemented
        same = (self.order, self.n_symbols, self.smoothing) == (other.order, other.n_symbols, other.smoothing)
        return same and np.array_equal(self.grams, other.grams) and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.order, self.n_symbols, self.smoothing, self.grams.tobytes(), self.counts.tobytes()))

    def __repr__(self) -> str:
        sizes = f"order={self.order}, n_symbols={self.n_symbols}, smoothing={self.smoothing}"
        return f"NGram({sizes}, {len(self.counts)} contexts and symbols)"

    def _contexts(self) -> np.ndarray:
        """Number of the context of each gram; grams are in order, so contexts are too."""
        new = (np.diff(self.grams[:, :-1], axis=0) != 0).any(axis=1)
        return np.cumsum(np.append([0] if len(self.grams) else [], new)).astype(np.int64)

    def _log_probabilities(self, codes: np.ndarray) -> np.ndarray:
        M, a = self.n_symbols, self.smoothing
        seen = self.grams @ M ** np.arange(self.order, -1, -1)
        context = self._contexts()
        totals = np.bincount(context, self.counts)
        contexts = seen[np.flatnonzero(np.diff(context, prepend=-1))] // M
        count, total = _looked_up(seen, self.counts, codes), _looked_up(contexts, totals, codes // M)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total + a > 0, np.log((count + a) / (total + a * M)), -np.inf)


def _codes(data: Sequences, tau: int, M: int) -> tuple[np.ndarray, np.ndarray]:
    """Each symbol with its context as one number, and where these symbols stand."""
    places = np.flatnonzero(np.arange(len(data.x)) - np.repeat(data.starts[:-1], data.lengths) >= tau)
    codes = np.zeros(len(places), np.int64)
    for back in range(tau, -1, -1):
        codes = codes * M + data.x[places - back]
    return codes, places


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values of sorted keys; 0 where there is none."""
    if not len(keys):
        return np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
