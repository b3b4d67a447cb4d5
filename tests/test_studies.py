"""Studies: the light ones run through in their quick form, and their figures say what they show."""

import importlib

import pytest

LIGHT = (
    "architectures",
    "claims",
    "clipping",
    "gradient_paths",
    "isometry",
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
