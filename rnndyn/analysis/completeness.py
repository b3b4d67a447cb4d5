"""What can be said about a set of fixed points as a whole: the index sum, and an estimate of how many were missed."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from rnndyn.networks.closed_loop import ClosedLoop
from rnndyn.networks.compose import Stack
from rnndyn.networks.elementwise import QRNN
from rnndyn.networks.elman import Elman
from rnndyn.networks.gru import GRU
from rnndyn.networks.layer_norm import LayerNormLSTM
from rnndyn.networks.leaky import Leaky
from rnndyn.networks.lstm import LSTM
from rnndyn.networks.skipping import Highway, Residual

RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}


class Box(NamedTuple):
    """All vectors with ``low <= x <= high``, in each component."""

    low: np.ndarray
    high: np.ndarray

    def fold(self, states: np.ndarray) -> np.ndarray:
        """States (n, S), those outside mirrored at the walls into the box."""
        inside = self.low + np.abs(states - self.low)
        inside = self.high - np.abs(self.high - inside)
        return np.clip(np.where((self.low <= states) & (states <= self.high), states, inside), self.low, self.high)

    def holds(self, states: np.ndarray) -> np.ndarray:
        """Whether each of the states (n, S) is in the box, up to rounding."""
        slack = 1e-12 * (np.abs(self.low) + np.abs(self.high))
        return ((self.low - slack <= states) & (states <= self.high + slack)).all(axis=1)

    def image(self, W: np.ndarray) -> Box:
        """The box of all W x, x in this box."""
        W = W.astype(np.float64)
        positive, negative = np.maximum(W, 0), np.minimum(W, 0)
        return Box(positive @ self.low + negative @ self.high, positive @ self.high + negative @ self.low)


@singledispatch
def invariant_box(net, inputs: Box) -> Box | None:
    """A box of states that a network maps into itself, and in which all its fixed points and cycles lie.

    Where there is one, the indices ``sign det(I - J)`` of the fixed points, and of those of each iterate, sum to +1, if
    none is degenerate (degree theory after Brouwer, [deimling1985]_): their number is odd.

    Parameters
    ----------
    net
        A network.
    inputs
        Box of its inputs: of no extent for a constant input.

    Returns
    -------
    Box or None
        For tanh and sigmoid units, leaky ones with alpha <= 1, highway ones, residual ones with |skip| < 1, GRUs,
        QRNNs, LSTMs without peepholes (their forget gate stays below 1 while h is bounded, or under layer
        normalisation), and stacks of these; for closed loops of those whose box no input moves. None means that nothing
        is known.
    """
    return None


@invariant_box.register
def _(net: Elman, inputs: Box) -> Box | None:
    return _range(net) if net.activation in RANGES else None


@invariant_box.register
def _(net: Highway, inputs: Box) -> Box | None:
    return _range(net) if net.activation in RANGES else None  # h' lies between h and phi(a)


@invariant_box.register
def _(net: Residual, inputs: Box) -> Box | None:
    if net.activation not in RANGES or (np.abs(net.skip) >= 1).any():
        return None
    reach = np.broadcast_to(1 / (1 - np.abs(net.skip.astype(np.float64))), net.hidden_size)  # |h'| <= |skip| |h| + 1
    return Box(-reach, reach)


@invariant_box.register
def _(net: Leaky, inputs: Box) -> Box | None:
    if net.activation not in RANGES or (net.alpha > 1).any():
        return None
    if net.form == "rate":
        return _range(net)
    W_xh, W_hh, b_h = net.cell_weights()[:3]  # the voltage is a running mean of W phi(h) + W_xh x + b_h
    recurrent, driven = _range(net).image(W_hh), inputs.image(W_xh)
    return Box(recurrent.low + driven.low + b_h, recurrent.high + driven.high + b_h)


@invariant_box.register(GRU)
@invariant_box.register(QRNN)
def _(net, inputs: Box) -> Box | None:
    return Box(np.full(net.state_size, -1.0), np.full(net.state_size, 1.0))


@invariant_box.register
def _(net: LSTM, inputs: Box) -> Box | None:
    if net.peephole is not None:
        return None
    size = net.hidden_size
    forget = slice(size, 2 * size)
    W_xh, W_hh, b_h = net.cell_weights()[:3]
    h = Box(np.full(size, -1.0), np.full(size, 1.0))
    return _forgetting(h.image(W_hh[forget]).high + inputs.image(W_xh[forget]).high + b_h[forget])


@invariant_box.register
def _(net: LayerNormLSTM, inputs: Box) -> Box | None:
    forget = slice(net.hidden_size, 2 * net.hidden_size)
    gains = np.abs(net.gain_x[forget]).astype(np.float64) + np.abs(net.gain_h[forget])
    farthest = np.sqrt(len(net.gain_x) - 1)  # that one of n numbers of mean 0 and variance 1 can be
    return _forgetting(farthest * gains + (0.0 if net.b_h is None else net.b_h[forget]))


def _forgetting(a: np.ndarray) -> Box:
    """Box of an LSTM's states whose forget gates' pre-activations are at most ``a`` (H,)."""
    with np.errstate(over="ignore"):  # |c| <= |i g| / (1 - f) <= 1 / (1 - sigmoid(a)) = 1 + exp(a), a at its largest
        high = np.concatenate([np.ones_like(a), 1 + np.exp(a)])
    return Box(-high, high)


@invariant_box.register
def _(net: Stack, inputs: Box) -> Box | None:
    boxes = []
    for layer in net.layers:
        box = invariant_box(layer, inputs)
        if box is None:
            return None
        boxes.append(box)
        inputs = Box(box.low[: layer.hidden_size], box.high[: layer.hidden_size])  # h comes first in the state
    return Box(*(np.concatenate(ends) for ends in zip(*boxes, strict=True)))


@invariant_box.register
def _(net: ClosedLoop, inputs: Box) -> Box | None:
    unknown = np.full(net.net.input_size, np.nan)
    box = invariant_box(net.net, Box(unknown, unknown))
    return box if box is not None and np.isfinite(box).all() else None


def _range(net) -> Box:
    low, high = RANGES[net.activation]
    return Box(np.full(net.hidden_size, low), np.full(net.hidden_size, high))


def missing_estimate(hits: np.ndarray) -> float:
    """Estimate of how many points no start has found, from how often each was found.

    The lower bound of [chao1984]_ in its bias-corrected form, ``f1 (f1 - 1) / (2 (f2 + 1))`` with f1, f2 the numbers of
    points that were found once and twice. It is a lower bound for the mean of what these starts could find; points that
    none of them can reach do not count.

    Parameters
    ----------
    hits : (n,)
        How many starts found each point.

    Returns
    -------
    float
        0 where every point was found twice or more.

    Examples
    --------
    >>> missing_estimate(np.array([1, 1, 1, 2, 5]))
    1.5
    """
    once, twice = int((hits == 1).sum()), int((hits == 2).sum())
    return once * (once - 1) / (2 * (twice + 1))


class Claim(NamedTuple):
    """How many points are missing, at least, and on what ground: "proved", "consistent", "incomplete" or "unknown"."""

    missing: float
    ground: str


def claim(
    hits: np.ndarray,
    index_sum: int | None,
    expected: int | None,
    *,
    proved: bool = False,
    settled: bool = False,
    mirrored: bool = True,
) -> Claim:
    """What can honestly be said about the number of points that are missing.

    Parameters
    ----------
    hits : (n,)
        How often each point was found.
    index_sum, expected
        Sum of the indices, None where one is undecided; and the value that topology demands, None where it is unknown.
    proved
        Whether a complete search has proved that there are no others.
    settled
        Whether a search went on until its rule to stop was met.
    mirrored
        Whether the set is as symmetric as the network.

    Returns
    -------
    Claim
        "proved": 0 are missing. "consistent": the index sum is as demanded, the search has settled, every point was
        found twice or more, and 0 is the estimate: evidence, not a proof. "incomplete": the estimate is at least 1, and
        at least the departure of the index sum, which a simple point changes by 1. "unknown", with 0: nothing speaks
        against the set, but no index sum is demanded that could.

    Examples
    --------
    >>> claim(np.array([3, 2, 4]), 1, 1, settled=True)
    Claim(missing=0.0, ground='consistent')
    >>> claim(np.array([3, 2]), 2, 1, settled=True)
    Claim(missing=1.0, ground='incomplete')
    """
    if proved:
        return Claim(0.0, "proved")
    estimate = missing_estimate(hits)
    well_hit = settled and len(hits) > 0 and bool((hits >= 2).all()) and estimate == 0 and mirrored
    if expected is None:
        return Claim(0.0, "unknown") if well_hit else Claim(max(estimate, 1.0), "incomplete")
    if well_hit and index_sum == expected:
        return Claim(0.0, "consistent")
    departure = 0 if index_sum is None else abs(index_sum - expected)
    return Claim(float(max(estimate, departure, 1)), "incomplete")


def is_odd(net, x: np.ndarray | None) -> bool:
    """Whether ``F(-s) = -F(s)`` is known: then 0 is a fixed point, and the others come in pairs s, -s.

    Parameters
    ----------
    net
        A network.
    x : (I,) or None
        Its constant input.

    Returns
    -------
    bool
        True for tanh units without bias, under no input or one of zeros, plain, leaky, or stacked.
    """
    if x is not None and np.any(x):
        return False
    if isinstance(net, Stack):
        return all(is_odd(layer, None) for layer in net.layers)
    if not isinstance(net, Elman | Leaky) or net.activation != "tanh":
        return False
    return not np.any(net.cell_weights()[2])
