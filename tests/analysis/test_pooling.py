"""Means over trajectories against SciPy's t test, and their test of agreement on exact laws."""

import numpy as np
import pytest
from scipy.special import digamma, polygamma
from scipy.stats import ttest_1samp

from rnndyn.analysis.growth import BLOCKS
from rnndyn.analysis.pooling import FALSE_ALARM, pooled

MEANS = {"exponent_mean": "exponent", "dimension_mean": "dimension", "entropy_mean": "entropy_rate"}


def spectra(exponent, stderr):
    """What `pooled` takes, with numbers for dimension and entropy rate that are as good as any."""
    flat = exponent.sum(axis=-1)
    return {"exponent": exponent, "stderr": stderr, "dimension": flat, "entropy_rate": 2 * flat}


def products(rng, networks, rows, steps, n=3):
    """Exponents of products of Gaussian matrices by Newman's law, their errors from blocks, and their true values.

    The logarithms of R_ii are independent, half those of chi-squared variables with n, n - 1, ... degrees of freedom.
    """
    freedom = np.arange(n, 0, -1)
    logs = 0.5 * np.log(rng.chisquare(freedom, (networks, rows, steps, n)))
    blocks = logs.reshape(networks, rows, BLOCKS, -1, n).mean(axis=3)
    stderr = blocks.std(axis=2, ddof=1) / np.sqrt(BLOCKS)
    return logs.mean(axis=2), stderr, 0.5 * (np.log(2) + digamma(freedom / 2))


def test_intervals_are_those_of_the_t_test(rng):
    result = spectra(rng.standard_normal((2, 6, 3)), np.ones((2, 6, 3)))
    found = pooled(result, 1000.0)
    for name, given in MEANS.items():
        wanted = ttest_1samp(result[given], 0, axis=1).confidence_interval(0.95)
        factor = found["interval_factor"].reshape(2, *(1,) * (found[name].ndim - 1))
        half = factor * found[f"{name}_stderr"]
        assert np.abs(found[name] - half - wanted.low).max() < 1e-13
        assert np.abs(found[name] + half - wanted.high).max() < 1e-13


@pytest.mark.parametrize("rows", [2, 5])
def test_intervals_cover_newmans_exponents(rng, rows):
    exponent, stderr, exact = products(rng, 1000, rows, 10 * BLOCKS)
    found = pooled(spectra(exponent, stderr), 10 * BLOCKS)
    half = found["interval_factor"][:, None] * found["exponent_mean_stderr"]
    covered = (np.abs(found["exponent_mean"] - exact) < half).mean(axis=0)
    assert np.abs(covered - 0.95).max() < 0.025  # 3.6 standard errors
    assert (found["agreement"] == "differ").sum() <= 5  # of 1000 at a rate of at most 1/1000
    spread = np.sqrt(polygamma(1, np.arange(3, 0, -1) / 2) / (4 * 10 * BLOCKS * rows))
    assert np.abs(np.nanmean(found["exponent_mean_stderr"] ** 2, axis=0) / spread**2 - 1).max() < 0.2


def test_the_test_of_agreement_errs_as_often_as_it_says_and_sees_differences(rng):
    exponent, stderr, _ = products(rng, 4000, 3, 4 * BLOCKS)
    long = 1e9  # so that nothing is put down to transients
    false = (pooled(spectra(exponent, stderr), long)["agreement"] == "differ").mean()
    assert false < 3 * FALSE_ALARM
    exponent[:, 0] += 8 * stderr.mean()
    assert (pooled(spectra(exponent, stderr), long)["agreement"] == "differ").mean() > 0.9
    short = 20 / np.ptp(exponent, axis=1).max()
    assert (pooled(spectra(exponent, stderr), short)["agreement"] == "agree").all()


def test_infinite_and_unknown_exponents():
    exponent = np.array([[[0.1, -np.inf], [0.1, -np.inf]], [[0.1, -np.inf], [0.1, -3.0]], [[0.1, 0], [np.nan, np.nan]]])
    found = pooled(spectra(exponent, np.full_like(exponent, 0.01)), 1000.0)
    assert found["agreement"].tolist() == ["agree", "differ", "differ"]
    assert found["exponent_mean"][0].tolist() == [0.1, -np.inf] and np.isnan(found["exponent_mean"][1:]).all()
    assert found["exponent_mean_stderr"][0].tolist() == [0, 0]
    assert pooled(spectra(exponent[:, :1], exponent[:, :1]), 10.0) == {}
