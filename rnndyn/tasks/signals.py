"""Tasks with continuous signals: an oscillation on demand, and evidence that is added up."""

from __future__ import annotations

import numpy as np

from rnndyn.tasks.task import at_the_end, sizes, task
from rnndyn.validate import as_generator, as_number


def sine_generator(rng=None, *, batch=64, steps=100, lowest=0.1, highest=0.6):
    """Give a constant input; wanted is a sine of the frequency that it stands for ([sussillo2013]_).

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the frequencies, uniformly.
    batch, steps : int
        Number and length of the sequences.
    lowest, highest : float
        Bounds of the frequency, in radians per step; inputs of 0.25 and 1.25 stand for them.

    Returns
    -------
    Task
        Inputs and targets (batch, time, 1); the target is sin(frequency t), t = 1..steps.

    Examples
    --------
    >>> inputs, targets, _ = sine_generator(0, batch=1, steps=3, lowest=0.5, highest=0.5)
    >>> targets.values.ravel().round(3).tolist()
    [0.479, 0.841, 0.997]
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    lowest = as_number(lowest, "lowest", above=0.0)
    highest = as_number(highest, "highest", minimum=lowest, maximum=np.pi)
    place = rng.random((batch, 1, 1))
    inputs = np.broadcast_to(0.25 + place, (batch, steps, 1)).copy()
    frequency = lowest + (highest - lowest) * place
    return task(inputs, np.sin(frequency * np.arange(1, steps + 1)[:, None]))


def context_integration(rng=None, *, batch=64, steps=50, strength=0.2, noise=1.0):
    """Give two noisy streams and a context that says which counts; wanted is the sign of its sum, at the last step.

    After Mante et al. ([mante2013]_).

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch, steps : int
        Number and length of the sequences.
    strength : float
        Largest mean of a stream; means are uniform up to it, of both signs.
    noise : float
        Standard deviation of a stream's white noise.

    Returns
    -------
    Task
        Inputs (batch, time, 4): the streams, then the context as one of two. Targets (batch, time, 1), +1 or -1 by the
        sum of what was shown, so that no noise stands between the inputs and the answer.

    Examples
    --------
    >>> inputs, targets, _ = context_integration(0)
    >>> shown = (inputs[..., :2].sum("time") * inputs[:, 0, 2:].values).sum("input")
    >>> bool((np.sign(shown) == targets[:, -1, 0]).all())
    True
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    strength = as_number(strength, "strength", minimum=0.0)
    noise = as_number(noise, "noise", minimum=0.0)
    means = rng.uniform(-strength, strength, (batch, 1, 2))
    streams = means + noise * rng.standard_normal((batch, steps, 2))
    context = np.eye(2)[rng.integers(2, size=batch)]
    inputs = np.concatenate([streams, np.broadcast_to(context[:, None], streams.shape)], axis=-1)
    targets = np.zeros((batch, steps, 1))
    targets[:, -1, 0] = np.where((streams.sum(axis=1) * context).sum(axis=1) < 0, -1.0, 1.0)
    return task(inputs, targets, at_the_end(batch, steps))
