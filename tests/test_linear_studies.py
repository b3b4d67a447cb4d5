"""The studies of linear networks run at their small size, and their tables hold what they claim."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from studies import linear_rnn_is_varma, smoothing_vs_filtering


def test_linear_networks_are_varma_models():
    results = linear_rnn_is_varma.run(quick=True)
    for case in results["systems"]:
        assert max(case[f"{key}_difference"] for key in ("psi", "autocovariance", "response")) < 1e-10, case["name"]
        assert case["varma_loglik"] == pytest.approx(case["loglik"], rel=1e-11)
    assert all(case["observability"] < 1e-9 for case in results["slow"])
    assert results["spectrum"]["mean_log"] == pytest.approx(results["spectrum"]["log_noise"], abs=1e-10)
    assert "refused" in linear_rnn_is_varma.compare(results)
    assert isinstance(linear_rnn_is_varma.plot(results), Figure)


@pytest.mark.compiled
@pytest.mark.slow
def test_smoothing_is_worth_what_theory_says():
    results = smoothing_vs_filtering.run(quick=True)
    for case in results["ratios"]:
        assert case["computed"] == pytest.approx(case["closed_form"], rel=1e-9)
        assert case["measured"] == pytest.approx(case["closed_form"], abs=0.03)
    assert results["end"][0] == 1 and np.all(np.diff(results["end"]) < 1e-12)
    best = results["networks"]["optimum"]
    for row in results["networks"]["networks"]:
        assert row["error"] > 0.98 * best["filtered" if row["direction"] == "forward" else "smoothed"]
    assert "linear, both directions" in smoothing_vs_filtering.compare(results)
    assert isinstance(smoothing_vs_filtering.plot(results), Figure)
