"""Which sequences each step sees: every pass over the data in a new order, which can be taken up again."""

from __future__ import annotations

import numpy as np

from rnndyn.validate import as_integer


class Batches:
    """Row numbers of one batch after the other.

    Parameters
    ----------
    total : int
        Number of sequences.
    size : int or None
        Sequences a batch; None for all of them at every step.
    rng : numpy.random.Generator
        Draws the order of each pass. A pass leaves out what does not fill a batch.
    lengths : ndarray of int, shape (total,), optional
        With these, a batch holds sequences of like length, drawn at random among equal ones.
    """

    def __init__(self, total, size, rng, lengths=None):
        self.total, self.rng, self.lengths = total, rng, lengths
        self.size = None if size is None else min(as_integer(size, "batch_size", minimum=1), total)
        self.rows, self.taken, self.before = np.empty((0, 0), int), 0, None

    def take(self):
        """Rows of the next batch, rising; None for all rows."""
        if self.size is None:
            return None
        if self.taken == len(self.rows):
            self._shuffle()
        self.taken += 1
        return self.rows[self.taken - 1]

    def _shuffle(self):
        self.before, self.taken = self.rng.bit_generator.state, 0
        order = self.rng.permutation(self.total)[: self.total // self.size * self.size]
        if self.lengths is not None:
            order = order[np.argsort(self.lengths[order], kind="stable")]
        rows = order.reshape(-1, self.size)
        if self.lengths is not None:
            rows = self.rng.permutation(rows)
        self.rows = np.sort(rows, axis=1)

    def state(self):
        """Where it stands, as JSON can hold it: the generator before the present pass, and the batches taken of it."""
        return None if self.before is None else {"before": _plain(self.before), "taken": self.taken}

    def restore(self, state):
        """Take up a pass where another stood; sets the generator."""
        if state is not None:
            self.rng.bit_generator.state = state["before"]
            self._shuffle()
            self.taken = state["taken"]


def _plain(value):
    """State of a bit generator without arrays."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
