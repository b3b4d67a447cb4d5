"""What analyses ask of any network, on plain arrays: run it, step it, linearise it.

Each function serves cell networks, :class:`~rnndyn.networks.LayerNormLSTM`, :class:`~rnndyn.networks.Stack`,
:class:`~rnndyn.networks.ClosedLoop` and :class:`~rnndyn.networks.Map`; :class:`~rnndyn.networks.Bidirectional` can be
run, but has no step of its own.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from rnndyn.devices import on_gpu
from rnndyn.losses import activate, pull_activation
from rnndyn.networks.closed_loop import ClosedLoop
from rnndyn.networks.compose import Bidirectional, Stack
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.networks.layer_norm import LayerNormLSTM
from rnndyn.networks.map import Map, forward_map, jacobian_map, step_map, tangent_map
from rnndyn.networks.masked import Masked
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import add_products, gate_matrices, local_derivatives, no_inputs, run_states
from rnndyn.passes_layer_norm import Step
from rnndyn.readout import Readout


@singledispatch
def forward(net, x, s0, steps, lengths=None):
    """States after each step.

    Parameters
    ----------
    net : Network
        The network.
    x : ndarray, shape (batch, time, input), or None
        Inputs; None for an autonomous network.
    s0 : ndarray, shape (batch, state)
        States before the first step.
    steps : int
        Number of steps.
    lengths : ndarray of int, shape (batch,), optional
        Where sequences end, for networks that also read them backward. States after the end are of no meaning.

    Returns
    -------
    ndarray, shape (batch, time, state)
        Cost O(batch time (H^2 + H I)).
    """
    raise TypeError(f"net is a {type(net).__name__}: a network is wanted")


@singledispatch
def start(net, given):
    """States (batch, state) before the first step, from what the front door passes on: these, or a source to read."""
    return given


@singledispatch
def step(net, s, x):
    """States (batch, state) after one step from ``s`` (batch, state) with inputs ``x`` (batch, input) or None."""
    return forward(net, None if x is None else x[:, None], s, 1)[:, 0]


@singledispatch
def jacobian(net, s, x, wrt="state"):
    """Derivatives of one step.

    Parameters
    ----------
    net : Network
        The network; a Bidirectional has no Jacobian.
    s : ndarray, shape (batch, state)
        States before the step.
    x : ndarray, shape (batch, input), or None
        Inputs.
    wrt : str
        ``"state"`` or ``"input"``.

    Returns
    -------
    ndarray, shape (batch, state, state) or (batch, state, input)
        ``J[b, i, j]`` is the derivative of component i of the new state.
    """
    raise TypeError(f"net is a {type(net).__name__}: it has no step in time, so no Jacobian; analyse its parts")


@singledispatch
def tangent(net, s, x, Q):
    """New states (batch, state), and ``J Q`` for tangent vectors ``Q`` (batch, state, k), without forming ``J``."""
    raise TypeError(f"net is a {type(net).__name__}: it has no step in time, so no tangents; analyse its parts")


@forward.register
def _(net: CellNetwork, x, s0, steps, lengths=None):
    x = no_inputs(net, len(s0), steps) if x is None else x
    if on_gpu():
        from rnndyn import passes_cuda

        return passes_cuda.run_states(net, x, s0)
    return run_states(net, x, s0)


@forward.register
def _(net: Masked, x, s0, steps, lengths=None):
    plain = forward.dispatch(CellNetwork)
    return plain(net, x, np.concatenate([s0, net.factors], axis=1), steps)[:, :, : s0.shape[1]]


@jacobian.register
def _(net: CellNetwork, s, x, wrt="state"):
    x = no_inputs(net, len(s), 1)[:, 0] if x is None else x
    Da, Ds, Ra, Rs, _ = local_derivatives(net, s, x)
    if wrt == "input":
        J = _through(net, Da, "x", len(s), net.input_size)
        return J + _through_rate(net, Da, Ra, "x", len(s), net.input_size)
    J = _direct(net, Ds)
    _add_recurrent(net, Da, Ra, Rs, J)
    return J


@singledispatch
def split_jacobian(net, s, x):
    """Jacobian of one step as the sum of its direct and its recurrent part.

    Parameters
    ----------
    net : Network
        A cell network or a Stack of them.
    s : ndarray, shape (batch, state)
        States before the step.
    x : ndarray, shape (batch, input), or None
        Inputs.

    Returns
    -------
    direct : ndarray, shape (batch, state, state)
        The derivative at fixed pre-activations: it joins the variables of one unit only.
    recurrent : ndarray, shape (batch, state, state)
        All that goes through weights.
    """
    raise TypeError(f"net is a {type(net).__name__}: its step has no weights that could be told from the rest")


@split_jacobian.register
def _(net: CellNetwork, s, x):
    x = no_inputs(net, len(s), 1)[:, 0] if x is None else x
    Da, Ds, Ra, Rs, _ = local_derivatives(net, s, x)
    recurrent = np.zeros((len(s), net.state_size, net.state_size), net.dtype)
    _add_recurrent(net, Da, Ra, Rs, recurrent)
    return _direct(net, Ds), recurrent


def _direct(net, Ds):
    """What reaches the new state at fixed pre-activations, (batch, state, state)."""
    J = np.zeros((len(Ds), net.cell.states, net.hidden_size, net.state_size), net.dtype)
    units = np.arange(net.hidden_size)
    for c in range(net.cell.states):
        for d in range(net.cell.states):
            J[:, c, units, d * net.hidden_size + units] = Ds[:, c, d]
    return J.reshape(len(Ds), net.state_size, net.state_size)


def _add_recurrent(net, Da, Ra, Rs, J):
    """Add what reaches the new state through recurrent weights to ``J``."""
    H = net.hidden_size
    J[:, :, :H] += _through(net, Da, "h", len(J), H)
    J += _through_rate(net, Da, Ra, "h", len(J), H, Rs)


def _through(net, D, source, batch, width):
    """``sum_k diag(D_k) W_k`` as (batch, state, column)."""
    J = np.zeros((batch, D.shape[1], net.hidden_size, width), net.dtype)
    add_products(net, D, source, J)
    return J.reshape(batch, net.state_size, width)


def _through_rate(net, Da, Ra, source, batch, width, Rs=None):
    """What reaches the new state through ``m = rate(a, s)``, as (batch, state, column)."""
    W, first = gate_matrices(net, "m")
    if not len(W):
        return 0.0
    dm = np.zeros((batch, 1, net.hidden_size, width), net.dtype)
    add_products(net, Ra[:, None], source, dm)
    if Rs is not None:
        others, units = net.state_size - width, np.arange(net.hidden_size)
        dm = np.concatenate([dm, np.zeros((*dm.shape[:3], others), net.dtype)], axis=3)
        for c in range(net.cell.states):
            dm[:, 0, units, c * net.hidden_size + units] += Rs[:, c]
    J = np.zeros((batch, net.cell.states, net.hidden_size, dm.shape[3]), net.dtype)
    for k, matrix in enumerate(W):
        J += Da[:, :, first + k, :, None] * (matrix @ dm)
    return J.reshape(batch, net.state_size, dm.shape[3])


@tangent.register
def _(net: CellNetwork, s, x, Q):
    return _tangent(net, s, x, Q, None)


def _tangent(net, s, x, Q, dx):
    """New states and new tangents, from tangents of the state and, if given, of the input (batch, input, k)."""
    x = no_inputs(net, len(s), 1)[:, 0] if x is None else x
    Da, Ds, Ra, Rs, new = local_derivatives(net, s, x)
    q = Q.reshape(len(s), net.cell.states, net.hidden_size, Q.shape[2])
    da = np.zeros((len(s), len(net.cell.drives), net.hidden_size, Q.shape[2]), net.dtype)
    _add_drive(net, "h", q[:, 0], da)
    if dx is not None:
        _add_drive(net, "x", dx, da)
    if len(gate_matrices(net, "m")[0]):
        dm = np.einsum("bkj,bkjv->bjv", Ra, da) + np.einsum("bcj,bcjv->bjv", Rs, q)
        _add_drive(net, "m", dm, da)
    out = np.einsum("bckj,bkjv->bcjv", Da, da) + np.einsum("bcdj,bdjv->bcjv", Ds, q)
    return new, out.reshape(Q.shape)


def _add_drive(net, source, vectors, da):
    """Add ``W v`` to the tangents of the pre-activations that ``source`` drives."""
    W, first = gate_matrices(net, source)
    if len(W):
        moved = W.reshape(-1, W.shape[2]) @ vectors
        da[:, first : first + len(W)] += moved.reshape(len(da), len(W), *da.shape[2:])


@forward.register
def _(net: Stack, x, s0, steps, lengths=None):
    if on_gpu() and all(isinstance(layer, CellNetwork) and not isinstance(layer, Masked) for layer in net.layers):
        from rnndyn import passes_cuda

        return passes_cuda.stack_states(net.layers, no_inputs(net, len(s0), steps) if x is None else x, s0)
    parts, at = [], 0
    for layer in net.layers:
        states = forward(layer, x, np.ascontiguousarray(s0[:, at : at + layer.state_size]), steps, lengths)
        parts.append(states)
        x, at = np.ascontiguousarray(hidden_of(layer, states)), at + layer.state_size
    return np.concatenate(parts, axis=2)


@jacobian.register
def _(net: Stack, s, x, wrt="state"):
    size = net.state_size if wrt == "state" else net.input_size
    rows, at, below = [], 0, None
    for layer, own, drive in taken_apart(net, s, x):
        row = np.zeros((len(s), layer.state_size, size), net.dtype)
        if wrt == "state":
            row[:, :, at : at + layer.state_size] = jacobian(layer, own, drive)
        if below is not None:
            row += jacobian(layer, own, drive, "input") @ below
        elif wrt == "input":
            row += jacobian(layer, own, drive, "input")
        rows.append(row)
        below, at = row[:, : layer.hidden_size], at + layer.state_size
    return np.concatenate(rows, axis=1)


@split_jacobian.register
def _(net: Stack, s, x):
    recurrent, at = jacobian(net, s, x), 0
    direct = np.zeros_like(recurrent)
    for layer, own, below in taken_apart(net, s, x):
        place = slice(at, at + layer.state_size)
        direct[:, place, place], recurrent[:, place, place] = split_jacobian(layer, own, below)
        at += layer.state_size
    return direct, recurrent


def taken_apart(net, s, x):
    """Yield each layer of a stack with its own states and inputs at one step."""
    at = 0
    for layer in net.layers:
        own = np.ascontiguousarray(s[:, at : at + layer.state_size])
        yield layer, own, x
        x = np.ascontiguousarray(hidden_of(layer, step(layer, own, x)[:, None])[:, 0])
        at += layer.state_size


@tangent.register
def _(net: Stack, s, x, Q):
    states, tangents, at, below = [], [], 0, None
    for layer in net.layers:
        place = slice(at, at + layer.state_size)
        new, moved = _driven_tangent(layer, np.ascontiguousarray(s[:, place]), x, Q[:, place], below)
        states.append(new)
        tangents.append(moved)
        x = np.ascontiguousarray(hidden_of(layer, new[:, None])[:, 0])
        below, at = moved[:, : layer.hidden_size], at + layer.state_size
    return np.concatenate(states, axis=1), np.concatenate(tangents, axis=1)


def _driven_tangent(net, s, x, Q, dx):
    """Tangents of a network, driven by those of its input."""
    if isinstance(net, CellNetwork):
        return _tangent(net, s, x, Q, dx)
    new, moved = tangent(net, s, x, Q)
    return new, moved if dx is None else moved + jacobian(net, s, x, "input") @ dx


@forward.register
def _(net: ClosedLoop, x, s0, steps, lengths=None):
    states, s = np.empty((len(s0), steps, net.state_size), net.dtype), s0
    for t in range(steps):
        s = states[:, t] = step(net.net, s, outputs(net, s[:, None])[:, 0])
    return states


@jacobian.register
def _(net: ClosedLoop, s, x, wrt="state"):
    if wrt == "input":
        return np.zeros((len(s), net.state_size, 0), net.dtype)
    y = outputs(net, s[:, None])[:, 0]
    J = jacobian(net.net, s, y)
    J[:, :, hidden_of(net, np.arange(net.state_size))] += jacobian(net.net, s, y, "input") @ _through_output(
        net, y, net.W_hy
    )
    return J


@tangent.register
def _(net: ClosedLoop, s, x, Q):
    y = outputs(net, s[:, None])[:, 0]
    moved = net.W_hy @ Q[:, hidden_of(net, np.arange(net.state_size))]
    return _driven_tangent(net.net, s, y, Q, _through_output(net, y, moved))


def outputs(net, states):
    """Outputs (batch, time, output) at states (batch, time, state); of a closed loop, its next inputs."""
    return activate(Readout(net).sums(np.ascontiguousarray(hidden_of(net, states))), net.output_activation)


def _through_output(net, y, dz):
    """Tangents (batch, output, k) of the outputs ``y``, from those of the read-out's sums."""
    # The derivative of every activation is symmetric: it pulls back as it pushes on.
    dz = np.broadcast_to(dz, (len(y), *dz.shape[-2:])).swapaxes(1, 2)
    return np.ascontiguousarray(pull_activation(dz, y[:, None], net.output_activation).swapaxes(1, 2))


@start.register
def _(net: EncoderDecoder, given):
    blank = np.zeros((len(given), net.encoder.state_size), net.dtype)
    return forward(net.encoder, given.x, blank, given.x.shape[1], given.ends)[np.arange(len(given)), given.ends - 1]


@forward.register
def _(net: EncoderDecoder, x, s0, steps, lengths=None):
    return forward(net.decoder, x, s0, steps, lengths)


@forward.register
def _(net: Bidirectional, x, s0, steps, lengths=None):
    cut = net.forward.state_size
    onward = forward(net.forward, x, np.ascontiguousarray(s0[:, :cut]), steps)
    back = forward(net.backward, mirrored(x, lengths), np.ascontiguousarray(s0[:, cut:]), steps)
    return np.concatenate([onward, mirrored(back, lengths)], axis=2)


@step.register
def _(net: Bidirectional, s, x):
    raise TypeError("net is a Bidirectional: it has no step in time; analyse its parts")


def mirrored(x, lengths=None):
    """Sequences (batch, time, ...) read from their ends; what follows an end stays where it is."""
    if x is None or lengths is None:
        return None if x is None else np.ascontiguousarray(x[:, ::-1])
    t = np.arange(x.shape[1])
    order = np.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)
    return np.take_along_axis(x, order[:, :, None], axis=1)


@forward.register
def _(net: Map, x, s0, steps, lengths=None):
    return forward_map(net, x, s0, steps)


step.register(Map)(step_map)
jacobian.register(Map)(jacobian_map)
tangent.register(Map)(tangent_map)


@forward.register
def _(net: LayerNormLSTM, x, s0, steps, lengths=None):
    states, s = np.empty((len(s0), steps, net.state_size), net.dtype), s0
    for t in range(steps):
        s = states[:, t] = Step(net, s, None if x is None else x[:, t]).after
    return states


@jacobian.register
def _(net: LayerNormLSTM, s, x, wrt="state"):
    size = net.state_size if wrt == "state" else net.input_size
    eye = np.broadcast_to(np.eye(size, dtype=net.dtype), (len(s), size, size))
    still = np.zeros((len(s), size, net.state_size), net.dtype)
    made = Step(net, s, x)
    return np.ascontiguousarray((made.push(eye) if wrt == "state" else made.push(still, eye)).swapaxes(1, 2))


@tangent.register
def _(net: LayerNormLSTM, s, x, Q):
    made = Step(net, s, x)
    return made.after, np.ascontiguousarray(made.push(Q.swapaxes(1, 2)).swapaxes(1, 2))


def hidden_of(net, states):
    """Hidden units (batch, time, unit) among the states (batch, time, state), without a copy where possible."""
    if isinstance(net, Bidirectional):
        cut = net.forward.state_size
        return np.concatenate(
            [hidden_of(net.forward, states[..., :cut]), hidden_of(net.backward, states[..., cut:])], axis=-1
        )
    if isinstance(net, ClosedLoop):
        return hidden_of(net.net, states)
    if isinstance(net, EncoderDecoder):
        return hidden_of(net.decoder, states)
    if isinstance(net, Stack):
        top = net.layers[-1]
        return hidden_of(top, states[..., net.state_size - top.state_size :])
    return states[..., : net.hidden_size]
