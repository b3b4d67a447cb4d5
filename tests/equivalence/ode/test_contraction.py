"""Contraction: logarithmic norms against their definition; certificates against every Jacobian that can occur."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from cases import examples
from hypothesis import given
from scipy.linalg import expm

import rnndyn as rd

NORMS = {"max": np.inf, "sum": 1, "euclidean": 2}
every_norm = pytest.mark.parametrize("norm", [1, 2, np.inf])


@every_norm
def test_the_logarithmic_norm_is_the_limit(norm, rng):
    A, w = rng.standard_normal((4, 4)), rng.uniform(0.5, 2, 4)
    scaled = A * w[:, None] / w
    h = 1e-7
    limit = (np.linalg.norm(np.eye(4) + h * scaled, norm) - 1) / h
    mu = rd.ode.logarithmic_norm(A, norm, w)
    assert mu == pytest.approx(limit, abs=1e-6)
    assert mu >= np.linalg.eigvals(A).real.max()
    for t in (0.1, 1.0, 3.0):
        assert np.linalg.norm(expm(t * scaled), norm) <= np.exp(t * mu) * (1 + 1e-12)
    assert rd.ode.logarithmic_norm(np.stack([A, 2 * A]), norm).tolist() == pytest.approx(
        [rd.ode.logarithmic_norm(A, norm), 2 * rd.ode.logarithmic_norm(A, norm)]
    )


def network(seed, form, activation, size=4, gain=0.6, uneven=False):
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(0.1, 0.4, size) if uneven else 0.2
    W = gain * rng.standard_normal((size, size)) / np.sqrt(size)
    return rd.Leaky(rng.standard_normal((size, 1)), W, alpha=alpha, form=form, activation=activation)


def jacobians(net):
    """At all corners of the slopes: between them the logarithmic norm is convex, so no larger."""
    steepest = {"sigmoid": 0.25}.get(net.activation, 1.0)
    slopes = [1.0] if net.activation == "identity" else [0.0, steepest]
    speed = np.broadcast_to(net.alpha / net.alpha.max(), net.hidden_size)
    for d in product(slopes, repeat=net.hidden_size):
        inner = np.diag(d) @ net.W_hh if net.form == "rate" else net.W_hh @ np.diag(d)
        yield speed[:, None] * (inner - np.eye(net.hidden_size))


def scales(certificate):
    return 1 / certificate.weights if certificate.norm == "max" else certificate.weights


@given(st.integers(0, 2**32), st.sampled_from(["rate", "voltage"]), st.sampled_from(["tanh", "sigmoid", "identity"]),
       st.sampled_from([0.3, 0.8, 2.0]), st.booleans())  # fmt: skip
@examples(60)
def test_every_jacobian_obeys_the_certificate(seed, form, activation, gain, uneven):
    net = network(seed, form, activation, gain=gain, uneven=uneven)
    found = rd.ode.contraction(net)
    largest = -np.inf
    for J in jacobians(net):
        mu = rd.ode.logarithmic_norm(J, NORMS[found.norm], scales(found))
        largest = max(largest, mu)
        if found.max_step:
            S = scales(found)
            step = np.eye(len(J)) + found.max_step * J
            shrunk = np.linalg.norm(step * S[:, None] / S, NORMS[found.norm])
            assert shrunk <= 1 - found.max_step * found.rate + 1e-12
    assert largest <= -found.rate + 1e-14
    if found.norm != "euclidean":
        assert largest >= -found.rate - 1e-12  # nothing is given away


def test_the_rate_is_the_best_there_is():
    """Of a network whose weights are all positive, the slowest mode of its Jacobian has just this rate."""
    W = np.array([[0.2, 0.3], [0.4, 0.1]])
    found = rd.ode.contraction(rd.Leaky(None, W, alpha=0.1))
    assert found.rate == pytest.approx(1 - np.linalg.eigvals(W).real.max(), rel=1e-7)
    assert found.rate <= 1 - np.linalg.eigvals(W).real.max()


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_trajectories_approach_each_other_as_promised(form, rng):
    net = network(3, form, "tanh", size=8, gain=0.35)
    found = rd.ode.contraction(net)
    assert found.rate > 0.1 and net.alpha <= found.max_step
    x = 3 * rng.standard_normal((60, 1))
    first, second = (rd.run(net, x, initial_state=5 * rng.standard_normal(8)).state.values for _ in range(2))
    distance = np.linalg.norm((first - second) * scales(found), NORMS[found.norm], axis=1)
    assert (distance[1:] <= distance[:-1] * (1 - net.alpha * found.rate) + 1e-14).all()


def test_the_certificate_counts_time_as_it_is_told():
    net = network(0, "rate", "tanh")
    assert rd.ode.contraction(net, dt=0.01).rate == pytest.approx(20 * rd.ode.contraction(net).rate, rel=1e-12)


def test_what_does_not_contract_is_not_certified():
    chaotic = rd.ode.contraction(rd.Leaky.random(20, alpha=0.1, gain=4.0, rng=0))
    assert chaotic.rate < 0 and chaotic.max_step == 0.0
    # The triangular network has eigenvalues -1 for all slopes; its maximum norm shrinks, with the right weights.
    chain = rd.Leaky(None, [[0.0, 50.0], [0.0, 0.0]], alpha=0.1)
    found = rd.ode.contraction(chain)
    assert found.norm == "max" and found.rate > 0.99


def test_bounds_on_the_jacobian(rng):
    low = np.array([[-3.0, -0.5], [0.1, -2.0]])
    high = np.array([[-1.0, 0.2], [0.6, -1.5]])
    found = rd.ode.contraction(low=low, high=high)
    for _ in range(200):
        J = rng.uniform(low, high)
        assert rd.ode.logarithmic_norm(J, np.inf, 1 / found.weights) <= -found.rate
    worst = np.array([[-1.0, 0.5], [0.6, -1.5]])  # the Metzler matrix that bounds them
    assert found.rate == pytest.approx(-np.linalg.eigvals(worst).real.max(), rel=1e-7)
    assert found.max_step == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rd.ode.contraction(), ValueError, "field is missing"),
        (lambda: rd.ode.contraction(rd.Elman(None, [[1.0]])), TypeError, "field is a Elman"),
        (lambda: rd.ode.contraction(low=[[1.0]], high=[[0.0]]), ValueError, "low is no lower bound"),
        (lambda: rd.ode.contraction(rd.Leaky(None, [[1.0]], alpha=1), low=[[1.0]]), ValueError, "leave them out"),
        (lambda: rd.ode.logarithmic_norm([[1.0, 2.0]]), ValueError, "matrix has the shape"),
        (lambda: rd.ode.logarithmic_norm([[1.0]], 3), ValueError, "norm is 3"),
        (lambda: rd.ode.logarithmic_norm([[1.0]], weights=[0.0]), ValueError, "weights holds 0.0"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
