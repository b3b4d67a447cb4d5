"""Enclosures: balls of real numbers, on which the formulas of the cells are run unchanged.

A cell's `update` and `partials` are plain functions in ordinary arithmetic. Here the same code objects are bound to
balls instead of floats (midpoint and radius, [rump1999]_), so that what comes back contains the state after one step,
and its derivatives, for every state of a box, all rounding included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, singledispatch
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnndyn.analysis.rebinding import rebound
from rnndyn.cells import functions, primitives
from rnndyn.networks.compose import Stack
from rnndyn.networks.recurrent import CellNetwork

EPS = np.finfo(np.float64).eps
ROUND = EPS / 2  # largest relative error of one operation
TINY = 1e-300  # above whatever underflow can lose
FUNCTION_ULPS = 3  # the package's tanh and sigmoid are within 2


class Interval:
    """All real arrays within `rad` of `mid`, element by element.

    Arithmetic with other balls, arrays and numbers gives a ball that holds every result. `mid` is rounded as usual;
    the radius takes up that rounding, and is itself enlarged by more than its own.

    Parameters
    ----------
    mid : (...)
        Midpoints.
    rad : (...) or number
        Radii, not negative.

    Examples
    --------
    >>> third = Interval(np.array(1.0)) * 3.0 - 2.5
    >>> float(third.mid), bool(0 < third.rad < 1e-14)
    (0.5, True)
    """

    __slots__ = ("mid", "rad")
    __array_ufunc__ = None  # an array on the left leaves the operation to the ball

    def __init__(self, mid: Any, rad: Any = 0.0) -> None:
        self.mid = np.asarray(mid, np.float64)
        self.rad = np.broadcast_to(np.asarray(rad, np.float64), self.mid.shape)

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.mid[index], self.rad[index])

    def __neg__(self) -> Interval:
        return Interval(-self.mid, self.rad)

    def __add__(self, other: Any) -> Interval:
        other = ball(other)
        mid = self.mid + other.mid
        return Interval(mid, above(self.rad + other.rad + ROUND * np.abs(mid)))

    def __mul__(self, other: Any) -> Interval:
        return product(np.multiply, self, ball(other), 1)

    def __matmul__(self, other: Any) -> Interval:
        other = ball(other)
        return product(np.matmul, self, other, self.mid.shape[-1])

    def __sub__(self, other: Any) -> Interval:
        return self + -ball(other)

    def __rsub__(self, other: Any) -> Interval:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers below and above all of the ball."""
        low, high = self.mid - self.rad, self.mid + self.rad
        return low - EPS * np.abs(low) - TINY, high + EPS * np.abs(high) + TINY

    @property
    def magnitude(self) -> np.ndarray:
        """A number that no modulus in the ball exceeds."""
        return above(np.abs(self.mid) + self.rad)


def ball(value: Any) -> Interval:
    """A ball as it is, anything else as exact numbers."""
    return value if isinstance(value, Interval) else Interval(value)


def above(bound: np.ndarray, terms: int = 1) -> np.ndarray:
    """A bound, computed from sums of so many positive terms, enlarged by more than its rounding."""
    return bound * (1 + (terms + 8) * EPS) + TINY


def product(f: Callable, a: Interval, b: Interval, terms: int) -> Interval:
    """Any bilinear function of two balls, by its values on midpoints and radii ([rump1999]_).

    Parameters
    ----------
    f
        A product of arrays: elementwise, of matrices, ...
    a, b
        Its arguments.
    terms
        How many products a result is the sum of, in whatever order.

    Returns
    -------
    Interval
        Cost of three times f, or two where b is exact.
    """
    rounding = (terms + 2) * ROUND  # above n u / (1 - n u), for any n below 10^7
    rad = f(a.rad + rounding * np.abs(a.mid), np.abs(b.mid))
    if b.rad.any():
        rad = rad + f(np.abs(a.mid) + a.rad, b.rad)
    return Interval(f(a.mid, b.mid), above(rad, 2 * terms))


def between(low: np.ndarray, high: np.ndarray) -> Interval:
    """The ball that holds all numbers from low to high."""
    mid = low + (high - low) / 2
    return Interval(mid, above(np.maximum(high - mid, mid - low) + EPS * np.abs(mid)))


# ---- the functions of the cells, on balls ----------------------------------------------------------------------------


def _increasing(f: Callable) -> Callable:
    def enclosed(x):
        low, high = (f(end) for end in x.ends)
        slack = FUNCTION_ULPS * EPS
        return between(low - slack * np.abs(low) - TINY, high + slack * np.abs(high) + TINY)

    return enclosed


def _if_positive(x, y, z):
    """Both values where the sign of x is open: the rectifier's slope is then anything from 0 to 1."""
    low, high = x.ends
    (y_low, y_high), (z_low, z_high) = ((ball(v) + Interval(np.zeros_like(x.mid))).ends for v in (y, z))
    positive, negative = low > 0, high <= 0
    lowest = np.where(positive, y_low, np.where(negative, z_low, np.minimum(y_low, z_low)))
    highest = np.where(positive, y_high, np.where(negative, z_high, np.maximum(y_high, z_high)))
    return between(lowest, highest)


def _like(x, value):
    return Interval(np.full_like(x.mid, value))


ENCLOSURES: dict[Callable, Callable] = {
    functions.tanh: _increasing(functions.tanh),
    functions.sigmoid: _increasing(functions.sigmoid),
    primitives.if_positive: _if_positive,
    primitives.like: _like,
}


@cache
def on_balls(function: Callable) -> Callable:
    """The same code as a function of a cell, bound to balls.

    Parameters
    ----------
    function
        A plain function that calls, at whatever depth, nothing but arithmetic and the keys of `ENCLOSURES`.

    Returns
    -------
    callable
        Takes and gives balls.

    Examples
    --------
    >>> slope = on_balls(functions.tanh_slope)(Interval(np.array(0.0), 0.1))
    >>> [bool(low < 1 - np.tanh(x) ** 2 < high) for x in (-0.1, 0.0, 0.1) for low, high in [slope.ends]]
    [True, True, True]
    """
    return rebound(function, ENCLOSURES)


# ---- one step of a network -------------------------------------------------------------------------------------------


@singledispatch
def enclose(net, s: Interval, x: Interval) -> tuple[Interval, Interval]:
    """What one step of a network makes of all states and inputs of a box.

    Parameters
    ----------
    net : Network
        float64.
    s : (n, S)
        Boxes of states.
    x : (n, I)
        Boxes of inputs; I may be 0.

    Returns
    -------
    (n, S) and (n, S, S + I) balls
        Hold the new states, and their derivatives in state and input. Cost O(n G S (S + I)).

    Raises
    ------
    TypeError
        The network is not `enclosable`.
    """
    raise TypeError(f"net is a {type(net).__name__}: its formulas are not known, so they cannot be enclosed")


@singledispatch
def enclosable(net) -> bool:
    """Whether `enclose` can be had: not for a `Map`, nor for a user's cell that calls more than is known here."""
    return False


@enclosable.register
def _(net: CellNetwork) -> bool:
    return _known(net.cell)


@enclosable.register
def _(net: Stack) -> bool:
    return all(enclosable(layer) for layer in net.layers)


@cache
def _known(cell) -> bool:
    """Whether the formulas of a cell can be run on balls."""
    p, unit = _activation(cell), Interval(np.zeros((1, 1)))
    given = p, [unit] * len(cell.drives), [unit] * cell.states
    try:
        if cell.rate is not None:
            on_balls(cell.rate)(*given)
            on_balls(cell.rate_partials)(*given)
        for formula in cell.update, cell.partials:
            on_balls(formula)(*given, [unit] * cell.parameters)
    except TypeError:  # what is called, or the operator, does not take balls
        return False
    return True


def _activation(cell) -> SimpleNamespace:
    """What the formulas look up their activation in, on balls."""
    if cell.activation is None:
        return SimpleNamespace()
    found = {name: on_balls(getattr(cell.activation, name)) for name in ("value", "slope")}
    return SimpleNamespace(activation=SimpleNamespace(**found))


@enclose.register
def _(net: CellNetwork, s: Interval, x: Interval) -> tuple[Interval, Interval]:
    cell, H, S = net.cell, net.hidden_size, net.state_size
    W_xh, W_hh, b_h, b_hn, units = net.cell_weights()
    W_x, W_h, b = (rows.reshape(len(rows) // H, H, *rows.shape[1:]) for rows in (W_xh, W_hh, b_h))
    q = [Interval(row) for row in (units if len(units) else np.zeros((cell.parameters, H)))]
    p = _activation(cell)
    parts = [s[:, k : k + H] for k in range(0, S, H)]
    a: list[Interval] = []  # pre-activations
    da: list[Interval] = []  # their derivatives in (s, x)
    m, dm = None, None  # the rate and its derivatives
    for sources, gate in zip(cell.drives, cell.gates, strict=True):
        bias = np.asarray(b[gate] if "x" in sources else b_hn)
        drive = Interval(bias, ROUND * np.abs(bias))  # that of a GRU may be a rounded sum of two
        slope = np.zeros((H, S + net.input_size))
        if "x" in sources:
            drive = drive + x @ W_x[gate].T
            slope[:, S:] = W_x[gate]
        if "h" in sources:
            drive = drive + parts[0] @ W_h[gate].T
            slope[:, :H] = W_h[gate]
        total = Interval(slope)
        if "m" in sources:
            if m is None or dm is None:
                m = on_balls(cell.rate)(p, a, parts)
                Ra, Rs = on_balls(cell.rate_partials)(p, a, parts)
                dm = _through(Ra, da, Rs, len(s.mid), total.mid.shape)
            drive = drive + m @ W_h[gate].T
            total = total + ball(W_h[gate]) @ dm
        a.append(drive)
        da.append(total)
    Da, Ds, _ = on_balls(cell.partials)(p, a, parts, q)
    blocks = [_through(D, da, d, len(s.mid), da[0].mid.shape[-2:]) for D, d in zip(Da, Ds, strict=True)]
    return _joined(on_balls(cell.update)(p, a, parts, q), len(s.mid)), _joined(blocks, len(s.mid))


def _through(D, da, d, batch: int, shape: tuple[int, ...]) -> Interval:
    """``sum_k diag(D_k) da_k + [diag(d_0) diag(d_1) ...]``, (batch, unit, state and input)."""
    total = Interval(np.zeros((batch, *shape)))
    for scale, matrix in zip(D, da, strict=False):
        total = total + scale[..., None] * matrix
    mid, rad, units = total.mid, np.array(total.rad), np.arange(shape[0])
    for c, diagonal in enumerate(d):
        place = slice(None), units, c * shape[0] + units
        moved = total[place] + diagonal
        mid[place], rad[place] = moved.mid, moved.rad
    return Interval(mid, rad)


def _joined(parts, batch: int) -> Interval:
    """Balls one after the other along the axis that follows the batch."""
    shapes = [(batch, *part.mid.shape[1:]) for part in parts]
    mids, rads = (
        [np.broadcast_to(getattr(one, name), shape) for one, shape in zip(parts, shapes, strict=True)]
        for name in ("mid", "rad")
    )
    return Interval(np.concatenate(mids, axis=1), np.concatenate(rads, axis=1))


@enclose.register
def _(net: Stack, s: Interval, x: Interval) -> tuple[Interval, Interval]:
    states, rows, at, width = [], [], 0, net.state_size + net.input_size
    inputs = np.eye(net.input_size, width, net.state_size)
    below = Interval(np.broadcast_to(inputs, (len(s.mid), *inputs.shape)))
    for layer in net.layers:
        end = at + layer.state_size
        new, J = enclose(layer, s[:, at:end], x)
        own = Interval(np.eye(layer.state_size, width, at))
        row = J[:, :, : layer.state_size] @ own + J[:, :, layer.state_size :] @ below
        states.append(new)
        rows.append(row)
        x, below, at = new[:, : layer.hidden_size], row[:, : layer.hidden_size], end
    return _joined(states, len(s.mid)), _joined(rows, len(s.mid))
