"""Sigmoid, tanh and the activations: one formula each, on scalars and SIMD registers alike.

Both rest on ``exp(x) = 2^n (1 + p)`` with ``p = exp(r) - 1`` from a minimax polynomial (Cody & Waite [cody1980]_),
without a branch. The error is below 2 units in the last place in float32 and float64 for every argument, subnormal
results included; infinities give the limits and NaN gives NaN. A quotient of rounded numbers would miss that, by up to
half a unit: so the rounding of the denominator of :func:`sigmoid`, and that of the numerator and quotient of
:func:`tanh`, are put right.
"""

from rnndyn.cells.primitives import (
    absolute,
    at_most,
    at_most_exp_range,
    exp_tail,
    if_negative,
    if_positive,
    like,
    ln2_remainder,
    nearest,
    power2,
    residual,
    scale2,
    with_sign,
)


def exp_parts(x):
    """Exponent ``n`` and ``p = exp(r) - 1`` with ``exp(x) = 2^n (1 + p)``."""
    n = nearest(x * 1.4426950408889634)
    r = ln2_remainder(x, n)
    return n, r + r * r * exp_tail(r)


def sigmoid(x):
    """Logistic function ``1 / (1 + exp(-x))``."""
    n, p = exp_parts(-at_most_exp_range(absolute(x)))
    e = scale2(p + 1.0, n)
    d = e + 1.0
    y = if_negative(x, e, 1.0) / d
    return y - y * (e - (d - 1.0))


def tanh(x):
    """Hyperbolic tangent, as ``t / (t + 2)`` with ``t = exp(-2 |x|) - 1``."""
    n, p = exp_parts(-2.0 * at_most(absolute(x), 20.0))
    power = power2(n)
    less = power - 1.0
    t, d = power * p + less, power * p + (power + 1.0)
    y = t / d
    return with_sign(y + 0.5 * (residual(t, y, d) + (power * p - (t - less))), x)


def relu(x):
    """Rectifier ``max(x, 0)``."""
    return if_positive(x, x, 0.0)


def identity(x):
    """The argument itself."""
    return x


def tanh_slope(x):
    """Derivative of :func:`tanh`."""
    y = tanh(x)
    return 1.0 - y * y


def sigmoid_slope(x):
    """Derivative of :func:`sigmoid`."""
    y = sigmoid(x)
    return y * (1.0 - y)


def relu_slope(x):
    """Derivative of :func:`relu`; 0 at 0, as everywhere in the field."""
    return if_positive(x, 1.0, 0.0)


def identity_slope(x):
    """Derivative of :func:`identity`."""
    return like(x, 1.0)


class Tanh:
    """Hyperbolic tangent with its derivative."""

    value, slope = staticmethod(tanh), staticmethod(tanh_slope)


class Sigmoid:
    """Logistic function with its derivative."""

    value, slope = staticmethod(sigmoid), staticmethod(sigmoid_slope)


class Relu:
    """Rectifier with its derivative."""

    value, slope = staticmethod(relu), staticmethod(relu_slope)


class Identity:
    """Identity with its derivative."""

    value, slope = staticmethod(identity), staticmethod(identity_slope)


ACTIVATIONS = {"tanh": Tanh, "relu": Relu, "sigmoid": Sigmoid, "identity": Identity}
