"""What losses share.

A loss takes the read-out's sums ``z = W_hy h + b_y`` before their activation, so that softmax and cross-entropy are
differentiated together, without overflow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax

from rnndyn.validate import as_array


def activate(z, activation):
    """Outputs from the read-out's sums (..., output)."""
    if activation == "softmax":
        return softmax(z, axis=-1)
    return expit(z) if activation == "sigmoid" else z


def pull_activation(g, y, activation):
    """dL/dz from dL/dy at the outputs ``y``."""
    if activation == "softmax":
        return y * (g - np.sum(g * y, axis=-1, keepdims=True))
    return g * y * (1 - y) if activation == "sigmoid" else g


class Loss(ABC):
    """Base of all losses."""

    masks = True  # whether single steps can be weighted

    @abstractmethod
    def targets(self, net, targets, batch, steps, lengths):
        """Targets as a clean array, or an error that names them.

        Parameters
        ----------
        net : Network
            Whose outputs are compared.
        targets : array_like
            What was passed.
        batch, steps : int
            Sizes of the run.
        lengths : ndarray of int, shape (batch,), or None
            Where sequences end.

        Returns
        -------
        ndarray or None
            With the batch as its first axis.
        """

    def part(self, targets, rows, steps):
        """Targets of some sequences that are cut after ``steps``."""
        return targets[rows, :steps]


class StepLoss(Loss):
    """A loss that is a sum over the steps."""

    @abstractmethod
    def steps(self, z, targets, activation):
        """Loss of each step (batch, time), float64, and dL/dz (batch, time, output)."""


class OutputLoss(StepLoss):
    """A loss of each step that is a function of the outputs behind their activation, computed in double precision."""

    def steps(self, z, targets, activation):
        """Loss of each step (batch, time), and dL/dz (batch, time, output)."""
        y = activate(z, activation).astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):  # infinite where outputs are extreme; the caller's to find
            values, g = self.of_outputs(y, targets)
        return values, pull_activation(g, y, activation)

    @abstractmethod
    def of_outputs(self, y, targets):
        """Loss of each step, and dL/dy, from outputs (batch, time, output)."""


class SequenceLoss(Loss):
    """A loss of whole sequences."""

    @abstractmethod
    def whole(self, z, targets, activation, lengths):
        """Mean loss of the batch, and dL/dz (batch, time, output)."""


@dataclass(frozen=True)
class Called(SequenceLoss):  # numpydoc ignore=PR01
    """A caller's own loss, ``function(outputs) -> (value, d value / d outputs)``."""

    function: Callable
    masks = False

    def targets(self, net, targets, batch, steps, lengths):
        """No targets: the function has its own."""
        return None

    def whole(self, z, targets, activation, lengths):
        """Value, and dL/dz (batch, time, output); behind the end of a sequence the function sees zeros."""
        y = activate(z, activation)
        if lengths is not None:
            y = np.where((np.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, y.dtype.type(0))
        value, g = called(self.function, y)
        return value, pull_activation(g, y, activation)


def called(loss, outputs):
    """Value and derivative of a caller's own loss, checked."""
    result = loss(outputs)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"loss returned {type(result).__name__}: a pair (value, d value / d outputs) is wanted")
    value, g = float(result[0]), np.asarray(result[1], outputs.dtype)
    if g.shape != outputs.shape:
        raise ValueError(f"loss returned a derivative of shape {g.shape}, wanted that of the outputs, {outputs.shape}")
    return value, g


def width_of(net):
    """Number of outputs; of hidden units, where there is no read-out."""
    return net.output_size or net.hidden_size


def check_given(targets, loss):
    """Raise ValueError where there are no targets."""
    if targets is None:
        raise ValueError(f"targets is missing: {loss!r} needs them")


def check_logits(net, loss):
    """Raise ValueError where the outputs are not probabilities or their logits."""
    if net.output_activation == "sigmoid":
        raise ValueError(f"{loss!r} needs logits or softmax outputs: output_activation is 'sigmoid'")


def as_series(loss, targets, batch, steps, width, dtype):
    """Targets (batch, time, output) of a loss; ``width`` None takes any number of outputs."""
    check_given(targets, loss)
    sizes = {"batch": batch, "time": steps} | ({} if width is None else {"output": width})
    y = as_array(targets, "targets", ("batch", "time", "output"), sizes=sizes, dtype=dtype, optional=("batch",))
    return np.broadcast_to(y, (batch, *y.shape[-2:]))
