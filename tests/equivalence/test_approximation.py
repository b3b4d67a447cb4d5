"""Layers that approximate a map: the bound of interpolation, exact maps, errors that fall with the number of units."""

import numpy as np
import pytest
from cases import UNCOMPILED

import rnndyn as rd


def logistic(x):
    return 4 * x * (1 - x)


@pytest.mark.parametrize("units", [1, 2, 7, 64])
def test_the_error_of_interpolation_is_its_bound(units):
    """Of a parabola |f''| = 8 everywhere, and the bound is reached in the middle of each piece: 1 / n^2."""
    net = rd.interpolating_network(logistic, 0, 1, units)
    middles = (np.arange(units)[:, None] + 0.5) / units
    error = logistic(middles) - rd.run(net, middles).output.values
    assert error == pytest.approx(1 / units**2, abs=1e-13)
    knots = np.linspace(0, 1, units + 1)[:, None]
    assert np.abs(logistic(knots) - rd.run(net, knots).output).max() < 1e-13
    beyond = rd.run(net, [[-0.5], [1.5]]).output.values.ravel()
    last = (logistic(1) - logistic(1 - 1 / units)) * units
    assert beyond == pytest.approx([0.0, 0.5 * last], abs=1e-12)


def test_a_closed_loop_iterates_the_map():
    """A skew tent map has two pieces: the network is the map, and its exponent the entropy of the shares."""
    a = 0.3
    net = rd.interpolating_network(lambda x: np.minimum(x / a, (1 - x) / (1 - a)), 0, 1, 10)  # a knot at 0.3
    loop = rd.ClosedLoop(net)
    start = np.linalg.pinv(net.W_hy) @ (0.1234 - net.b_y)
    orbit = rd.run(loop, initial_state=start, steps=30).output.values[:, 0]
    x = [0.1234]
    for _ in range(30):
        x.append(min(x[-1] / a, (1 - x[-1]) / (1 - a)))
    assert np.abs(orbit[:15] - x[1:16]).max() < 1e-11  # errors grow by a factor of 1.8 a step
    found = rd.lyapunov_spectrum(loop, k=1, steps=1000 if UNCOMPILED else 20_000, initial_state=start, rng=0)
    entropy = -a * np.log(a) - (1 - a) * np.log(1 - a)
    assert abs(found.exponent[0] - entropy) < 4 * found.stderr[0]


def test_fits_get_better_with_units(rng):
    def henon(s):
        return np.stack([1 - 1.4 * s[:, 0] ** 2 + s[:, 1], 0.3 * s[:, 0]], axis=1)

    states, fresh = rng.uniform([-1.5, -0.5], [1.5, 0.5], (2, 2000, 2))
    errors = []
    for units in (5, 20, 80):
        net = rd.fitted_network(states, henon(states), units, rng=0)
        errors.append(np.abs(rd.run(net, fresh).output.values - henon(fresh)).max())
    assert errors[0] > 20 * errors[1] > 1e3 * errors[2]  # measured: 1.0, 0.033, 0.00016
    assert rd.fitted_network(states, henon(states), 20, rng=0) == rd.fitted_network(states, henon(states), 20, rng=0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: rd.interpolating_network(logistic, 1, 0, 3), "high is 0"),
        (lambda: rd.interpolating_network(logistic, 0, 1, 0), "units is 0"),
        (lambda: rd.interpolating_network(lambda x: np.full(x.shape, np.inf), 0, 1, 3), "holds inf"),
        (lambda: rd.interpolating_network(lambda x: x[:2], 0, 1, 3), "function\\(x\\) has shape"),
        (lambda: rd.fitted_network(np.ones((4, 1)), np.ones((5, 1)), 2), "targets has shape"),
        (lambda: rd.fitted_network(np.ones((4, 1)), np.ones((4, 1)), 4), "more rows than units"),
        (lambda: rd.fitted_network(np.ones((4, 1)), np.ones((4, 1)), 2), "does not vary in column 0"),
        (lambda: rd.fitted_network([[0.0, 0.1], [1.0, 0.1], [2.0, 0.1]], np.ones((3, 1)), 2), "vary in column 1"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
