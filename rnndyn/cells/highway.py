"""Highway unit: a transform gate writes a candidate over the state that it carries [srivastava2015]_, [zilly2017]_.

    t = sigmoid(a_t)     h' = t phi(a_h) + (1 - t) h

Gates in the order h, t.
"""

from rnndyn.cells.contract import Cell, dphi, phi
from rnndyn.cells.functions import Identity, Relu, Sigmoid, Tanh, sigmoid


def update(p, a, s, q):
    """``h' = h + t (phi(a_h) - h)``."""
    return (s[0] + sigmoid(a[1]) * (phi(p, a[0]) - s[0]),)


def partials(p, a, s, q):
    """Derivatives of ``h'`` by ``a_h``, ``a_t`` and ``h``."""
    t = sigmoid(a[1])
    return ((t * dphi(p, a[0]), (phi(p, a[0]) - s[0]) * t * (1.0 - t)),), ((1.0 - t,),), ((),)


class Highway(Cell):
    """Highway unit, whatever its activation."""

    __slots__ = ()
    drives = ("xh", "xh")
    gates = (0, 1)
    update, partials = staticmethod(update), staticmethod(partials)


class HighwayTanh(Highway):
    """Highway unit with tanh."""

    __slots__ = ()
    activation = Tanh


class HighwayRelu(Highway):
    """Highway unit with the rectifier."""

    __slots__ = ()
    activation = Relu


class HighwaySigmoid(Highway):
    """Highway unit with the logistic function."""

    __slots__ = ()
    activation = Sigmoid


class HighwayIdentity(Highway):
    """Highway unit with a linear candidate."""

    __slots__ = ()
    activation = Identity


CELLS = {"tanh": HighwayTanh, "relu": HighwayRelu, "sigmoid": HighwaySigmoid, "identity": HighwayIdentity}


def cell(activation):
    """Cell of a highway network with this activation."""
    return CELLS[activation]
