"""Studies: the light ones run through in their quick form, and their figures say what they show."""

import importlib

import numpy as np
import pytest

import rnndyn as rd

LIGHT = (
    "architectures",
    "claims",
    "clipping",
    "forecasting",
    "gradient_paths",
    "isometry",
    "language_model",
    "laurent_von_brecht",
    "memory_time_constant",
    "random_matrix_products",
    "training_dynamics",
    "truncation",
)


@pytest.mark.compiled
@pytest.mark.parametrize("name", LIGHT)
def test_it_runs_and_names_its_axes(name):
    study = importlib.import_module(f"studies.{name}")
    results = study.run(True)
    assert study.compare(results).count("|") > 20 and "nan" not in study.compare(results)
    axes = study.plot(results).axes
    assert axes and all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)


@pytest.mark.compiled
def test_every_number_of_a_claim_is_as_expected():
    results = importlib.import_module("studies.claims").run(False)
    wrong = [(row["source"], figure) for row in results["claims"] for figure in row["figures"] if not figure["right"]]
    assert wrong == [] and len(results["claims"]) >= 34


def test_the_linear_forecast_is_that_of_a_filter_without_the_later_months():
    """Mean and deviation 12 months ahead, to rounding (1e-12 of values of some 10)."""
    models = importlib.import_module("studies.forecasting.models")
    z = rd.tasks.series(0, batch=1, steps=300, ar=(0.9,)).inputs.values[0, :, 0] + 10
    now, months = 250, 12
    forecast, net = models.linear(z, models.Parts(200, 250), 1), rd.fit_linear(z[:200], 1, rng=0)
    known = np.append(z[: now + 1], np.full(months, np.nan))
    last = rd.kalman_filter(net, known).isel(time=-1)
    k = models.HORIZONS.index(months)
    assert forecast.mean[now, k] == pytest.approx((net.W_hy @ last.predicted_mean.values + net.b_y).item(), rel=1e-12)
    variance = net.W_hy @ last.predicted_cov.values @ net.W_hy.T + net.observation_noise
    assert forecast.deviation[now, k] == pytest.approx(np.sqrt(variance.item()), rel=1e-12)
