"""Irregular times: neural ODEs and ODE-RNNs against DOP853 and against steps by hand."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.equivalence.ode.methods import METHODS

W = np.array([[0.5, -1.2], [1.4, 0.3]])
TIMES = np.array([0.13, 0.2, 0.9, 0.9, 1.7, 3.1])  # one of them twice
X = np.array([[0.3], [-1.0], [0.5], [0.1], [2.0], [0.0]])


def rates(y, x, p):
    return -0.5 * y + np.tanh(p[0] * (W @ y))


def update(y, x, p):
    return y + p[0] * np.tanh(x[0] - y)


FIELD = rd.ode.VectorField(rates, 2, parameters=(1.5,))
UPDATE = rd.Map(update, 2, input_size=1, parameters=(0.3,))


def exact(after):
    """States at the times, by DOP853, with an update at each."""
    y, t, states = np.array([1.0, -0.5]), 0.0, []
    for time, x in zip(TIMES, X, strict=True):
        if time > t:
            tight = {"method": "DOP853", "rtol": 3e-14, "atol": 1e-15}
            y = solve_ivp(lambda _, s: rates(s, None, (1.5,)), (t, time), y, **tight).y[:, -1]
        y, t = after(y, x), time
        states.append(y)
    return np.array(states)


def gru():
    return rd.GRU.random(2, 1, rng=0)


KINDS = {
    "ODE": (None, lambda y, x: y),
    "ODE-RNN": (UPDATE, lambda y, x: update(y, x, (0.3,))),
    "GRU": (gru(), lambda y, x: dynamics.step(gru(), y[None], x[None])[0]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["euler", "heun", "rk4", "trapezoid"])
def test_it_converges_to_dop853_at_the_method_s_order(kind, method):
    cell, after = KINDS[kind]
    wanted, errors = exact(after), []
    inputs = rd.ode.irregular_inputs(TIMES, X if cell else None)
    for substeps in (8, 16, 32):
        net = rd.ode.irregular_network(FIELD, method, substeps=substeps, update=cell)
        states = rd.run(net, inputs, initial_state=[1.0, -0.5]).state.values
        errors.append(np.abs(states - wanted).max())
    assert np.log2(np.divide(errors[:-1], errors[1:]))[-1] == pytest.approx(METHODS[method].order, abs=0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_pass_through_flow_and_update(kind):
    """Of the state, of the time between, and of what is observed; against central differences."""
    cell, _ = KINDS[kind]
    net = rd.ode.irregular_network(FIELD, substeps=2, update=cell)
    s, x = np.array([[0.4, -0.9]]), np.array([[0.7, 0.2][: net.input_size]])
    d = 1e-5
    for wrt, at in (("state", s), ("input", x)):
        J = dynamics.jacobian(net, s, x, wrt)[0]
        assert net.derivative == "complex step"
        for k, e in enumerate(np.eye(at.shape[1])):
            ends = [
                dynamics.step(net, *((s + v * d * e, x) if wrt == "state" else (s, x + v * d * e)))[0] for v in (1, -1)
            ]
            assert np.abs((ends[0] - ends[1]) / (2 * d) - J[:, k]).max() < 1e-9


def test_gradients_reach_both_parameters():
    net = rd.ode.irregular_network(FIELD, substeps=2, update=UPDATE)
    inputs, targets = rd.ode.irregular_inputs(TIMES, X), np.zeros((len(TIMES), 2))
    _, gradients = rd.value_and_grad(net, inputs, targets, initial_state=[1.0, -0.5])
    d = 1e-6
    for k in (0, 1):
        values = []
        for sign in (1, -1):
            moved = [list(part) for part in ((1.5,), (0.3,))]
            moved[k][0] += sign * d
            changed = net.replace(parameters=tuple(map(tuple, moved)))
            values.append(rd.value_and_grad(changed, inputs, targets, initial_state=[1.0, -0.5])[0])
        assert gradients.parameters[k][0] == pytest.approx((values[0] - values[1]) / (2 * d), rel=1e-8)


def test_inputs_of_the_field_are_held():
    field = rd.ode.VectorField(lambda y, x, p: x - y, 1, input_size=1)
    net = rd.ode.irregular_network(field, substeps=50)
    inputs = rd.ode.irregular_inputs([0.5, 2.0], [[1.0], [3.0]])
    y1 = 1 - np.exp(-0.5)
    y2 = 3 + (y1 - 3) * np.exp(-1.5)
    assert rd.run(net, inputs).state.values[:, 0] == pytest.approx([y1, y2], abs=1e-7)


def test_a_leaky_network_and_no_time():
    net = rd.Leaky.random(3, alpha=0.2, rng=0)
    at_once = rd.ode.irregular_network(net)
    s = np.array([0.1, 0.2, -0.3])
    assert np.array_equal(rd.run(at_once, [[0.0]], initial_state=s).state.values[0], s)
    one = rd.run(rd.ode.irregular_network(net, "euler"), [[0.2]], initial_state=s).state
    assert np.abs(one - rd.run(net, initial_state=s, steps=1).state).max() < 1e-15
    implicit = rd.ode.irregular_network(net, "implicit_euler")
    assert np.array_equal(rd.run(implicit, [[0.0]], initial_state=s).state.values[0], s)


def test_inputs():
    many = rd.ode.irregular_inputs([[1.0, 3.0], [0.0, 0.5]], np.ones((2, 2, 3)), start=-1.0)
    assert many.shape == (2, 2, 4) and many[..., 0].tolist() == [[2.0, 2.0], [1.0, 0.5]]
    assert rd.ode.irregular_inputs([]).shape == (0, 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rd.ode.irregular_inputs([1.0, 0.5]), ValueError, r"times\[1\] is 0.5, before the time before"),
        (lambda: rd.ode.irregular_inputs([1.0], start=2.0), ValueError, r"times\[0\] is 1.0, before start"),
        (lambda: rd.ode.irregular_inputs([1.0, 2.0], [[1.0]]), ValueError, "observations has shape"),
        (lambda: rd.ode.irregular_network(FIELD, substeps=0), ValueError, "substeps is 0"),
        (lambda: rd.ode.irregular_network(FIELD, update=update), TypeError, "update is a function"),
        (lambda: rd.ode.irregular_network(FIELD, update=rd.GRU.random(3)), ValueError, "update has 3 state"),
        (
            lambda: rd.ode.irregular_network(rd.ode.VectorField(rates, 2, input_size=1), update=UPDATE),
            ValueError,
            "field has inputs",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
