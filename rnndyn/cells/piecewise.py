"""Piecewise-linear unit with its own linear memory, ``h' = A h + W relu(h) + W_xh x + b`` [durstewitz2017]_.

``A`` is diagonal: the unit's parameter ``q[0]``. What goes through ``W`` is ``relu(h)``.
"""

from rnndyn.cells.contract import Cell
from rnndyn.cells.functions import Relu, relu, relu_slope
from rnndyn.cells.primitives import like


def update(p, a, s, q):
    """``h' = A h + a``."""
    return (q[0] * s[0] + a[0],)


def partials(p, a, s, q):
    """Derivatives of ``h'`` by ``a``, ``h`` and ``A``."""
    return ((like(s[0], 1.0),),), ((q[0],),), ((s[0],),)


def rate(p, a, s):
    """``m = relu(h)``."""
    return relu(s[0])


def rate_partials(p, a, s):
    """``dm/da = 0``, ``dm/dh = relu'(h)``."""
    return (like(s[0], 0.0),), (relu_slope(s[0]),)


class Piecewise(Cell):
    """Unit of a piecewise-linear network."""

    __slots__ = ()
    drives = ("xm",)
    gates = (0,)
    parameters = 1
    trainable = True
    activation = Relu
    update, partials = staticmethod(update), staticmethod(partials)
    rate, rate_partials = staticmethod(rate), staticmethod(rate_partials)
