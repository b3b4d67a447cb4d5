"""n-gram models against counts by hand, exact laws, and each other."""

import math
from collections import Counter
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from cases import bits, examples
from hypothesis import given

import rnndyn as rd


def by_hand(sequences, order, M, a, test):
    """Log-likelihood of a sequence in exact fractions, counts in dictionaries."""
    grams, contexts = Counter(), Counter()
    for x in sequences:
        for t in range(order, len(x)):
            grams[tuple(x[t - order : t + 1])] += 1
            contexts[tuple(x[t - order : t])] += 1
    product = Fraction(1)
    for t in range(order, len(test)):
        total = contexts[tuple(test[t - order : t])] + a * M
        product *= (grams[tuple(test[t - order : t + 1])] + a) / Fraction(total) if total else Fraction(0)
    return math.log(product.numerator) - math.log(product.denominator) if product else -math.inf


symbols = st.lists(st.integers(0, 2), max_size=12)


@given(st.lists(symbols, min_size=1, max_size=4), symbols, st.integers(0, 3), st.sampled_from([0, Fraction(1, 2), 1]))
@examples(80)
def test_likelihoods_are_those_of_exact_counts(sequences, test, order, a):
    arrays = [np.array(x, int) for x in sequences]
    model = rd.NGram.fit(arrays, order, n_symbols=3, smoothing=float(a))
    wanted = by_hand(sequences, order, 3, a, test)
    assert model.loglik(np.array(test, int)) == pytest.approx(wanted, rel=1e-13, abs=1e-13)
    if len(test) > order:
        mean = wanted / (len(test) - order)
        assert model.perplexity(np.array(test, int)) == pytest.approx(math.exp(-mean), rel=1e-12)


def test_rows_are_probabilities():
    x = np.random.default_rng(0).integers(0, 4, 200)
    model = rd.NGram.fit(x, 2, smoothing=0.5)
    for context in ([0, 1], [3, 3]):
        total = sum(math.exp(model.loglik([*context, s])) for s in range(4))
        assert total == pytest.approx(1, rel=1e-14)


def test_the_order_of_the_source_is_enough():
    """A chain of order 1: its entropy rate at every order from 1 on, within 5 standard errors; more at order 0."""
    A = np.array([[0.9, 0.1], [0.3, 0.7]])
    hmm = rd.HMM([0.75, 0.25], A, np.eye(2))
    n = 20_000
    x, _ = hmm.sample(n, rng=0)
    rate = -(hmm.stationary[:, None] * A * np.log(A)).sum()
    found = [rd.NGram.fit(x, order).entropy_rate for order in range(5)]
    assert np.abs(np.array(found[1:]) - rate).max() < 5 / np.sqrt(n)
    assert found[0] == pytest.approx(-(hmm.stationary * np.log(hmm.stationary)).sum(), abs=5 * 2 / np.sqrt(n))
    perplexity = [rd.NGram.fit(x[: n // 2], order).perplexity(x[n // 2 :]) for order in (0, 1)]
    assert perplexity[1] == pytest.approx(math.exp(rate), rel=0.03) and perplexity[0] > 1.1 * perplexity[1]


def test_forms_of_sequences_are_equal():
    rows = [np.array([0, 1, 1, 0]), np.array([1, 1])]
    table = np.array([[0, 1, 1, 0], [1, 1, 9, 9]])
    model = rd.NGram.fit(rows, 1)
    assert model == rd.NGram.fit(table, 1, lengths=[4, 2]) and hash(model) == hash(rd.NGram.fit(rows, 1))
    assert model != rd.NGram.fit(rows, 1, smoothing=1) and model != 3
    assert bits(model.loglik(rows)) == bits([model.loglik(x) for x in rows])
    assert model.perplexity(rows) == pytest.approx(math.exp(-np.sum(model.loglik(rows)) / 4))
    assert np.isnan(model.log_probabilities(rows)).tolist() == [[True, False, False, False], [True, False, True, True]]


def test_edges():
    assert rd.NGram.fit([0], 0).loglik([0, 0]) == 0 and rd.NGram.fit([0, 1], 5).loglik([0, 1]) == 0
    empty = rd.NGram.fit([1], 3, smoothing=1, n_symbols=2)
    assert empty.perplexity([0, 1, 0, 1]) == pytest.approx(2) and empty.entropy_rate == 0
    assert rd.NGram.fit(np.zeros(0, int), 1, n_symbols=2).loglik([0, 1]) == -math.inf
    with pytest.raises(ValueError, match="read-only"):
        rd.NGram.fit([0, 1], 1).counts[0] = 3


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rd.NGram.fit([0, 1], -1), ValueError, "order is -1"),
        (lambda: rd.NGram.fit([0, 99], 40), ValueError, r"2\^63"),
        (lambda: rd.NGram.fit([0, 3], 1, n_symbols=3), ValueError, r"x\[1\] is 3"),
        (lambda: rd.NGram.fit([0, 1], 1, smoothing=-1), ValueError, "smoothing is -1"),
        (lambda: rd.NGram.fit([0, 1], 1).loglik([2]), ValueError, r"x\[0\] is 2"),
        (lambda: rd.NGram.fit([0, 1], 1).perplexity([0]), ValueError, "no symbol to predict"),
        (lambda: rd.NGram.fit([0.5], 1), TypeError, "float64"),
    ],
)
def test_wrong_calls_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
