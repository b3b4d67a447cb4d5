"""Networks that are hidden Markov models: equal likelihoods, derivatives, and exponents."""

import math

import hypothesis.strategies as st
import naive
import numpy as np
import pytest
from cases import examples
from hypothesis import given
from models import POSITIVE, TEN, ZEROS, arrays, random_model

import rnndyn as rd


@given(st.integers(0, 10_000))
@examples(40)
def test_the_network_of_beliefs_has_the_likelihood(seed):
    hmm, rng = random_model(seed)
    x = hmm.sample(15, rng, sequences=3)[0]
    net = hmm.to_rnn("belief")
    states, ds = rd.run(net, hmm.one_hot(x)).state.values, hmm.filter(x)
    np.testing.assert_allclose(states[..., -1].sum(axis=1), hmm.loglik(x), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(states[..., -1], ds.loglik_t, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(states[..., :-2], ds.filtered_belief, rtol=1e-12, atol=1e-15)
    assert (states[..., -2] == 1).all()


def test_hard_zeros_stay_zero_in_the_network():
    states = rd.run(ZEROS.to_rnn(), ZEROS.one_hot(TEN)).state.values
    assert np.array_equal(states[:, :3] == 0, ZEROS.filter(TEN).filtered_belief.values == 0)
    hmm = rd.HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], np.eye(2))
    assert np.isnan(rd.run(hmm.to_rnn(), hmm.one_hot([0, 1, 0, 1])).state.values[3]).all()


@given(st.integers(0, 10_000))
@examples(25)
def test_the_jacobian_of_the_network_of_beliefs(seed):
    """Against a complex step of the forward recursion, normalised as printed."""
    hmm, rng = random_model(seed, zeros=0.0)
    initial, A, B = arrays(hmm)
    x, s = rng.integers(hmm.n_symbols), np.append(rng.dirichlet(np.ones(hmm.n_states)), [rng.choice([0.0, 1.0]), 0.3])

    def step(s):
        alpha = B[:, x] * (A.T @ s[:-2] + (1 - s[-2]) * initial)
        return np.append(alpha / alpha.sum(), [1 + 0 * s[-2], np.log(alpha.sum())])

    J = rd.jacobian(hmm.to_rnn(), s, hmm.one_hot([x])[0])
    np.testing.assert_allclose(J, naive.complex_step(step, s), rtol=1e-11, atol=1e-13)


def softmax_rows(logits):
    return np.array([naive.softmax(row) for row in logits])


@pytest.mark.parametrize("hmm", [ZEROS, POSITIVE], ids=["zeros", "positive"])
def test_the_sampled_network_has_the_probabilities_of_the_model(hmm):
    """One step from every one-hot state, and the first one: softmax rows are the rows of A, hard zeros included."""
    net, K = hmm.to_rnn("one_hot"), hmm.n_states
    assert net.W_hh.shape == (K, K) and np.isfinite(net.W_hh).all()
    logits = rd.run(net, np.zeros((K, 1, 1)), initial_state=np.eye(K)).state.values[:, 0]
    transition = softmax_rows(logits)
    np.testing.assert_allclose(transition, hmm.transition, rtol=1e-15)
    assert np.array_equal(transition == 0, hmm.transition == 0)
    first = naive.softmax(rd.run(net, [[1.0]]).state.values[0])
    np.testing.assert_allclose(first, hmm.initial, rtol=1e-15)
    np.testing.assert_allclose(softmax_rows((net.W_hy @ np.eye(K)).T), hmm.emission, rtol=1e-15)


def test_the_likelihood_of_the_sampled_network_is_that_of_the_model():
    """Step by step along every path of states, marginalised: the path's state replaces the one that was computed."""
    x, net, total = TEN[:5], ZEROS.to_rnn("one_hot"), 0.0
    paths, _ = naive.hmm_paths(*arrays(ZEROS), x)
    for z in paths:
        states = np.vstack([np.zeros(3), np.eye(3)[z[:-1]]])
        pulses = np.zeros((len(x), 1, 1))
        pulses[0] = 1
        laws = softmax_rows(rd.run(net, pulses, initial_state=states).state.values[:, 0])
        seen = softmax_rows(np.eye(3)[z] @ net.W_hy.T)
        steps = np.arange(len(x))
        with np.errstate(divide="ignore"):
            loglik = np.log(laws[steps, z]).sum() + np.log(seen[steps, x]).sum()
        assert loglik == pytest.approx(ZEROS.joint_loglik(z, x), rel=1e-13)
        total += math.exp(loglik)
    assert math.log(total) == pytest.approx(ZEROS.loglik(x), rel=1e-13)


def test_beliefs_in_place_of_samples_are_wrong_by_a_known_amount():
    """The softmax network pools the rows of A geometrically: its likelihood is another, in the documented direction."""
    net, belief, loglik = POSITIVE.to_rnn("one_hot"), POSITIVE.initial, 0.0
    for symbol in TEN:
        joint = belief * POSITIVE.emission[:, symbol]
        loglik += math.log(joint.sum())
        belief = joint / joint.sum()
        belief = naive.softmax(rd.run(net, [[0.0]], initial_state=belief).state.values[0])
    assert loglik == pytest.approx(-13.457794480774918, rel=1e-13)
    assert loglik - POSITIVE.loglik(TEN) > 0.19


# ---- exponents of the belief recursion ---------------------------------------------------------------------------
@pytest.mark.compiled
def test_exponents_are_likelihood_and_forgetting():
    """The top one differs from the likelihood by the logs of two vectors' sizes; the sum is mean log |det|."""
    T = 5_000
    x, _ = POSITIVE.sample(T, rng=0)
    ds = POSITIVE.exponents(x)
    assert abs(ds.exponent[0] - POSITIVE.loglik(x) / T) < 3 / T
    determinants = np.log(POSITIVE.emission[:, x]).sum(axis=0) + np.log(abs(np.linalg.det(POSITIVE.transition)))
    assert ds.exponent.sum().item() == pytest.approx(determinants.mean(), abs=1e-11)
    gaps = (ds.exponent - ds.exponent[0]).values
    net = POSITIVE.to_rnn("belief")
    spectrum = rd.lyapunov_spectrum(net, POSITIVE.one_hot(x), k=2, rng=0, warmup=100).exponent.values
    np.testing.assert_allclose(spectrum, gaps[1:], atol=0.01)  # other frames, and 100 steps fewer: of order 1/T, 2 %
    everything = rd.lyapunov_spectrum(net, POSITIVE.one_hot(x[:500]), rng=0).exponent.values
    assert (everything[2:] < -15).all() and (everything[:2] > -5).all()  # beliefs sum to 1: the rest is rounding


def test_beliefs_are_forgotten_at_the_rate_of_the_gap():
    """Distance of two beliefs after T steps: its log is T times the gap, up to a constant."""
    T = 25  # later the distance is lost in rounding
    x, _ = POSITIVE.sample(T, rng=1)
    rate = np.diff(POSITIVE.exponents(x).exponent.values[:2])[0]
    a, b = (
        POSITIVE.replace(initial=law).filter(x).filtered_belief.values for law in ([0.9, 0.05, 0.05], [0.1, 0.2, 0.7])
    )
    logs = np.log(np.abs(a - b).sum(axis=1))
    assert logs[-1] < -10 and logs[-1] / T == pytest.approx(rate, abs=4 / T)


def test_independent_symbols_forget_at_once():
    hmm = rd.HMM([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]])
    ds = hmm.exponents([0, 1, 1, 0])
    assert np.isneginf(ds.exponent[1])
    assert ds.exponent[0] == pytest.approx(hmm.loglik([0, 1, 1, 0]) / 4, abs=0.5)
