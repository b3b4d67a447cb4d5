"""Likelihoods of real targets: the outputs are the parameters of their density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from rnndyn.losses.base import OutputLoss, as_series, width_of

LOG_2_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class GaussianNLL(OutputLoss):
    """Minus the log-density, in nats, of independent normal targets whose mean and variance the network gives.

    Targets are (batch, time, D). The network has 2 D outputs: D means, then D log-variances, so that each variance is
    positive whatever the network gives (Nix & Weigend [nix1994]_).

    Examples
    --------
    >>> round(GaussianNLL().of_outputs(np.zeros((1, 1, 2)), np.zeros((1, 1, 1)))[0].item(), 6)
    0.918939
    """

    def targets(self, net, targets, batch, steps, lengths):
        """Targets (batch, time, D)."""
        if width_of(net) % 2:
            raise ValueError(f"loss={self!r} needs outputs in pairs, mean and log-variance: there are {width_of(net)}")
        return as_series(self, targets, batch, steps, width_of(net) // 2, "float64")

    def of_outputs(self, y, targets):
        """Minus the log-density of each step, and dL/dy."""
        mean, log_variance = np.split(y, 2, axis=-1)
        values, *slopes = negative_log_normal(targets, mean, log_variance)
        return values.sum(axis=-1), np.concatenate(slopes, axis=-1)


@dataclass(frozen=True)
class Mixture(OutputLoss):
    """Minus the log-density of targets under a mixture of K normal densities (Bishop [bishop1994]_).

    Targets are (batch, time, D). The network has K (1 + 2 D) outputs: K logits of the weights, K times D means, K times
    D log-variances; K follows from their number. Within a component the D targets are independent.

    Examples
    --------
    >>> round(Mixture().of_outputs(np.zeros((1, 1, 6)), np.zeros((1, 1, 1)))[0].item(), 6)  # two equal components
    0.918939
    """

    def targets(self, net, targets, batch, steps, lengths):
        """Targets (batch, time, D)."""
        series = as_series(self, targets, batch, steps, None, "float64")
        D = series.shape[-1]
        if not D or width_of(net) % (1 + 2 * D):
            raise ValueError(
                f"targets has {D} outputs, for which loss={self!r} needs a multiple of {1 + 2 * D} outputs: the "
                f"network has {width_of(net)}"
            )
        return series

    def of_outputs(self, y, targets):
        """Minus the log-density of each step, and dL/dy."""
        D = targets.shape[-1]
        K = y.shape[-1] // (1 + 2 * D)
        logits, mean, log_variance = np.split(y, (K, K + K * D), axis=-1)
        mean, log_variance = (a.reshape(*y.shape[:2], K, D) for a in (mean, log_variance))
        each, *slopes = negative_log_normal(targets[:, :, None], mean, log_variance)
        log_weight = logits - logsumexp(logits, axis=-1, keepdims=True)
        joint = log_weight - each.sum(axis=-1)
        total = logsumexp(joint, axis=-1, keepdims=True)
        share = np.exp(joint - total)  # of each component in the density at the target
        slopes = [(share[..., None] * slope).reshape(*y.shape[:2], K * D) for slope in slopes]
        return -total[..., 0], np.concatenate([np.exp(log_weight) - share, *slopes], axis=-1)


def negative_log_normal(x, mean, log_variance):
    """Minus the log of a normal density, and its derivatives by mean and log-variance."""
    error, precision = x - mean, np.exp(-log_variance)
    squared = error * error * precision
    return 0.5 * (LOG_2_PI + log_variance + squared), -error * precision, 0.5 * (1 - squared)
