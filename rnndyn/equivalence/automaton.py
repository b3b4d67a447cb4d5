"""Finite automata, with a counter if wanted, and the recurrent network that runs each of them without error."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.networks.elman import Elman
from rnndyn.validate import as_array, as_dtype, as_integer, as_integers

MOST = {"float32": 2**10, "float64": 2**24}  # limit of a counter: its square, and all sums, are then exact


class Automaton:
    """A deterministic automaton that reads a symbol each step, alone or with a counter that it can test for zero.

    Parameters
    ----------
    transition : (N, A) or (N, A, 2)
        Next state by state and symbol; the last axis is whether the counter is above zero.
    increment : (N, A) or (N, A, 2), optional
        What is added to the counter then: -1, 0 or 1. Without it there is no counter.
    initial
        State before the first symbol; the counter is then 0.
    limit
        Largest value of the counter, at most 2^24. It stays at the limit, and at 0, where it would leave them.

    Attributes
    ----------
    n_states, n_symbols
        N and A.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    With one counter an automaton recognises, among others, balanced brackets; with two it would be universal
    ([siegelmann1995]_ builds a universal network of saturated-linear units, whose states need unbounded precision).

    Examples
    --------
    >>> odd = Automaton([[0, 1], [1, 0]])  # has it read an odd number of ones?
    >>> odd.run([1, 1, 1, 0])[0].tolist()
    [1, 0, 1, 1]
    """

    def __init__(self, transition: Any, increment: Any = None, *, initial: int = 0, limit: int = 2**20) -> None:
        axes = ("state", "symbol", "counter")
        given = as_integers(transition, "transition", axes[: max(np.ndim(transition), 2)], minimum=0)
        if not given.size or (given.ndim == 3 and given.shape[2] != 2):
            raise ValueError(f"transition has the shape {given.shape}, wanted (N, A) or (N, A, 2), not empty")
        as_integers(given, "transition", maximum=len(given) - 1)
        if increment is None and given.ndim == 3:
            raise ValueError("transition depends on a counter, but increment is missing: pass it, or an (N, A) table")
        added = np.zeros(given.shape[:2], np.int64) if increment is None else increment
        added = as_integers(added, "increment", axes[: max(np.ndim(added), 2)], minimum=-1, maximum=1)
        if added.shape[:2] != given.shape[:2] or added.shape[2:] not in ((), (2,)):
            raise ValueError(f"increment has the shape {added.shape}, transition {given.shape}: make them alike")
        self.counts = increment is not None
        self.transition, self.increment = _by_counter(given), _by_counter(added)
        self.n_states, self.n_symbols = given.shape[:2]
        self.initial = as_integer(initial, "initial", minimum=0, maximum=self.n_states - 1)
        self.limit = as_integer(limit, "limit", minimum=1, maximum=MOST["float64"])

    def run(self, symbols: Any) -> tuple[np.ndarray, np.ndarray]:
        """Read symbols, as the definition says.

        Parameters
        ----------
        symbols : (T,)
            Integers 0..A-1.

        Returns
        -------
        states, counts : (T,) arrays
            After each symbol.
        """
        read = self._symbols(symbols)
        states, counts = np.empty(len(read), np.int64), np.empty(len(read), np.int64)
        table, added = self.transition.tolist(), self.increment.tolist()
        state, count = self.initial, 0
        for t, symbol in enumerate(read.tolist()):
            above = count > 0
            added_now = added[state][symbol][above]
            state, count = table[state][symbol][above], min(max(count + added_now, 0), self.limit)
            states[t], counts[t] = state, count
        return states, counts

    def to_rnn(self, dtype: Any = "float64") -> Elman:
        """Give the network that does the same, step by step and exactly, for ever.

        Parameters
        ----------
        dtype
            float32 or float64. In float32 the limit of a counter is at most 2^10.

        Returns
        -------
        Elman
            Of saturated-linear units ``sat(a) = min(max(a, 0), 1) = relu(a) - relu(a - 1)``, each as a pair of
            rectified ones. Its inputs are `encode(symbols)`, its outputs the state, one-hot, and then the counter, from
            which `decode` reads both. It starts from `initial_state()`.

        Raises
        ------
        ValueError
            For a limit that the dtype cannot hold.

        Notes
        -----
        A unit stands for a state, a symbol read in it, and whether the counter was then zero: it is 1 just after this
        has happened, else 0. That conjunction is ``sat(G (s + x - 2) + ...)``, s and x the parts of a one-hot state and
        input, and with G = limit + 2 ``... = n`` is "and the counter n is above zero", ``... = 1 - n`` "and it is
        zero". A last unit counts, saturated at the limit in place of 1. All numbers are whole: nothing rounds. Without
        a counter the conjunction is ``sat(2 (s + x - 2) + 3/2)``, which also takes away, but for the rounding of one
        step, a disturbance that shifts s by less than 1/4.
        """
        most = MOST[as_dtype(dtype).name]
        if self.counts and self.limit > most:
            raise ValueError(f"dtype is {dtype}, exact up to a limit of {most}, not {self.limit}: use float64")
        return self._network(as_dtype(dtype))

    def initial_state(self) -> np.ndarray:
        """State from which the network starts.

        Returns
        -------
        (S,) array
            Only the unit that stands for a start in this state is 1, and never again; the counter is 0.
        """
        state = np.zeros(2 * self._units())
        state[2 * (self._conjunctions() + self.initial)] = 1.0
        return state

    def encode(self, symbols: Any) -> np.ndarray:
        """Symbols as inputs of the network.

        Parameters
        ----------
        symbols : (T,)
            Integers 0..A-1.

        Returns
        -------
        (T, A) array
            One-hot.
        """
        return np.eye(self.n_symbols)[self._symbols(symbols)]

    def decode(self, outputs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Read states and counts off the outputs of the network.

        Parameters
        ----------
        outputs : (..., N + 1)
            Of a run.

        Returns
        -------
        states, counts : (...) arrays of int
            What the outputs stand for; the last increment is in the counter's before it saturates.

        Raises
        ------
        ValueError
            For outputs that stand for no state: the part of one is not within 1/4 of 1, or that of another not of 0.
        """
        y = as_array(outputs, "outputs")
        if y.ndim == 0 or y.shape[-1] != self.n_states + 1:
            raise ValueError(f"outputs has the shape {y.shape}, wanted (..., {self.n_states + 1}): pass those of a run")
        parts = np.abs(y[..., :-1])
        state = parts.argmax(axis=-1)
        if np.abs(y[..., :-1] - np.eye(self.n_states)[state]).max(initial=0) > 0.25:
            raise ValueError("outputs stands for no state: it is not one-hot to within 1/4")
        return state, np.clip(np.rint(y[..., -1]), 0, self.limit).astype(np.int64)

    def __repr__(self) -> str:
        counter = f", limit={self.limit}" if self.counts else ""
        return f"Automaton(n_states={self.n_states}, n_symbols={self.n_symbols}, initial={self.initial}{counter})"

    def _symbols(self, symbols: Any) -> np.ndarray:
        return as_integers(symbols, "symbols", ("time",), minimum=0, maximum=self.n_symbols - 1)

    def _conjunctions(self) -> int:
        return self.n_states * self.n_symbols * (2 if self.counts else 1)

    def _units(self) -> int:
        """Saturated units: the conjunctions, one for each state to start from, and the counter."""
        return self._conjunctions() + self.n_states + self.counts

    def _network(self, dtype: np.dtype) -> Elman:
        N, A, Z = self.n_states, self.n_symbols, 2 if self.counts else 1
        n, units = self._conjunctions(), self._units()
        state, count = np.zeros((N, units)), np.zeros(units)  # one-hot state and counter, read off the units
        state[self.transition[:, :, :Z].ravel(), np.arange(n)] = 1.0
        state[np.arange(N), n + np.arange(N)] = 1.0
        count[:n] = self.increment[:, :, :Z].ravel()
        gain = self.limit + 2.0 if self.counts else 2.0
        W, U, b, most = np.zeros((units, units)), np.zeros((units, A)), np.zeros(units), np.ones(units)
        W[:n] = gain * np.repeat(state, A * Z, axis=0)
        U[:n] = gain * np.tile(np.repeat(np.eye(A), Z, axis=0), (N, 1))
        b[:n] = 1.5 - 2 * gain
        if self.counts:
            count[-1], most[-1] = 1.0, self.limit
            tests = np.tile([-1.0, 1.0], N * A)  # zero, above zero
            W[:n] += tests[:, None] * count
            b[:n] = (tests < 0) - 2 * gain
            W[-1] = count
        # A unit that saturates at m is relu(a) - relu(a - m): each comes twice, the second time with a minus.
        twice, sign = np.repeat(np.arange(units), 2), np.tile([1.0, -1.0], units)
        bias = b[twice] - most[twice] * (sign < 0)
        W_hy = np.vstack([state, count])[:, twice] * sign
        arrays = [array.astype(dtype) for array in (U[twice], W[np.ix_(twice, twice)] * sign, bias)]
        return Elman(*arrays, activation="relu", W_hy=W_hy.astype(dtype))


def _by_counter(table: np.ndarray) -> np.ndarray:
    """Table (N, A, 2) from one that may not depend on the counter."""
    return np.ascontiguousarray(np.broadcast_to(table[..., None], (*table.shape, 2)) if table.ndim == 2 else table)
