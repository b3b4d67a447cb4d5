"""Connectionist temporal classification: labels in order, without a time for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from rnndyn.losses.base import SequenceLoss, check_given, check_logits, width_of
from rnndyn.validate import as_array, as_integer, as_integers

FILL = -1  # behind the last label of a sequence


@dataclass(frozen=True)
class CTC(SequenceLoss):  # numpydoc ignore=PR02
    """Minus the log-probability of a sequence of labels, over all ways to lay them out in time ([graves2006]_).

    At each step the network says one of its O symbols, of which one is blank. What it said is read without
    repetitions, then without blanks. Targets are (batch, label): integers in 0..O-1 but for the blank, filled up
    with -1; or a list of lists of labels. Lengths end the sequences of outputs; there is no mask.

    Parameters
    ----------
    blank : int
        Symbol that stands for none.

    Notes
    -----
    Forward and backward recursion in logarithms, O(batch time labels).

    Examples
    --------
    >>> z = np.zeros((1, 2, 2))  # two steps of blank or "1", each as likely; three of the four ways read "1"
    >>> round(float(np.exp(-CTC().whole(z, np.array([[1]]), "identity", None)[0])), 12)
    0.75
    """

    blank: int = 0
    masks = False

    def __post_init__(self):
        as_integer(self.blank, "blank", minimum=0)

    def targets(self, net, targets, batch, steps, lengths):
        """Labels (batch, label), filled up with -1."""
        check_given(targets, self)
        check_logits(net, self)
        top = width_of(net) - 1
        if self.blank > top:
            raise ValueError(f"blank is {self.blank}: the network has the outputs 0..{top}")
        dims, sizes = ("batch", "label"), {"batch": batch}
        labels = as_integers(
            _filled(targets), "targets", dims, sizes=sizes, optional=("batch",), minimum=FILL, maximum=top
        )
        labels = np.broadcast_to(labels, (batch, labels.shape[-1]))
        given = labels != FILL
        if (given[:, 1:] > given[:, :-1]).any():
            raise ValueError("targets has labels behind a -1, which fills up the end: put the labels first")
        if (labels == self.blank).any():
            raise ValueError(f"targets holds {self.blank}, the blank: labels are the other outputs")
        needed = given.sum(axis=1) + ((labels[:, 1:] == labels[:, :-1]) & given[:, 1:]).sum(axis=1)
        ends = np.full(batch, steps) if lengths is None else lengths
        if (short := np.flatnonzero(needed > ends)).size:
            b = short[0]
            raise ValueError(
                f"targets[{b}] needs {needed[b]} steps, a label each and a blank between equal ones, but its sequence "
                f"has {ends[b]}: shorten the targets or lengthen the inputs"
            )
        return labels

    def part(self, targets, rows, steps):
        """Labels of some sequences."""
        return targets[rows]

    def read(self, outputs, lengths=None):
        """Labels along the most likely symbol of each step ([graves2006]_, section 3.2).

        Parameters
        ----------
        outputs : array_like, shape (batch, time, O)
            Probabilities or read-out sums.
        lengths : array_like of int, shape (batch,), optional
            Where sequences end.

        Returns
        -------
        list of ndarray
            The labels of each sequence: what `rnndyn.metrics.character_error_rate` compares. The most likely labels
            would be those of all paths together, and can be others.

        Examples
        --------
        >>> CTC().read(np.eye(3)[[[1, 1, 0, 1, 2]]])  # said: 1 1 blank 1 2
        [array([1, 1, 2])]
        """
        paths = np.argmax(as_array(outputs, "outputs", ("batch", "time", "output")), axis=-1)
        batch, steps = paths.shape
        ends = np.full(batch, steps)
        if lengths is not None:
            ends = as_integers(lengths, "lengths", ("batch",), sizes={"batch": batch}, minimum=0, maximum=steps)
        new = np.diff(paths, axis=1, prepend=self.blank) != 0
        said = new & (paths != self.blank) & (np.arange(steps) < ends[:, None])
        return [path[heard] for path, heard in zip(paths, said, strict=True)]

    def whole(self, z, targets, activation, lengths):
        """Mean loss of the batch, and dL/dz (batch, time, output); ``z`` are logits."""
        batch, steps, symbols = z.shape
        lengths = np.full(batch, steps) if lengths is None else lengths
        logp = log_softmax(z.astype(np.float64, copy=False), axis=-1)
        states, skips, last = layout(targets, self.blank)
        said = np.take_along_axis(logp, np.broadcast_to(states[:, None], (batch, steps, states.shape[1])), axis=2)
        before = forward(said, skips)
        after = backward(said, skips, last, lengths)
        total = np.zeros(batch)  # a sequence without steps has said nothing, for sure
        some = np.flatnonzero(lengths)
        if some.size:
            total[some] = np.logaddexp.reduce(before[some, 0] + after[some, 0], axis=1)
        share = np.exp(before + after - total[:, None, None])  # of the ways that pass through each state at each time
        inside = np.arange(steps) < lengths[:, None]
        g = np.exp(logp) - share @ (states[:, :, None] == np.arange(symbols))
        return -float(total.mean()) if batch else 0.0, np.where(inside[:, :, None], g, 0.0) / max(batch, 1)


def _filled(targets):
    """Make one array of a list of lists."""
    if isinstance(targets, (list, tuple)) and targets and all(np.ndim(labels) == 1 for labels in targets):
        filled = np.full((len(targets), max(map(len, targets))), FILL)
        for row, labels in zip(filled, targets, strict=True):
            row[: len(labels)] = as_integers(labels, "targets")
        return filled
    return targets


def layout(labels, blank):
    """States (batch, state), blank, label, blank, ..., blank; which may be reached past a blank; the last of each."""
    batch, count = labels.shape
    states = np.full((batch, 2 * count + 1), blank)
    states[:, 1::2] = np.where(labels == FILL, blank, labels)
    skips = np.zeros(states.shape, bool)
    skips[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    return states, skips, 2 * (labels != FILL).sum(axis=1)


def forward(said, skips):
    """Log-probability of what was said up to each time, and of being in each state then."""
    out = np.full(said.shape, -np.inf)
    for t in range(said.shape[1]):
        if t == 0:
            out[:, 0, :2] = said[:, 0, :2]
            continue
        way = out[:, t - 1].copy()
        way[:, 1:] = np.logaddexp(way[:, 1:], out[:, t - 1, :-1])
        past = np.where(skips[:, 2:], out[:, t - 1, :-2], -np.inf)
        way[:, 2:] = np.logaddexp(way[:, 2:], past)
        out[:, t] = way + said[:, t]
    return out


def backward(said, skips, last, lengths):
    """Log-probability of what is said after each time, given the state then; it ends in the last label or blank."""
    batch, steps, count = said.shape
    ends = (np.arange(count) <= last[:, None]) & (np.arange(count) >= last[:, None] - 1)
    finished = np.where(ends, 0.0, -np.inf)
    out = np.full(said.shape, -np.inf)
    for t in reversed(range(steps)):
        way = np.full((batch, count), -np.inf)
        if t + 1 < steps:
            ahead = out[:, t + 1] + said[:, t + 1]
            way = ahead.copy()
            way[:, :-1] = np.logaddexp(way[:, :-1], ahead[:, 1:])
            past = np.where(skips[:, 2:], ahead[:, 2:], -np.inf)
            way[:, :-2] = np.logaddexp(way[:, :-2], past)
        out[:, t] = np.where((t == lengths - 1)[:, None], finished, way)
    return out
