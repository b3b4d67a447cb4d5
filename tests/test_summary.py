"""The headline numbers, and the caveats that must not be overlooked."""

import numpy as np
import pytest
import synthetic

import rnndyn as rd
from rnndyn import schema
from rnndyn.summary import caveats, describe, headline

NET = rd.LSTM.random(4, 1, 2, rng=0)


def numbers(results):
    return {number.name: number for number in headline(results, NET)}


def test_every_result_has_its_numbers():
    found = numbers(synthetic.results())
    assert found["Network"].value == "LSTM, 4 hidden units, 1 input, 2 outputs, float64"
    assert found["Run"].value == "3 sequences of 20 steps"
    assert found["Fixed points"].value == "3: 1 stable, 1 undecided, 1 unstable"
    assert found["Leading Lyapunov exponent"].value == "0.1 ± 0.01 nat/step"
    assert found["Leading Lyapunov exponent"].note == "neighbours part: chaotic if states stay bounded"
    assert found["Kaplan–Yorke dimension"].value == "0.5"
    assert found["Entropy rate"].value == "0.5 nat/step"
    assert found["Sum-rule defect"].value == "0.5 nat/step"
    assert found["Gradient growth going back"].value == "−0.3 nat/step"


def test_a_single_sequence_is_one():
    assert numbers({"run": synthetic.run().isel(batch=0)})["Run"].value == "1 sequence of 20 steps"


def test_a_sign_within_its_error_is_not_decided():
    ds = synthetic.lyapunov_spectrum()
    ds.stderr[:] = 0.05
    assert "not decided" in numbers({"lyapunov_spectrum": ds})["Leading Lyapunov exponent"].note


def test_an_unknown_number_is_not_a_number():
    ds = synthetic.lyapunov_spectrum()
    ds.dimension[...] = np.nan
    found = numbers({"lyapunov_spectrum": ds})
    assert found["Kaplan–Yorke dimension"].value == "unknown"
    assert found["Kaplan–Yorke dimension"].note


def test_what_was_left_out_has_no_number():
    assert list(numbers({"fixed_points": schema.omitted("fixed_points", "why")})) == ["Network"]


@pytest.mark.parametrize("net", [rd.Elman.random(3, rng=0), rd.Stack([rd.GRU.random(3, 2, rng=0)])])
def test_any_network_is_described(net):
    assert describe(net).startswith(type(net).__name__)


def test_a_clean_result_has_no_caveat():
    clean = synthetic.fixed_points(1, stability=("stable",))
    assert [text for ds in (synthetic.run(), synthetic.lyapunov_spectrum(), clean) for text in caveats(ds)] == []


@pytest.mark.parametrize("status", [code for code in schema.Status if code])
def test_every_status_is_said_aloud(status):
    (said,) = caveats(synthetic.lyapunov_spectrum(2, status=status))
    assert said.startswith("2 of 2 rows ")


def test_trajectories_that_differ_are_a_caveat():
    ds = synthetic.lyapunov_spectrum(2)
    assert caveats(ds.assign(agreement="agree")) == []
    (said,) = caveats(ds.assign(agreement="differ"))
    assert said.startswith("Trajectories differ")


def test_a_list_of_fixed_points_that_is_incomplete_says_so():
    said = caveats(synthetic.fixed_points(2, stability=("undecided",), expected_index_sum=1, estimated_missing=3.0))
    assert [text.split()[0:2] for text in said] == [["The", "indices"], ["The", "stability"], ["An", "estimated"]]


def test_several_lists_of_fixed_points_are_summed_up():
    sums = {"n_starts": [64, 64], "index_sum": [1, 3], "expected_index_sum": [1, 1], "estimated_missing": [0.0, 2.0]}
    ds = synthetic.fixed_points(4, stability=("stable",), **sums)
    assert [text[:24] for text in caveats(ds)] == ["The indices sum to 3 ins", "An estimated 2 more poin"]
    assert headline({"fixed_points": ds}, rd.Linear(None, np.eye(4)))[-1].note == "from 128 starts"


def test_a_run_that_diverged_says_so():
    ds = synthetic.run()
    ds.state[0, 5:] = np.inf
    assert "diverged" in caveats(ds)[0]


@pytest.mark.parametrize("rate", [np.nan, -np.inf])
def test_a_rate_that_is_not_known_says_so(rate):
    ds = synthetic.gradient_flow()
    ds.rate[:] = rate
    assert numbers({"gradient_flow": ds})["Gradient growth going back"].value == "unknown"


def test_ways_to_attractors_that_nobody_found_are_a_caveat():
    ds = synthetic.transitions(3)
    assert caveats(ds) == ["1 of 6 rows had not converged: more steps are wanted."]
    ds["status"][:] = 0
    assert caveats(ds) == ["1 way to attractors that are not in the list: fixed points or cycles are missing."]
    assert not caveats(synthetic.transitions(0))
