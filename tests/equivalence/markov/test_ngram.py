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


def backed_off(sequences, laws, M, context, symbol):
    """Probability by the formula, order by order, in exact fractions; ``laws`` are (order, a, d), the highest first."""
    if not laws:
        return Fraction(1, M)
    (order, a, d), *fewer = laws
    short = list(context[len(context) - order :])
    after = Counter(x[t] for x in sequences for t in range(order, len(x)) if x[t - order : t] == short)
    given_to_fewer = (a * M + d * len(after)) * backed_off(sequences, fewer, M, context, symbol)
    total = sum(after.values()) + a * M
    count = after[symbol] - d if after[symbol] else 0
    return (count + given_to_fewer) / total if total else backed_off(sequences, fewer, M, context, symbol)


weights = st.tuples(st.sampled_from([0, Fraction(1, 4), 2]), st.sampled_from([Fraction(1, 2), Fraction(3, 4)]))


@given(st.lists(symbols, min_size=1, max_size=4), symbols, st.lists(weights, min_size=1, max_size=3), st.booleans())
@examples(60)
def test_backing_off_is_that_of_exact_counts(sequences, test, pairs, gap):
    """Orders that follow one another, and that leave one out."""
    model, laws = None, []
    for k, (a, d) in enumerate(pairs):
        order = k * (1 + gap)
        laws.insert(0, (order, a, d))
        options = {"n_symbols": 3, "smoothing": float(a), "discount": float(d), "backoff": model}
        model = rd.NGram.fit([np.array(x, int) for x in sequences], order, **options)
    found = model.log_probabilities(np.array(test, int))
    for t in range(model.order, len(test)):
        wanted = backed_off(sequences, laws, 3, test[:t], test[t])
        assert found[t] == pytest.approx(math.log(wanted), rel=1e-13, abs=1e-13)


def modified(counts):
    """The three discounts as printed, in exact fractions; k/2 where they are not defined."""
    n = Counter(counts)
    if not n[1]:
        return [Fraction(k, 2) for k in (1, 2, 3)]
    Y = Fraction(n[1], n[1] + 2 * n[2])
    raw = [k - (k + 1) * Y * Fraction(n[k + 1], n[k]) if n[k] else Fraction(k, 2) for k in (1, 2, 3)]
    return [min(max(d, Fraction(0)), Fraction(k)) for k, d in enumerate(raw, 1)]


def kneser_ney(sequences, order, M, context, symbol, top=True):
    """Interpolated modified Kneser-Ney by sets of grams; below the top, a gram counts what was seen in front of it."""
    wide = order if top else order + 1
    grams = [tuple(x[t - wide : t + 1]) for x in sequences for t in range(wide, len(x))]
    counts = Counter(grams if top else (gram[1:] for gram in set(grams)))
    fewer = kneser_ney(sequences, order - 1, M, context[1:], symbol, False) if order else Fraction(1, M)
    after = {gram[-1]: n for gram, n in counts.items() if gram[:-1] == tuple(context)}
    if not after:
        return fewer
    D = modified(counts.values())
    taken = {s: D[min(n, 3) - 1] for s, n in after.items()}
    kept = after.get(symbol, 0) - taken.get(symbol, 0)
    return (kept + sum(taken.values()) * fewer) / sum(after.values())


@given(st.lists(st.lists(st.integers(0, 2), max_size=25), min_size=1, max_size=3), symbols, st.integers(0, 3))
@examples(60)
def test_kneser_ney_is_that_of_sets_of_grams(sequences, test, order):
    model = rd.NGram.kneser_ney([np.array(x, int) for x in sequences], order, n_symbols=3)
    found = model.log_probabilities(np.array(test, int))
    for t in range(order, len(test)):
        wanted = kneser_ney(sequences, order, 3, test[t - order : t], test[t])
        # Where discounts nearly take all of a count, the rest is a difference of rounded numbers.
        assert math.exp(found[t]) == pytest.approx(float(wanted), rel=1e-13, abs=1e-15)


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=40), min_size=1, max_size=3), st.integers(0, 3), st.integers(0, 63)
)
@examples(40)
def test_kneser_ney_gives_probabilities_that_sum_to_one(sequences, order, context):
    model = rd.NGram.kneser_ney([np.array(x, int) for x in sequences], order, n_symbols=4)
    before = [context // 4**k % 4 for k in range(order)]
    total = sum(math.exp(model.loglik([*before, s])) for s in range(4))
    assert total == pytest.approx(1, rel=1e-13)


def test_kneser_ney_beats_absolute_discounting_where_a_symbol_has_one_context():
    """The textbook case: "Francisco" is frequent, but only after "San"; after a new context it should be rare."""
    rng = np.random.default_rng(0)
    words = rng.integers(2, 10, 400)
    text = np.concatenate([[w, 0, 1] if w < 4 else [w] for w in words])  # 0 San, 1 Francisco, always together
    fresh = [10, 1]  # a word that was never seen, then Francisco
    absolute = rd.NGram.fit(text, 1, n_symbols=11, discount=0.75, backoff=rd.NGram.fit(text, 0, n_symbols=11))
    better = rd.NGram.kneser_ney(text, 1, n_symbols=11)
    assert math.exp(better.loglik(fresh)) < 0.25 * math.exp(absolute.loglik(fresh))


def test_backing_off_to_an_exact_law_of_no_context():
    """Where nothing was counted, the model is its backoff."""
    low = rd.NGram.fit([0, 0, 1], 0, smoothing=1)
    high = rd.NGram.fit([0, 0, 1], 2, n_symbols=2, discount=0.5, backoff=low)
    assert high.loglik([1, 1, 0]) == pytest.approx(low.loglik([0]), rel=1e-15)
    assert high != rd.NGram.fit([0, 0, 1], 2, discount=0.5) and hash(high) != hash(low)
    assert high == rd.NGram.fit([0, 0, 1], 2, discount=0.5, backoff=rd.NGram.fit([0, 0, 1], 0, smoothing=1))
    assert repr(high) == (
        "NGram(order=2, n_symbols=2, smoothing=0.0, discount=0.5, backoff of order 0, 1 contexts and symbols)"
    )


def test_rows_are_probabilities():
    x = np.random.default_rng(0).integers(0, 4, 200)
    model = rd.NGram.fit(x, 2, smoothing=0.5)
    wide = rd.NGram.fit(x, 4, smoothing=0.1, discount=0.6, backoff=model)
    for context in ([2, 1, 0, 1], [0, 0, 3, 3]):
        for law in (model, wide):
            total = sum(math.exp(law.loglik([*context[-law.order :], s])) for s in range(4))
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


def backing_off(order, n_symbols, **options):
    return rd.NGram.fit([0, 1], 1, backoff=rd.NGram.fit([0, 1], order, n_symbols=n_symbols), **options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rd.NGram.fit([0, 1], -1), ValueError, "order is -1"),
        (lambda: rd.NGram.fit([0, 99], 40), ValueError, r"2\^63"),
        (lambda: rd.NGram.fit([0, 3], 1, n_symbols=3), ValueError, r"x\[1\] is 3"),
        (lambda: rd.NGram.fit([0, 1], 1, smoothing=-1), ValueError, "smoothing is -1"),
        (lambda: rd.NGram.fit([0, 1], 1, discount=1.5), ValueError, "discount is 1.5"),
        (lambda: rd.NGram.fit([0, 1], 1, discount=(0.5, 0.5)), ValueError, r"discount has shape \(2,\)"),
        (lambda: rd.NGram.fit([0, 1], 1, discount=(0.5, 2.5, 1)), ValueError, r"discount\[1\] is 2.5"),
        (lambda: rd.NGram.kneser_ney([0, 1], -1), ValueError, "order is -1"),
        (lambda: rd.NGram.fit([0, 1], 1, discount=0.5, backoff=3), TypeError, "backoff is a int"),
        (lambda: backing_off(1, 2, discount=0.5), ValueError, "an order below 1"),
        (lambda: backing_off(0, 3, discount=0.5), ValueError, "backoff has order 0 and 3 symbols"),
        (lambda: backing_off(0, 2), ValueError, "backoff has no weight"),
        (lambda: rd.NGram.fit([0, 1], 1).loglik([2]), ValueError, r"x\[0\] is 2"),
        (lambda: rd.NGram.fit([0, 1], 1).perplexity([0]), ValueError, "no symbol to predict"),
        (lambda: rd.NGram.fit([0.5], 1), TypeError, "float64"),
    ],
)
def test_wrong_calls_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
