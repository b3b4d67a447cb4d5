"""Accuracy of the activations, in compiled registers and in their uncompiled definitions, against mpmath."""

import mpmath
import numpy as np
import pytest
from cases import UNCOMPILED, bits

from rnndyn.cells import functions
from rnndyn.cells.functions import relu, relu_slope, sigmoid, sigmoid_slope, tanh, tanh_slope
from rnndyn.kernels.jit import WIDTH, subroutine
from rnndyn.kernels.lanes import load, store, width_of

mpmath.mp.prec = 160
DTYPES = ["float32", "float64"]


@subroutine
def tanh_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), tanh(load(x, (i,))))


@subroutine
def sigmoid_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), sigmoid(load(x, (i,))))


@subroutine
def relu_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), relu(load(x, (i,))))


@subroutine
def tanh_slope_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), tanh_slope(load(x, (i,))))


@subroutine
def sigmoid_slope_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), sigmoid_slope(load(x, (i,))))


@subroutine
def relu_slope_lanes(x, y):
    for i in range(0, x.size, width_of(x)):
        store(y, (i,), relu_slope(load(x, (i,))))


LANES = {
    "tanh": tanh_lanes,
    "sigmoid": sigmoid_lanes,
    "relu": relu_lanes,
    "tanh_slope": tanh_slope_lanes,
    "sigmoid_slope": sigmoid_slope_lanes,
    "relu_slope": relu_slope_lanes,
}
EXACT = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh_slope": lambda x: mpmath.sech(x) ** 2,
    "sigmoid_slope": lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)),
}


def registers(name, x):
    """The function by whole registers; compiled, unless Numba is switched off."""
    width = WIDTH[x.dtype.name]
    padded = np.zeros(-(-x.size // width) * width, x.dtype)
    padded[: x.size] = x
    y = np.empty_like(padded)
    LANES[name](padded, y)
    return y[: x.size]


def definition(name, x):
    """The function by its Python body in NumPy."""
    return getattr(functions, name)(x)


both_ways = pytest.mark.parametrize("evaluate", [registers, definition])
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def units_in_the_last_place(name, x, y):
    """Errors of y = name(x), in distances between floats at the exact value."""
    errors = np.empty(x.size)
    info = np.finfo(y.dtype)
    for i, (argument, value) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        exact = EXACT[name](mpmath.mpf(argument))
        exponent = max(mpmath.frexp(exact)[1] - 1, info.minexp) if exact else info.minexp
        errors[i] = abs(mpmath.ldexp(mpmath.mpf(value) - exact, info.nmant - exponent))
    return errors


def arguments(dtype, rng):
    """Finite arguments of every size and sign: a dense grid, all exponents, and both ends of every formula."""
    count = 300 if UNCOMPILED else 2000
    info = np.finfo(dtype)
    exponents = rng.uniform(info.minexp - info.nmant, 11, count)  # from the smallest subnormal number on
    sizes = rng.uniform(1, 2, count) * 2.0**exponents
    ends = np.array([info.smallest_subnormal, info.tiny, info.eps, 0.34657, 20, 88, 104, 120, 709, 745.2, 800], dtype)
    below, above = (np.nextafter(ends, ends.dtype.type(limit)) for limit in (0, np.inf))
    near = [0 * ends[:1], ends, below, above, [info.max]]
    grids = np.linspace(0, 25, count), np.linspace(0, 760, count), sizes
    positive = np.concatenate([part.astype(dtype) for part in (*grids, *map(np.asarray, near))])
    return np.concatenate([positive, -positive])


# ---- accuracy ----------------------------------------------------------------------------------------------------
@each_dtype
@both_ways
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_two_units_in_the_last_place(name, evaluate, dtype, rng):
    x = arguments(dtype, rng)
    y = evaluate(name, x)
    assert y.dtype == dtype
    errors = units_in_the_last_place(name, x, y)
    worst = np.argmax(errors)
    assert errors[worst] <= 2, f"{name}({x[worst]!r}) is {errors[worst]:.3f} ulp off"


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_float32_over_all_bit_patterns(name):
    """Every 1009th float32, with double precision as the reference."""
    x = np.arange(0, 2**32, 1009, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x)]
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = np.tanh(wide) if name == "tanh" else 1 / (1 + np.exp(-wide))
    spacing = np.maximum(np.spacing(np.abs(exact).astype(np.float32)), np.finfo(np.float32).smallest_subnormal)
    assert np.max(np.abs(registers(name, x).astype(np.float64) - exact) / spacing) <= 2


@each_dtype
@both_ways
@pytest.mark.parametrize("name", ["tanh_slope", "sigmoid_slope"])
def test_slopes(name, evaluate, dtype, rng):
    x = arguments(dtype, rng)[::7]
    exact = np.array([float(EXACT[name](mpmath.mpf(argument))) for argument in x.tolist()])
    # 1 - y^2 cancels where y is near 1: the error is of the size of the rounding of 1, which is all a gradient needs.
    assert np.max(np.abs(evaluate(name, x) - exact)) <= 4 * np.finfo(dtype).eps


# ---- ends and symmetries -----------------------------------------------------------------------------------------
@each_dtype
@both_ways
def test_limits(evaluate, dtype):
    x = np.array([np.inf, -np.inf, 0.0, -0.0], dtype)
    assert bits(evaluate("tanh", x)) == bits(np.array([1, -1, 0.0, -0.0], dtype))
    assert bits(evaluate("sigmoid", x)) == bits(np.array([1, 0, 0.5, 0.5], dtype))
    assert evaluate("relu", x).tolist() == [np.inf, 0, 0, 0]
    assert evaluate("tanh_slope", x).tolist() == [0, 0, 1, 1]
    assert evaluate("sigmoid_slope", x).tolist() == [0, 0, 0.25, 0.25]
    assert evaluate("relu_slope", x).tolist() == [1, 0, 0, 0]


@each_dtype
@both_ways
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "tanh_slope", "sigmoid_slope"])
def test_nan_stays_nan(name, evaluate, dtype):
    x = np.array([np.nan, 1.0, -np.nan, -1.0], dtype)
    assert np.isnan(evaluate(name, x)).tolist() == [True, False, True, False]


@each_dtype
@both_ways
def test_relu(evaluate, dtype, rng):
    x = arguments(dtype, rng)
    assert np.array_equal(evaluate("relu", x), np.maximum(x, 0))
    assert np.array_equal(evaluate("relu_slope", x), (x > 0).astype(dtype))


@each_dtype
@both_ways
def test_tanh_is_odd_to_the_last_bit(evaluate, dtype, rng):
    x = arguments(dtype, rng)
    assert bits(evaluate("tanh", -x)) == bits(-evaluate("tanh", x))


@each_dtype
@both_ways
def test_the_two_sides_of_sigmoid_add_up_to_one(evaluate, dtype, rng):
    x = arguments(dtype, rng)
    assert np.max(np.abs(evaluate("sigmoid", x) + evaluate("sigmoid", -x) - 1)) <= 2 * np.finfo(dtype).eps


@each_dtype
@both_ways
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_the_ends_are_monotone_and_within_bounds(name, evaluate, dtype):
    """No value beyond the limits, and none smaller than the one before by more than rounding."""
    x = np.linspace(-120 if dtype == "float32" else -760, 60, 20_001).astype(dtype)
    y = evaluate(name, x)
    assert np.all(np.diff(y) >= -4 * np.spacing(np.abs(y[:-1])))
    assert y.min() >= (-1 if name == "tanh" else 0)
    assert y[-1] == y.max() == 1


@each_dtype
@both_ways
def test_sigmoid_underflows_gradually(evaluate, dtype):
    """Subnormal values are there, then zero."""
    tiny = np.finfo(dtype).tiny
    x = np.asarray([np.log(float(tiny)) - 3, -800], dtype)
    y = evaluate("sigmoid", x)
    assert 0 < y[0] < tiny
    assert y[1] == 0
