"""Balls hold what they claim: 50-digit values of the functions, and every state and Jacobian of a box."""

import operator

import cases
import hypothesis.strategies as st
import mpmath
import numpy as np
import pytest
from cases import CASES, examples
from hypothesis import given

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.interval import Interval, between, enclosable, enclose, on_balls
from rnndyn.cells import functions
from rnndyn.cells.elman import ElmanTanh
from rnndyn.cells.primitives import absolute

numbers = st.floats(-1e6, 1e6)
radii = st.sampled_from([0.0, 1e-300, 1e-17, 1e-9, 0.3, 50.0])
corners = (-1, -0.3, 0, 1)


def holds(ball, exact):
    """Whether a ball holds a 50-digit number."""
    return abs(mpmath.mpf(float(ball.mid)) - exact) <= mpmath.mpf(float(ball.rad))


def members(ball):
    """Exact members of a ball of one number."""
    return [mpmath.mpf(float(ball.mid)) + mpmath.mpf(float(ball.rad)) * t for t in corners]


@given(numbers, radii, numbers, radii)
@examples(200)
def test_arithmetic_holds_every_result(x, r, y, s):
    a, b = Interval(np.array(x), r), Interval(np.array(y), s)
    with mpmath.workdps(50):
        for op in (operator.add, operator.sub, operator.mul):
            found = op(a, b)
            assert all(holds(found, op(u, v)) for u in members(a) for v in members(b))
        for u in members(a):
            assert holds(1.0 - a, 1 - u) and holds(2.5 * a, 2.5 * u) and holds(-a, -u)


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


FUNCTIONS = {
    functions.tanh: mpmath.tanh,
    functions.sigmoid: sigmoid,
    functions.relu: lambda x: max(x, 0),
    functions.identity: lambda x: x,
    functions.tanh_slope: lambda x: mpmath.sech(x) ** 2,
    functions.sigmoid_slope: lambda x: sigmoid(x) * sigmoid(-x),
    functions.relu_slope: lambda x: int(x > 0),
    functions.identity_slope: lambda x: 1,
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@given(st.one_of(st.floats(-3, 3), st.floats(-800, 800)), radii)
@examples(100)
def test_functions_hold_50_digit_values(function, x, r):
    a = Interval(np.array(x), r)
    found = on_balls(function)(a)
    with mpmath.workdps(400):  # 1 - tanh(800) is 1e-695
        assert all(holds(found, FUNCTIONS[function](u)) for u in members(a))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_exact_arguments_give_narrow_balls(function, rng):
    assert on_balls(function)(Interval(rng.uniform(-3, 3, 100))).rad.max() < 2e-14


def test_products_of_matrices_hold_exact_ones(rng):
    a = Interval(rng.standard_normal((4, 30)), 10.0 ** rng.uniform(-18, -1, (4, 30)))
    b = Interval(rng.standard_normal((30, 3)), 10.0 ** rng.uniform(-18, -1, (30, 3)))
    for exact in (a, Interval(a.mid)):
        found = exact @ b
        with mpmath.workdps(50):
            for t in corners:
                A, B = (mpmath.matrix(m.mid.tolist()) + t * mpmath.matrix(m.rad.tolist()) for m in (exact, b))
                C = A * B
                assert all(holds(found[i, j], C[i, j]) for i in range(4) for j in range(3))


def test_a_ball_between_two_numbers_holds_both():
    for low, high in [(0.1, 0.3), (-1e-320, 1e300), (5.0, 5.0)]:
        bottom, top = between(np.array(low), np.array(high)).ends
        assert bottom <= low <= high <= top


def stack():
    return rd.Stack(
        [rd.Elman.random(3, 2, rng=0), rd.LSTM.random(2, 3, rng=1), rd.GRU.random(2, 2, rng=2, reset="before")]
    )


NETWORKS = {case.name: lambda case=case: case.network(np.random.default_rng(3), 4, 2) for case in CASES}


@pytest.mark.parametrize("make", [*NETWORKS.values(), stack], ids=[*NETWORKS, "stack"])
def test_a_box_of_states_holds_all_steps_and_jacobians(make, rng):
    net = make()
    mid, x = rng.uniform(-1, 1, (30, net.state_size)), rng.standard_normal((30, net.input_size))
    rad = 10.0 ** rng.uniform(-9, -0.5, mid.shape)
    F, J = enclose(net, Interval(mid, rad), Interval(x))
    rounding = 1e-14  # of the step and Jacobian that are compared with: at most some 40 ulp of numbers up to 3
    for _ in range(cases.UNCOMPILED + 5):
        s = mid + rad * rng.choice([-1, 1, 0.5], mid.shape)
        assert (np.abs(dynamics.step(net, s, x) - F.mid) <= F.rad + rounding).all()
        derivatives = [dynamics.jacobian(net, s, x, wrt) for wrt in ("state", "input")]
        assert (np.abs(np.concatenate(derivatives, axis=2) - J.mid) <= J.rad + rounding).all()
    F, J = enclose(net, Interval(mid), Interval(x))
    assert F.rad.max() < 1e-13 and J.rad.max() < 1e-13


def test_a_box_of_inputs_is_held_too(rng):
    net = rd.GRU.random(3, 2, rng=0)
    s, x = rng.uniform(-1, 1, (1, 3)), rng.standard_normal((1, 2))
    F, _ = enclose(net, Interval(s), Interval(x, 0.1))
    for _ in range(10):
        assert (np.abs(dynamics.step(net, s, x + rng.uniform(-0.1, 0.1, x.shape)) - F.mid) <= F.rad).all()


class AbsoluteUnit(ElmanTanh):
    """A user's cell, of a function without an enclosure."""

    __slots__ = ()
    update = staticmethod(lambda p, a, s, q: (absolute(a[0]),))


class Absolute(rd.Elman):
    cell = AbsoluteUnit


def test_what_cannot_be_enclosed_is_said():
    net = rd.Map(lambda s, x, p: s, 1)
    assert not enclosable(net) and not enclosable(
        rd.Stack([rd.Elman.random(1, rng=0), rd.Map(net.step, 1, input_size=1)])
    )
    assert not enclosable(Absolute.random(2, rng=0))
    with pytest.raises(TypeError, match="Map"):
        enclose(net, Interval(np.zeros((1, 1))), Interval(np.zeros((1, 0))))
