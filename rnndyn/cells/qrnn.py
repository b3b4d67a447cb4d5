"""Quasi-recurrent unit: pooling of what a convolution of the inputs gives, unit by unit [bradbury2017]_.

    z = tanh(a_z)     f = sigmoid(a_f)     o = sigmoid(a_o)
    f-pooling:   h' = f h + (1 - f) z
    fo-pooling:  c' = f c + (1 - f) z,  h' = o c'

The input alone drives the pre-activations, in the order z, f, o; the state is h, or (h, c).
"""

from rnndyn.cells.contract import Cell
from rnndyn.cells.functions import sigmoid, tanh
from rnndyn.cells.primitives import like


def pool(a, memory):
    """Candidate, forget gate and the new memory."""
    z, f = tanh(a[0]), sigmoid(a[1])
    return z, f, z + f * (memory - z)


def slopes(z, f, memory):
    """Derivatives of the new memory by ``a_z`` and ``a_f``."""
    return (1.0 - f) * (1.0 - z * z), (memory - z) * f * (1.0 - f)


def update(p, a, s, q):
    """``h' = z + f (h - z)``."""
    z, f, h = pool(a, s[0])
    return (h,)


def partials(p, a, s, q):
    """Derivatives under f-pooling."""
    z, f, h = pool(a, s[0])
    return (slopes(z, f, s[0]),), ((f,),), ((),)


def update_output(p, a, s, q):
    """``h' = o c'`` and ``c' = z + f (c - z)``."""
    z, f, c = pool(a, s[1])
    return sigmoid(a[2]) * c, c


def partials_output(p, a, s, q):
    """Derivatives under fo-pooling."""
    z, f, c = pool(a, s[1])
    o, zero = sigmoid(a[2]), like(c, 0.0)
    cz, cf = slopes(z, f, s[1])
    return ((o * cz, o * cf, c * o * (1.0 - o)), (cz, cf, zero)), ((zero, o * f), (zero, f)), ((), ())


class ForgetPooling(Cell):
    """Unit with f-pooling."""

    __slots__ = ()
    drives = ("x", "x")
    gates = (0, 1)
    update, partials = staticmethod(update), staticmethod(partials)


class OutputPooling(Cell):
    """Unit with fo-pooling."""

    __slots__ = ()
    drives = ("x", "x", "x")
    gates = (0, 1, 2)
    states = 2
    update, partials = staticmethod(update_output), staticmethod(partials_output)


def cell(pooling):
    """Cell of a quasi-recurrent network with this pooling, ``"f"`` or ``"fo"``."""
    return {"f": ForgetPooling, "fo": OutputPooling}[pooling]
