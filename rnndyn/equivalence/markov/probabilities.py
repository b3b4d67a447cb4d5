"""What a hidden Markov model is made of: three arrays of probabilities, checked when it is made, and never changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from rnndyn.equivalence.markov.passes import Counts
from rnndyn.equivalence.markov.sequences import as_symbols
from rnndyn.equivalence.markov.stationary import stationary_law
from rnndyn.validate import as_array, as_integer

DIMS = {"initial": ("state",), "transition": ("state", "next_state"), "emission": ("state", "symbol")}
WHOLE = {"float32": 1e-5, "float64": 1e-8}  # how far a sum of probabilities may be from 1
EXACT = 1e-14  # how far for numbers to be kept to the last bit, times their number


class Fit(NamedTuple):
    """How a model was fitted: the log-likelihood before each step and at the end, and whether the steps had ended."""

    loglik: np.ndarray
    converged: bool


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Probabilities:  # numpydoc ignore=PR02
    """Base of `HMM`: its arrays, what follows from them alone, and its behaviour as a Python object.

    Parameters
    ----------
    initial, transition, emission
        See `HMM`.
    fitted
        How they were fitted, or None.
    """

    initial: Any
    transition: Any
    emission: Any
    fitted: Fit | None = None

    def __post_init__(self) -> None:
        arrays = {name: _probabilities(getattr(self, name), name) for name in DIMS}
        states, symbols = arrays["emission"].shape
        sizes = {"state": states, "next_state": states, "symbol": symbols}
        for name, array in arrays.items():
            array = np.array(as_array(array, name, DIMS[name], sizes=sizes))
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return self.emission.shape[0]

    @property
    def n_symbols(self) -> int:
        """Number of symbols M."""
        return self.emission.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The type of all numbers, float64."""
        return np.dtype(np.float64)

    def from_counts(self, counts: Counts) -> Self:
        """Model whose rows are these counts, normalised; a row without counts stays as it is.

        Parameters
        ----------
        counts
            Of first states, transitions and emissions.

        Returns
        -------
        HMM
            A new one.
        """
        kept: dict[str, Any] = {}
        for name in DIMS:
            rows, old = np.atleast_2d(getattr(counts, name)), np.atleast_2d(getattr(self, name))
            total = rows.sum(axis=1, keepdims=True)
            new = np.where(total > 0, rows / np.where(total > 0, total, 1), old)
            kept[name] = new.reshape(getattr(self, name).shape)
        return type(self)(**kept)

    def with_fit(self, fitted: Fit) -> Self:
        """Return the same model, with the record of how it was fitted.

        Parameters
        ----------
        fitted
            The record.

        Returns
        -------
        HMM
            A new one, equal to this.
        """
        return type(self)(self.initial, self.transition, self.emission, fitted)

    # --- the chain of states ------------------------------------------------------------------------------------------

    @cached_property
    def stationary(self) -> np.ndarray:
        """Law of the state that the transition leaves as it is, (K,).

        Raises
        ------
        ValueError
            Where there are several: the states fall into classes that do not reach one another.
        """
        law = stationary_law(self.transition)
        law.flags.writeable = False
        return law

    def autocovariance(self, n: int) -> np.ndarray:
        """Autocovariances of the one-hot symbols of the stationary chain.

        Parameters
        ----------
        n
            Longest lag.

        Returns
        -------
        (n+1, M, M) array
            ``[k, o, p]``: covariance of "symbol o at time t + k" and "symbol p at time t". For k > 0 it is ``B' (A^k)'
            diag(pi) B - mu mu'``, pi the law `stationary` and mu = B' pi; a weak VARMA has the same. Cost O(n K^2 M).

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> weather = HMM([0.6, 0.4], [[0.7, 0.3], [0.4, 0.6]], [[0.1, 0.9], [0.6, 0.4]])
        >>> weather.autocovariance(2)[:, 0, 0].round(4).tolist()
        [0.2155, 0.0184, 0.0055]
        """
        n = as_integer(n, "n", minimum=0)
        mean = self.stationary @ self.emission
        joint = self.stationary[:, None] * self.emission  # of the state at t + k and the symbol at t
        found = np.empty((n + 1, self.n_symbols, self.n_symbols))
        found[0] = np.diag(mean)
        for k in range(1, n + 1):
            joint = self.transition.T @ joint
            found[k] = self.emission.T @ joint
        return found - np.outer(mean, mean)

    def one_hot(self, x: Any) -> np.ndarray:
        """Symbols as inputs of a network.

        Parameters
        ----------
        x
            Integers (T,) or (B, T).

        Returns
        -------
        (T, M) or (B, T, M) array
            1 at the symbol, else 0.

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> HMM([1.0], [[1.0]], [[0.5, 0.5]]).one_hot([0, 1]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        data = as_symbols(x, None, self.n_symbols)
        return np.eye(self.n_symbols)[data.padded(data.x, 0)]

    # --- as a Python object -------------------------------------------------------------------------------------------

    def replace(self, **fields: Any) -> Self:
        """Model with some of the arrays replaced.

        Parameters
        ----------
        **fields
            ``initial``, ``transition`` or ``emission``.

        Returns
        -------
        HMM
            A new one, checked again.

        Examples
        --------
        >>> from rnndyn.equivalence.markov.hmm import HMM
        >>> HMM([0.5, 0.5], [[0.5, 0.5], [0.1, 0.9]], [[1.0], [1.0]]).replace(initial=[1.0, 0.0]).initial.tolist()
        [1.0, 0.0]
        """
        unknown = [name for name in fields if name not in DIMS]
        if unknown:
            raise TypeError(f"HMM has no {', '.join(map(repr, unknown))}: its fields are {', '.join(DIMS)}")
        return type(self)(**{name: getattr(self, name) for name in DIMS} | fields)

    def content_hash(self) -> str:
        """SHA-256 of the three arrays.

        Returns
        -------
        str
            64 hexadecimal digits; equal models have equal hashes on every machine.
        """
        digest = hashlib.sha256(json.dumps([type(self).__name__, *self.emission.shape]).encode())
        for name in DIMS:
            digest.update(getattr(self, name).astype("<f8", copy=False).tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Whether all probabilities are equal bit by bit."""
        return self.content_hash() == other.content_hash() if isinstance(other, Probabilities) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_states={self.n_states}, n_symbols={self.n_symbols})"


def _probabilities(x: Any, name: str) -> np.ndarray:
    """Rows of probabilities in float64, each of which sums to 1."""
    array = as_array(x, name, DIMS[name])
    if not array.size:
        raise ValueError(f"{name} has shape {array.shape}: at least one state and one symbol are wanted")
    if (array < 0).any():
        raise ValueError(f"{name} holds the negative number {array.min()}: probabilities are wanted")
    within = WHOLE[array.dtype.name]
    array = array.astype(np.float64)
    sums = array.sum(axis=-1, keepdims=True)
    worst = sums.ravel()[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > within:
        raise ValueError(f"{name} has a row that sums to {worst:.10g}: each row must sum to 1; divide it by its sum")
    return np.where(np.abs(sums - 1) > EXACT * array.shape[-1], array / sums, array)
