"""Biases to start from, where gates decide how long a network remembers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.networks.base import Network
from rnndyn.networks.recurrent import RecurrentNetwork
from rnndyn.validate import as_generator, as_number


def chrono(net: Any, longest: float, *, rng: Any = None) -> Network:
    """The network with gates whose biases spread its memory over all times up to the longest that matters.

    "Chrono initialisation" (Tallec & Ollivier [tallec2018]_, section 2): with u uniform in [1, longest - 1] for each
    unit, a gate that keeps has the bias log u, one that writes beside it -log u. While weights do little, a unit then
    forgets the share 1 / (1 + u) of its state in a step: its time constant is uniform in [2, longest].

    Parameters
    ----------
    net
        An `LSTM` or `LayerNormLSTM` (f keeps, i writes), `GRU` (z keeps, or writes, as its `update` says), `Highway` (t
        writes), `SRU` or `QRNN` (f keeps).
    longest
        Longest time to remember, in steps: at least 2.
    rng
        Seed or `numpy.random.Generator`.

    Returns
    -------
    Network
        A new one, with other `b_h` in the rows of these gates; biases that it had not are zeros. Cost O(H).

    Raises
    ------
    TypeError, ValueError
        For a network without such gates, and a time below 2. The layers of a `Stack` are passed one by one.

    Examples
    --------
    >>> from rnndyn.networks import GRU
    >>> net = chrono(GRU.random(1000, rng=0), 50, rng=0)
    >>> memory = 1 + np.exp(net.b_h[1000:2000])  # 1 / (1 - z)
    >>> bool(2 <= memory.min() and memory.max() <= 50)
    True
    """
    signs = net.memory_gates if isinstance(net, RecurrentNetwork) else {}
    if not signs:
        kind = type(net).__name__
        raise TypeError(
            f"net is a {kind}, without gates that keep its state: an LSTM, GRU, Highway, SRU or QRNN is wanted"
        )
    u = as_generator(rng).uniform(1, as_number(longest, "longest", minimum=2.0) - 1, net.hidden_size)
    biases = np.zeros(len(net.W_xh), net.dtype) if net.b_h is None else net.b_h.copy()
    blocks = biases.reshape(len(net.gates), net.hidden_size)
    for gate, sign in signs.items():
        blocks[net.gates.index(gate)] = sign * np.log(u)
    return net.replace(b_h=biases)
