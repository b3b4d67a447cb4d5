"""Metrics against values worked out by hand, and what holds for all of them."""

from functools import partial

import mpmath
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd
from rnndyn import metrics

words = st.text("abc", max_size=7)


def test_perplexity_by_hand():
    """Probabilities 1/2, 1/4, 1/8 of what came: the geometric mean is 1/4."""
    p = np.array([[0.5, 0.5], [0.75, 0.25], [0.125, 0.875]])
    assert np.isclose(metrics.perplexity(np.log(p), [0, 1, 0]), 4.0, rtol=1e-14)
    assert np.isclose(metrics.perplexity(np.log(p) + 7.0, [0, 1, 0]), 4.0, rtol=1e-14), "logits have no origin"
    assert np.isclose(metrics.perplexity(np.log(p), [0, 1, 0], mask=[1, 0, 1]), 4.0, rtol=1e-14)
    assert np.isclose(metrics.perplexity(np.log(p), [0, 1, 0], mask=[True, True, False]), np.sqrt(8), rtol=1e-14)
    assert metrics.perplexity([[0.0, 1e4]], [0]) == np.inf


def test_perplexity_is_the_exponential_of_the_loss(rng):
    net, x = rd.Elman.random(5, 2, 3, rng=0), rng.standard_normal((4, 6, 2))
    labels, mask = rng.integers(3, size=(4, 6)), rng.uniform(size=(4, 6))
    loss = rd.value_and_grad(net, x, labels, loss="cross_entropy", mask=mask)[0]
    assert np.isclose(metrics.perplexity(rd.run(net, x).output, labels, mask=mask), np.exp(4 * loss / mask.sum()))


def test_accuracy_by_hand():
    outputs = [[[0.2, 0.8], [0.9, 0.1]], [[0.5, 0.5], [0.3, 0.7]]]
    assert metrics.accuracy(outputs, [[1, 0], [0, 0]]) == 0.75
    assert metrics.accuracy(outputs, [[1, 0], [0, 0]], mask=[[1, 0], [0, 1]]) == 0.5
    assert metrics.accuracy(outputs, [[1, 0], [0, 0]], mask=[[3, 0], [0, 1]]) == 0.75


def test_mean_absolute_error_by_hand():
    assert metrics.mean_absolute_error([[1.0, 2.0], [0.0, 0.0]], [[0.0, 4.0], [0.0, 1.0]]) == 1.0
    assert metrics.mean_absolute_error([[1.0, 2.0], [0.0, 0.0]], [[0.0, 4.0], [0.0, 1.0]], mask=[False, True]) == 0.5


@pytest.mark.parametrize(("mean", "deviation", "target"), [(0, 1, 0), (1.5, 0.3, 1), (-2, 2.5, 7), (0.1, 3, -4)])
def test_the_score_of_a_normal_forecast_is_its_integral(mean, deviation, target):
    """By quadrature with 30 digits; the closed form loses a few units of the last place of its largest term."""

    def below(x):
        return mpmath.ncdf(x, mean, deviation) ** 2

    def above(x):
        return mpmath.ncdf(-x, -mean, deviation) ** 2  # (1 - F)^2 without its cancellation

    with mpmath.workdps(30):
        wanted = mpmath.quad(below, [-mpmath.inf, mean, target]) + mpmath.quad(above, [target, mean, mpmath.inf])
    largest = abs(target - mean) + deviation
    assert metrics.crps([[mean]], [[deviation]], [[target]]) == pytest.approx(float(wanted), abs=2e-15 * largest)


def test_the_score_is_least_for_the_true_law():
    """Its mean under the law N(0, 1), by Gauss-Hermite quadrature: 1/sqrt(pi) for the law itself, more for others."""
    x, w = np.polynomial.hermite_e.hermegauss(100)

    def mean_score(mean, deviation):
        forecast = np.full((len(x), 1), mean), np.full((len(x), 1), deviation)
        return metrics.crps(*forecast, x[:, None], mask=w)

    assert mean_score(0.0, 1.0) == pytest.approx(1 / np.sqrt(np.pi), rel=1e-12)
    assert all(mean_score(m, s) > mean_score(0.0, 1.0) + 1e-3 for m, s in [(0.2, 1.0), (0.0, 0.8), (0.0, 1.25)])


def test_coverage_by_hand():
    ends = [[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 2.0]]
    targets = [[0.0, 1.0], [0.5, 3.0]]
    assert metrics.coverage(*ends, targets) == 0.5, "ends are inside, and nothing is where quantiles cross"
    assert metrics.coverage(*ends, targets, mask=[True, False]) == 1.0


@pytest.mark.parametrize(
    ("said", "wanted", "distance"),
    [("kitten", "sitting", 3), ("flaw", "lawn", 2), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("ab", "ba", 2)],
)
def test_edit_distances_by_hand(said, wanted, distance):
    assert metrics.edit_distance(said, wanted) == distance
    assert metrics.edit_distance(list(map(ord, said)), np.array(list(map(ord, wanted)))) == distance


def recursive(a, b):
    """The definition, without a table."""
    if not a or not b:
        return len(a) + len(b)
    return min(recursive(a[1:], b) + 1, recursive(a, b[1:]) + 1, recursive(a[1:], b[1:]) + (a[0] != b[0]))


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_the_edit_distance_is_that_of_the_definition(a, b):
    assert metrics.edit_distance(a, b) == recursive(a, b)


@given(words, words, words)
def test_the_edit_distance_is_a_distance(a, b, c):
    assert metrics.edit_distance(a, b) == metrics.edit_distance(b, a)
    assert (metrics.edit_distance(a, b) == 0) == (a == b)
    assert metrics.edit_distance(a, c) <= metrics.edit_distance(a, b) + metrics.edit_distance(b, c)


def test_character_error_rates_by_hand():
    assert metrics.character_error_rate("kitten", "sitting") == 3 / 7
    assert metrics.character_error_rate(["kitten", "", "abcd"], ["sitting", "a", "ab"]) == (3 + 1 + 2) / 10
    assert metrics.character_error_rate([[1, 2], [3]], [[1, 2, 2], [3]]) == 0.25


def test_data_arrays_are_taken(rng):
    outputs = xr.DataArray(rng.standard_normal((2, 3, 4)), dims=("batch", "time", "output"))
    targets = xr.DataArray(rng.integers(4, size=(2, 3)), dims=("batch", "time"))
    mask = xr.DataArray(np.array([[True, True, False], [True, False, False]]), dims=("batch", "time"))
    for metric in (metrics.accuracy, metrics.perplexity):
        assert metric(outputs, targets, mask=mask) == metric(outputs.values, targets.values, mask=mask.values)


@pytest.mark.parametrize("dims", [("batch", "time", "output"), ("trial", "when", "what")])
def test_data_arrays_are_matched_by_the_names_of_their_dimensions(dims, rng):
    """Those of the package also where the first array has no names: all axes are of one length, and no shape tells."""
    first, second = (xr.DataArray(rng.standard_normal((4, 4, 4)), dims=dims) for _ in range(2))
    labels = xr.DataArray(rng.integers(4, size=(4, 4)), dims=dims[:2])
    mask = xr.DataArray(rng.random((4, 4)), dims=dims[:2])
    # The sums of another order differ by rounding.
    close = partial(np.isclose, rtol=1e-14)
    turned = first.transpose(dims[1], dims[0], dims[2])
    wanted = metrics.accuracy(first.values, labels.values, mask=mask.values)
    assert close(metrics.accuracy(turned, labels, mask=mask.T), wanted)
    assert close(metrics.perplexity(turned, labels.T, mask=mask), metrics.perplexity(first, labels, mask=mask))
    plain = metrics.mean_absolute_error(first.values, second.values, mask=mask.values)
    assert close(metrics.mean_absolute_error(turned, second.T, mask=mask), plain)
    wide, scale = second + np.abs(first), np.abs(second)
    inside = metrics.coverage(first.values, wide.values, second.values, mask=mask.values)
    assert close(metrics.coverage(turned, wide.T, second, mask=mask.T), inside)
    score = metrics.crps(first.values, scale.values, second.values)
    assert close(metrics.crps(turned, scale.T, second), score)
    if dims[0] == "batch":
        assert close(metrics.accuracy(first.values, labels.T, mask=mask.T), wanted)
        assert close(metrics.accuracy(first.T, labels, mask=mask), wanted)


def test_metrics_do_not_depend_on_single_precision_sums(rng):
    outputs = rng.standard_normal((1000, 3)).astype(np.float32)
    labels = rng.integers(3, size=1000)
    assert metrics.perplexity(outputs, labels) == metrics.perplexity(outputs.astype(np.float64), labels)


@pytest.mark.parametrize(
    ("metric", "arguments", "word"),
    [
        (metrics.perplexity, ([[0.0, 1.0]], [2]), "targets"),
        (metrics.perplexity, ([[0.0, 1.0]], [[0]]), "targets has shape"),
        (metrics.perplexity, ([[0.0, np.nan]], [0]), "logits"),
        (metrics.perplexity, (1.0, 0), "logits"),
        (metrics.perplexity, (np.zeros((0, 2)), np.zeros(0, int)), "empty"),
        (metrics.accuracy, ([[0.0, 1.0]], [0.5]), "targets"),
        (metrics.accuracy, (1.0, 0), "outputs"),
        (metrics.mean_absolute_error, ([[0.0]], [0.0]), "targets has shape"),
        (metrics.mean_absolute_error, (0.0, 0.0), "outputs"),
        (metrics.crps, ([[0.0]], [[0.0]], [[0.0]]), "deviation holds"),
        (metrics.crps, ([[0.0]], [[1.0], [1.0]], [[0.0]]), "deviation has shape"),
        (metrics.crps, (0.0, 1.0, 0.0), "mean is a number"),
        (metrics.coverage, ([[0.0]], [[1.0]], [0.0]), "targets has shape"),
        (metrics.coverage, ([[np.nan]], [[1.0]], [[0.0]]), "lower"),
        (metrics.character_error_rate, ("a", ["a"]), "said and wanted"),
        (metrics.character_error_rate, ([1, 2], [[1], [2]]), "said holds single labels"),
        (metrics.character_error_rate, ([[1], [2]], np.array([1, 2])), "wanted holds single labels"),
        (metrics.character_error_rate, (["a"], ["a", "b"]), "in pairs"),
        (metrics.character_error_rate, ("a", ""), "empty"),
    ],
)
def test_bad_arguments_are_named(metric, arguments, word):
    with pytest.raises((TypeError, ValueError), match=word):
        metric(*arguments)


@pytest.mark.parametrize("mask", [[1.0], [0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0]], ids=str)
def test_bad_masks_are_named(mask):
    with pytest.raises(ValueError, match="mask"):
        metrics.accuracy([[0.0, 1.0], [0.0, 1.0]], [0, 1], mask=mask)
