"""Schedules: the formulas as printed, and PyTorch's (through `test_optimisers`); what goes wrong."""

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


@pytest.mark.parametrize(
    ("kind", "arguments", "word"),
    [
        ("TimeBased", (-0.1, 0.1), "initial"),
        ("TimeBased", (0.1, -0.1), "decay"),
        ("TimeBased", (0.1, 0.1, 0), "every"),
        ("Exponential", (0.1, 0.0), "decay"),
        ("Exponential", (0.1, 1.1), "decay"),
        ("Exponential", (0.1, 0.5, 1.5), "every"),
        ("Step", ((0.1, 0.2), ()), "at"),
        ("Step", ((0.1, 0.2, 0.3), (5, 5)), "at"),
        ("Step", ((0.1, 0.2), (0,)), "at"),
        ("Step", ((-0.1,), ()), "rates"),
    ],
)
def test_bad_schedules_are_named(kind, arguments, word):
    with pytest.raises((TypeError, ValueError), match=word):
        getattr(rd.schedules, kind)(*arguments)
