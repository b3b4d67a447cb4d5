"""The steady filter and smoother against the ones that they are far from the ends, and as networks."""

import numpy as np
import pytest
from linear_systems import data, system

import rnndyn as rd


@pytest.mark.parametrize(("n", "O"), [(1, 1), (3, 2), (2, 4), (6, 1)])
def test_it_is_where_filter_and_smoother_come_to_rest(n, O, rng):
    net = system(rng, n, O)
    steady, ds = rd.steady_filter(net), rd.rts_smoother(net, np.zeros((800, O)))
    for name in ("predicted_cov", "filtered_cov", "smoothed_cov", "innovation_cov"):
        np.testing.assert_allclose(steady[name], ds[name][400], rtol=1e-9, atol=1e-11, err_msg=name)
    np.testing.assert_allclose(steady.predictor_gain, net.W_hh @ steady.filter_gain.values, rtol=1e-12)
    change = ds.filtered_mean[400] - ds.predicted_mean[400]
    np.testing.assert_allclose(change, steady.filter_gain.values @ ds.innovation[400].values, rtol=1e-8, atol=1e-10)


def test_the_riccati_equation_of_scipy(rng):
    linalg = pytest.importorskip("scipy.linalg")
    net = system(rng, 4, 2)
    P = linalg.solve_discrete_are(net.W_hh.T, net.W_hy.T, net.process_noise, net.observation_noise)
    np.testing.assert_allclose(rd.steady_filter(net).predicted_cov, P, rtol=1e-10, atol=1e-11)


def test_the_filter_is_a_network(rng):
    net = system(rng, 3, 2, 1)
    y, x = data(rng, 300, 2, missing=0), rng.standard_normal((300, 1))
    wanted = rd.kalman_filter(net, y, inputs=x)
    found = rd.run(rd.filter_network(net), np.hstack([y, x])).state
    np.testing.assert_allclose(found[150:], wanted.filtered_mean[150:], rtol=1e-9, atol=1e-10)
    # From the steady covariance and mean on it is the filter at all times.
    start = rd.steady_filter(net).predicted_cov.values
    mean = np.linalg.solve(np.eye(3) - net.W_hh, net.b_h)
    whole = rd.kalman_filter(net, y, inputs=x, initial_cov=start)
    found = rd.run(rd.filter_network(net), np.hstack([y, x]), initial_state=mean).state
    np.testing.assert_allclose(found, whole.filtered_mean, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("noisy", [True, False], ids=["noise", "no read-out noise"])
def test_the_smoother_is_a_bidirectional_network(noisy, rng):
    net = system(rng, 3, 2)
    net = net if noisy else net.replace(observation_noise=None)
    y = rd.simulate(net, 400, batch=3, rng=1).output.values
    wanted = rd.rts_smoother(net, y).smoothed_mean[:, 150:250]
    found = rd.run(rd.smoother_network(net), y).output[:, 150:250]
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


def test_two_filters_as_printed(rng):
    """Fraser and Potter: the informations of both filters add up, less that of the stationary law."""
    net = system(rng, 3, 2)
    steady = rd.steady_filter(net)
    from rnndyn.equivalence.linear.state_space import innovations, state_space, stationary

    _, P = stationary(state_space(net))
    A_b = P @ net.W_hh.T @ np.linalg.inv(P)
    backward = innovations(state_space(net)._replace(A=A_b, Q=P - A_b @ P @ A_b.T)).P
    information = np.linalg.inv(steady.filtered_cov) + np.linalg.inv(backward) - np.linalg.inv(P)
    np.testing.assert_allclose(np.linalg.inv(information), steady.smoothed_cov, rtol=1e-9, atol=1e-10)


def test_an_unstable_network_that_is_seen_has_a_filter(rng):
    net = system(rng, 3, 2, radius=1.2)
    ds = rd.steady_filter(net)
    assert "smoothed_cov" not in ds and ds.exponent.max() < 0
    late = rd.kalman_filter(net, np.zeros((200, 2)), initial_cov="diffuse").predicted_cov[-1]
    np.testing.assert_allclose(ds.predicted_cov, late, rtol=1e-8, atol=1e-9)


def test_a_singular_transition_has_both_gains():
    net = rd.Linear(None, [[0.0]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[1.0]])
    ds = rd.steady_filter(net)
    assert ds.filter_gain == 0.5 and ds.predictor_gain == 0 and np.isneginf(ds.exponent)
    assert ds.smoothed_cov == pytest.approx(ds.filtered_cov.item(), rel=1e-14)


ONE = {"process_noise": [[1.0]], "observation_noise": [[1.0]]}


@pytest.mark.parametrize(
    ("function", "net", "message"),
    [
        (rd.steady_filter, rd.Linear(None, [[1.5]], W_hy=[[0.0]], **ONE), r"1\.5, that its outputs do not show"),
        (rd.steady_filter, rd.Linear(None, [[1.0]], W_hy=[[1.0]], observation_noise=[[1.0]]), "on the unit circle"),
        (rd.steady_filter, rd.Linear(None, [[0.5]], W_hy=[[1.0]]), "too little noise"),
        (rd.smoother_network, rd.Linear([[1.0]], [[0.5]], W_hy=[[1.0]], **ONE), "linear has 1 inputs"),
        (rd.smoother_network, rd.Linear(None, [[1.5]], W_hy=[[1.0]], **ONE), "spectral radius 1.5"),
        (rd.smoother_network, rd.Linear(None, [[0.5]], W_hy=[[1.0]], observation_noise=[[1.0]]), "mode without noise"),
    ],
)
def test_what_has_none_is_refused(function, net, message):
    with pytest.raises(ValueError, match=message):
        function(net)
