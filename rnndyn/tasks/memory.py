"""Tasks of memory: something has to be kept, for a while or until it is replaced."""

from __future__ import annotations

import numpy as np

from rnndyn.tasks.task import at_the_end, one_hot, sizes, task
from rnndyn.validate import as_generator, as_integer, as_number


def flip_flop(rng=None, *, batch=64, steps=100, bits=3, rate=0.05):
    """Draw pulses of +1 and -1 on several channels; wanted is the sign of each channel's last pulse ([sussillo2013]_).

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch, steps : int
        Number and length of the sequences.
    bits : int
        Number of channels.
    rate : float
        Probability of a pulse, a channel and step. The first step has a pulse on each channel.

    Returns
    -------
    Task
        Inputs and targets (batch, time, bits).

    Examples
    --------
    >>> inputs, targets, mask = flip_flop(0, batch=2, steps=10, bits=3)
    >>> inputs.sizes["input"], bool((targets.values[:, 0] == inputs.values[:, 0]).all())
    (3, True)
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    bits, rate = as_integer(bits, "bits", minimum=1), as_number(rate, "rate", minimum=0.0, maximum=1.0)
    shape = (batch, steps, bits)
    happens = rng.random(shape) < rate
    happens[:, 0] = True
    inputs = np.where(happens, rng.choice([-1.0, 1.0], shape), 0.0)
    last = np.maximum.accumulate(np.where(happens, np.arange(steps)[:, None], 0), axis=1)
    return task(inputs, np.take_along_axis(inputs, last, axis=1))


def delayed_match(rng=None, *, batch=64, delay=10, symbols=4):
    """Show a symbol, wait, show another; wanted is +1 if both are the same, else -1, at the last step.

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch : int
        Number of sequences.
    delay : int
        Steps without input between the two.
    symbols : int
        Number of symbols, each with its channel. Half of the pairs match, in the mean.

    Returns
    -------
    Task
        Inputs (batch, delay + 2, symbols), targets (batch, delay + 2, 1).

    Examples
    --------
    >>> delayed_match(0, delay=3, symbols=2).inputs[0].sum("input").values.tolist()
    [1.0, 0.0, 0.0, 0.0, 1.0]
    """
    rng, batch = as_generator(rng), as_integer(batch, "batch", minimum=1)
    delay, symbols = as_integer(delay, "delay", minimum=0), as_integer(symbols, "symbols", minimum=2)
    first = rng.integers(symbols, size=batch)
    same = rng.random(batch) < 0.5
    second = np.where(same, first, (first + rng.integers(1, symbols, size=batch)) % symbols)
    inputs, targets = np.zeros((batch, delay + 2, symbols)), np.zeros((batch, delay + 2, 1))
    inputs[:, 0], inputs[:, -1] = one_hot(first, symbols), one_hot(second, symbols)
    targets[:, -1, 0] = np.where(same, 1.0, -1.0)
    return task(inputs, targets, at_the_end(batch, delay + 2))


def adding(rng=None, *, batch=64, steps=50):
    """Draw numbers in [0, 1] of which two are marked; wanted is the sum of these, at the last step.

    After Hochreiter & Schmidhuber ([hochreiter1997]_, section 5.4), with one mark in each half of the sequence.

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch, steps : int
        Number and length of the sequences.

    Returns
    -------
    Task
        Inputs (batch, time, 2), numbers and marks; targets (batch, time, 1). Who always says 1 has a mean squared error
        of 1/6.

    Examples
    --------
    >>> inputs, targets, _ = adding(0, steps=20)
    >>> bool(np.allclose(inputs.prod("input").sum("time"), targets[:, -1, 0]))
    True
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps, 2)
    numbers, marks, rows = rng.random((batch, steps)), np.zeros((batch, steps)), np.arange(batch)
    marks[rows, rng.integers(steps // 2, size=batch)] = 1.0
    marks[rows, rng.integers(steps // 2, steps, size=batch)] = 1.0
    targets = np.zeros((batch, steps, 1))
    targets[:, -1, 0] = (numbers * marks).sum(axis=1)
    return task(np.stack([numbers, marks], axis=-1), targets, at_the_end(batch, steps))


def copy_memory(rng=None, *, batch=64, length=10, delay=20, symbols=8):
    """Show some symbols, then blanks, then a sign to begin; wanted are the symbols in their order.

    After Arjovsky et al. ([arjovsky2016]_, section 5.1).

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch : int
        Number of sequences.
    length, delay : int
        Number of symbols, and of steps between the last of them and the first answer; the last step of the delay
        shows the sign.
    symbols : int
        Number of different symbols. Label 0 is the blank; the sign is the last input.

    Returns
    -------
    Task
        Inputs (batch, 2 length + delay, symbols + 2); labels (batch, 2 length + delay) in 0..symbols. The mask wants
        the symbols alone; without it the blanks before count as well, as in the source.

    Examples
    --------
    >>> inputs, targets, _ = copy_memory(0, batch=1, length=2, delay=3, symbols=4)
    >>> inputs.argmax("input").values.tolist(), targets.values.tolist()
    ([[4, 3, 0, 0, 5, 0, 0]], [[0, 0, 0, 0, 0, 4, 3]])
    """
    rng, batch = as_generator(rng), as_integer(batch, "batch", minimum=1)
    length, delay = as_integer(length, "length", minimum=1), as_integer(delay, "delay", minimum=1)
    symbols = as_integer(symbols, "symbols", minimum=1)
    shown, steps = rng.integers(1, symbols + 1, (batch, length)), 2 * length + delay
    labels, targets = np.zeros((batch, steps), int), np.zeros((batch, steps), int)
    labels[:, :length], labels[:, length + delay - 1], targets[:, -length:] = shown, symbols + 1, shown
    return task(one_hot(labels, symbols + 2), targets, at_the_end(batch, steps, length))
