"""Read-out ``W_hy h + b_y`` and its adjoint, on the same tile as the networks."""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.jit import WIDTH
from rnndyn.kernels.pack import blocks_of, panels, to_lanes
from rnndyn.passes import apply_affine
from rnndyn.sums import OuterSum, Source


class Readout:
    """Read-out of a network, with running sums of its gradients; without weights it passes the hidden states on."""

    def __init__(self, net):
        self.net, self.W = net, net.W_hy
        if self.W is not None:
            outputs, lanes = len(self.W), WIDTH[net.dtype]
            sources = Source(self.W.shape[1], 0, 1), Source(0, 0, 0), Source(0, 0, 0)
            self.total = OuterSum(sources, 1, blocks_of(outputs, net.dtype), lanes, outputs, net.dtype)

    def sums(self, hidden):
        """Sums (batch, time, output) before the activation."""
        if self.W is None:
            return hidden
        b = np.zeros(len(self.W), self.net.dtype) if self.net.b_y is None else self.net.b_y
        out = np.empty((*hidden.shape[:2], len(self.W)), self.net.dtype)
        count, units = hidden.shape[0] * hidden.shape[1], hidden.shape[2]
        rows = hidden.reshape(count, units)
        apply_affine(panels(self.W[None]), to_lanes(b, len(b)), rows, out.reshape(count, len(self.W)))
        return out

    def pull(self, g, hidden):
        """dL/dh from dL/d(sums), both (batch, time, ...); adds to the gradients of the weights."""
        g = np.ascontiguousarray(g)
        if self.W is None:
            return g
        by_time = to_lanes(g.transpose(1, 0, 2)[:, :, None], len(self.W))
        self.total.add(by_time, hidden)
        out = np.empty_like(hidden)
        count, units = len(g) * g.shape[1], hidden.shape[2]
        W = panels(np.ascontiguousarray(self.W.T)[None])
        apply_affine(W, np.zeros(W.shape[::3], g.dtype), g.reshape(count, len(self.W)), out.reshape(count, units))
        return out

    def gradients(self):
        """Pair (dL/dW_hy, dL/db_y), with None for what the network has not."""
        if self.W is None:
            return None, None
        weights, biases = self.total.found(0)
        return weights[0], None if self.net.b_y is None else biases[0]
