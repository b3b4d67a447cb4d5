"""Maps of the user's own: what a step may look like, and its derivatives against closed forms."""

import logging
import pickle
from typing import NamedTuple

import numba
import numpy as np
import pytest

import rnndyn as rd
from rnndyn import dynamics


def henon(s, x, p):
    return 1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]


def tanh_step(s, x, p):
    return np.tanh(p["W"] @ s + p["U"] @ x)


@pytest.fixture
def network(rng):
    """A tanh network as a map, a batch of states and inputs, and the Jacobians there by calculus."""
    W, U = rng.standard_normal((5, 5)), rng.standard_normal((5, 2))
    s, x = rng.standard_normal((3, 5)), rng.standard_normal((3, 2))
    slope = 1 - np.tanh(s @ W.T + x @ U.T) ** 2
    net = rd.Map(tanh_step, 5, input_size=2, parameters={"W": W, "U": U})
    return net, s, x, slope[:, :, None] * W, slope[:, :, None] * U


@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_a_step_may_return_any_sequence(kind):
    net = rd.Map(lambda s, x, p: kind(henon(s, x, p)), 2)
    assert dynamics.step(net, np.array([[0.5, 0.1]]), None).tolist() == [[1 - 1.4 * 0.25 + 0.1, 0.15]]
    assert np.abs(dynamics.jacobian(net, np.array([[0.5, 0.1]]), None) - [[-1.4, 1.0], [0.3, 0.0]]).max() < 1e-15


def test_complex_step_is_exact_to_rounding(network):
    net, s, x, J, J_x = network
    assert np.abs(dynamics.jacobian(net, s, x) - J).max() < 1e-15
    assert np.abs(dynamics.jacobian(net, s, x, "input") - J_x).max() < 1e-15
    assert net.derivative == "complex step"


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_tangents_are_the_jacobian_times_vectors_of_any_size(network, rng, k):
    net, s, x, J, _ = network
    Q = rng.standard_normal((3, 5, k)) * 10.0 ** rng.integers(-200, 200, k)
    Q[..., 0] = 0
    after, pushed = dynamics.tangent(net, s, x, Q)
    assert np.array_equal(after, dynamics.step(net, s, x))
    assert (np.abs(pushed - J @ Q) <= 1e-14 * np.abs(Q).max(axis=1, keepdims=True)).all()


REFUSING = {
    "abs": (lambda s, x, p: 1 - 1.9 * np.abs(s), lambda s: [[-1.9 * np.sign(s)]]),
    "max": (lambda s, x, p: [max(float(s[0]), 0.1) ** 2], lambda s: [[2 * s if s > 0.1 else 0.0]]),
    "real": (lambda s, x, p: np.sin(s.real), lambda s: [[np.cos(s)]]),
    "filled": (lambda s, x, p: _filled(s), lambda s: [[3 * s**2]]),
}


def _filled(s):
    new = np.empty(1)
    new[0] = s[0] ** 3
    return new


@pytest.mark.parametrize("name", REFUSING)
@pytest.mark.parametrize("at", [0.3, -0.7, 0.1005, 1e-4])
def test_where_complex_numbers_fail_central_differences_take_over(name, at, caplog):
    step, jacobian = REFUSING[name]
    net = rd.Map(step, 1)
    with caplog.at_level(logging.WARNING, "rnndyn"):
        for _ in range(3):
            J = dynamics.jacobian(net, np.array([[at]]), None)
    assert J[0] == pytest.approx(np.array(jacobian(at)), abs=2e-9)
    assert (net.derivative == "central differences") == (len(caplog.records) > 0)
    assert len(caplog.records) <= 1


def test_a_complex_step_that_lies_is_found_out():
    net = rd.Map(lambda s, x, p: np.array([np.linalg.norm(s), s[0] * s[1]]), 2)
    J = dynamics.jacobian(net, np.array([[3.0, 4.0]]), None)[0]
    assert net.derivative == "central differences"
    assert np.abs(J - [[0.6, 0.8], [4.0, 3.0]]).max() < 1e-9


@numba.njit
def compiled(s, x, p):
    return np.array([1 - p[0] * s[0] ** 2 + s[1], p[1] * s[0]])


@numba.njit
def compiled_and_real(s, x, p):
    return np.array([np.abs(s[0]) * s[1], min(s[0], s[1])])


@pytest.mark.compiled
def test_compiled_steps():
    net = rd.Map(compiled, 2, parameters=(1.4, 0.3))
    assert np.abs(dynamics.jacobian(net, np.array([[0.5, 0.1]]), None)[0] - [[-1.4, 1.0], [0.3, 0.0]]).max() < 1e-15
    assert net.derivative == "complex step"
    refusing = rd.Map(compiled_and_real, 2)
    J = dynamics.jacobian(refusing, np.array([[-0.5, 2.0]]), None)[0]
    assert np.abs(J - [[-2.0, 0.5], [1.0, 0.0]]).max() < 1e-9
    assert refusing.derivative == "central differences"


def test_a_given_jacobian_is_used():
    net = rd.Map(henon, 2, jacobian=lambda s, x, p: [[-2.8 * s[0], 1.0], [0.3, 7.0]])
    assert dynamics.jacobian(net, np.array([[1.0, 0.0]]), None)[0].tolist() == [[-2.8, 1.0], [0.3, 7.0]]
    _, pushed = dynamics.tangent(net, np.array([[1.0, 0.0]]), None, np.ones((1, 2, 1)))
    assert pushed[0, :, 0] == pytest.approx([-1.8, 7.3])
    assert net.derivative == "given"


def test_runs_are_steps_in_a_row(network):
    net, s, *_ = network
    inputs = np.arange(24.0).reshape(3, 4, 2) / 10
    states = dynamics.forward(net, inputs, s, 4)
    for t in range(4):
        s = dynamics.step(net, s, inputs[:, t])
        assert np.array_equal(states[:, t], s)


@pytest.mark.parametrize("step", [lambda s, x, p: s**2 * 1e3, lambda s, x, p: [float(s[0]) ** 2 * 1e3]])
def test_overflow_is_not_hidden(step):
    states = dynamics.forward(rd.Map(step, 1), None, np.array([[2.0], [1e-4]]), 12)
    assert not np.isfinite(states[0, -1]) and np.isfinite(states[1]).all()


def test_a_step_may_write_to_its_arguments():
    def step(s, x, p):
        s *= 2
        return s

    s = np.ones((2, 3))
    assert (dynamics.step(rd.Map(step, 3), s, None) == 2).all() and (s == 1).all()


@pytest.mark.parametrize("result", [[1.0], [[1.0, 2.0]], "ab", None, [1.0, [2.0]], 3.0])
def test_a_wrong_shape_is_an_error(result):
    with pytest.raises(ValueError, match=r"step returned .* wanted \(2,\) numbers"):
        dynamics.step(rd.Map(lambda s, x, p: result, 2), np.zeros((1, 2)), None)
    with pytest.raises(ValueError, match=r"jacobian returned .* wanted \(2, 2\)"):
        dynamics.jacobian(rd.Map(henon, 2, jacobian=lambda s, x, p: result), np.zeros((1, 2)), None)


def test_an_error_of_the_step_itself_is_not_swallowed():
    def step(s, x, p):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        dynamics.jacobian(rd.Map(step, 2), np.zeros((1, 2)), None)


@pytest.mark.parametrize(
    "arguments, options, error",
    [
        ((3, 2), {}, TypeError),
        ((henon,), {}, TypeError),
        ((henon, 0), {}, ValueError),
        ((henon, 2.0), {}, TypeError),
        ((henon, 2), {"input_size": -1}, ValueError),
        ((henon, 2), {"jacobian": np.eye(2)}, TypeError),
        ((henon, 2), {"parameters": (np.array([np.nan]),)}, ValueError),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, error):
    with pytest.raises(error):
        rd.Map(*arguments, **options)


class Parameters(NamedTuple):
    W: np.ndarray
    n: int


def test_parameters_keep_their_form_and_are_frozen():
    W = np.ones((2, 2), np.float32)
    net = rd.Map(henon, 2, parameters=Parameters(W, 3))
    W[:] = 0
    assert isinstance(net.parameters, Parameters) and net.parameters.n == 3
    assert (net.parameters.W == 1).all() and net.parameters.W.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        net.parameters.W[:] = 0


def test_equality_is_that_of_code_and_parameters():
    def make(a, b):
        return rd.Map(lambda s, x, p: a * s, 1, parameters=(b,))

    assert make(2.0, 1.0) == make(2.0, 1.0)
    assert make(2.0, 1.0) != make(3.0, 1.0)
    assert make(2.0, 1.0) != make(2.0, 3.0)
    assert make(2.0, 1.0).replace(parameters=(3.0,)) == make(2.0, 3.0)
    assert pickle.loads(pickle.dumps(rd.Map(henon, 2))) == rd.Map(henon, 2)


def test_sizes_and_repr():
    net = rd.Map(tanh_step, 5, input_size=2)
    assert (net.state_size, net.hidden_size, net.input_size, net.output_size) == (5, 5, 2, 0)
    assert net.dtype == np.float64 and net.arrays() == {} and repr(net) == "Map(tanh_step, state_size=5, input_size=2)"
