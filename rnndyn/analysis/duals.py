"""Second derivatives of the cells: their formulas run on dual numbers ([wengert1964]_)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnndyn.analysis.rebinding import rebound
from rnndyn.cells import functions, primitives


class Dual:
    """Numbers ``value + e . slope`` with ``e_i e_j = 0``: arrays, and their slopes in several directions.

    Parameters
    ----------
    value
        An array or a number.
    slope
        Slopes, directions along the first axis; what follows it broadcasts with `value`.

    Examples
    --------
    >>> x = Dual(3.0, np.array([1.0, 10.0]))
    >>> (x * x - 2.0 * x).slope.tolist()
    [4.0, 40.0]
    """

    __slots__ = ("value", "slope")
    __array_ufunc__ = None  # an array on the left leaves the operation to the dual number

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __add__(self, other: Any) -> Dual:
        value, slope = parts(other)
        return Dual(self.value + value, self.slope + slope)

    def __mul__(self, other: Any) -> Dual:
        value, slope = parts(other)
        return Dual(self.value * value, self.slope * value + self.value * slope)

    def __sub__(self, other: Any) -> Dual:
        return self + -other

    def __rsub__(self, other: Any) -> Dual:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__


def parts(x: Any) -> tuple[Any, Any]:
    """Value and slope of a number of any kind; the slope of a constant is 0.0."""
    return (x.value, x.slope) if isinstance(x, Dual) else (x, 0.0)


def _smooth(f: Callable, derivative: Callable) -> Callable:
    return lambda x: Dual(f(x.value), derivative(x.value) * x.slope) if isinstance(x, Dual) else f(x)


def _if_positive(x, y, z):
    (y, dy), (z, dz), negative = parts(y), parts(z), parts(x)[0] <= 0
    return Dual(np.where(negative, z, y), np.where(negative, dz, dy))


RULES: dict[Callable, Callable] = {
    functions.tanh: _smooth(functions.tanh, functions.tanh_slope),
    functions.sigmoid: _smooth(functions.sigmoid, functions.sigmoid_slope),
    primitives.if_positive: _if_positive,
    primitives.like: lambda x, value: np.full_like(parts(x)[0], value),
}


@cache
def on_duals(cell: Any) -> Any:
    """The derivatives that a cell gives, as functions of dual numbers and of arrays.

    Parameters
    ----------
    cell
        A subclass of `rnndyn.cells.contract.Cell`, whose formulas call, at whatever depth, nothing but arithmetic and
        the keys of `RULES`.

    Returns
    -------
    SimpleNamespace
        With ``partials(a, s, q)`` and ``rate_partials(a, s)``, the latter None where the cell has no rate.
    """
    p = SimpleNamespace()
    if cell.activation is not None:
        value, slope = (rebound(f, RULES) for f in (cell.activation.value, cell.activation.slope))
        p.activation = SimpleNamespace(value=value, slope=slope)
    partials, rate_partials = rebound(cell.partials, RULES), cell.rate_partials and rebound(cell.rate_partials, RULES)
    return SimpleNamespace(
        partials=lambda a, s, q: partials(p, a, s, q),
        rate_partials=rate_partials and (lambda a, s: rate_partials(p, a, s)),
    )
