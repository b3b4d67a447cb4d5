"""Losses of one step: squared error, cross-entropy, quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from rnndyn.losses.base import (
    OutputLoss,
    StepLoss,
    activate,
    as_series,
    check_given,
    check_logits,
    pull_activation,
    width_of,
)
from rnndyn.validate import as_integers, as_number

FEW = 8  # outputs up to which it is quicker to go through them one by one


@dataclass(frozen=True)
class MSE(StepLoss):
    """Half the squared error of each step, summed over the outputs. Targets (batch, time, output)."""

    def targets(self, net, targets, batch, steps, lengths):
        """Targets (batch, time, output)."""
        return as_series(self, targets, batch, steps, width_of(net), net.dtype)

    def steps(self, z, targets, activation):
        """Half the squared error of each step (batch, time), and dL/dz."""
        y = activate(z, activation)
        error = y - targets
        return 0.5 * squares(error), pull_activation(error, y, activation)


def squares(error):
    """Sum of squares over the last axis, in double precision."""
    if error.shape[-1] > FEW:
        wide = error.astype(np.float64)
        return np.vecdot(wide, wide)
    columns = (error[..., k].astype(np.float64) for k in range(error.shape[-1]))
    return sum(column * column for column in columns)


@dataclass(frozen=True)
class CrossEntropy(StepLoss):
    """Minus the log-probability of the target of each step. Targets (batch, time), integers in 0..O-1."""

    def targets(self, net, targets, batch, steps, lengths):
        """Labels (batch, time)."""
        check_given(targets, self)
        check_logits(net, self)
        sizes, dims = {"batch": batch, "time": steps}, ("batch", "time")
        bounds = {"minimum": 0, "maximum": width_of(net) - 1}
        labels = as_integers(targets, "targets", dims, sizes=sizes, optional=("batch",), **bounds)
        return np.broadcast_to(labels, (batch, steps))

    def steps(self, z, targets, activation):
        """Minus the log-probability of the target of each step (batch, time), and dL/dz; ``z`` are logits."""
        logp = log_softmax(z, axis=-1)
        picked = np.take_along_axis(logp, targets[..., None], axis=-1)[..., 0]
        g = np.exp(logp)
        np.put_along_axis(g, targets[..., None], np.take_along_axis(g, targets[..., None], axis=-1) - 1, axis=-1)
        return -picked.astype(np.float64), g


@dataclass(frozen=True)
class Quantile(OutputLoss):  # numpydoc ignore=PR02
    """Pinball loss ``max(p (y - q), (p - 1) (y - q))``, least where q is the quantile of level p ([koenker1978]_).

    Targets are (batch, time, D). The network has D outputs for each level, those of the first level first.

    Parameters
    ----------
    levels : sequence of float
        Levels p in (0, 1).

    Examples
    --------
    >>> Quantile([0.5]).of_outputs(np.zeros((1, 1, 1)), np.ones((1, 1, 1)))[0].item()  # half the absolute error
    0.5
    """

    levels: tuple[float, ...] = (0.1, 0.5, 0.9)

    def __post_init__(self):
        levels = tuple(as_number(level, "levels", above=0.0) for level in np.atleast_1d(self.levels))
        if not levels or max(levels) >= 1:
            raise ValueError(f"levels is {levels}: numbers between 0 and 1 are wanted")
        object.__setattr__(self, "levels", levels)

    def targets(self, net, targets, batch, steps, lengths):
        """Targets (batch, time, D)."""
        D, rest = divmod(width_of(net), len(self.levels))
        if rest:
            raise ValueError(f"loss={self!r} needs an output for each level: the network has {width_of(net)}")
        return as_series(self, targets, batch, steps, D, "float64")

    def of_outputs(self, y, targets):
        """Sum over levels and outputs, and dL/dy."""
        q, p = y.reshape(*y.shape[:2], len(self.levels), -1), np.array(self.levels)[:, None]
        error = targets[:, :, None] - q
        values = np.maximum(p * error, (p - 1) * error).sum(axis=(2, 3))
        return values, (0.5 - p - 0.5 * np.sign(error)).reshape(y.shape)  # at an error of 0 the mean of both sides
