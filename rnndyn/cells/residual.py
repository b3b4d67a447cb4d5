"""Residual unit: the new state is added to the old one [he2016]_, ``h' = k h + phi(W_hh h + W_xh x + b_h)``.

``k`` is the unit's parameter ``q[0]``; 1 for the plain sum.
"""

from rnndyn.cells.contract import Cell, dphi, phi
from rnndyn.cells.functions import Identity, Relu, Sigmoid, Tanh


def update(p, a, s, q):
    """``h' = k h + phi(a)``."""
    return (q[0] * s[0] + phi(p, a[0]),)


def partials(p, a, s, q):
    """Derivatives of ``h'`` by ``a``, ``h`` and ``k``."""
    return ((dphi(p, a[0]),),), ((q[0],),), ((s[0],),)


class ResidualUnit(Cell):
    """Residual unit, whatever its activation."""

    __slots__ = ()
    drives = ("xh",)
    gates = (0,)
    parameters = 1
    trainable = True
    update, partials = staticmethod(update), staticmethod(partials)


class ResidualTanh(ResidualUnit):
    """Residual unit with tanh."""

    __slots__ = ()
    activation = Tanh


class ResidualRelu(ResidualUnit):
    """Residual unit with the rectifier."""

    __slots__ = ()
    activation = Relu


class ResidualSigmoid(ResidualUnit):
    """Residual unit with the logistic function."""

    __slots__ = ()
    activation = Sigmoid


class ResidualIdentity(ResidualUnit):
    """Residual unit without a nonlinearity."""

    __slots__ = ()
    activation = Identity


CELLS = {"tanh": ResidualTanh, "relu": ResidualRelu, "sigmoid": ResidualSigmoid, "identity": ResidualIdentity}


def cell(activation):
    """Cell of a residual network with this activation."""
    return CELLS[activation]
