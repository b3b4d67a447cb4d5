"""The piecewise-linear network: what is its own; what it shares with all networks is tested with them."""

import numpy as np
import pytest

import rnndyn as rd


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"A": None}, "A is None: the diagonal of the linear part"),
        ({"W": None}, "W is None: the recurrent weights"),
        ({"A": np.eye(2)}, "A has the shape"),
        ({"A": []}, r"A has shape \(0,\): at least one hidden unit"),
        ({"W": np.ones((2, 3))}, r"W has shape \(gate=2, unit=3\), wanted \(gate=2, unit=2\)"),
        ({"b": np.ones(3)}, r"b has shape \(gate=3\), wanted \(gate=2\)"),
        ({"W_xh": np.ones((3, 1))}, r"W_xh has shape \(gate=3, input=1\), wanted \(gate=2, input=1\)"),
        ({"b_y": [1.0]}, "b_y is given without W_hy"),
        ({"W": np.full((2, 2), np.inf)}, "W holds inf"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.PiecewiseLinear(**({"A": [0.1, 0.2], "W": np.eye(2), "b": np.ones(2)} | arguments))


def test_arguments_in_the_order_of_the_equation():
    net = rd.PiecewiseLinear([0.5, -0.5], [[0.0, 2.0], [1.0, 0.0]], [0.25, -3.0])
    assert (net.input_size, net.output_size, net.state_size) == (0, 0, 2)
    assert rd.run(net, steps=1, initial_state=[4.0, -1.0]).state.values.tolist() == [[2.25, 1.5]]
    assert rd.jacobian(net, [4.0, -1.0]).tolist() == [[0.5, 0.0], [1.0, -0.5]]  # A + W D, D = diag(1, 0)
    assert rd.PiecewiseLinear([0.5], [[0.0]]).b is None


def test_random_weights():
    net = rd.PiecewiseLinear.random(50, 3, 2, gain=0.7, rng=4)
    assert np.array_equal(net.W, rd.Elman.random(50, gain=0.7, rng=4).W_hh)
    assert 0 <= net.A.min() < net.A.max() < 0.5
    assert rd.PiecewiseLinear.random(50, 3, 2, gain=0.7, rng=4, dtype="float32") == net.astype("float32")
    assert rd.PiecewiseLinear.random(3, rng=0, A=[0.1, 0.2, 0.3]).A.tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(TypeError, match="PiecewiseLinear has no 'W_hh': its fields are A, W, b"):
        rd.PiecewiseLinear.random(3, W_hh=np.eye(3))


def test_the_lyapunov_exponents_of_a_linear_region():
    # All units stay positive, so the Jacobian is A + W for ever.
    A, W = np.array([0.5, 0.2]), np.array([[0.0, 0.1], [0.3, 0.0]])
    ds = rd.lyapunov_spectrum(rd.PiecewiseLinear(A, W, [1.0, 1.0]), steps=200, warmup=50, initial_state=[1.0, 1.0])
    assert ds.exponent.values == pytest.approx(np.log(np.abs(np.linalg.eigvals(np.diag(A) + W))), abs=1e-3)


def test_it_trains_in_a_stack():
    x = np.random.default_rng(0).standard_normal((8, 10, 2))
    stack = rd.Stack([rd.PiecewiseLinear.random(6, 2, rng=0), rd.PiecewiseLinear.random(5, 6, 1, rng=1)])
    trained, history = rd.train(stack, x, x[..., :1], steps=30, optimizer=rd.Adam(0.02), rng=0)
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert not np.array_equal(trained.layers[0].A, stack.layers[0].A)
