"""Leaky unit: Euler step of length ``alpha = dt / tau`` of a continuous-time network, in the literature's two forms.

``rate``:    ``h' = (1 - alpha) h + alpha phi(W_hh h + W_xh x + b_h)``
``voltage``: ``h' = (1 - alpha) h + alpha (W_hh phi(h) + W_xh x + b_h)``

The second one sends ``phi(h)`` through ``W_hh``. Both are in Sompolinsky, Crisanti & Sommers [sompolinsky1988]_.
"""

from rnndyn.cells.contract import Cell, dphi, phi
from rnndyn.cells.functions import Identity, Relu, Sigmoid, Tanh
from rnndyn.cells.primitives import like


def update(p, a, s, q):
    """``h' = h + alpha (phi(a) - h)``."""
    return (s[0] + q[0] * (phi(p, a[0]) - s[0]),)


def partials(p, a, s, q):
    """Derivatives of the rate form."""
    return ((q[0] * dphi(p, a[0]),),), ((1.0 - q[0],),), ((phi(p, a[0]) - s[0],),)


def update_voltage(p, a, s, q):
    """``h' = h + alpha (a - h)``."""
    return (s[0] + q[0] * (a[0] - s[0]),)


def partials_voltage(p, a, s, q):
    """Derivatives of the voltage form."""
    return ((q[0],),), ((1.0 - q[0],),), ((a[0] - s[0],),)


def rate(p, a, s):
    """``m = phi(h)``."""
    return phi(p, s[0])


def rate_partials(p, a, s):
    """``dm/da = 0``, ``dm/dh = phi'(h)``."""
    return (like(s[0], 0.0),), (dphi(p, s[0]),)


class Rate(Cell):
    """Leaky unit that sends its state through ``W_hh``."""

    __slots__ = ()
    drives = ("xh",)
    gates = (0,)
    parameters = 1
    trainable = True
    update, partials = staticmethod(update), staticmethod(partials)


class Voltage(Cell):
    """Leaky unit that sends its rate ``phi(h)`` through ``W_hh``."""

    __slots__ = ()
    drives = ("xm",)
    gates = (0,)
    parameters = 1
    trainable = True
    update, partials = staticmethod(update_voltage), staticmethod(partials_voltage)
    rate, rate_partials = staticmethod(rate), staticmethod(rate_partials)


class RateTanh(Rate):
    """Rate form with tanh."""

    __slots__ = ()
    activation = Tanh


class RateRelu(Rate):
    """Rate form with the rectifier."""

    __slots__ = ()
    activation = Relu


class RateSigmoid(Rate):
    """Rate form with the logistic function."""

    __slots__ = ()
    activation = Sigmoid


class RateIdentity(Rate):
    """Rate form without a nonlinearity."""

    __slots__ = ()
    activation = Identity


class VoltageTanh(Voltage):
    """Voltage form with tanh."""

    __slots__ = ()
    activation = Tanh


class VoltageRelu(Voltage):
    """Voltage form with the rectifier."""

    __slots__ = ()
    activation = Relu


class VoltageSigmoid(Voltage):
    """Voltage form with the logistic function."""

    __slots__ = ()
    activation = Sigmoid


class VoltageIdentity(Voltage):
    """Voltage form without a nonlinearity."""

    __slots__ = ()
    activation = Identity


CELLS = {
    ("rate", "tanh"): RateTanh,
    ("rate", "relu"): RateRelu,
    ("rate", "sigmoid"): RateSigmoid,
    ("rate", "identity"): RateIdentity,
    ("voltage", "tanh"): VoltageTanh,
    ("voltage", "relu"): VoltageRelu,
    ("voltage", "sigmoid"): VoltageSigmoid,
    ("voltage", "identity"): VoltageIdentity,
}


def cell(form, activation):
    """Cell of a leaky network of this form and activation."""
    return CELLS[form, activation]
