"""Read-out ``W_hy h + b_y`` and its adjoint, on the same tile as the networks."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rnndyn.kernels.jit import WIDTH
from rnndyn.kernels.pack import blocks_of, pack_readout
from rnndyn.passes import affine_call
from rnndyn.sums import OuterSum, Source


class Readout:
    """Read-out of a network, with running sums of its gradients; without weights it passes the hidden states on."""

    def __init__(self, net):
        self.net, self.W = net, net.W_hy

    @cached_property
    def packed(self):
        """Its weights, as products take them."""
        return pack_readout(self.W, self.net.b_y)

    @cached_property
    def total(self):
        """Sums of the gradients."""
        outputs, units = self.W.shape
        sources = Source(units, 0, 1), Source(0, 0, 0), Source(0, 0, 0)
        dtype = self.net.dtype
        return OuterSum(sources, 1, blocks_of(outputs, dtype), WIDTH[dtype], outputs, dtype)

    def sums(self, hidden):
        """Sums (batch, time, output) before the activation."""
        if self.W is None:
            return hidden
        out = np.empty((*hidden.shape[:2], len(self.W)), self.net.dtype)
        if out.size:
            self.summing(hidden, out).run()
        return out

    def summing(self, hidden, out):
        """Call for :meth:`sums`."""
        return affine_call(self.packed.W, self.packed.b, by_row(hidden), by_row(out))

    def pull(self, g, hidden):
        """dL/dh from dL/d(sums), both (batch, time, ...); adds to the gradients of the weights."""
        g = np.ascontiguousarray(g)
        if self.W is None:
            return g
        out = np.empty_like(hidden)
        if out.size:
            for call in self.pulling(g, hidden, out):
                call.run()
        return out

    def pulling(self, g, hidden, out):
        """Calls for :meth:`pull`."""
        W = self.packed.WT
        affine = affine_call(W, np.zeros(W.shape[::3], g.dtype), by_row(g), by_row(out))
        return self.total.adding(g, hidden, batch_first=True), affine

    def gradients(self):
        """Pair (dL/dW_hy, dL/db_y), with None for what the network has not."""
        if self.W is None:
            return None, None
        weights, biases = self.total.found(0)
        return weights[0], None if self.net.b_y is None else biases[0]


def by_row(array):
    """An array (batch, time, k) as rows of k."""
    return np.ascontiguousarray(array).reshape(array.shape[0] * array.shape[1], array.shape[2])
