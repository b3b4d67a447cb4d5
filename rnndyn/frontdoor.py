"""Checks of what is run: inputs, initial states, lengths, masks; each becomes a clean array or one error."""

from __future__ import annotations

import math

import numpy as np

from rnndyn.devices import on_gpu
from rnndyn.dims import in_order
from rnndyn.networks.base import Network
from rnndyn.networks.compose import looks_ahead
from rnndyn.networks.encoder_decoder import EncoderDecoder, Source
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.validate import as_array, as_integer, as_integers, is_on_gpu


def check_network(net):
    """Raise TypeError unless ``net`` is a network."""
    if not isinstance(net, Network):
        raise TypeError(f"net is a {type(net).__name__}: a network is wanted, such as rnndyn.Elman(W_xh, W_hh)")


def on_processor(x, name):
    """Copy of an array that lives on a GPU, where the passes run there too; anything else as it is."""
    if not (is_on_gpu(x) and on_gpu()):
        return x
    from rnndyn.arrays_cuda import to_host

    return to_host(x, name)


def as_given(net, x, name, dims, sizes):
    """Array as :func:`as_array` gives it, or where it is on a GPU, if that runs ``net`` and can read it there."""
    wanted = {"sizes": sizes, "dtype": net.dtype, "optional": ("batch",)}
    if is_on_gpu(x) and on_gpu() and isinstance(net, CellNetwork):
        from rnndyn.arrays_cuda import as_device_array

        return as_device_array(x, name, dims, **wanted)
    return as_array(on_processor(x, name), name, dims, **wanted)


def as_rows_of(batch, array, axes):
    """Array with a batch axis of so many rows in front of its other axes, contiguous and new, or on a GPU if it was."""
    if is_on_gpu(array):
        if array.ndim > axes:
            return array
        if batch == 1:
            return array.reshape((1, *array.shape))
        array = array.copy_to_host()
    return np.array(np.broadcast_to(array, (batch, *array.shape[-axes:])), order="C")


def as_sequences(net, inputs, initial_state=None, steps=None):
    """Inputs, initial states and number of steps of a run.

    Parameters
    ----------
    net : Network
        The network.
    inputs : array_like, shape (B, T, I) or (T, I), int, or None
        Input sequences; a number of steps, or None with ``steps``, for a network without inputs. With passes on a GPU
        these and the initial states may be there, and stay there if they go to a network of one cell.
    initial_state : array_like, shape (B, S) or (S,), optional
        Zeros by default. With autonomous networks and single sequences its batch axis is that of the run.
    steps : int, optional
        Number of steps, where there are no inputs.

    Returns
    -------
    x : ndarray or device array, shape (B, T, I), or None
        Contiguous, of the network's dtype; None for a network without inputs.
    s0 : ndarray or device array, shape (B, S)
        Initial states; of an :class:`~rnndyn.networks.EncoderDecoder` the `Source` that leads to them.
    steps : int
        Number of steps T.
    single : bool
        Whether the caller gave no batch axis.
    """
    check_network(net)
    if isinstance(net, EncoderDecoder):
        return _as_pair(net, inputs, initial_state, steps)
    if inputs is None or isinstance(inputs, (int, np.integer)):
        x, steps = None, _steps(net, steps if inputs is None else inputs)
    else:
        dims = ("batch", "time", "input")
        x = as_given(net, inputs, "inputs", dims, {"input": net.input_size})
        times = x.shape[x.ndim - 2]
        if steps is not None and as_integer(steps, "steps", minimum=0) != times:
            raise ValueError(f"steps is {steps}, but inputs has {times} times: leave steps out")
        steps = times
    s0 = np.zeros(net.state_size, net.dtype)
    if initial_state is not None:
        s0 = as_given(net, initial_state, "initial_state", ("batch", "state"), {"state": net.state_size})
    single = s0.ndim == 1 and (x is None or x.ndim == 2)
    batch = x.shape[0] if x is not None and x.ndim == 3 else (len(s0) if s0.ndim == 2 else 1)
    if s0.ndim == 2 and len(s0) != batch:
        raise ValueError(
            f"initial_state has {len(s0)} rows, but inputs has a batch of {batch}: give one row a sequence"
        )
    s0 = as_rows_of(batch, s0, 1)
    if x is not None and x.ndim == 2:
        x = as_rows_of(batch, x, 2)
    return (x if net.input_size else None), s0, steps, single


def _as_pair(net, inputs, initial_state, steps):
    """As `as_sequences`, of an EncoderDecoder."""
    if initial_state is not None:
        raise ValueError("initial_state with an EncoderDecoder, whose first state is the encoder's: leave it out")
    if not (isinstance(inputs, (tuple, list)) and len(inputs) == 2):
        raise TypeError("inputs of an EncoderDecoder are a pair (source, inputs of the decoder): pass both")
    source = as_given(net, inputs[0], "inputs[0]", ("batch", "time", "input"), {"input": net.encoder.input_size})
    if not source.shape[-2]:
        raise ValueError("inputs[0] has no times: a source of at least one step is wanted")
    x, s0, steps, single = as_sequences(net.decoder, on_processor(inputs[1], "inputs[1]"), steps=steps)
    alone = source.ndim == 2
    batch = len(s0) if alone or not single else len(source)
    if not alone and len(source) != batch:
        raise ValueError(f"inputs[0] has {len(source)} sequences, inputs[1] {batch}: as many are wanted")
    source = np.array(np.broadcast_to(source, (batch, *source.shape[-2:])), order="C")
    x = None if x is None else np.array(np.broadcast_to(x, (batch, *x.shape[1:])), order="C")
    return x, Source(source, np.full(batch, source.shape[1])), steps, single and alone


def _steps(net, steps):
    if net.input_size:
        raise ValueError(
            f"inputs is missing: the network has {net.input_size} inputs; pass an array (batch, time, input)"
        )
    if steps is None:
        raise ValueError("steps is missing: a network without inputs needs a number of steps")
    return as_integer(steps, "steps", minimum=0)


def as_rows(net, state, input=None):
    """States of single steps, and the inputs beside them, as rows.

    Parameters
    ----------
    net : Network
        The network.
    state : array_like, shape (..., S)
        States.
    input : array_like, shape (..., I), optional
        Inputs, with the same leading axes or none; needed if the network has inputs.

    Returns
    -------
    s : ndarray, shape (n, S)
        Contiguous, of the network's dtype.
    x : ndarray, shape (n, I), or None
        None for a network without inputs.
    lead : tuple of int
        The leading axes, whose product is n.
    """
    # Leading axes are free: only the last one has a name, and those of the input come as those of the state do.
    state = in_order(state, ..., "state")
    input = in_order(input, *getattr(state, "dims", ()), ..., "input")
    s = as_array(state, "state", dtype=net.dtype)
    if s.ndim == 0 or s.shape[-1] != net.state_size:
        raise ValueError(f"state has shape {s.shape}, wanted (..., state={net.state_size}): correct its shape")
    if input is None and net.input_size:
        raise ValueError(f"input is missing: the network has {net.input_size} inputs; pass an array (..., input)")
    lead, x = s.shape[:-1], None
    if net.input_size:
        x = as_array(input, "input", dtype=net.dtype)
        if x.ndim == 0 or x.shape[-1] != net.input_size:
            raise ValueError(f"input has shape {x.shape}, wanted (..., input={net.input_size}): correct its shape")
        lead = np.broadcast_shapes(lead, x.shape[:-1])
        x = np.array(np.broadcast_to(x, (*lead, net.input_size)), order="C").reshape(-1, net.input_size)
    return np.array(np.broadcast_to(s, (*lead, net.state_size)), order="C").reshape(-1, net.state_size), x, lead


def as_ended(net, x, s0, steps, lengths):
    """Sequences that end.

    Parameters
    ----------
    net : Network
        The network.
    x, s0, steps
        Inputs, initial states and number of steps, from `as_sequences`.
    lengths : array_like of int, shape (B,), or None
        Where the sequences end; with an :class:`~rnndyn.networks.EncoderDecoder` perhaps a pair of these, that of the
        source first.

    Returns
    -------
    x : ndarray, shape (B, T, I), or None
        Inputs, zeros after the end of each sequence, whatever was there.
    s0 : ndarray or Source
        The same initial states, or the source that ends.
    ends : ndarray of int, shape (B,), or None
        Where the sequences end.
    """
    if isinstance(net, EncoderDecoder) and _is_pair(lengths):
        ends = as_lengths(lengths[0], len(s0), s0.x.shape[1], "lengths[0]", minimum=1)
        if ends is not None and looks_ahead(net.encoder):
            raise ValueError("lengths[0] with an encoder that looks ahead (Bidirectional): pass sources of one length")
        s0 = s0 if ends is None else Source(_until_the_end(s0.x, ends), ends)[:]
        lengths, name = lengths[1], "lengths[1]"
    else:
        name = "lengths"
    ends = as_lengths(lengths, len(s0), steps, name)
    return (x if x is None or ends is None else _until_the_end(x, ends)), s0, ends


def _is_pair(lengths):
    """Whether lengths are a pair (of the source, of the decoder), not the numbers of two sequences."""
    pair = isinstance(lengths, (tuple, list)) and len(lengths) == 2
    return pair and any(part is None or np.ndim(part) for part in lengths)


def as_lengths(lengths, batch, steps, name="lengths", minimum=0):
    """Lengths of the sequences as integers (batch,), or None."""
    if lengths is None:
        return None
    lengths = on_processor(lengths, name)
    return as_integers(lengths, name, ("batch",), sizes={"batch": batch}, minimum=minimum, maximum=steps)


def _until_the_end(x, ends):
    """Sequences with zeros after their ends."""
    x = on_processor(x, "inputs")
    return np.where((np.arange(x.shape[1]) < ends[:, None])[:, :, None], x, x.dtype.type(0))


def as_mask(mask, batch, steps, ends):
    """Weights (batch, time) of the steps in a loss, float64, or None where all count alike."""
    weight = None
    if mask is not None:
        dims, sizes = ("batch", "time"), {"batch": batch, "time": steps}
        mask = on_processor(mask, "mask")
        weight = as_array(mask, "mask", dims, sizes=sizes, dtype="float64", optional=("batch",), booleans=True)
        weight = np.broadcast_to(weight, (batch, steps))
    if ends is not None:
        inside = np.arange(steps) < ends[:, None]
        weight = inside.astype(np.float64) if weight is None else np.where(inside, weight, 0.0)
    return weight


def as_truncation(truncate):
    """Pair (k1, k2) of truncated backpropagation, or None."""
    if truncate is None:
        return None
    pair = truncate if isinstance(truncate, tuple) else (truncate, truncate)
    if len(pair) != 2:
        raise ValueError(f"truncate is {truncate!r}: an integer k or a pair (k1, k2) is wanted")
    every, back = (as_integer(k, "truncate", minimum=1) for k in pair)
    if back < every:
        raise ValueError(f"truncate is {truncate!r}: k2 must be at least k1, or some losses would reach nothing")
    return every, back


def as_window(checkpoint, steps):
    """Steps between checkpoints, or None."""
    if checkpoint is None or checkpoint is False:
        return None
    if checkpoint is True:
        return max(math.isqrt(max(steps - 1, 0)) + 1, 1)
    return as_integer(checkpoint, "checkpoint", minimum=1)
