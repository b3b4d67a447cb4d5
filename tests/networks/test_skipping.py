"""Highway and residual recurrence against networks and matrices that they must agree with."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.analysis.completeness import Box, invariant_box

NOTHING = Box(np.zeros(0), np.zeros(0))


@pytest.mark.compiled
def test_a_highway_network_rests_where_the_network_of_its_candidate_does():
    """As h = t phi(a) + (1 - t) h and t > 0 say h = phi(a); there J = (1 - t) I + t J_candidate."""
    elman = rd.Elman(None, 2 * np.eye(3) + [[0, 0.3, -0.2], [0.1, 0, 0.3], [-0.3, 0.2, 0]], np.zeros(3))
    W_t, b_t = np.random.default_rng(0).standard_normal((3, 3)), np.array([-1.0, 0.0, 0.5])
    highway = rd.Highway(None, np.concatenate([elman.W_hh, W_t]), np.concatenate([elman.b_h, b_t]))
    ds, wanted = (rd.fixed_points(net, rng=0, starts=500) for net in (highway, elman))
    assert wanted.sizes["point"] == 27 and ds.attrs["expected_index_sum"] == ds.attrs["index_sum"] == 1
    for x, index in zip(wanted.state.values, wanted["index"].values, strict=True):
        near = np.abs(ds.state.values - x).max(axis=1)
        assert near.min() < 1e-9 and ds["index"].values[near.argmin()] == index
        t = 1 / (1 + np.exp(-(W_t @ x + b_t)))
        J = np.diag(1 - t) + t[:, None] * (1 - x**2)[:, None] * elman.W_hh
        values = np.sort_complex(np.linalg.eigvals(J))
        assert np.abs(np.sort_complex(ds.eigenvalue.values[near.argmin()]) - values).max() < 1e-8
    assert ds.sizes == wanted.sizes


def test_exponents_of_a_linear_residual_network_are_those_of_its_matrix(rng):
    W, skip = np.triu(0.3 * rng.standard_normal((4, 4)), 1) + np.diag([0.3, -0.2, 0.1, -0.4]), np.full(4, 0.6)
    ds = rd.lyapunov_spectrum(rd.Residual(None, W, skip=skip, activation="identity"), steps=4000, warmup=500, rng=0)
    assert np.abs(ds.exponent.values - np.log([0.9, 0.7, 0.4, 0.2])).max() < 1e-12 and ds.sum_rule_defect < 1e-9


def test_a_residual_network_without_a_nonlinearity_is_a_linear_one(rng):
    W, inputs = 0.3 * rng.standard_normal((3, 3)), rng.standard_normal((20, 2))
    residual = rd.Residual(np.ones((3, 2)), W, activation="identity", skip=0.5)
    linear = rd.Linear(np.ones((3, 2)), W + 0.5 * np.eye(3))
    assert np.abs(rd.run(residual, inputs).state - rd.run(linear, inputs).state).max() < 1e-13


@pytest.mark.parametrize(
    "net",
    [
        rd.Highway.random(3, gain=4.0, rng=0),
        rd.Highway.random(3, gain=4.0, rng=0, activation="sigmoid"),
        rd.Residual.random(3, gain=4.0, rng=0, skip=[0.5, -0.9, 0.0]),
        rd.Residual.random(3, gain=4.0, rng=0, skip=-0.7, activation="sigmoid"),
    ],
    ids=["highway tanh", "highway sigmoid", "residual tanh", "residual sigmoid"],
)
def test_their_box_is_mapped_into_itself(net, rng):
    box = invariant_box(net, NOTHING)
    corners = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    inside = np.concatenate([corners, rng.uniform(-1, 1, (100, 3))])
    states = (box.high + box.low) / 2 + inside * (box.high - box.low) / 2
    gate = 1 / (1 + np.exp(-states @ net.W_hh[-3:].T - net.b_h[-3:]))
    phi = {"tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a))}[net.activation](
        states @ net.W_hh[:3].T + net.b_h[:3]
    )
    after = gate * phi + (1 - gate) * states if isinstance(net, rd.Highway) else net.skip * states + phi
    assert box.holds(after).all()


def test_without_a_bound_there_is_no_box():
    assert invariant_box(rd.Residual.random(2, rng=0), NOTHING) is None
    assert invariant_box(rd.Residual.random(2, rng=0, skip=0.5, activation="relu"), NOTHING) is None
    assert invariant_box(rd.Highway.random(2, rng=0, activation="relu"), NOTHING) is None
