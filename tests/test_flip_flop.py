"""The flip-flop study runs at its small size, and finds the cube."""

import json

import pytest

from studies import flip_flop


@pytest.mark.compiled
def test_the_cube_is_found(plain_search):
    results = json.loads(json.dumps(flip_flop.run(quick=True)))
    assert len(results) == 3
    for case in results.values():
        assert len(case["edges"]) == 12
    text = flip_flop.compare(results)
    assert text.count("| 12 of 12 |") == 4  # the ideal, and each network
    figure = flip_flop.plot(results)
    assert len(figure.axes) == 6
