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

    ``P(s | c) = (n(c, s) - d(c, s) + (a M + sum_s d(c, s)) Q(s | c)) / (n(c) + a M)``, with n the counts of a context c
    and of the symbol s after it, of M symbols, and d what is taken off the counts that are not 0. Smoothing a and
    discounts d give weight to a law Q from fewer symbols: that of ``backoff``, or 1/M. Made by `NGram.fit`, or by
    `NGram.kneser_ney`, which leaves nothing to choose but the order.

    Parameters
    ----------
    order
        tau; 0 for independent symbols.
    n_symbols
        M.
    smoothing
        a; without discount 0 is maximum likelihood and, for Q = 1/M, 1/2 the estimator of [krichevsky1981]_, 1
        Laplace's. With backoff a M is the strength of a Dirichlet prior around Q ([mackay1995]_).
    grams : (n, tau + 1)
        The contexts that were seen, each with a symbol that followed it, in rising order.
    counts : (n,)
        How often.
    discount
        d, taken off every count: absolute discounting, interpolated ([ney1994]_); or three, off counts of 1, of 2, and
        of 3 or more ([chen1999]_).
    backoff
        The model of Q, of a lower order; None for Q = 1/M.

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
    discount: float | tuple[float, ...] = 0.0
    backoff: NGram | None = None

    @classmethod
    def fit(
        cls,
        x: Any,
        order: int,
        *,
        lengths: Any = None,
        n_symbols: int | None = None,
        smoothing: float = 0.0,
        discount: Any = 0.0,
        backoff: NGram | None = None,
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
        discount
            d, from 0 to 1, taken off every count that is not 0; or three, taken off counts of 1, of 2, and of 3 or
            more, and at most as large as these.
        backoff
            Model of a lower order and as many symbols, which what is added and taken off is given to; None for all
            symbols alike. One of smoothing and discount has to be above 0.

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
        >>> x = [0, 1, 0, 2, 0, 1]
        >>> model = NGram.fit(x, 1, discount=0.5, backoff=NGram.fit(x, 0))
        >>> round(float(np.exp(model.loglik([0, 2]))), 6)  # (1 - 1/2 + 2/2 times 1/6) / 3
        0.222222
        """
        data, tau, M = _as_data(x, order, lengths, n_symbols)
        a, d = as_number(smoothing, "smoothing", minimum=0), _as_discount(discount)
        _check_backoff(backoff, tau, M, bool(a or np.any(d)))
        return cls(tau, M, a, *_counted(_codes(data, tau, M)[0], tau, M), d, backoff)

    @classmethod
    def kneser_ney(cls, x: Any, order: int, *, lengths: Any = None, n_symbols: int | None = None) -> NGram:
        """Count, with interpolated modified Kneser-Ney smoothing ([kneser1995]_, [chen1999]_).

        Parameters
        ----------
        x, order, lengths, n_symbols
            As in `fit`.

        Returns
        -------
        NGram
            The model; it backs off through all lower orders to 1/M. In these a gram counts once for each symbol that
            was seen in front of it. The three discounts of each order follow from its numbers n_1 to n_4 of grams
            counted once to four times, and are kept between 0 and k; where n_1 or n_k is 0, that of k is k/2. Cost and
            memory tau times those of `fit`.

        Raises
        ------
        TypeError, ValueError
            As `fit`.

        Examples
        --------
        >>> x = [0, 1, 0, 2, 0, 1, 3, 1]
        >>> model = NGram.kneser_ney(x, 1)
        >>> model.backoff.counts.tolist()  # 0 was seen after 1 and 2, 1 after 0 and 3, the others after one symbol
        [2, 2, 1, 1]
        >>> [round(float(d), 3) for d in model.discount]
        [0.714, 2.0, 1.5]
        """
        data, tau, M = _as_data(x, order, lengths, n_symbols)
        model = None
        for k in range(tau + 1):
            # Each gram with what was in front of it, once, for the lower orders.
            codes = _codes(data, k, M)[0] if k == tau else np.unique(_codes(data, k + 1, M)[0]) % M ** (k + 1)
            grams, counts = _counted(codes, k, M)
            model = cls(k, M, 0.0, grams, counts, _modified_discounts(counts), model)
        assert model is not None
        return model

    def log_probabilities(self, x: Any, *, lengths: Any = None) -> np.ndarray:
        """Log probability of each symbol, given those before.

        Parameters
        ----------
        x, lengths
            Symbols as in `fit`.

        Returns
        -------
        (T,) or (B, T) array
            In nats; NaN for the first tau symbols and after the end. Without smoothing and discount -inf for what was
            never seen, contexts included.

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
        same = self._options() == other._options() and self.backoff == other.backoff
        return same and np.array_equal(self.grams, other.grams) and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self._options(), self.grams.tobytes(), self.counts.tobytes(), self.backoff))

    def __repr__(self) -> str:
        sizes = f"order={self.order}, n_symbols={self.n_symbols}, smoothing={self.smoothing}"
        if np.any(self.discount):
            sizes += f", discount={self.discount}"
        if self.backoff is not None:
            sizes += f", backoff of order {self.backoff.order}"
        return f"NGram({sizes}, {len(self.counts)} contexts and symbols)"

    def _options(self) -> tuple:
        return self.order, self.n_symbols, self.smoothing, self.discount

    def _contexts(self) -> np.ndarray:
        """Number of the context of each gram; grams are in order, so contexts are too."""
        new = (np.diff(self.grams[:, :-1], axis=0) != 0).any(axis=1)
        return np.cumsum(np.append([0] if len(self.grams) else [], new)).astype(np.int64)

    def _log_probabilities(self, codes: np.ndarray) -> np.ndarray:
        M, a = self.n_symbols, self.smoothing
        taken = np.broadcast_to(self.discount, 3)[np.minimum(self.counts, 3) - 1]
        seen = self.grams @ M ** np.arange(self.order, -1, -1)
        context = self._contexts()
        contexts = seen[np.flatnonzero(np.diff(context, prepend=-1))] // M
        count = _looked_up(seen, self.counts - taken, codes)
        total = _looked_up(contexts, np.bincount(context, self.counts), codes // M)
        left = _looked_up(contexts, np.bincount(context, taken), codes // M)
        fewer = self._fewer(codes)
        with np.errstate(divide="ignore", invalid="ignore"):
            known = np.log((count + (a * M + left) * fewer) / (total + a * M))
            return np.where(total + a > 0, known, np.log(fewer) if np.any(self.discount) else -np.inf)

    def _fewer(self, codes: np.ndarray) -> Any:
        """Q: probability of each symbol from fewer symbols before it."""
        if self.backoff is None:
            return 1 / self.n_symbols
        return np.exp(self.backoff._log_probabilities(codes % self.n_symbols ** (self.backoff.order + 1)))


def _as_data(x: Any, order: Any, lengths: Any, n_symbols: Any) -> tuple[Sequences, int, int]:
    """Symbols, order and number of symbols, checked."""
    tau = as_integer(order, "order", minimum=0)
    given = None if n_symbols is None else as_integer(n_symbols, "n_symbols", minimum=1)
    data = as_symbols(x, lengths, given)
    M = given or int(data.x.max(initial=0)) + 1
    if M ** (tau + 1) >= 2**63:
        raise ValueError(f"order is {tau}, which with {M} symbols makes more than 2^63 contexts: take a lower one")
    return data, tau, M


def _as_discount(discount: Any) -> Any:
    """One number, or three."""
    if np.ndim(discount) == 0:
        return as_number(discount, "discount", minimum=0, maximum=1)
    if np.shape(discount) != (3,):
        raise ValueError(f"discount has shape {np.shape(discount)}: a number or three are wanted")
    return tuple(as_number(d, f"discount[{k}]", minimum=0, maximum=k + 1) for k, d in enumerate(discount))


def _counted(codes: np.ndarray, tau: int, M: int) -> tuple[np.ndarray, np.ndarray]:
    """Different codes as rows of symbols, in rising order, and how often each came; read-only."""
    codes, counts = np.unique(codes, return_counts=True)
    grams = np.stack([codes // M**k % M for k in range(tau, -1, -1)], axis=1)
    for array in (grams, counts):
        array.flags.writeable = False
    return grams, counts


def _modified_discounts(counts: np.ndarray) -> tuple[float, ...]:
    """Discounts off counts of 1, 2, and 3 or more."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    found = []
    for k in (1, 2, 3):
        if n[1] and n[k]:
            found.append(float(np.clip(k - (k + 1) * n[1] / (n[1] + 2 * n[2]) * n[k + 1] / n[k], 0, k)))
        else:
            found.append(k / 2)
    return tuple(found)


def _check_backoff(backoff: Any, order: int, n_symbols: int, weighted: bool) -> None:
    """Raise TypeError or ValueError unless a model can be what another falls back to."""
    if backoff is None:
        return
    if not isinstance(backoff, NGram):
        raise TypeError(f"backoff is a {type(backoff).__name__}: an NGram of a lower order, or None, is wanted")
    if backoff.order >= order or backoff.n_symbols != n_symbols:
        raise ValueError(
            f"backoff has order {backoff.order} and {backoff.n_symbols} symbols: an order below {order} and "
            f"{n_symbols} symbols are wanted; fit it with the same n_symbols"
        )
    if not weighted:
        raise ValueError("backoff has no weight where smoothing and discount are 0: set one of them, or leave it out")


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
