"""Sums of outer products: equal to NumPy's, and the same to the last bit wherever time is cut."""

import numpy as np
import pytest
from cases import CASES, bits

from rnndyn.kernels.cpu.outer import PLACES
from rnndyn.kernels.jit import WIDTH
from rnndyn.kernels.pack import blocks_of, to_lanes
from rnndyn.sums import OuterSum, Source, WeightSums, by_gate

T, B, UNITS = 9, 31, 11  # 279 samples: more than the kernel copies at a time
NONE = (0, 0)
DRIVEN = {  # the first pre-activation that x, h and m drive, and how many
    "x alone": (1, (0, 1), NONE, NONE),
    "all alike": (2, (0, 2), (0, 2), NONE),
    "neighbours": (4, (0, 3), (1, 3), NONE),
    "with rates": (3, (0, 3), (0, 2), (2, 1)),
}
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def draw(rng, slots, widths, dtype):
    """Adjoints (time, batch, slot, unit), and x (batch, time, k), h and m (time, batch, k), wider than what counts."""
    a = rng.standard_normal((T, B, slots, UNITS)).astype(dtype)
    shapes = (B, T), (T + 1, B), (T, B)
    z = [
        rng.standard_normal((*shape, width + extra)).astype(dtype)
        for shape, width, extra in zip(shapes, widths, (0, 3, 3), strict=True)
    ]
    return a, z


def added(sources, a, z, cuts):
    """Sums over stretches, later ones first, as they are found."""
    packed = to_lanes(a, UNITS)
    total = OuterSum(sources, *packed.shape[2:], UNITS, a.dtype)
    for start, stop in zip(cuts[-2::-1], cuts[:0:-1], strict=True):
        x, h, m = z
        at = slice(start, stop)
        total.add(packed[at], np.ascontiguousarray(x[:, at]), h[start : stop + 1], m[at])
    return [total.found(number) for number in range(3)]


@each_dtype
@pytest.mark.parametrize("widths", [(0, 1, 1), (3, 11, 11), (5, 40, 70)], ids=str)
@pytest.mark.parametrize("case", DRIVEN)
def test_sums_are_those_of_numpy(case, widths, dtype, rng):
    slots, *driven = DRIVEN[case]
    sources = tuple(Source(width, *range_) for width, range_ in zip(widths, driven, strict=True))
    a, z = draw(rng, slots, widths, dtype)
    found = added(sources, a, z, [0, T])
    for number, ((width, first, count), (weights, biases)) in enumerate(zip(sources, found, strict=True)):
        assert len(weights) == len(biases) == count
        if not count:
            continue
        adjoints = a[:, :, first : first + count].astype(np.float64)
        numbers = z[number][..., :width].astype(np.float64)
        numbers = numbers.transpose(1, 0, 2) if number == 0 else numbers[:T]
        # Each sum is a chain of T B roundings of its partial sums.
        bound = T * B * np.finfo(dtype).eps
        sizes = np.einsum("tbsu,tbk->suk", abs(adjoints), abs(numbers))
        assert (abs(weights - np.einsum("tbsu,tbk->suk", adjoints, numbers)) <= bound * sizes).all()
        assert (abs(biases - adjoints.sum(axis=(0, 1))) <= bound * abs(adjoints).sum(axis=(0, 1))).all()


@each_dtype
@pytest.mark.parametrize("case", DRIVEN)
def test_cuts_in_time_change_no_bit(case, dtype, rng):
    slots, *driven = DRIVEN[case]
    sources = tuple(Source(width, *range_) for width, range_ in zip((3, 11, 11), driven, strict=True))
    a, z = draw(rng, slots, (3, 11, 11), dtype)
    whole, cut = added(sources, a, z, [0, T]), added(sources, a, z, [0, 2, 3, T])
    for ours, theirs in zip(whole, cut, strict=True):
        assert bits(ours[0]) == bits(theirs[0]) and bits(ours[1]) == bits(theirs[1])


@each_dtype
def test_sums_of_more_places_than_are_copied_at_a_time(dtype, rng):
    units = 16 * PLACES + 5  # a register holds up to 16
    a, x = (rng.standard_normal((3, 5, width)).astype(dtype) for width in (units, 5))
    sources = Source(5, 0, 1), Source(0, *NONE), Source(0, *NONE)
    total = OuterSum(sources, 1, blocks_of(units, dtype), WIDTH[dtype], units, a.dtype)
    total.add(a, x, batch_first=True)
    bound = 3 * 5 * np.finfo(dtype).eps
    found, sizes = total.found(0)[0][0], np.einsum("btu,btk->uk", *(abs(z).astype(np.float64) for z in (a, x)))
    assert (abs(found - np.einsum("btu,btk->uk", a.astype(np.float64), x)) <= bound * sizes).all()


@each_dtype
@pytest.mark.parametrize("units", [1, 3, 8, 21])
def test_adjoints_of_one_slot_may_come_batch_first(units, dtype, rng):
    a, x = (rng.standard_normal((B, T, width)).astype(dtype) for width in (units, 5))
    packed = to_lanes(np.ascontiguousarray(a.transpose(1, 0, 2))[:, :, None], units)
    sources = Source(5, 0, 1), Source(0, *NONE), Source(0, *NONE)
    one, other = (OuterSum(sources, *packed.shape[2:], units, a.dtype) for _ in range(2))
    one.add(packed, x)
    other.add(a, x, batch_first=True)
    assert bits(one.found(0)[0]) == bits(other.found(0)[0]) and bits(one.biases) == bits(other.biases)


@each_dtype
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_few_weights_are_sorted_in_one_go_as_array_by_array(case, dtype, rng):
    for units, inputs in ((1, 0), (9, 3)):
        sums = WeightSums(case.network(rng, units, inputs, dtype=dtype), 2)
        sums.total.numbers[:-1] = rng.standard_normal(sums.total.numbers.size - 1)
        rows = len(sums.net.W_hh)
        at_once, one_by_one = sums.weights(rows), by_gate(sums.made, rows, sums.found())
        for ours, theirs in zip(at_once, one_by_one, strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or (ours.shape == theirs.shape and bits(ours) == bits(theirs))
