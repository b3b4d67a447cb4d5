"""Losses: what a network's outputs cost at each step, and the derivative with respect to the read-out's sums.

A loss here takes the read-out's sums ``z = W_hy h + b_y`` before their activation, so that softmax and cross-entropy
are differentiated together, without overflow.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_softmax, softmax

LOSSES = ("mse", "cross_entropy")


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


def mse(z, targets, activation):
    """Half the squared error of each step (batch, time), and dL/dz."""
    y = activate(z, activation)
    error = y - targets
    return 0.5 * np.sum(np.square(error, dtype=np.float64), axis=-1), pull_activation(error, y, activation)


def cross_entropy(z, targets, activation):
    """Minus the log-probability of the target of each step (batch, time), and dL/dz; ``z`` are logits."""
    logp = log_softmax(z, axis=-1)
    picked = np.take_along_axis(logp, targets[..., None], axis=-1)[..., 0]
    g = np.exp(logp)
    np.put_along_axis(g, targets[..., None], np.take_along_axis(g, targets[..., None], axis=-1) - 1, axis=-1)
    return -picked.astype(np.float64), g


STEPWISE = {"mse": mse, "cross_entropy": cross_entropy}


def called(loss, outputs):
    """Value and derivative of a caller's own loss, checked."""
    result = loss(outputs)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"loss returned {type(result).__name__}: a pair (value, d value / d outputs) is wanted")
    value, g = float(result[0]), np.asarray(result[1], outputs.dtype)
    if g.shape != outputs.shape:
        raise ValueError(f"loss returned a derivative of shape {g.shape}, wanted that of the outputs, {outputs.shape}")
    return value, g
