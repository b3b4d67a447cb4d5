"""Recorded stretches of any network, and the adjoint back through them: composition of :class:`rnndyn.passes.Tape`."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from rnndyn import passes_layer_norm
from rnndyn.devices import on_gpu
from rnndyn.dynamics import forward, hidden_of, jacobian, mirrored, outputs
from rnndyn.losses import pull_activation
from rnndyn.networks.base import Gradients
from rnndyn.networks.closed_loop import ClosedLoop
from rnndyn.networks.compose import Bidirectional, Stack
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.networks.layer_norm import LayerNormLSTM
from rnndyn.networks.leaves import flatten, rebuild
from rnndyn.networks.map import Map
from rnndyn.networks.masked import Masked
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import Tape, no_inputs
from rnndyn.readout import Readout
from rnndyn.sums import WeightSums


class Window(NamedTuple):
    """Times ``start`` to ``stop`` of one recorded stretch; losses count from ``counted`` on."""

    start: int
    counted: int
    stop: int


@singledispatch
def record(net, x, s0, window, lengths):
    """Run ``net`` through a window of time and keep what its adjoint needs; the result has ``hidden`` and ``pull``."""
    raise TypeError(f"net is a {type(net).__name__}: a network is wanted")


@singledispatch
def sums_for(net, batch):
    """Empty sums for the gradients of the weights of ``net``; they have ``gradients(W_hy, b_y)``."""
    raise TypeError(f"net is a {type(net).__name__}: a network is wanted")


@singledispatch
def pull_start(net, given, adjoint, sums):
    """Propagate an adjoint back through `rnndyn.dynamics.start`, where that is more than the states given."""


@record.register
def _(net: CellNetwork, x, s0, window, lengths):
    x = no_inputs(net, len(s0), window.stop - window.start) if x is None else x
    if on_gpu():
        from rnndyn import passes_cuda

        return passes_cuda.Tape(net, x, s0)
    return Tape(net, x, s0)


@sums_for.register
def _(net: CellNetwork, batch):
    if on_gpu():
        from rnndyn import passes_cuda

        return passes_cuda.DeviceSums(net, batch)
    return WeightSums(net, batch)


@record.register
def _(net: LayerNormLSTM, x, s0, window, lengths):
    return passes_layer_norm.Tape(net, x, s0, window.stop - window.start)


@sums_for.register
def _(net: LayerNormLSTM, batch):
    return passes_layer_norm.Sums(net)


class MaskedTape:
    """Record of a network whose factors are among its states."""

    def __init__(self, net, x, s0, window, lengths):
        plain = record.dispatch(CellNetwork)
        self.tape = plain(net, x, np.concatenate([s0, net.factors], axis=1), window, lengths)
        self.factors = net.factors

    @property
    def hidden(self):
        """Hidden states (batch, time, unit), contiguous."""
        return self.tape.hidden

    @property
    def passed(self):
        """Hidden states as a layer above takes them."""
        return self.tape.passed

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        size, wide = adjoint.shape[1], np.concatenate([adjoint, np.zeros_like(self.factors)], axis=1)
        within = np.empty((*g.shape[:2], wide.shape[1]), g.dtype)
        first, gx = self.tape.pull(g, wide, sums, inputs=inputs, trace=None if trace is None else within)
        if trace is not None:
            trace[...] = within[:, :, :size]
        return np.ascontiguousarray(first[:, :size]), gx


class StackTape:
    """Records of the layers, from the bottom up."""

    def __init__(self, net, x, s0, window, lengths):
        self.net, self.tapes, at = net, [], 0
        for layer, above in zip(net.layers, (*net.layers[1:], None), strict=True):
            own = np.ascontiguousarray(s0[:, at : at + layer.state_size])
            self.tapes.append(record(layer, x, own, window, lengths))
            both = isinstance(layer, CellNetwork) and isinstance(above, CellNetwork)  # on a GPU nothing comes back
            x, at = self.tapes[-1].passed if both else self.tapes[-1].hidden, at + layer.state_size
        self.hidden = x

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        at, last = adjoint.shape[1], len(self.tapes) - 1
        before: list[np.ndarray] = []
        for k in range(last, -1, -1):
            place = slice(at - self.net.layers[k].state_size, at)
            within = None if trace is None else trace[:, :, place]
            own, risen = np.ascontiguousarray(adjoint[:, place]), g
            first, g = self.tapes[k].pull(g, own, sums.parts[k], inputs=inputs or k > 0, trace=within)
            if within is not None and k < last:  # by a state, at fixed states of the layers above
                hidden_of(self.net.layers[k], within)[...] -= risen
            before.insert(0, first)
            at = place.start
        return np.concatenate(before, axis=1), g


class StackSums:
    """Gradients of the layers."""

    def __init__(self, net, batch):
        self.net, self.parts = net, [sums_for(layer, batch) for layer in net.layers]

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of all layers; the read-out is the last one's."""
        *below, top = self.parts
        return self.net.fold_gradients([*(part.gradients() for part in below), top.gradients(W_hy, b_y)])


class BidirectionalTape:
    """Records of both directions; the backward one reads each sequence from its end."""

    def __init__(self, net, x, s0, window, lengths):
        self.net, self.lengths, self.cut = net, lengths, net.forward.state_size
        self.onward = record(net.forward, x, np.ascontiguousarray(s0[:, : self.cut]), window, lengths)
        self.back = record(net.backward, mirrored(x, lengths), np.ascontiguousarray(s0[:, self.cut :]), window, lengths)
        self.hidden = np.concatenate([self.onward.hidden, mirrored(self.back.hidden, lengths)], axis=2)

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        units, traces = self.net.forward.hidden_size, (None, None)
        if trace is not None:
            traces = trace[:, :, : self.cut], np.empty_like(trace[:, :, self.cut :])
        own = np.ascontiguousarray(adjoint[:, : self.cut]), np.ascontiguousarray(adjoint[:, self.cut :])
        onward = np.ascontiguousarray(g[:, :, :units])
        first, gx = self.onward.pull(onward, own[0], sums.parts[0], inputs=inputs, trace=traces[0])
        turned = mirrored(np.ascontiguousarray(g[:, :, units:]), self.lengths)
        second, turned_gx = self.back.pull(turned, own[1], sums.parts[1], inputs=inputs, trace=traces[1])
        if trace is not None:
            trace[:, :, self.cut :] = mirrored(traces[1], self.lengths)
        if inputs:
            gx = gx + mirrored(turned_gx, self.lengths)
        return np.concatenate([first, second], axis=1), gx


class BidirectionalSums:
    """Gradients of both directions."""

    def __init__(self, net, batch):
        self.net, self.parts = net, [sums_for(net.forward, batch), sums_for(net.backward, batch)]

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of both directions and the common read-out."""
        return self.net.fold_gradients(*(part.gradients() for part in self.parts), W_hy, b_y)


class ClosedLoopTape:
    """States of a closed loop; a step is recorded again when its adjoint is wanted, since that of its input follows."""

    def __init__(self, net, x, s0, window, lengths):
        self.net = net
        states = forward(net, None, s0, window.stop - window.start)
        self.hidden = np.ascontiguousarray(hidden_of(net, states))
        self.before = np.concatenate([s0[:, None], states], axis=1)[:, :-1]
        self.x = outputs(net, self.before)

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        before = np.ascontiguousarray(hidden_of(self.net, self.before))
        columns = hidden_of(self.net, np.arange(self.net.state_size))
        for t in range(g.shape[1] - 1, -1, -1):
            at = slice(t, t + 1)
            x, step = np.ascontiguousarray(self.x[:, at]), Window(t, t, t + 1)
            tape = record(self.net.net, x, np.ascontiguousarray(self.before[:, t]), step, None)
            within = None if trace is None else trace[:, at]
            own = np.ascontiguousarray(g[:, at])
            adjoint, gx = tape.pull(own, adjoint, sums.inside, inputs=True, trace=within)
            gz = pull_activation(gx, x, self.net.output_activation)
            adjoint[:, columns] += sums.readout.pull(gz, np.ascontiguousarray(before[:, at]))[:, 0]
        return adjoint, None


class ClosedLoopSums:
    """Gradients of the network inside; its read-out has one from the loss, and one from what is fed back."""

    def __init__(self, net, batch):
        self.inside, self.readout = sums_for(net.net, batch), Readout(net)

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of the network inside, as the field ``net``."""
        pairs = zip(self.readout.gradients(), (W_hy, b_y), strict=True)
        added = (own if loss is None else own + loss for own, loss in pairs)
        return Gradients({"net": self.inside.gradients(*added)})


class EncoderDecoderSums:
    """Gradients of both parts."""

    def __init__(self, net, batch):
        self.encoder, self.decoder = sums_for(net.encoder, batch), sums_for(net.decoder, batch)

    def gradients(self, W_hy=None, b_y=None):
        """Gradients of both; the read-out is the decoder's."""
        return Gradients({"encoder": self.encoder.gradients(), "decoder": self.decoder.gradients(W_hy, b_y)})


class EncoderDecoderTape:
    """Record of the decoder."""

    def __init__(self, net, x, s0, window, lengths):
        self.tape = record(net.decoder, x, s0, window, lengths)
        self.hidden = self.tape.hidden

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        return self.tape.pull(g, adjoint, sums.decoder, inputs=inputs, trace=trace)


@pull_start.register
def _(net: EncoderDecoder, given, adjoint, sums):
    stops = np.unique(given.ends)
    blank = below = np.zeros_like(adjoint)
    states = forward(net.encoder, given.x, blank, int(stops[-1])) if len(stops) > 1 else blank[:, None]
    # Backward from end to end; where a source ends, the adjoint of its last state sets in.
    for begin, stop in zip([0, *stops][-2::-1], stops[::-1], strict=True):
        below = np.where((given.ends == stop)[:, None], adjoint, below)
        s = np.ascontiguousarray(states[:, begin - 1]) if begin else blank
        tape = record(net.encoder, np.ascontiguousarray(given.x[:, begin:stop]), s, Window(begin, begin, stop), None)
        below = tape.pull(np.zeros_like(tape.hidden), below, sums.encoder)[0]


class MapTape:
    """States of a user's map; its adjoint is that of its Jacobians."""

    def __init__(self, net, x, s0, window, lengths):
        self.net, self.x = net, x
        self.hidden = forward(net, x, s0, window.stop - window.start)
        self.before = np.concatenate([s0[:, None], self.hidden], axis=1)[:, :-1]

    def pull(self, g, adjoint, sums, *, inputs=False, trace=None):
        """As :meth:`rnndyn.passes.Tape.pull`."""
        gx = None if self.x is None else np.zeros_like(self.x)
        for t in range(g.shape[1] - 1, -1, -1):
            adjoint = adjoint + g[:, t]
            if trace is not None:
                trace[:, t] = adjoint
            at = self.before[:, t], None if self.x is None else self.x[:, t]
            sums.add(adjoint, *at)
            if inputs and gx is not None:
                gx[:, t] = np.einsum("bs,bsi->bi", adjoint, jacobian(self.net, *at, "input"))
            adjoint = np.einsum("bs,bsr->br", adjoint, jacobian(self.net, *at))
        return adjoint, gx


class MapSums:
    """Gradient with respect to the floating-point numbers among a map's parameters."""

    def __init__(self, net, batch):
        self.net, self.numbers = net, flatten(net.parameters)
        self.total = np.zeros(len(self.numbers))
        cut = net.input_size

        def step(state, driven, _):
            return net.step(state, driven[:cut], rebuild(net.parameters, driven[cut:]))

        # Its input carries the parameters, so that their derivative is found as that of an input is.
        self.open = Map(step, net.state_size, input_size=cut + len(self.numbers))

    def add(self, adjoint, s, x):
        """Add ``adjoint' d step / d parameters`` at the states ``s`` and inputs ``x``."""
        if len(self.numbers) and len(s):
            numbers = np.broadcast_to(self.numbers, (len(s), len(self.numbers)))
            driven = numbers if x is None else np.concatenate([x, numbers], axis=1)
            J = jacobian(self.open, s, driven, "input")[:, :, self.net.input_size :]
            self.total += np.einsum("bs,bsp->p", adjoint, J)

    def gradients(self, W_hy=None, b_y=None):
        """Gradients with the field ``parameters``, of the structure of the map's own."""
        return Gradients({"parameters": rebuild(self.net.parameters, self.total)}, constant=("parameters",))


record.register(Masked)(MaskedTape)
record.register(Stack)(StackTape)
sums_for.register(Stack)(StackSums)
record.register(Bidirectional)(BidirectionalTape)
sums_for.register(Bidirectional)(BidirectionalSums)
record.register(ClosedLoop)(ClosedLoopTape)
sums_for.register(ClosedLoop)(ClosedLoopSums)
record.register(EncoderDecoder)(EncoderDecoderTape)
sums_for.register(EncoderDecoder)(EncoderDecoderSums)
record.register(Map)(MapTape)
sums_for.register(Map)(MapSums)
