"""Schedules: the formulas as printed, and PyTorch's (through `test_optimisers`); what goes wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd


@given(st.integers(0, 10_000), st.floats(0, 2), st.floats(0.01, 1), st.integers(1, 50))
def test_the_rates_are_those_of_the_source(step, initial, decay, every):
    """004 "Learning Rate Scheduling": eta_0 / (1 + decay epoch); eta_0 decay^epoch."""
    epoch = step // every
    assert rd.schedules.TimeBased(initial, decay, every)(step) == initial / (1 + decay * epoch)
    assert rd.schedules.Exponential(initial, decay, every)(step) == initial * decay**epoch


@given(st.lists(st.integers(1, 99), unique=True, max_size=5), st.integers(0, 120))
def test_steps_hold_one_rate_after_the_other(at, step):
    schedule = rd.schedules.Step(tuple(range(len(at) + 1)), tuple(sorted(at)))
    assert schedule(step) == sum(step >= n for n in at)


@given(st.integers(0, 10_000), st.floats(0.001, 0.1), st.floats(0.0, 0.5), st.floats(1, 1000))
def test_the_decays_of_scheduled_sampling_are_those_of_its_source(i, c, least, k):
    """Bengio et al., section 2.4: max(eps, 1 - c i), k / (k + exp(i / k)); and 004 min(T_max, T_start + epoch dT)."""
    assert rd.schedules.Linear(1.0, -c, lowest=least)(i) == max(least, 1.0 - c * i)
    assert rd.schedules.Linear(3, 2, every=7, highest=50)(i) == min(50, 3 + i // 7 * 2)
    printed = k / (k + math.exp(i / k)) if i / k < 700 else 0.0
    assert math.isclose(rd.schedules.InverseSigmoid(k)(i), printed, abs_tol=1e-290)


@pytest.mark.parametrize(
    ("kind", "arguments", "word"),
    [
        ("TimeBased", (-0.1, 0.1), "initial"),
        ("TimeBased", (0.1, -0.1), "decay"),
        ("TimeBased", (0.1, 0.1, 0), "every"),
        ("Exponential", (0.1, 0.0), "decay"),
        ("Exponential", (0.1, 1.1), "decay"),
        ("Exponential", (0.1, 0.5, 1.5), "every"),
        ("Linear", (2.0, 0.1, 1, 3.0), "initial"),
        ("Linear", (2.0, "down"), "slope"),
        ("Linear", (2.0, 0.1, 0), "every"),
        ("InverseSigmoid", (0.5,), "k"),
        ("Step", ((0.1, 0.2), ()), "at"),
        ("Step", ((0.1, 0.2, 0.3), (5, 5)), "at"),
        ("Step", ((0.1, 0.2), (0,)), "at"),
        ("Step", ((-0.1,), ()), "rates"),
    ],
)
def test_bad_schedules_are_named(kind, arguments, word):
    with pytest.raises((TypeError, ValueError), match=word):
        getattr(rd.schedules, kind)(*arguments)
