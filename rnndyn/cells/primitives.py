"""The few operations, besides ``+ - * /``, that the formulas of the cells are made of.

Each body here is the definition, in NumPy, for scalars and arrays alike; :mod:`rnndyn.kernels.lanes` gives the same
operation on a SIMD register. None of them branches, and each lets NaN through.
"""

import numpy as np

LN2_HIGH = {"float32": float(np.float32(0.6931471805599453)), "float64": 0.6931471805599453}
LN2_LOW = {"float32": -1.904654323148236e-09, "float64": 2.3190468138462996e-17}
EXP_RANGE = {"float32": 120.0, "float64": 800.0}
# Minimax coefficients of (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2, highest power first; weighted errors 1.5e-8
# and 2.1e-17.
EXP_TAIL = {
    "float32": (
        0.0013946108619395801844,
        0.0083664071905542854269,
        0.041666288992283020182,
        0.16666545008947389726,
        0.5000000058667444003,
    ),
    "float64": (
        2.511406736639266352e-8,
        2.7625669400698284134e-7,
        2.7557229381147975741e-6,
        0.000024801506397707931961,
        0.0001984126990124365288,
        0.001388888893039713884,
        0.0083333333333155180237,
        0.041666666666581440665,
        0.16666666666666684372,
        0.50000000000000046204,
    ),
}


def like(x, value):
    """Constant ``value`` in the type of ``x``."""
    return np.full_like(x, value)


def zeros(v):
    """Zeros in the types of a tuple."""
    return tuple(like(x, 0.0) for x in v)


def scaled(x, v):
    """``x`` times each of a tuple."""
    return tuple(x * y for y in v)


def absolute(x):
    """Modulus of ``x``."""
    return np.abs(x)


def with_sign(x, y):
    """Modulus of ``x`` with the sign of ``y``."""
    return np.copysign(x, y)


def at_most(x, bound):
    """The smaller of ``x`` and ``bound``; NaN stays NaN."""
    return np.where(x > bound, np.asarray(bound, x.dtype), x)


def at_most_exp_range(x):
    """The smaller of ``x`` and a bound beyond which ``exp(-x)`` is zero even as a subnormal number."""
    return at_most(x, EXP_RANGE[x.dtype.name])


def if_negative(x, y, z):
    """``y`` where ``x < 0``, else ``z``."""
    return np.where(x < 0, np.asarray(y, x.dtype), np.asarray(z, x.dtype))


def if_positive(x, y, z):
    """``y`` where ``x > 0`` or ``x`` is NaN, else ``z``."""
    return np.where(x <= 0, np.asarray(z, x.dtype), np.asarray(y, x.dtype))


def nearest(x):
    """Nearest integer, as a float."""
    return np.rint(x)


def ln2_remainder(x, n):
    """``x - n ln 2`` with ln 2 in two parts (Cody and Waite)."""
    name = x.dtype.name
    high, low = np.asarray(LN2_HIGH[name], x.dtype), np.asarray(LN2_LOW[name], x.dtype)
    # With a fused multiply-add the first difference is exact to rounding; without one, float64 stands in for it.
    return ((x.astype(np.longdouble) - n.astype(np.longdouble) * high) - n * low).astype(x.dtype)


def residual(x, y, z):
    """``x - y z`` with a single rounding."""
    wide = np.longdouble if x.dtype == np.float64 else np.float64
    return (x.astype(wide) - y.astype(wide) * z).astype(x.dtype)


def exp_tail(r):
    """``(exp(r) - 1 - r) / r^2`` for ``|r| <= ln(2) / 2``, by its minimax polynomial."""
    tail = np.zeros_like(r)
    for coefficient in EXP_TAIL[r.dtype.name]:
        tail = tail * r + np.asarray(coefficient, r.dtype)
    return tail


def power2(n):
    """``2^n`` for integer-valued ``n`` in the range of normal numbers."""
    return scale2(np.ones_like(n), n)


def scale2(x, n):
    """``x 2^n`` for integer-valued ``n`` of at most 63, in two factors so that subnormal results come out right."""
    return np.ldexp(x, np.nan_to_num(n).astype(np.int32))
