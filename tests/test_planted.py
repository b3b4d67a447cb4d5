"""The study of planted points runs at its small size, and no claim is made that is not so."""

import json

import pytest

from studies import planted


@pytest.mark.compiled
def test_no_planted_point_is_missed_while_nothing_is_said_to_be_missing():
    results = json.loads(json.dumps(planted.run(quick=True)))
    assert sorted(case["N"] for case in results["claims"]) == sorted([*range(2, 9)] * 2)
    for case in results["claims"]:
        assert case["planted_missed"] == 0 or case["estimated_missing"] > 0
        assert (case["completeness"], case["uncertified"]) == ("proved", 0)
        assert case["planted_moved"] < 1e-6  # V is inverted: its condition number times the rounding error
    for case in results["cases"]:  # nobody finds a point that is not in the proved set
        assert max(case["found"].values()) <= case["union"] <= case["all"]
        assert case["planted"]["newton"] == 1
    text = planted.compare(results)
    assert "| proved | 14 | 2 to 8 | 154 | 0 | 0 |" in text
    assert len(planted.plot(results).axes) == 3
