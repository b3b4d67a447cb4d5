"""The paths by which a derivative gets through one step of a gated network, and through many.

A step has a direct path, the derivative of the new state at fixed pre-activations (f of an LSTM's cell state, z of a
GRU that keeps), and a path through the recurrent weights of each gate. All of them follow from the local derivatives of
a cell; no cell is named here.
"""

from __future__ import annotations

import numpy as np

from rnndyn import dynamics
from rnndyn.analysis.floats import LOST, ZERO, Float
from rnndyn.networks.base import Network
from rnndyn.networks.compose import Stack
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import gate_matrices, local_derivatives, no_inputs

DIRECT = "direct"


def names(net: Network) -> list[str]:
    """Names of the paths through one step.

    Parameters
    ----------
    net
        Any network.

    Returns
    -------
    list of str
        "direct" and the gates (those of layer k of a stack as "k.direct"); empty where the step has no weights that
        could be told from the rest, as in a `Map`.

    Examples
    --------
    >>> from rnndyn.networks import LSTM
    >>> names(LSTM.random(2, rng=0))
    ['direct', 'i', 'f', 'g', 'o']
    """
    if isinstance(net, Stack):
        layers = [names(layer) for layer in net.layers]
        return [f"{k}.{name}" for k, layer in enumerate(layers) for name in layer] if all(layers) else []
    return [DIRECT, *net.gates] if isinstance(net, CellNetwork) else []


def pull(net: Network, s: np.ndarray, x: np.ndarray | None, l: np.ndarray) -> np.ndarray:
    """Pull an adjoint back through one step, path by path: the parts of ``J' l``.

    Parameters
    ----------
    net
        A cell network or a stack of them.
    s : (B, S)
        States before the step.
    x : (B, I) or None
        Inputs.
    l : (B, S)
        dL/ds after the step.

    Returns
    -------
    (B, P, S) array
        In the order of `names`; their sum is ``J' l``. A gate's part is what passes the weights of this gate last on
        its way back; what passes those of a GRU's candidate by way of its reset gate belongs to the reset gate. Cost
        O(B G H^2).
    """
    return _pull_stack(net, s, x, l) if isinstance(net, Stack) else _pull_cell(net, s, x, l)


def _pull_cell(net, s, x, l):
    x = no_inputs(net, len(s), 1)[:, 0] if x is None else x
    Da, Ds, Ra, Rs, _ = local_derivatives(net, s, x)
    cell, l = net.cell, l.reshape(len(s), net.cell.states, net.hidden_size)
    parts = np.zeros((len(s), 1 + len(net.gates), *l.shape[1:]))
    parts[:, 0] = np.einsum("bcdj,bcj->bdj", Ds, l)
    la = np.einsum("bckj,bcj->bkj", Da.astype(np.float64), l)
    W_m, first = gate_matrices(net, "m")
    through_rate = [(cell.gates[first + k], la[:, first + k] @ W) for k, W in enumerate(W_m)]
    for gate, lm in through_rate:
        parts[:, 1 + gate] += Rs * lm[:, None]
        la += Ra * lm[:, None]
    W_h, first = gate_matrices(net, "h")
    for k, W in enumerate(W_h):
        parts[:, 1 + cell.gates[first + k], 0] += la[:, first + k] @ W
    return parts.reshape(len(s), 1 + len(net.gates), net.state_size)


def _pull_stack(net, s, x, l):
    parts: list[np.ndarray] = []
    above, end = 0.0, net.state_size
    for layer, own, drive in reversed(list(dynamics.taken_apart(net, s, x))):
        start = end - layer.state_size
        arriving = l[:, start:end].astype(np.float64)
        arriving[:, : layer.hidden_size] += above
        of_layer = pull(layer, own, drive, arriving)
        whole = np.zeros((*of_layer.shape[:2], net.state_size))
        whole[:, :, start:end] = of_layer
        parts, end = [whole, *parts], start
        if start:
            above = np.einsum("bij,bi->bj", dynamics.jacobian(layer, own, drive, "input"), arriving)
    return np.concatenate(parts, axis=1)


class Split:
    """The product of Jacobians as the sum of its direct paths and of all paths through recurrent weights.

    Neither part is had by a difference: ``P_t - E_t = J_t (P_{t-1} - E_{t-1}) + R_t E_{t-1}``, with J = D + R and E_t =
    D_t ... D_1. Each column has a power of two of its own, so nothing over- or underflows.

    Parameters
    ----------
    batch, size
        B, S.
    """

    def __init__(self, batch: int, size: int) -> None:
        self.own = Float.of(np.ones((batch, size)))  # prod D_kk
        self.direct = np.repeat(np.eye(size)[None], batch, axis=0), np.zeros((batch, size), np.int64)
        self.rest = np.zeros((batch, size, size)), np.full((batch, size), ZERO)

    def push(self, D: np.ndarray, R: np.ndarray) -> None:
        """Multiply from the left by D + R.

        Parameters
        ----------
        D, R : (B, S, S)
            Direct and recurrent part, finite.
        """
        self.own = self.own * Float.of(np.einsum("bii->bi", D))
        (E, e), (rest, r) = self.direct, self.rest
        top = np.maximum(e, r)
        self.rest = _scaled((D + R) @ _shifted(rest, r - top) + R @ _shifted(E, e - top), top)
        self.direct = _scaled(D @ E, e)

    def log_direct(self) -> np.ndarray:
        """Logarithm of each variable's path through its own old values.

        Returns
        -------
        (B, S) array
            -inf where there is none.
        """
        return self.own.log()

    def log_recurrent_norm(self) -> np.ndarray:
        """Logarithm of the 2-norm of all paths but the direct ones.

        Returns
        -------
        (B,) array
            -inf where there are none.
        """
        rest, r = self.rest
        top = r.max(axis=1)
        norm = np.linalg.norm(_shifted(rest, r - top[:, None]), ord=2, axis=(1, 2))
        with np.errstate(divide="ignore"):
            return np.log(norm) + np.where(norm > 0, top, 0) * np.log(2)


def _shifted(columns: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.ldexp(columns, np.maximum(by, LOST)[:, None])


def _scaled(columns: np.ndarray, exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns (B, S, S) with largest elements in [1/2, 1), and their new exponents (B, S)."""
    largest, by = np.frexp(np.abs(columns).max(axis=1))
    return np.ldexp(columns, -by[:, None]), np.where(largest == 0, ZERO, exponents + by)
