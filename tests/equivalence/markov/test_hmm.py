"""Hidden Markov models against hmmlearn, against all paths one by one, closed forms, and derivatives."""

import logging
import math

import hypothesis.strategies as st
import naive
import numpy as np
import pytest
from cases import UNCOMPILED, bits, examples
from hmmlearn.hmm import CategoricalHMM
from hypothesis import given
from models import POSITIVE, TEN, ZEROS, arrays, random_model, rows

import rnndyn as rd

EPS = np.finfo(float).eps
MODELS = 20 if UNCOMPILED else 200

# Two chains that never meet: which of them it is shows late, long after the other's belief has left the floats.
APART = rd.HMM([0.5, 0.5], np.eye(2), [[0.9, 0.1], [0.1, 0.9]])


def peer(hmm, implementation="log"):
    model = CategoricalHMM(hmm.n_states, implementation=implementation, n_iter=1, init_params="")
    model.n_features = hmm.n_symbols
    model.startprob_, model.transmat_, model.emissionprob_ = hmm.initial, hmm.transition, hmm.emission
    return model


# ---- other programs, and all paths -------------------------------------------------------------------------------
def test_a_case_with_hard_zeros():
    assert ZEROS.loglik(TEN) == pytest.approx(-13.266934560996642, rel=1e-14)
    path, log_probability = ZEROS.viterbi(TEN)
    assert path.tolist() == [0, 0, 1, 2, 2, 0, 0, 1, 1, 1]
    assert log_probability == pytest.approx(-16.823705966741606, rel=1e-14)
    ds = ZEROS.smooth(TEN)
    assert ds.loglik_t[3].item() == pytest.approx(-1.2169381149019327, rel=1e-13)
    assert ds.loglik_t.sum().item() == pytest.approx(ZEROS.loglik(TEN), rel=1e-14)
    np.testing.assert_allclose(ds.filtered_belief[3], [0, 0.5977332588394924, 0.40226674116050765], rtol=1e-13)
    np.testing.assert_allclose(ds.filtered_belief[7], [0.3827410255612262, 0.5784915589068986, 0.03876741553187527])
    np.testing.assert_allclose(ds.smoothed_belief[3], [0, 0.5779319896236053, 0.4220680103763949], rtol=1e-13)
    np.testing.assert_allclose(ds.smoothed_belief[5], [0.587520916565788, 0.0990742732635137, 0.31340481017069843])
    np.testing.assert_array_equal(ds.smoothed_belief[-1], ds.filtered_belief[-1])


def test_a_case_without_zeros():
    assert POSITIVE.loglik(TEN) == pytest.approx(-13.656969167607686, rel=1e-14)
    last = POSITIVE.filter(TEN).filtered_belief[-1]
    np.testing.assert_allclose(last, [0.08554613104805052, 0.524964393597616, 0.3894894753543334], rtol=1e-13)


@pytest.mark.filterwarnings("ignore:divide by zero")  # hmmlearn's own logarithms of zeros
def test_random_models_equal_hmmlearn():
    """Log of T terms, each a sum over K states: rounding of some T K eps, measured below 1e-13; impossible data too."""
    impossible = 0
    for seed in range(MODELS):
        hmm, rng = random_model(seed)
        x = hmm.sample(rng.integers(1, 40), rng)[0] if seed % 4 else rng.integers(0, hmm.n_symbols, 8)
        other = peer(hmm)
        wanted = other.score(x[:, None])
        assert hmm.loglik(x) == pytest.approx(wanted, rel=1e-10, abs=1e-13)
        path, log_probability = hmm.viterbi(x)
        if np.isneginf(wanted):
            impossible += 1
            assert np.isneginf(log_probability) and (path == -1).all()
            continue
        best, states = other.decode(x[:, None])
        assert log_probability == pytest.approx(best, rel=1e-10, abs=1e-13)
        assert hmm.joint_loglik(path, x) == log_probability
        assert hmm.joint_loglik(states, x) == pytest.approx(best, rel=1e-10, abs=1e-13)
        np.testing.assert_allclose(hmm.smooth(x).smoothed_belief, other.predict_proba(x[:, None]), atol=1e-12)
    assert impossible > MODELS / 50


@given(st.integers(0, 10_000), st.integers(1, 6))
@examples(60)
def test_small_models_against_all_paths(seed, T):
    hmm, rng = random_model(seed, states=int(np.random.default_rng(seed).integers(1, 4)))
    x = rng.integers(0, hmm.n_symbols, T)
    paths, probability = naive.hmm_paths(*arrays(hmm), x)
    total = probability.sum()
    if total == 0:
        assert np.isneginf(hmm.loglik(x))
        return
    assert hmm.loglik(x) == pytest.approx(math.log(total), rel=1e-13, abs=1e-14)
    path, best = hmm.viterbi(x)
    assert best == pytest.approx(math.log(probability.max()), rel=1e-13, abs=1e-14)
    posterior = probability / total
    belief = np.array([[posterior[paths[:, t] == k].sum() for k in range(hmm.n_states)] for t in range(T)])
    np.testing.assert_allclose(hmm.smooth(x).smoothed_belief, belief, atol=1e-14)
    counts = hmm.expected_counts(x)
    pairs = np.zeros((hmm.n_states, hmm.n_states))
    emitted = np.zeros((hmm.n_states, hmm.n_symbols))
    for z, weight in zip(paths, posterior, strict=True):
        np.add.at(pairs, (z[:-1], z[1:]), weight)
        np.add.at(emitted, (z, x), weight)
    np.testing.assert_allclose(counts.transition, pairs, atol=1e-13)
    np.testing.assert_allclose(counts.emission, emitted, atol=1e-13)
    np.testing.assert_allclose(counts.initial, belief[0], atol=1e-14)
    joint = [hmm.joint_loglik(z, x) for z in paths]
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(joint, np.log(probability), rtol=1e-13, atol=1e-14)


@given(st.integers(0, 10_000))
@examples(40)
def test_the_gradient_is_the_expected_counts(seed):
    """Counts are d ln P / d ln p = p dP/dp / P, by a complex step through the forward recursion as printed."""
    hmm, rng = random_model(seed)
    x, _ = hmm.sample(12, rng)
    counts = hmm.expected_counts(x)
    values = arrays(hmm)
    P = naive.hmm_likelihood(*values, x)
    for k, wanted in enumerate(counts):
        slope = naive.complex_step(lambda a, k=k: naive.hmm_likelihood(*values[:k], a, *values[k + 1 :], x), values[k])
        np.testing.assert_allclose(wanted, values[k] * slope / P, rtol=1e-11, atol=1e-13)


def test_the_gradient_by_logits():
    """Softmax rows: counts - rowsum p, against central differences of the likelihood; error h^2 and eps / h."""
    x, _ = POSITIVE.sample(30, rng=1)
    logits, h = np.log(POSITIVE.transition), 1e-5
    counts = POSITIVE.expected_counts(x).transition
    for i, j in np.ndindex(3, 3):
        value = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[i, j] += sign * h
            p = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
            value.append(POSITIVE.replace(transition=p).loglik(x))
        wanted = counts[i, j] - counts[i].sum() * POSITIVE.transition[i, j]
        assert (value[0] - value[1]) / (2 * h) == pytest.approx(wanted, abs=1e-7)


# ---- long sequences, and beliefs that leave the floats ------------------------------------------------------------
@pytest.mark.compiled
def test_a_million_symbols():
    x, z = ZEROS.sample(1_000_000, rng=0)
    assert ZEROS.loglik(x) == pytest.approx(peer(ZEROS, "scaling").score(x[:, None]), rel=1e-12)
    path, log_probability = ZEROS.viterbi(x)
    assert ZEROS.joint_loglik(z, x) < log_probability < ZEROS.loglik(x)
    ds = ZEROS.smooth(x)
    assert ds.status == 0 and np.isfinite(ds.smoothed_belief).all()
    assert abs(ds.smoothed_belief.sum("state") - 1).max() < 1e-9
    assert ds.loglik_t.sum().item() == pytest.approx(ZEROS.loglik(x), rel=1e-13)


def test_a_chain_that_is_seen_has_a_closed_form():
    n = 2_000
    hmm = rd.HMM([1.0, 0.0], [[0.25, 0.75], [1.0, 0.0]], np.eye(2))
    x, z = hmm.sample(n, rng=0)
    assert np.array_equal(x, z)
    stays, leaves = ((z[:-1] == 0) & (z[1:] == k) for k in (0, 1))
    wanted = stays.sum() * math.log(0.25) + leaves.sum() * math.log(0.75)
    assert hmm.loglik(x) == pytest.approx(wanted, rel=1e-14) == hmm.viterbi(x)[1]
    assert np.array_equal(hmm.viterbi(x)[0], z)


@pytest.mark.parametrize("n", [100, 1_000])
def test_a_belief_that_leaves_the_floats_comes_back(n):
    """After n zeros and 2 n ones the second chain is the likely one, though it was below 1e-300 for n = 1000."""
    x = np.repeat([0, 1], [n, 2 * n])
    zeros, ones = math.log(0.9), math.log(0.1)
    parts = n * zeros + 2 * n * ones, n * ones + 2 * n * zeros
    assert APART.loglik(x) == pytest.approx(np.logaddexp(*parts) + math.log(0.5), rel=1e-13)
    ds = APART.smooth(x)
    assert ds.loglik == APART.loglik(x) and ds.filtered_belief[-1, 1] == pytest.approx(1)
    np.testing.assert_allclose(
        ds.smoothed_belief[:, 0], np.exp(parts[0] - np.logaddexp(*parts)), rtol=1e-9, atol=1e-300
    )
    assert (APART.viterbi(x)[0] == 1).all() and (APART.sample_posterior(x, 3, rng=0) == 1).all()
    np.testing.assert_allclose(APART.expected_counts(x).emission, [[0, 0], [n, 2 * n]], atol=1e-9)
    batch = [x, x[: n // 2], [0, 1]]
    assert bits(APART.loglik(batch)) == bits([APART.loglik(one) for one in batch])


def test_probabilities_too_small_for_products():
    tiny = 1e-200
    hmm = rd.HMM([1 - tiny, tiny], [[1.0, 0.0], [0.0, 1.0]], [[1 - tiny, tiny], [1.0, 0.0]])
    assert hmm.loglik([0]) == 0
    hmm = rd.HMM([1.0, 0.0], [[1.0, tiny], [tiny, 1.0]], [[1.0, tiny], [0.0, 1.0]])
    assert hmm.loglik([0, 1, 0]) == pytest.approx(math.log(tiny), rel=1e-14)  # state 1 is never left for a 0
    assert hmm.loglik([1, 1, 1]) == pytest.approx(2 * math.log(tiny), rel=1e-14)  # a rare symbol, a rare transition


@pytest.mark.parametrize("tiny", [1e-15, 1e-25, 1e-60, 1e-120, 1e-250, 5e-324])
def test_rare_steps_and_symbols_of_any_size(tiny):
    """A state entered by a rare step and shown by a rare symbol: nothing is lost, as numbers or as logarithms."""
    hmm = rd.HMM([1.0, 0.0], [[1.0, tiny], [0.0, 1.0]], [[1.0, 0.0, 0.0], [0.75, tiny, 0.25]])
    T = 12
    weights = 0.75 ** np.arange(T)  # of k zeros shown by the second state, before its two
    late = np.repeat([0, 2], [T, 1])
    for x, wanted in (
        (np.zeros(T, int), 0.0),
        (np.repeat([0, 1], [1, T]), (T + 1) * math.log(tiny)),  # the step, and T rare symbols
        (late, math.log(weights.sum()) + math.log(tiny) + math.log(0.25)),
    ):
        assert hmm.loglik(x) == pytest.approx(wanted, rel=1e-13, abs=1e-13)
        assert hmm.loglik([x] * 9)[8] == hmm.loglik(x)
    stays = weights @ np.arange(T) / weights.sum()
    np.testing.assert_allclose(hmm.expected_counts(late).transition, [[T - 1 - stays, 1], [0, stays]], rtol=1e-12)


def test_impossible_data_are_a_status():
    ds = ZEROS.smooth([[0, 1, 2], [3, 3, 0]], lengths=[3, 2])
    assert ds.status.values.tolist() == [0, 0]
    hmm = rd.HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    ds = hmm.smooth([[0, 1, 0, 1], [0, 0, 1, 1]])
    assert ds.status.values.tolist() == [int(rd.schema.Status.ZERO_PROBABILITY), 0]
    assert np.isneginf(ds.loglik[0]) and ds.loglik[1] == pytest.approx(2 * math.log(0.5))
    assert np.isfinite(ds.loglik_t[0, :2]).all() and np.isneginf(ds.loglik_t[0, 2]) and np.isnan(ds.loglik_t[0, 3])
    assert np.isfinite(ds.filtered_belief[0, :2]).all() and np.isnan(ds.filtered_belief[0, 2:]).all()
    np.testing.assert_array_equal(ds.predicted_belief[0, 2], [0, 1])
    assert np.isnan(ds.smoothed_belief[0]).all() and np.isfinite(ds.smoothed_belief[1]).all()
    counts = hmm.expected_counts([[0, 1, 0, 1], [0, 0, 1, 1]])
    assert counts.initial.tolist() == [1, 0] and counts.transition.tolist() == [[1, 1], [0, 1]]
    assert (hmm.sample_posterior([0, 1, 0], 2, rng=0) == -1).all()


# ---- several sequences -------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.lists(st.integers(0, 12), min_size=1, max_size=20))
@examples(40)
def test_a_sequence_does_not_feel_the_others(seed, lengths):
    hmm, rng = random_model(seed)
    many = [hmm.sample(n, rng)[0] for n in lengths]
    longest = max(lengths)
    table = np.zeros((len(many), longest), int)
    for row, one in zip(table, many, strict=True):
        row[: len(one)], row[len(one) :] = one, 99
    assert bits(hmm.loglik(many)) == bits(hmm.loglik(table, lengths=lengths)) == bits([hmm.loglik(one) for one in many])
    ds, (paths, best) = hmm.smooth(many), hmm.viterbi(table, lengths=lengths)
    for n, one in enumerate(many):
        alone = hmm.smooth(one)
        for name in ("predicted_belief", "filtered_belief", "smoothed_belief", "loglik_t"):
            assert bits(ds[name][n, : len(one)]) == bits(alone[name])
            assert np.isnan(ds[name][n, len(one) :]).all()
        path, log_probability = hmm.viterbi(one)
        assert paths[n].tolist() == path.tolist() + [-1] * (longest - len(one)) and best[n] == log_probability
    alone = [hmm.expected_counts(one) for one in many]
    for total, parts in zip(hmm.expected_counts(many), zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(total, np.sum(parts, axis=0), atol=1e-12)


@pytest.mark.parametrize("hmm", [APART, ZEROS, rd.HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], np.eye(2))])
def test_impossible_and_lost_sequences_do_not_disturb_those_beside_them(hmm):
    """Done side by side: some impossible, some that leave the floats, at different times."""
    rng = np.random.default_rng(5)
    many = [np.repeat([0, 1], [20 * n, 20]) for n in range(9)] + [rng.integers(0, 2, n) for n in range(9)]
    many += [np.repeat([0, 1], [600, 700])] * (1 if UNCOMPILED else 9)
    ds = hmm.smooth(many)
    assert bits(ds.loglik) == bits([hmm.loglik(one) for one in many])
    for n, one in enumerate(many):
        alone = hmm.smooth(one)
        for name in ("predicted_belief", "filtered_belief", "smoothed_belief", "loglik_t"):
            assert bits(ds[name][n, : len(one)]) == bits(alone[name])
        assert ds.status[n] == alone.status
    alone = [hmm.expected_counts(one) for one in many]
    for total, parts in zip(hmm.expected_counts(many), zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(total, np.sum(parts, axis=0), rtol=1e-12, atol=1e-12)
    assert hmm.viterbi(many)[1].tolist() == [hmm.viterbi(one)[1] for one in many]


@pytest.mark.compiled
def test_results_do_not_depend_on_the_number_of_threads():
    import numba

    x, _ = POSITIVE.sample(3_000, rng=0, sequences=150)
    found = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        ds = POSITIVE.smooth(x)
        found.append(bits(ds.smoothed_belief, ds.loglik, *POSITIVE.expected_counts(x), *POSITIVE.viterbi(x)))
        found[-1] += bits(*POSITIVE.sample(3_000, rng=1, sequences=150), POSITIVE.sample_posterior(x, 2, rng=1))
    assert found[0] == found[1]


# ---- sampling ----------------------------------------------------------------------------------------------------
def test_samples_have_the_law_of_the_model():
    """Each frequency is within 5 standard errors; hard zeros never come."""
    n = 4_000 if UNCOMPILED else 40_000
    x, z = ZEROS.sample(2, rng=0, sequences=n)
    for sample, law in (
        (z[:, 0], ZEROS.initial),
        (z[z[:, 0] == 0, 1], ZEROS.transition[0]),
        (z[z[:, 0] == 1, 1], ZEROS.transition[1]),
        (x[z == 1], ZEROS.emission[1]),
        (x[z == 2], ZEROS.emission[2]),
    ):
        share = np.bincount(sample, minlength=len(law)) / len(sample)
        assert (np.abs(share - law) <= 5 * np.sqrt(law * (1 - law) / len(sample))).all()


def test_posterior_samples_have_the_law_of_the_posterior():
    n = 2_000 if UNCOMPILED else 20_000
    x = TEN[:4]
    drawn = ZEROS.sample_posterior(x, n, rng=3)
    paths, probability = naive.hmm_paths(*arrays(ZEROS), x)
    posterior = probability / probability.sum()
    share = (drawn[:, None] == paths).all(axis=2).mean(axis=0)
    assert share.sum() == 1
    assert (np.abs(share - posterior) <= 5 * np.sqrt(posterior * (1 - posterior) / n)).all()
    assert ZEROS.sample_posterior([x, x[:2]], 3, rng=0).shape == (3, 2, 4)


# ---- learning ----------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_step_of_baum_and_welch_equals_hmmlearn(caplog):
    caplog.set_level(logging.CRITICAL, logger="hmmlearn")
    for seed in range(10 if UNCOMPILED else 40):
        hmm, rng = random_model(seed, zeros=0.3 * (seed % 2))
        x, _ = hmm.sample(60, rng)
        start, _ = random_model(seed, zeros=0.0)
        start = rd.HMM(*(rows(rng, a.shape, 0.0) for a in arrays(hmm)))
        other = peer(start)
        other.fit(x.reshape(-1, 1), [20, 30, 10])
        step = start.reestimate([x[:20], x[20:50], x[50:]])
        for got, wanted in zip(arrays(step), (other.startprob_, other.transmat_, other.emissionprob_), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


@given(st.integers(0, 10_000))
@examples(25)
def test_the_likelihood_never_falls(seed):
    hmm, rng = random_model(seed)
    x, _ = hmm.sample(50, rng)
    fitted = rd.HMM.fit(x, 2, starts=1, iterations=30, tol=0.0, rng=seed)
    rises = np.diff(fitted.fitted.loglik)
    assert (rises >= -1e-11).all()
    assert fitted.loglik(x) == pytest.approx(fitted.fitted.loglik[-1], rel=1e-13, abs=1e-13)


def test_fitting_finds_a_model_that_is_easy_to_see():
    truth = rd.HMM([0.5, 0.5], [[0.95, 0.05], [0.1, 0.9]], [[0.8, 0.15, 0.05], [0.05, 0.15, 0.8]])
    n = 1_000 if UNCOMPILED else 20_000
    x, _ = truth.sample(n, rng=0)
    fitted = rd.HMM.fit(x, 2, starts=3, rng=1)
    assert fitted.fitted.converged
    order = np.argsort(-fitted.emission[:, 0])
    reach = 5 / np.sqrt(n / 20)  # a state is left some n / 20 times
    assert np.abs(fitted.transition[np.ix_(order, order)] - truth.transition).max() < reach
    assert np.abs(fitted.emission[order] - truth.emission).max() < reach
    assert rd.HMM.fit(x[:200], 2, rng=5) == rd.HMM.fit(x[:200], 2, rng=5)


def test_zeros_stay_and_rows_without_visits_are_kept():
    start = rd.HMM([1.0, 0.0], [[1.0, 0.0], [0.3, 0.7]], [[0.5, 0.5], [0.9, 0.1]])
    fitted = rd.HMM.fit([0, 1, 1, 1], start=start)
    assert fitted.transition.tolist() == start.transition.tolist() and fitted.emission.tolist() == [
        [0.25, 0.75],
        [0.9, 0.1],
    ]


def test_a_fit_that_was_cut_short_says_so(caplog):
    x, _ = POSITIVE.sample(200, rng=0)
    fitted = rd.HMM.fit(x, 3, iterations=2, starts=1, rng=0)
    assert not fitted.fitted.converged and len(fitted.fitted.loglik) == 3
    assert "not converged" in caplog.text


# ---- the chain of states -----------------------------------------------------------------------------------------
@given(st.integers(0, 10_000))
@examples(40)
def test_autocovariances_of_one_hot_symbols(seed):
    """Against the laws of pairs, path by path of the states between."""
    hmm, _ = random_model(seed, zeros=0.0, states=3)
    pi = hmm.stationary
    np.testing.assert_allclose(pi @ hmm.transition, pi, rtol=1e-13)
    found = hmm.autocovariance(3)
    mean = pi @ hmm.emission
    assert np.allclose(found[0], np.diag(mean) - np.outer(mean, mean), atol=1e-15)
    for k in (1, 2, 3):
        joint = np.zeros_like(found[0])
        for z in np.ndindex(*[3] * (k + 1)):
            weight = pi[z[0]] * np.prod([hmm.transition[z[t], z[t + 1]] for t in range(k)])
            joint += weight * np.outer(hmm.emission[z[-1]], hmm.emission[z[0]])
        np.testing.assert_allclose(found[k], joint - np.outer(mean, mean), atol=1e-14)


def test_the_stationary_law():
    assert rd.HMM([1, 0, 0], [[0, 1, 0], [0, 0.5, 0.5], [0, 1, 0]], np.ones((3, 1))).stationary[0] == 0
    rare = rd.HMM([1, 0], [[1 - 1e-12, 1e-12], [1e-3, 1 - 1e-3]], np.ones((2, 1)))
    assert rare.stationary[1] == pytest.approx(1e-12 / (1e-12 + 1e-3), rel=1e-15, abs=0)
    with pytest.raises(ValueError, match="2 classes of states"):
        _ = APART.stationary


# ---- as an object, and bad input -----------------------------------------------------------------------------------
def test_models_are_values():
    again = rd.HMM(*arrays(ZEROS))
    assert again == ZEROS and hash(again) == hash(ZEROS) and ZEROS != POSITIVE and ZEROS != 3
    assert ZEROS.replace(initial=[0.6, 0.4, 0.0]) == ZEROS
    with pytest.raises(ValueError, match="read-only"):
        ZEROS.transition[0, 0] = 1
    with pytest.raises(AttributeError):
        ZEROS.initial = 3
    given = np.array([0.5, 0.5])
    hmm = rd.HMM(given, np.eye(2), np.eye(2))
    given[0] = 1
    assert hmm.initial[0] == 0.5
    single = rd.HMM(np.float32([1 / 3, 2 / 3]), np.eye(2, dtype="float32"), np.eye(2))
    assert single.dtype == np.float64 and single.initial.sum() == 1


def test_one_state_one_symbol_one_step():
    hmm = rd.HMM([1.0], [[1.0]], [[1.0]])
    assert hmm.loglik([0]) == 0 and hmm.loglik(np.zeros(0, int)) == 0 and hmm.viterbi([0])[0].tolist() == [0]
    assert hmm.smooth([0]).smoothed_belief.values.tolist() == [[1.0]]
    assert hmm.filter(np.zeros((2, 0), int)).filtered_belief.shape == (2, 0, 1)
    assert hmm.sample(0, rng=0)[0].shape == (0,)


def test_data_arrays_are_read_by_name():
    import xarray as xr

    A = xr.DataArray(ZEROS.transition.T, dims=("next_state", "state"))
    assert rd.HMM(ZEROS.initial, A, ZEROS.emission) == ZEROS
    x = xr.DataArray(np.stack([TEN, TEN[::-1]], axis=1), dims=("time", "batch"))
    assert bits(ZEROS.loglik(x)) == bits(ZEROS.loglik(x.values.T))


@pytest.mark.parametrize(
    "fields, message",
    [
        ((np.ones(2), np.eye(2), np.eye(2)), "initial has a row that sums to 2"),
        (([0.5, 0.5], [[0.5, 0.4], [0, 1]], np.eye(2)), "transition has a row that sums to 0.9"),
        (([1.5, -0.5], np.eye(2), np.eye(2)), "initial holds the negative number -0.5"),
        (([1.0, 0.0], np.eye(3), np.eye(2)), r"transition has shape \(state=3, next_state=3\)"),
        (([1.0, np.nan], np.eye(2), np.eye(2)), "initial holds nan"),
        (([1.0, 0.0], np.eye(2), np.zeros((2, 0))), "at least one state and one symbol"),
        (([], np.zeros((0, 0)), np.zeros((0, 1))), "at least one state and one symbol"),
    ],
)
def test_wrong_models_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        rd.HMM(*fields)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: ZEROS.loglik([0, 4]), ValueError, r"x\[1\] is 4: at most 3"),
        (lambda: ZEROS.loglik([[0, 1], [-1, 0]]), ValueError, r"x\[1\]\[0\] is -1"),
        (lambda: ZEROS.loglik([0.5]), TypeError, "x has the type float64"),
        (lambda: ZEROS.loglik([0, 1], lengths=[1]), ValueError, "single sequence"),
        (lambda: ZEROS.loglik([[0], [0, 1]], lengths=[1, 2]), TypeError, "x cannot be read as an array"),
        (lambda: ZEROS.loglik([[0, 1]], lengths=[3]), ValueError, r"lengths\[0\] is 3"),
        (lambda: ZEROS.joint_loglik([0], [0, 1]), ValueError, "one state a symbol"),
        (lambda: ZEROS.to_rnn("hidden"), ValueError, "kind is 'hidden'"),
        (lambda: ZEROS.exponents([[0, 1]]), ValueError, "one sequence"),
        (lambda: rd.HMM([1, 0], np.eye(2), np.eye(2)).exponents([1]), ValueError, "impossible"),
        (lambda: ZEROS.sample(-1), ValueError, "n is -1"),
        (lambda: ZEROS.replace(colour=1), TypeError, "HMM has no 'colour'"),
        (lambda: rd.HMM.fit([0, 1]), ValueError, "n_states is missing"),
        (lambda: rd.HMM.fit(np.zeros(0, int), 2), ValueError, "no symbols"),
        (lambda: rd.HMM.fit([0, 1], start=3), TypeError, "start is a int"),
        (lambda: rd.HMM.fit([1], start=rd.HMM([1, 0], np.eye(2), np.eye(2))), ValueError, "impossible under start"),
    ],
)  # fmt: skip
def test_wrong_calls_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
