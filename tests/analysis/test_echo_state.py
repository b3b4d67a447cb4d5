"""The echo state test on networks that forget, that do not, and that remember one of two pasts."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.schema import Status


def scaled_rotation(gain, rng, units=6):
    return rd.Elman.random(units, 1, gain=gain, recurrent="orthogonal", rng=rng)


def test_a_network_that_shrinks_every_distance(rng):
    """|phi'| <= 1: distances shrink by ||W|| = 1/2 a step at least, and so does the exponent lie."""
    x = rng.standard_normal((2, 120, 1))
    ds = rd.echo_state_test(scaled_rotation(0.5, 0), x, trajectories=4, warmup=20, rng=0)
    assert (ds.verdict == "contracting").all() and (ds.status == 0).all()
    assert (ds.high < np.log(0.5)).all() and (ds.low < ds.exponent).all() and (ds.exponent < ds.high).all()
    assert (ds.decay_rate < np.log(0.5)).all()
    d = ds.distance.values
    seen = (d[:, 1:] > 1e-13).all(axis=0)
    assert (d[:, 1:][:, seen] <= 0.5 * d[:, :-1][:, seen] * (1 + 1e-9)).all() and (d[:, -1] < 1e-15).all()
    assert ds.distance.dims == ("batch", "time") and ds.sizes["time"] == 120


def test_the_exponent_is_the_rate_at_which_distances_fall(rng):
    """A linear network: every distance falls by |eig| exactly, whatever the input."""
    net = rd.Linear([[1.0], [0.5]], np.diag([0.8, 0.3]))
    ds = rd.echo_state_test(net, rng.standard_normal((200, 1)), trajectories=3, warmup=20, rng=0)
    assert abs(ds.exponent - np.log(0.8)) < 1e-9 and ds.verdict == "contracting"
    assert abs(ds.decay_rate - np.log(0.8)) < 1e-3
    fast = rd.echo_state_test(net, rng.standard_normal((100, 1)), trajectories=3, warmup=20, rng=0, time_step=0.1)
    assert abs(fast.exponent - 10 * np.log(0.8)) < 1e-8 and fast.exponent.units == "nat/time"


def test_a_rotation_forgets_nothing():
    net = rd.Linear([[1.0], [0.0]], [[0.6, -0.8], [0.8, 0.6]])
    ds = rd.echo_state_test(net, np.ones((80, 1)), trajectories=3, warmup=10, rng=0)
    assert abs(ds.exponent) < 1e-12 and ds.verdict == "undecided"
    assert np.ptp(ds.distance.values) < 1e-12


def test_an_expanding_network(rng):
    """The doubling map, driven: ln 2 for every input, and distances as large as the circle."""
    net = rd.Map(lambda s, x, p: (2.0 * s + x) % 1.0, 1, input_size=1, jacobian=lambda s, x, p: np.array([[2.0]]))
    ds = rd.echo_state_test(net, rng.random((200, 1)), trajectories=3, warmup=10, rng=0)
    assert abs(ds.exponent - np.log(2)) < 1e-12 and ds.verdict == "not contracting"
    assert ds.distance[100:].max() > 0.1


@pytest.mark.compiled
def test_chaos_without_inputs():
    net = rd.Elman.random(60, gain=3.0, rng=1)
    ds = rd.echo_state_test(net, trajectories=3, steps=600, warmup=200, rng=0)
    assert ds.verdict == "not contracting" and ds.low > 0 and ds.distance[100:].min() > 0.1


def test_two_responses_to_one_input():
    """A neuron with two stable states under a weak input: each response is contracting, but they never meet."""
    net = rd.Elman([[0.1]], [[2.0]])
    x = np.sin(np.arange(300.0))[:, None]
    ds = rd.echo_state_test(net, x, initial_state=[[0.9], [-0.9]], warmup=50)
    assert ds.high < 0 and ds.verdict == "not contracting"
    one = rd.echo_state_test(net, x, initial_state=[[0.9], [0.8]], warmup=50)
    assert one.verdict == "contracting"  # from these states alone, no more is known


def test_too_few_steps_decide_nothing(rng):
    slow = rd.Linear([[1.0]], [[0.99]])
    ds = rd.echo_state_test(slow, rng.standard_normal((50, 1)), warmup=5, trajectories=2, rng=0)
    assert ds.high < 0 and ds.verdict == "undecided"
    ds = rd.echo_state_test(slow, np.zeros((2, 1)), warmup=1, trajectories=2, rng=0)
    assert np.isneginf(ds.low) and np.isposinf(ds.high) and ds.verdict == "undecided"


def test_a_run_that_diverges():
    net = rd.Map(lambda s, x, p: 3.0 * s**2 + 1, 1, jacobian=lambda s, x, p: np.array([6.0 * s]))
    ds = rd.echo_state_test(net, steps=50, warmup=5, trajectories=2, rng=0)
    assert ds.status == Status.DIVERGED and np.isnan(ds.exponent) and ds.verdict == "undecided"


def test_ensembles(rng):
    nets = [scaled_rotation(0.5, k, 3) for k in range(2)]
    ds = rd.echo_state_test(nets, rng.standard_normal((60, 1)), trajectories=2, warmup=10, rng=0)
    assert ds.verdict.dims == ("network",) and ds.distance.dims == ("network", "time")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trajectories": 1}, "trajectories is 1: at least 2"),
        ({"confidence": 1.0}, "confidence is 1.0: a number below 1"),
        ({"initial_state": [[0.0, 0.0]]}, "initial_state has 1 row"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.echo_state_test(rd.Elman.random(2, rng=0), **arguments)
