"""Steps, Jacobians, tangents and adjoints of every kind of network agree, with one another and with differences."""

import numpy as np
import pytest
from cases import BY_NAME, SMOOTH, relative_error

import rnndyn as rd
from rnndyn.dynamics import forward, hidden_of, jacobian, step, tangent
from rnndyn.gradients import Window
from rnndyn.records import record, sums_for

B, I = 3, 2


def pendulum(state, input, parameters):
    return state[0] + 0.1 * state[1], state[1] - 0.1 * np.sin(state[0]) + parameters[0] * (input[0] - input[1] ** 2)


def stack(rng):
    return rd.Stack([BY_NAME[name].network(rng, H, width) for name, H, width in LAYERS])


LAYERS = [("lstm", 3, I), ("gru-before-keep", 4, 3), ("leaky-voltage-tanh", 5, 4)]
NETWORKS = {case.name: lambda rng, case=case: case.network(rng, 5, I) for case in SMOOTH}
NETWORKS |= {"stack": stack, "map": lambda rng: rd.Map(pendulum, 2, input_size=I, parameters=(0.3,))}
every_network = pytest.mark.parametrize("name", NETWORKS)


def draw(name, rng):
    """A network, states and inputs."""
    net = NETWORKS[name](rng)
    return net, 0.5 * rng.standard_normal((B, net.state_size)), rng.standard_normal((B, I))


def differences(f, at):
    """Central differences (batch, result, column) with Richardson's extrapolation, good to some 1e-11."""
    columns = []
    for e in np.eye(at.shape[1]):
        coarse, fine = ((f(at + h * e) - f(at - h * e)) / (2 * h) for h in (2e-3, 1e-3))
        columns.append((4 * fine - coarse) / 3)
    return np.stack(columns, axis=2)


@every_network
def test_a_step_is_the_first_of_a_run(name, rng):
    net, s, x = draw(name, rng)
    states = forward(net, np.stack([x, 2 * x], axis=1), s, 2)
    assert np.array_equal(step(net, s, x), states[:, 0])
    assert np.array_equal(step(net, np.ascontiguousarray(states[:, 0]), 2 * x), states[:, 1])


@every_network
def test_jacobians_are_central_differences(name, rng):
    net, s, x = draw(name, rng)
    assert relative_error(jacobian(net, s, x), differences(lambda z: step(net, z, x), s)) < 1e-9
    assert relative_error(jacobian(net, s, x, "input"), differences(lambda z: step(net, s, z), x)) < 1e-9


@every_network
@pytest.mark.parametrize("columns", [1, 2, 7])
def test_tangents_are_jacobians_times_vectors(name, columns, rng):
    net, s, x = draw(name, rng)
    Q = rng.standard_normal((B, net.state_size, columns))
    new, moved = tangent(net, s, x, Q)
    assert relative_error(moved, jacobian(net, s, x) @ Q) < 1e-13
    assert relative_error(new, step(net, s, x)) < 1e-15


@every_network
def test_the_adjoint_is_the_transpose_of_the_tangent(name, rng):
    """<w, J v> = <J' w, v>, where J' w comes from the code of backpropagation."""
    net, s, x = draw(name, rng)
    v, w = rng.standard_normal((2, B, net.state_size))
    tape = record(net, x[:, None], s, Window(0, 0, 1), None)
    nothing = np.zeros((B, 1, net.hidden_size))
    back, back_x = tape.pull(nothing, w, sums_for(net, B), inputs=True)
    left = np.sum(w * tangent(net, s, x, v[:, :, None])[1][:, :, 0], axis=1)
    right = np.sum(back * v, axis=1)
    assert np.max(np.abs(left - right)) <= 1e-13 * np.max(np.abs(left))
    assert relative_error(back_x, np.einsum("bs,bsi->bi", w, jacobian(net, s, x, "input"))[:, None]) < 1e-13


@every_network
def test_the_adjoint_over_many_steps_is_that_of_the_product(name, rng):
    net, s, _ = draw(name, rng)
    steps = 6
    x = rng.standard_normal((B, steps, I))
    w = rng.standard_normal((B, net.state_size))
    states = forward(net, x, s, steps)
    tape = record(net, x, s, Window(0, 0, steps), None)
    back = tape.pull(np.zeros((B, steps, net.hidden_size)), w, sums_for(net, B))[0]
    for t in range(steps - 1, -1, -1):
        before = s if t == 0 else np.ascontiguousarray(states[:, t - 1])
        w = np.einsum("bs,bsr->br", w, jacobian(net, before, np.ascontiguousarray(x[:, t])))
    assert relative_error(back, w) < 1e-12


def test_autonomous_networks_take_no_inputs(rng):
    net = rd.GRU.random(4, rng=0)
    s = rng.standard_normal((B, 4))
    assert jacobian(net, s, None).shape == (B, 4, 4)
    assert jacobian(net, s, None, "input").shape == (B, 4, 0)
    assert tangent(net, s, None, np.ones((B, 4, 2)))[1].shape == (B, 4, 2)


def test_no_states_no_jacobians():
    net = rd.LSTM.random(4, 1, rng=0)
    assert jacobian(net, np.zeros((0, 8)), np.zeros((0, 1))).shape == (0, 8, 8)
    assert tangent(net, np.zeros((0, 8)), np.zeros((0, 1)), np.zeros((0, 8, 3)))[1].shape == (0, 8, 3)


def test_float32_stays_float32(rng):
    net = BY_NAME["lstm"].network(rng, 5, I, dtype="float32")
    s, x = np.zeros((B, 10), np.float32), np.ones((B, I), np.float32)
    new, moved = tangent(net, s, x, np.ones((B, 10, 1), np.float32))
    assert {a.dtype.name for a in (new, moved, jacobian(net, s, x), jacobian(net, s, x, "input"))} == {"float32"}


def test_hidden_units_among_the_states(rng):
    net = stack(rng)
    states = forward(net, rng.standard_normal((B, 4, I)), np.zeros((B, net.state_size)), 4)
    assert np.array_equal(hidden_of(net, states), states[:, :, -5:])
    both = rd.Bidirectional(rd.LSTM.random(3, I, rng=0), rd.LSTM.random(4, I, rng=1))
    numbers = np.arange(14.0)[None, None]
    assert hidden_of(both, numbers).tolist() == [[[0, 1, 2, 6, 7, 8, 9]]]


def test_a_bidirectional_network_has_no_step(rng):
    net = rd.Bidirectional(rd.Elman.random(3, I, rng=0), rd.Elman.random(3, I, rng=1))
    with pytest.raises(TypeError, match="Bidirectional"):
        jacobian(net, np.zeros((1, 6)), np.zeros((1, I)))
    with pytest.raises(TypeError, match="Bidirectional"):
        tangent(net, np.zeros((1, 6)), np.zeros((1, I)), np.zeros((1, 6, 1)))
    with pytest.raises(TypeError, match="Bidirectional"):
        step(net, np.zeros((1, 6)), np.zeros((1, I)))


@pytest.mark.parametrize("function", [forward, jacobian])
def test_only_networks_have_dynamics(function):
    with pytest.raises(TypeError, match="net is a list"):
        function([], None, np.zeros((1, 1)), 1)
