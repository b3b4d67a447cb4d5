"""Gradient paths against exact fractions, enumeration by hand and the Jacobians of networks."""

import math
from fractions import Fraction
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from cases import examples
from hypothesis import given

import rnndyn as rd
from rnndyn.analysis.floats import Float

terms_of_one_step = st.one_of(st.just(0.0), st.floats(-4, 4).filter(lambda x: abs(x) > 1e-3))
recurrences = st.integers(1, 9).flatmap(
    lambda T: st.tuples(*(st.lists(terms_of_one_step, min_size=T, max_size=T) for _ in range(2)))
)


def signed(log, sign):
    return np.asarray(sign) * np.exp(np.asarray(log))


def by_hand(direct, recurrent):
    """Every path as (choices, value), the value an exact fraction."""
    pairs = [(Fraction(d), Fraction(r)) for d, r in zip(direct, recurrent, strict=True)]
    return [
        (choice, math.prod(pair[c] for c, pair in zip(choice, pairs, strict=True)))
        for choice in product((0, 1), repeat=len(pairs))
    ]


@given(recurrences)
@examples(60)
def test_histogram_and_terms_are_those_of_exact_enumeration(recurrence):
    direct, recurrent = recurrence
    ds = rd.gradient_paths_from_terms(direct, recurrent, terms=True)
    everything = by_hand(direct, recurrent)
    for k in ds.length.values:
        values = [value for choice, value in everything if sum(choice) == k]
        exact, mass = float(sum(values)), float(sum(map(abs, values)))
        got, error = signed(ds.log_sum[k], ds.sign[k]), ds.relative_error[k].item()
        if np.isfinite(error):
            assert abs(got - exact) <= (error + 1e-14) * abs(got)  # exp and log round too
        assert np.exp(ds.log_mass[k]) == pytest.approx(mass, rel=1e-13)
        assert round(np.exp(ds.log_count[k].item())) == sum(value != 0 for value in values)
    whole = float(sum(value for _, value in everything))
    assert signed(ds.log_product, ds.product_sign) == pytest.approx(whole, rel=1e-13, abs=0)
    alive = [(choice, value) for choice, value in everything if value]
    if alive:
        assert ds.sizes["path"] == len(alive) == 2 ** ds.n_active.item()
    for path in range(ds.sizes["path"] if alive else 0):
        bits = {t: path >> j & 1 for j, t in enumerate(ds.attrs["active_steps"])}
        choice, value = next(c for c in alive if all(c[0][t - 1] == bit for t, bit in bits.items()))
        assert ds.term_length[path] == sum(choice)
        assert signed(ds.log_term[path], ds.term_sign[path]) == pytest.approx(float(value), rel=1e-13)


@given(recurrences)
@examples(60)
def test_paths_sum_to_the_product(recurrence):
    ds = rd.gradient_paths_from_terms(*recurrence)
    whole, mass = signed(ds.log_product, ds.product_sign), np.exp(ds.log_mass).sum()
    assert abs(signed(ds.log_sum, ds.sign).sum() - whole) <= 1e-13 * mass
    assert abs(signed(ds.log_term, ds.term_sign).sum() - whole) <= 1e-13 * mass


def test_the_recurrence_of_the_documents():
    """H' = a h + g_t b tanh(h), two of eight gates closed: 64 paths; dh_8/dh_0 by a complex step."""
    a, b, gates = 0.6, 0.7, np.array([1, 1, 0, 1, 1, 1, 0, 1])

    def run(h):
        terms = []
        for g in gates:
            terms.append(g * b * (1 - np.tanh(h) ** 2))
            h = a * h + g * b * np.tanh(h)
        return h, np.real(terms)

    h, recurrent = run(0.4 + 1e-30j)
    ds = rd.gradient_paths_from_terms(np.full(8, a), recurrent)
    assert ds.n_active == 6 and ds.sizes["path"] == 64
    assert signed(ds.log_product, ds.product_sign) == pytest.approx(h.imag / 1e-30, rel=1e-14)
    assert np.exp(ds.log_term).sum() == pytest.approx(h.imag / 1e-30, rel=1e-13)
    assert np.exp(ds.log_count).values.round().tolist() == [math.comb(6, k) for k in range(7)] + [0, 0]


def test_long_recurrences_in_exact_fractions(rng):
    d, r = rng.uniform(0.2, 1, 150), rng.uniform(-0.4, 1, 150)
    ds = rd.gradient_paths_from_terms(d, r)
    assert "log_term" not in ds
    exact = [Fraction(1)]
    for x, y in zip(map(Fraction, d), map(Fraction, r), strict=True):
        exact = [x * c + y * below for c, below in zip([*exact, Fraction(0)], [Fraction(0), *exact], strict=True)]
    known = np.isfinite(ds.relative_error.values)
    assert 50 < known.sum() < 151 and ds.status == 5
    for k in np.flatnonzero(known):
        logs = math.log(abs(exact[k].numerator)) - math.log(exact[k].denominator)
        assert abs(np.expm1(ds.log_sum[k].item() - logs)) < ds.relative_error[k] + 1e-12  # of logarithms up to 100
        if ds.relative_error[k] < 0.1:
            assert ds.sign[k] == (1 if exact[k] > 0 else -1)


def test_equal_steps_are_binomial():
    T = 1500
    ds = rd.gradient_paths_from_terms(np.full(T, 1e-3), np.full(T, 0.5))
    binomial = np.array([math.log(math.comb(T, k)) for k in range(T + 1)])
    k = np.arange(T + 1)
    assert np.abs(ds.log_count - binomial).max() < 1e-10
    assert np.abs(ds.log_sum - binomial - (T - k) * np.log(1e-3) - k * np.log(0.5)).max() < 1e-9
    assert ds.log_product == pytest.approx(T * np.log(0.501), rel=1e-13)
    assert ds.relative_error.max() < 1e-12 and ds.status == 0


def test_cancelling_paths_say_so():
    ds = rd.gradient_paths_from_terms([1.0, 1.0], [1.0, -1.0])
    assert np.isneginf(ds.log_sum[1]) and np.isinf(ds.relative_error[1]) and ds.sign[1] == 0
    assert ds.status == 5 and np.isneginf(ds.log_product)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_a_scalar_gru(reset, rng):
    net = rd.GRU.random(1, 1, rng=3, reset=reset)
    inputs = rng.standard_normal((2, 10, 1))
    ds = rd.gradient_paths(net, inputs)
    products = rd.jacobian_products(net, inputs)
    assert ds.log_sum.dims == ("batch", "length") and ds.attrs["network"] == "GRU"
    np.testing.assert_allclose(ds.log_product, products.log_norm[:, -1], atol=1e-13)
    np.testing.assert_allclose(ds.log_sum[:, 0], products.log_direct_norm[:, -1], atol=1e-13)
    rest = signed(ds.log_sum, ds.sign)[:, 1:].sum(axis=1)
    np.testing.assert_allclose(np.log(np.abs(rest)), products.log_recurrent_norm[:, -1], atol=1e-12)


def test_an_elman_unit_has_one_path():
    ds = rd.gradient_paths(rd.Elman(None, [[-1.5]]), steps=5, initial_state=[0.3])
    assert ds.n_active == 0 and ds.sizes["path"] == 1 and ds.product_sign == -1
    assert np.isneginf(ds.log_sum[:5]).all() and ds.log_sum[5] == pytest.approx(ds.log_product.item(), abs=1e-14)


def test_a_run_that_diverged_is_a_status():
    net = rd.PiecewiseLinear([1e200], [[1e200]], [0.0])
    ds = rd.gradient_paths(net, steps=4, initial_state=[[1.0], [0.0]])
    assert ds.status[1] == 0 and np.isfinite(ds.log_product[1])


def test_ensembles_of_rows_share_what_is_given_once():
    ds = rd.gradient_paths_from_terms([0.5, 0.5], [[0.1, 0.2], [0.3, 0.0]])
    one = rd.gradient_paths_from_terms([0.5, 0.5], [0.3, 0.0])
    assert np.array_equal(ds.log_sum[1], one.log_sum) and ds.n_active.values.tolist() == [2, 1]
    assert ds.sizes["path"] == 4 and np.isneginf(ds.log_term[1]).sum() == 2


def test_the_list_is_guarded():
    assert "log_term" not in rd.gradient_paths_from_terms(np.ones(17), np.ones(17))
    assert "log_term" in rd.gradient_paths_from_terms(np.ones(17), np.ones(17), terms=True)
    assert "log_term" not in rd.gradient_paths_from_terms(np.ones(3), np.ones(3), terms=False)
    with pytest.raises(ValueError, match=r"terms=True would list 2\^2000 paths"):
        rd.gradient_paths_from_terms(np.ones(2000), np.ones(2000), terms=True)


@pytest.mark.parametrize(
    "direct, recurrent, message",
    [
        ([], [], "no time steps"),
        ([1.0, np.nan], [1.0, 1.0], "direct holds nan"),
        ([1.0], [1.0, 2.0], r"recurrent has shape \(time=2\)"),
        (np.ones((2, 3)), np.ones((3, 3)), "recurrent has shape"),
    ],
)
def test_wrong_terms_are_refused(direct, recurrent, message):
    with pytest.raises(ValueError, match=message):
        rd.gradient_paths_from_terms(direct, recurrent)


@pytest.mark.parametrize(
    "net, error, message",
    [
        (rd.LSTM(None, np.ones((4, 1))), ValueError, "net has 2 state variables"),
        (rd.Elman(None, np.eye(3)), ValueError, "net has 3 state variables"),
        (rd.Map(lambda s, x, p: s, 1), TypeError, "its terms are not known"),
        ([rd.Elman(None, [[1.0]])], TypeError, "one network is wanted"),
        (3, TypeError, "a network is wanted"),
    ],
    ids=["lstm", "three units", "map", "list", "number"],
)
def test_wrong_networks_are_refused(net, error, message):
    with pytest.raises(error, match=message):
        rd.gradient_paths(net, steps=3)


def test_no_sequences_have_no_sums():
    ds = rd.gradient_paths(rd.Elman([[1.0]], [[1.0]]), np.ones((0, 3, 1)))
    assert ds.log_sum.shape == (0, 4)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps is 0"):
        rd.gradient_paths(rd.Elman(None, [[1.0]]), steps=0)


numbers = st.floats(-1e300, 1e300).filter(lambda x: x == 0 or abs(x) > 1e-300)


@given(numbers, numbers, numbers)
@examples(60)
def test_wide_numbers_round_as_floats_do(x, y, z):
    a, b, c = (Float.of(np.array([v])) for v in (x, y, z))
    exact = Fraction(x) * Fraction(y) * Fraction(z) * Fraction(x)
    got = a * b * c * a
    assert got.sign()[0] == (exact > 0) - (exact < 0)
    if exact:
        value = Fraction(float(got.fraction[0])) * Fraction(2) ** int(got.exponent[0])
        assert abs(value / exact - 1) <= Fraction(2, 2**52)
    total = a + b
    assert float(Fraction(float(total.fraction[0])) * Fraction(2) ** max(int(total.exponent[0]), -2000)) == x + y or (
        math.isinf(x + y)
    )
