"""Bounds on the growth of one step."""

from __future__ import annotations

import numpy as np

from rnndyn.networks.elman import Elman, Linear

STEEPEST = {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "sigmoid": 0.25}


def log_slope(net, J: np.ndarray) -> np.ndarray:
    """Logarithm of a bound on the 2-norm of the Jacobian of one step.

    Parameters
    ----------
    net
        The network.
    J : (B, S, S)
        Jacobians of the step, finite.

    Returns
    -------
    (B,) array
        ``log(gamma rho)`` for `Elman` and `Linear`, with gamma the steepest slope of the activation and rho =
        ||W_hh||_2 ([pascanu2013]_); else log ||J||_2 itself.
    """
    with np.errstate(divide="ignore"):
        if isinstance(net, (Elman, Linear)):
            gamma = STEEPEST[getattr(net, "activation", "identity")]
            return np.full(len(J), np.log(gamma * np.linalg.norm(net.W_hh.astype(np.float64), ord=2)))
        return np.log(np.linalg.norm(J, ord=2, axis=(1, 2)))
