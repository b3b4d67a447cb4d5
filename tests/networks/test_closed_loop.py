"""Networks that are fed their own output: against loops by hand, differences, and the network that they amount to."""

import numpy as np
import pytest
from cases import BY_NAME, relative_error
from test_dynamics import differences

import rnndyn as rd
from rnndyn.dynamics import forward, jacobian, step, tangent

H, O = 5, 2


def driven(name, rng, activation="identity", inputs=O):
    """A network with as many outputs as inputs."""
    if name == "stack":
        return rd.Stack([BY_NAME["lstm"].network(rng, 3, O), driven("elman-tanh", rng, activation, 3)])
    net = BY_NAME[name].network(rng, H, inputs, O)
    return net if activation == "identity" else net.replace(output_activation=activation)


CASES = [("lstm", "identity"), ("elman-tanh", "sigmoid"), ("stack", "softmax")]
OUTPUTS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
every_case = pytest.mark.parametrize(("name", "activation"), CASES)


@every_case
def test_it_is_the_loop_by_hand(name, activation, rng):
    net = driven(name, rng, activation)
    s = 0.5 * rng.standard_normal((3, net.state_size))
    ds = rd.run(rd.ClosedLoop(net), initial_state=s, steps=6)
    W, h = (net.layers[-1] if name == "stack" else net).W_hy, s[:, -H:] if name == "stack" else s[:, :H]
    y = OUTPUTS[activation](h @ W.T + net.b_y)
    for t in range(6):
        one = rd.run(net, y[:, None], initial_state=s)
        s, y = one.state.values[:, 0], one.output.values[:, 0]
        assert relative_error(ds.state[:, t], s) < 1e-14 and relative_error(ds.output[:, t], y) < 1e-14


@every_case
def test_derivatives(name, activation, rng):
    loop = rd.ClosedLoop(driven(name, rng, activation))
    s, Q = 0.5 * rng.standard_normal((3, loop.state_size)), rng.standard_normal((3, loop.state_size, 4))
    J = jacobian(loop, s, None)
    assert relative_error(J, differences(lambda z: step(loop, z, None), s)) < 1e-9
    new, moved = tangent(loop, s, None, Q)
    assert relative_error(moved, J @ Q) < 1e-13 and relative_error(new, step(loop, s, None)) < 1e-15
    assert jacobian(loop, s, None, "input").shape == (3, loop.state_size, 0)


def pair(rng, gain=1.0):
    """A closed loop of tanh units, and the network that it amounts to."""
    net = rd.Elman.random(4, O, O, gain=gain, rng=rng).replace(
        b_h=0.1 * rng.standard_normal(4), b_y=np.array([0.2, -0.1])
    )
    return rd.ClosedLoop(net), rd.Elman(None, net.W_hh + net.W_xh @ net.W_hy, net.b_h + net.W_xh @ net.b_y)


def test_a_linear_read_out_adds_to_the_recurrent_weights(rng):
    loop, same = pair(rng)
    s = rng.standard_normal((2, 4))
    assert relative_error(forward(loop, None, s, 20), forward(same, None, s, 20)) < 1e-12
    assert relative_error(jacobian(loop, s, None), jacobian(same, s, None)) < 1e-14


@pytest.mark.compiled
def test_analyses_find_the_same_in_both(rng):
    loop, same = pair(rng, gain=2.0)
    points, wanted = (rd.fixed_points(net, starts=64, rng=0) for net in (loop, same))
    assert points.sizes["point"] == wanted.sizes["point"] > 0
    assert np.abs(points.state.values - wanted.state.values).max() < 1e-10
    ours, theirs = (rd.lyapunov_spectrum(net, steps=300, warmup=50, rng=0).exponent for net in (loop, same))
    assert np.abs(ours - theirs).max() < 1e-9  # both settle in a fixed point or cycle, so that errors do not grow
    ours, theirs = (rd.jacobian_products(net, steps=5).log_norm for net in (loop, same))
    assert np.abs(ours - theirs).max() < 1e-12


def test_as_an_object(rng, tmp_path):
    net = driven("lstm", rng)
    loop = rd.ClosedLoop(net)
    assert loop == rd.ClosedLoop(net) != rd.ClosedLoop(net.replace(b_y=None))
    assert loop.content_hash() not in (net.content_hash(), loop.replace(net=net.replace(b_y=None)).content_hash())
    assert repr(loop) == "ClosedLoop(LSTM, hidden_size=5, output_size=2, state_size=10, dtype=float64)"
    assert loop.astype("float32").net.dtype == np.float32
    rd.save(loop, tmp_path / "loop.safetensors")
    assert rd.load(tmp_path / "loop.safetensors") == loop


@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (rd.Elman.random(3, 2, rng=0), ValueError, "net has no read-out"),
        (rd.Elman.random(3, 2, 1, rng=0), ValueError, "net has 2 inputs and 1 outputs"),
        (rd.Bidirectional.random(3, 2, 2, rng=0), TypeError, "reads the future"),
        (
            rd.Stack([rd.Bidirectional.random(3, 2, rng=0), rd.Elman.random(3, 6, 2, rng=0)]),
            TypeError,
            "net is a Stack that reads the future",
        ),
        (
            rd.EncoderDecoder(rd.Elman.random(3, 1, rng=0), rd.Elman.random(3, 2, 2, rng=0)),
            TypeError,
            r"close its decoder, EncoderDecoder\(encoder, ClosedLoop\(decoder\)\)",
        ),
        (rd.ClosedLoop(rd.Elman.random(3, 2, 2, rng=0)), TypeError, "no input left"),
        (np.eye(2), TypeError, "net is a ndarray: a network is wanted"),
    ],
)
def test_what_has_no_output_to_feed_back_is_refused(net, error, message):
    with pytest.raises(error, match=message):
        rd.ClosedLoop(net)
