"""Gradient flow against differences of the loss and closed forms."""

import naive
import numpy as np
import pytest
from cases import SMOOTH

import rnndyn as rd


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_norms_are_those_of_complex_step_derivatives(case, rng):
    net = case.network(rng, 4, 2)
    x, target = rng.standard_normal((8, 2)), rng.standard_normal((8, net.hidden_size))
    ds = rd.gradient_flow(net, x, target)
    states = case.states_by_hand(net, np.zeros((1, net.state_size)), x[None])[0]
    parameters = case.parameters(net) | case.options
    for t in range(8):

        def loss(s, t=t):
            later = naive.forward(case.step, s, x[t + 1 :], **parameters)
            run = np.concatenate([s[None], np.reshape(later, (-1, len(s)))])[:, : net.hidden_size]
            return 0.5 * ((run - target[t:]) ** 2).sum()

        g = np.array([loss(states[t] + 1e-30j * e).imag / 1e-30 for e in np.eye(net.state_size)])
        assert ds.gradient_norm[t] == pytest.approx(np.linalg.norm(g), rel=1e-12)
        if case.states == 2:
            assert ds.gradient_norm_hidden[t] == pytest.approx(np.linalg.norm(g[:4]), rel=1e-12)
            assert ds.gradient_norm_cell[t] == pytest.approx(np.linalg.norm(g[4:]), rel=1e-12, abs=1e-300)
    assert np.abs(ds.log_gradient_norm - np.log(ds.gradient_norm)).max() < 1e-12
    assert (ds.gradient_norm <= ds.bound * (1 + 1e-12)).all()
    assert ds.lag.values.tolist() == list(range(7, -1, -1)) and ds.status == 0


def test_underflow_is_not_silent():
    T = 2000
    mask = np.arange(T) == T - 1
    ds = rd.gradient_flow(rd.Linear([[1.0]], [[0.1]]), np.ones((T, 1)), np.zeros((T, 1)), mask=mask)
    wanted = np.log(ds.gradient_norm.values[-1]) + ds.lag * np.log(0.1)
    assert ds.gradient_norm[0] == 0 and np.abs(ds.log_gradient_norm - wanted).max() < 1e-9


def test_its_slope_is_that_of_the_jacobian_products():
    net = rd.Elman.random(6, 1, 1, gain=0.7, rng=0)
    inputs = np.random.default_rng(0).standard_normal((400, 1))
    ds = rd.gradient_flow(net, inputs, np.zeros((400, 1)), mask=np.arange(400) == 399)
    slope = (ds.log_gradient_norm[50] - ds.log_gradient_norm[-50]) / (ds.lag[50] - ds.lag[-50])
    exponent = rd.lyapunov_spectrum(net, inputs, k=1, steps=300, warmup=50, rng=0).exponent
    assert slope == pytest.approx(exponent.item(), abs=0.02)


def test_nothing_flows_after_the_end_of_a_sequence():
    net = rd.Elman.random(3, 2, 1, rng=0)
    inputs = np.random.default_rng(0).standard_normal((2, 12, 2))
    ds = rd.gradient_flow(net, inputs, np.zeros((2, 12, 1)), lengths=[12, 5])
    assert ds.gradient_norm.dims == ("batch", "time")
    assert np.isneginf(ds.log_gradient_norm[1, 5:]).all() and (ds.gradient_norm[1, 5:] == 0).all()
    alone = rd.gradient_flow(net, inputs[1, :5], np.zeros((5, 1)))
    assert np.abs(ds.gradient_norm[1, :5].values * 2 - alone.gradient_norm.values).max() < 1e-15  # a mean over two


def test_the_bound_for_elman_is_the_documents():
    net = rd.Elman.random(4, 1, gain=0.8, rng=2)
    mask = np.arange(30) == 29
    ds = rd.gradient_flow(net, np.ones((30, 1)), np.ones((30, 4)), mask=mask)
    rho = np.linalg.norm(net.W_hh, 2)
    assert np.abs(ds.bound / (ds.gradient_norm[-1] * rho**ds.lag) - 1).max() < 1e-12


@pytest.mark.parametrize("net, error", [([], ValueError), (3, TypeError), ([rd.Linear(None, [[1.0]])], TypeError)])
def test_wrong_networks_are_refused(net, error):
    with pytest.raises(error, match="net"):
        rd.gradient_flow(net, np.ones((3, 1)), np.ones((3, 1)))
