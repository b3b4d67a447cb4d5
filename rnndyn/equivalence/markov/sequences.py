"""Sequences of symbols: one, a batch with lengths, or a list; in memory one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnndyn.frontdoor import as_lengths
from rnndyn.validate import as_integers


class Sequences(NamedTuple):
    """Integers of all sequences, where each begins, with the end of the last, and whether there was only one."""

    x: np.ndarray
    starts: np.ndarray
    single: bool

    @property
    def lengths(self) -> np.ndarray:
        """Length of each sequence."""
        return np.diff(self.starts)

    def padded(self, values: np.ndarray, fill: Any) -> np.ndarray:
        """Rows of ``values``, one a time, as (batch, time, ...), or (time, ...) for a single sequence.

        Examples
        --------
        >>> as_symbols([[0, 1], [1]], None, 2).padded(np.array([5, 6, 7]), -1).tolist()
        [[5, 6], [7, -1]]
        """
        if self.single:
            return values
        longest = int(self.lengths.max(initial=0))
        if (self.lengths == longest).all():
            return values.reshape(len(self.lengths), longest, *values.shape[1:])
        out = np.full((len(self.lengths), longest, *values.shape[1:]), fill, values.dtype)
        out[np.arange(longest) < self.lengths[:, None]] = values
        return out


def as_symbols(x: Any, lengths: Any, n_symbols: int | None, name: str = "x") -> Sequences:
    """Check symbols in any of the three forms.

    Parameters
    ----------
    x
        Integers (T,) or (B, T), or a list of B sequences (T_b,).
    lengths
        Where the sequences of (B, T) end, or None. What follows does not count, whatever stands there.
    n_symbols
        Symbols are below this number; None: any that are not negative.
    name
        Name of the argument, for messages.

    Returns
    -------
    Sequences
        A copy, int64.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, and the place where a symbol is out of range.
    """
    most = None if n_symbols is None else n_symbols - 1
    if lengths is None and isinstance(x, (list, tuple)) and len(x) and all(np.ndim(row) == 1 for row in x):
        rows = [as_integers(row, f"{name}[{n}]", ("time",), minimum=0, maximum=most) for n, row in enumerate(x)]
        starts = np.cumsum([0, *(len(row) for row in rows)])
        return Sequences(np.concatenate(rows), starts, False)
    array = as_integers(x, name, ("batch", "time"), optional=("batch",))
    if array.ndim == 1 and lengths is not None:
        raise ValueError("lengths is given for a single sequence: cut it instead, x[:length]")
    single, table = array.ndim == 1, np.atleast_2d(array)
    ends = as_lengths(lengths, *table.shape)
    if ends is None:
        as_integers(array, name, minimum=0, maximum=most)
        return Sequences(np.array(table.ravel()), np.arange(len(table) + 1) * table.shape[1], single)
    inside = np.arange(table.shape[1]) < ends[:, None]
    as_integers(np.where(inside, table, 0), name, minimum=0, maximum=most)
    return Sequences(table[inside], np.cumsum([0, *ends]), single)
