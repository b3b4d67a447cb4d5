"""The front door of the analyses: what they take, checked and brought to one form."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnndyn.dims import in_order
from rnndyn.frontdoor import as_given, on_processor
from rnndyn.networks.base import Network
from rnndyn.networks.compose import Bidirectional, looks_ahead
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.networks.map import Map
from rnndyn.validate import as_array, as_generator, as_integer

log = logging.getLogger("rnndyn")


def networks(net: Any) -> list[Network]:
    """The networks to analyse, one after the other.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size.

    Returns
    -------
    list of Network
        At least one.

    Raises
    ------
    TypeError, ValueError
        For anything else, and for bidirectional networks, which are no dynamical systems in time.
    """
    if isinstance(net, Sequence) and not len(net):
        raise ValueError("net is empty: at least one network is wanted")
    nets = list(net) if isinstance(net, Sequence) else [net]
    for k, one in enumerate(nets):
        name = f"net[{k}]" if isinstance(net, Sequence) else "net"
        if not isinstance(one, Network):
            raise TypeError(f"{name} is a {type(one).__name__}: a network is wanted, or a list of networks")
        if isinstance(one, EncoderDecoder):
            raise TypeError(f"{name} is an EncoderDecoder, two systems one after the other: analyse its .decoder")
        if looks_ahead(one):
            part = "its .forward" if isinstance(one, Bidirectional) else "its layers"
            raise TypeError(f"{name} runs in both directions of time, so is no dynamical system: analyse {part}")
        if _kind(one) != _kind(nets[0]):
            raise ValueError(f"{name} is {one!r}, net[0] is {nets[0]!r}: an ensemble has one class, size and dtype")
    return nets


def _kind(net: Network) -> tuple:
    return type(net), net.state_size, net.hidden_size, net.input_size, net.dtype


def plural(net: Any) -> Any:
    """The argument `net` in the form that `rnndyn.schema.build` tells ensembles by.

    Parameters
    ----------
    net
        As passed by the user.

    Returns
    -------
    Network or list of Network
        A list for every kind of sequence.
    """
    return list(net) if isinstance(net, Sequence) else net


def sequences(net: Network, inputs: Any) -> tuple[np.ndarray | None, bool]:
    """The inputs of a driven network, with a batch axis.

    Parameters
    ----------
    net
        The network; its sizes and dtype are wanted.
    inputs
        (B, T, I) or (T, I), or None for a network that runs without inputs.

    Returns
    -------
    (B, T, I) array or None, bool
        The inputs, and whether they came with a batch axis. None stands for zero inputs if I > 0. With passes on a GPU
        those that are there stay there.
    """
    if inputs is None:
        return None, False
    dims = ("batch", "time", "input")
    array = as_given(net, inputs, "inputs", dims, {"input": net.input_size})
    rows, *shape = array.shape if array.ndim == 3 else (1, *array.shape)
    if not shape[0]:
        raise ValueError("inputs has no time steps: at least one is wanted")
    if not rows:
        raise ValueError("inputs has no sequences: at least one is wanted")
    return array.reshape((rows, *shape)), array.ndim == 3


def constant_input(net: Network, value: Any) -> np.ndarray | None:
    """The constant input of an autonomous analysis.

    Parameters
    ----------
    net
        The network.
    value
        (I,), or None for zero input.

    Returns
    -------
    (I,) array or None
        None where the network has no inputs.
    """
    if value is None:
        return np.zeros(net.input_size, net.dtype) if net.input_size else None
    array = as_array(value, "input", ("input",), sizes={"input": net.input_size}, dtype=net.dtype)
    return array if net.input_size else None


def constant_inputs(net: Network, value: Any) -> tuple[list[np.ndarray | None], bool]:
    """The constant inputs of an autonomous analysis that takes several.

    Parameters
    ----------
    net
        The network.
    value
        (I,), or (n, I) (in a DataArray: the dimensions ``input_index`` and ``input``), or None for zero input.

    Returns
    -------
    list of (I,) arrays or None, bool
        The inputs, each None where the network has none, and whether they came with an axis of their own.
    """
    if value is None:
        return [constant_input(net, None)], False
    dims = ("input_index", "input")
    array = as_array(value, "input", dims, sizes={"input": net.input_size}, dtype=net.dtype, optional=dims[:1])
    rows = array.reshape(len(array) if array.ndim == 2 else 1, net.input_size)
    if not len(rows):
        raise ValueError(f"input has shape {array.shape}: at least one constant input is wanted")
    return [one if net.input_size else None for one in rows], array.ndim == 2


def row(x: np.ndarray | None, rows: int) -> np.ndarray | None:
    """One input for each of so many rows.

    Parameters
    ----------
    x : (I,) or None
        The input.
    rows
        B.

    Returns
    -------
    (B, I) array or None
        Contiguous.
    """
    return None if x is None else np.repeat(x[None], rows, axis=0)


def initial_states(net: Network, given: Any, rows: int, rng: Any) -> np.ndarray:
    """Initial states: those given, one for all or one for each row, or random ones.

    Parameters
    ----------
    net
        The network.
    given
        (S,), (B, S) or None.
    rows
        B.
    rng
        Of the random states; see `random_states`.

    Returns
    -------
    (B, S) array
        A new array in the network's dtype.
    """
    if given is None:
        return random_states(net, rows, as_generator(rng))
    if not rows:
        raise ValueError("initial_state has no rows: at least one state is wanted")
    sizes = {"batch": rows, "state": net.state_size}
    array = as_array(given, "initial_state", ("batch", "state"), sizes=sizes, dtype=net.dtype, optional=("batch",))
    return np.array(np.broadcast_to(array, (rows, net.state_size)))


def random_states(net: Network, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Random states to start from.

    Parameters
    ----------
    net
        The network.
    rows
        How many.
    rng
        The generator to draw from.

    Returns
    -------
    (rows, S) array
        Uniform in [-1, 1), where most cells keep their states; for a `Map`, of whose states nothing is known, small and
        positive: uniform in [0, 0.1).
    """
    states = rng.random((rows, net.state_size))
    return (0.1 * states if isinstance(net, Map) else 2 * states - 1).astype(net.dtype)


def count(value: Any, name: str, most: int | None = None) -> int:
    """A positive number of things.

    Parameters
    ----------
    value, name
        The argument and its name.
    most
        Its largest value.

    Returns
    -------
    int
        `value`, checked; `most` for None.
    """
    if value is None and most is not None:
        return most
    return as_integer(value, name, minimum=1, maximum=most)


def trajectories_of(
    net: Network, inputs: Any, initial_state: Any, trajectories: Any
) -> tuple[np.ndarray | None, int, bool]:
    """How many sequences are asked for, by inputs, initial states or their number.

    Parameters
    ----------
    net
        The network.
    inputs
        (B, T, I), (T, I) or None.
    initial_state
        (B, S), (S,) or None.
    trajectories
        Their number, where it does not follow from the others.

    Returns
    -------
    (B, T, I) array or None, int, bool
        The inputs, the number of sequences B, and whether the result has a batch dimension.
    """
    rows, initial_state = as_integer(trajectories, "trajectories", minimum=1), in_order(initial_state, "batch", "state")
    x, batched = sequences(net, inputs)
    if x is not None and batched and rows not in (1, len(x)):
        raise ValueError(f"trajectories is {rows}, but inputs holds {len(x)} sequences: leave trajectories out")
    given = np.ndim(initial_state) == 2
    if x is not None and batched:
        rows = len(x)
    elif given and rows == 1:
        rows = len(initial_state)
    if x is not None and len(x) != rows:
        x = np.broadcast_to(on_processor(x, "inputs"), (rows, *x.shape[1:]))
    return x, rows, batched or given or rows > 1


def duration(x: np.ndarray | None, steps: Any, warmup: Any) -> tuple[int, int]:
    """Steps and warmup, as far as the inputs reach.

    Parameters
    ----------
    x
        (B, T, I) or None.
    steps, warmup
        As passed by the user.

    Returns
    -------
    int, int
        Those of the run; a warmup that the inputs do not outlast becomes a tenth of them.
    """
    steps, warmup = as_integer(steps, "steps", minimum=1), as_integer(warmup, "warmup", minimum=0)
    if x is None or x.shape[1] >= warmup + steps:
        return steps, warmup
    total = x.shape[1]
    warmup = warmup if total > warmup else total // 10
    log.info("inputs has %d time steps: %d are used for the warmup, %d count", total, warmup, total - warmup)
    return total - warmup, warmup


def random_frame(net: Network, rng: np.random.Generator) -> np.ndarray:
    """Orthonormal vectors in general position.

    Parameters
    ----------
    net
        The network.
    rng
        The generator to draw from.

    Returns
    -------
    (S, S) array
        Of which the first k columns are taken.
    """
    return np.linalg.qr(rng.standard_normal((net.state_size, net.state_size)))[0].astype(net.dtype)
