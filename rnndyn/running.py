"""`run`: a network through time, as a Dataset; and `jacobian` of one step, checked."""

from __future__ import annotations

import numpy as np

from rnndyn import schema
from rnndyn.devices import device_for, running_on
from rnndyn.dynamics import forward, hidden_of, start
from rnndyn.dynamics import jacobian as step_jacobian
from rnndyn.frontdoor import as_ended, as_rows, as_sequences, check_network
from rnndyn.losses import activate
from rnndyn.readout import Readout
from rnndyn.validate import choice


def run(net, inputs=None, *, initial_state=None, steps=None, lengths=None, device="cpu"):
    """Run a network through time.

    Parameters
    ----------
    net : Network
        The network.
    inputs : array_like, shape (B, T, I) or (T, I), optional
        Input sequences. None for an autonomous network, with ``steps``. For an :class:`EncoderDecoder` a pair, the
        source and these.
    initial_state : array_like, shape (B, S) or (S,), optional
        State before the first step; zeros by default.
    steps : int, optional
        Number of steps of an autonomous network.
    lengths : array_like of int, shape (B,), optional
        Where sequences end. What follows is NaN in the result, and does not influence it, whatever the inputs hold
        there. For an :class:`EncoderDecoder` also a pair, of the source and of the inputs, either of them None.
    device : {"cpu", "cuda", "auto"}
        Where to run the network: on the processor, on a GPU, or on a GPU where one can run it. The read-out is
        computed by the processor. On a GPU the numbers differ from the processor's by rounding. Inputs and initial
        states that are there already, as arrays of CuPy, PyTorch or Numba, are read where they are if they are
        contiguous, of the network's dtype, without ``lengths``, and for a network of one cell; else they are copied.
        The attrs of the result tell them by shape and type.

    Returns
    -------
    xarray.Dataset
        ``state`` (batch, time, state), ``hidden`` (batch, time, unit) and, with a read-out, ``output`` (batch, time,
        output), at t = 1..T. No batch dimension if neither inputs nor initial state had one.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for wrong types, shapes and values.
    DeviceError
        For ``"cuda"`` where no GPU can be used, with the reason and the remedy, for a :class:`Map` or a
        :class:`LayerNormLSTM`, which have no kernels there, and where a single sequence does not fit its memory.
        Several that do not go through it some at a time.

    Notes
    -----
    Cost O(B T (H^2 + H I)). The result does not depend on the number of threads, nor on how sequences are batched; on a
    GPU that of a wide network depends on their number, by rounding.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = rd.Elman.random(8, rng=0)
    >>> rd.run(net, initial_state=[0.1] * 8, steps=5).state.sizes
    Frozen({'time': 5, 'state': 8})
    """
    check_network(net)
    with running_on(device_for(device, net)) as place:
        x, s0, T, single = as_sequences(net, inputs, initial_state, steps)
        x, s0, ends = as_ended(net, x, s0, T, lengths)
        states = forward(net, x, start(net, s0), T, ends)
    hidden = hidden_of(net, states)
    found = {"state": states, "hidden": hidden}
    if net.output_size:
        sums = Readout(net).sums(np.ascontiguousarray(hidden))
        found["output"] = activate(sums, net.output_activation)
    if ends is not None:
        after = np.arange(T) >= ends[:, None]
        found = {name: np.where(after[:, :, None], values.dtype.type(np.nan), values) for name, values in found.items()}
    if single:
        found = {name: values[0] for name, values in found.items()}
    call = {"inputs": inputs, "initial_state": initial_state, "steps": steps, "lengths": lengths, "device": place}
    return schema.build("run", found, net=net, call=call)


def jacobian(net, state, input=None, *, wrt="state"):
    """Jacobian of one step of a network.

    Parameters
    ----------
    net : Network
        The network; of a Bidirectional, one of its parts.
    state : array_like, shape (..., S)
        States before the step.
    input : array_like, shape (..., I), optional
        Inputs of the step, with the same leading axes or none; needed if the network has inputs.
    wrt : {"state", "input"}
        What to differentiate by.

    Returns
    -------
    ndarray, shape (..., S, S) or (..., S, I)
        ``J[..., i, j]`` is the derivative of component i of the new state with respect to component j.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for wrong types, shapes and values.

    Notes
    -----
    ``J = sum_g diag(ds'/da_g) W_g + ds'/ds``, from the partial derivatives in :mod:`rnndyn.cells`, exact to rounding.
    Cost O(G H^2) a state, O(H^3) where the cell has two stages (GRU with the reset before).

    Examples
    --------
    >>> import rnndyn as rd
    >>> rd.jacobian(rd.Elman([[1.0]], [[0.5]]), [0.0], [0.0])
    array([[0.5]])
    """
    check_network(net)
    choice(wrt, "wrt", ("state", "input"))
    s, x, lead = as_rows(net, state, input)
    J = step_jacobian(net, s, x, wrt)
    return J.reshape(*lead, *J.shape[1:])
