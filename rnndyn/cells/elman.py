"""Elman's recurrent unit, ``h' = phi(W_xh x + W_hh h + b_h)`` [elman1990]_; the linear one has ``phi(a) = a``."""

from rnndyn.cells.contract import Cell, dphi, phi
from rnndyn.cells.functions import Identity, Relu, Sigmoid, Tanh
from rnndyn.cells.primitives import like


def update(p, a, s, q):
    """``h' = phi(a)``."""
    return (phi(p, a[0]),)


def partials(p, a, s, q):
    """``dh'/da = phi'(a)``."""
    return ((dphi(p, a[0]),),), ((like(s[0], 0.0),),), ((),)


class Elman(Cell):
    """Elman unit, whatever its activation."""

    __slots__ = ()
    drives = ("xh",)
    gates = (0,)
    update, partials = staticmethod(update), staticmethod(partials)


class ElmanTanh(Elman):
    """Elman unit with tanh."""

    __slots__ = ()
    activation = Tanh


class ElmanRelu(Elman):
    """Elman unit with the rectifier."""

    __slots__ = ()
    activation = Relu


class ElmanSigmoid(Elman):
    """Elman unit with the logistic function."""

    __slots__ = ()
    activation = Sigmoid


class Linear(Elman):
    """Linear unit."""

    __slots__ = ()
    activation = Identity


CELLS = {"tanh": ElmanTanh, "relu": ElmanRelu, "sigmoid": ElmanSigmoid, "identity": Linear}


def cell(activation):
    """Cell of an Elman network with this activation."""
    return CELLS[activation]
