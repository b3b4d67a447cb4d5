"""Passes of an LSTM with layer normalisation, on plain arrays: a step, its tangents and its adjoint.

What is done unit by unit is the LSTM cell's own; between that stand products and normalisations over the units. The
derivative of a normalisation is symmetric, so one function pushes tangents forward and pulls adjoints back.
"""

from __future__ import annotations

import numpy as np

from rnndyn.cells import lstm
from rnndyn.networks.base import Gradients

EPS = 1e-5  # under the root, as in PyTorch
NO_PEEPHOLES = (0.0, 0.0, 0.0)


class Normalised:
    """``y = (z - mean z) / sqrt(var z + EPS)`` over the last axis, and its derivative [ba2016]_.

    Parameters
    ----------
    z : ndarray, shape (batch, number)
        What is normalised.
    """

    def __init__(self, z):
        centred = z - z.mean(axis=-1, keepdims=True)
        self.r = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + z.dtype.type(EPS))
        self.y = centred * self.r

    def slope(self, v):
        """Derivative times vectors ``v``, (batch, number) or (batch, k, number): ``r (v - mean v - y mean(y v))``."""
        y, r = (self.y, self.r) if v.ndim == 2 else (self.y[:, None], self.r[:, None])
        return r * (v - v.mean(axis=-1, keepdims=True) - y * (y * v).mean(axis=-1, keepdims=True))


class Step:
    """One step, with what its derivatives need.

    Parameters
    ----------
    net : LayerNormLSTM
        The network.
    s : ndarray, shape (batch, state)
        States before the step.
    x : ndarray, shape (batch, input), or None
        Inputs.
    """

    def __init__(self, net, s, x):
        self.net, self.x = net, np.zeros((len(s), net.input_size), net.dtype) if x is None else x
        self.h, self.c = np.split(s, 2, axis=1)
        self.drive, self.recurrent = Normalised(self.x @ net.W_xh.T), Normalised(self.h @ net.W_hh.T)
        a = net.gain_x * self.drive.y + net.gain_h * self.recurrent.y
        self.a = np.split(a if net.b_h is None else a + net.b_h, 4, axis=1)
        before = self.h, self.c
        c = lstm.memory(lstm.activate(None, self.a, before, NO_PEEPHOLES), before)
        self.memory = Normalised(c)
        n = net.gain_c * self.memory.y
        self.shown = n if net.b_c is None else n + net.b_c
        (h,) = lstm.update_output(None, self.a[3:], (self.shown,), ())
        self.after = np.concatenate([h, c], axis=1)

    def derivatives(self):
        """Derivatives unit by unit: of ``c'`` by i, f, g and by ``c``; of ``h'`` by o and by what is shown."""
        Da, Ds, _ = lstm.partials(None, self.a, (self.h, self.c), NO_PEEPHOLES)
        ((by_o,),), ((by_n,),), _ = lstm.partials_output(None, self.a[3:], (self.shown,), ())
        return Da[1][:3], Ds[1][1], by_o, by_n

    def push(self, q, dx=None):
        """Tangents (batch, k, state) after the step, from those before it and, if given, of the input."""
        net, ((*by_gate,), by_c, by_o, by_n) = self.net, self.derivatives()
        dh, dc = np.split(q, 2, axis=2)
        da = net.gain_h * self.recurrent.slope(dh @ net.W_hh.T)
        if dx is not None:
            da = da + net.gain_x * self.drive.slope(dx @ net.W_xh.T)
        *gates, do = np.split(da, 4, axis=2)
        dc = by_c[:, None] * dc + sum(D[:, None] * d for D, d in zip(by_gate, gates, strict=True))
        dh = by_o[:, None] * do + by_n[:, None] * (net.gain_c * self.memory.slope(dc))
        return np.concatenate([dh, dc], axis=2)

    def pull(self, l, sums):
        """dL/ds before the step and dL/dx, from dL/ds after it (batch, state); adds to the gradients of the fields."""
        net, ((*by_gate,), by_c, by_o, by_n) = self.net, self.derivatives()
        lh, lc = np.split(l, 2, axis=1)
        ln = by_n * lh
        lc = lc + self.memory.slope(net.gain_c * ln)
        la = np.concatenate([*(D * lc for D in by_gate), by_o * lh], axis=1)
        into, back = self.drive.slope(net.gain_x * la), self.recurrent.slope(net.gain_h * la)
        sums.add(W_xh=into.T @ self.x, W_hh=back.T @ self.h)
        rows = {"b_h": la, "gain_x": la * self.drive.y, "gain_h": la * self.recurrent.y}
        rows |= {"b_c": ln, "gain_c": ln * self.memory.y}
        sums.add(**{name: row.sum(axis=0) for name, row in rows.items()})
        return np.concatenate([back @ net.W_hh, by_c * lc], axis=1), into @ net.W_xh


class Tape:
    """Record of a network over one stretch of time, as :class:`rnndyn.passes.Tape`."""

    def __init__(self, net, x, s0, steps):
        self.net, self.steps, s = net, [], s0
        for t in range(steps):
            self.steps.append(Step(net, s, None if x is None else x[:, t]))
            s = self.steps[-1].after
        after = [step.after[:, : net.hidden_size] for step in self.steps]
        self.hidden = np.stack(after, axis=1) if steps else np.empty((len(s0), 0, net.hidden_size), net.dtype)

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        gx = np.zeros((*g.shape[:2], self.net.input_size), self.net.dtype) if inputs else None
        for t in range(len(self.steps) - 1, -1, -1):
            adjoint = adjoint.copy()
            adjoint[:, : self.net.hidden_size] += g[:, t]
            if trace is not None:
                trace[:, t] = adjoint
            adjoint, of_input = self.steps[t].pull(adjoint, sums)
            if gx is not None:
                gx[:, t] = of_input
        return adjoint, gx


class Sums:
    """Gradients of the fields, summed step by step: so they do not depend on how time is cut."""

    def __init__(self, net):
        self.net = net
        self.totals = {name: np.zeros_like(array) for name, array in net.arrays().items()}

    def add(self, **parts):
        """Add what one step gives, to the fields that the network has."""
        for name, part in parts.items():
            if name in self.totals:
                self.totals[name] += part

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of all fields, with those of the read-out."""
        self.add(**{name: g for name, g in (("W_hy", W_hy), ("b_y", b_y)) if g is not None})
        return Gradients(dict.fromkeys(self.net._dims) | self.totals)
