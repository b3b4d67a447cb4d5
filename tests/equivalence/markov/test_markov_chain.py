"""Markov chains read out of networks: maps with a Markov partition, and a lumping whose defect is known exactly."""

import itertools
import math

import numpy as np
import pytest
from cases import UNCOMPILED

import rnndyn as rd

GOLDEN = (1 + 5**0.5) / 2
STEPS = 3_000 if UNCOMPILED else 30_000


def tent(slope):
    """The map u' = (slope - 1) / 2 - slope |u| around its peak at u = 0, as a ReLU network."""
    return rd.PiecewiseLinear([slope], [[-2 * slope]], [(slope - 1) / 2])


def halves(states):
    return (states[:, 0] > 0).astype(int)


def test_a_markov_partition_is_exact():
    """The tent whose slope is the golden mean has cells of lengths 1 : GOLDEN and one slope: P is their share."""
    ds = rd.to_markov_chain(tent(GOLDEN), labels=halves, steps=STEPS, initial_state=[0.1], rng=0)
    p = 1 / GOLDEN**2
    error = 5 * math.sqrt(p * (1 - p) / (STEPS * 0.7))
    np.testing.assert_allclose(ds.transition, [[0, 1], [p, 1 - p]], atol=error)
    assert ds.transition[0, 0] == 0 and (ds.status == 0).all()
    assert (ds.lumpability_residual <= 5 * ds.lumpability_floor).all()
    exponent = rd.lyapunov_spectrum(tent(GOLDEN), steps=200, initial_state=[0.1], rng=0).exponent.item()
    assert exponent == pytest.approx(math.log(GOLDEN), rel=1e-12)
    assert ds.entropy_rate == pytest.approx(exponent, abs=5 / math.sqrt(STEPS))  # Pesin: the sum of the positive ones
    assert abs(ds.entropy_rate_gap) < 5 / math.sqrt(STEPS)
    assert ds.loglik == pytest.approx(-exponent, abs=5 / math.sqrt(STEPS))
    assert abs(ds.loglik_gap) < 5 * ds.loglik_gap_stderr + 10 / STEPS
    assert ds.center[0, 0] < 0 < ds.center[1, 0]


@pytest.mark.compiled
def test_another_slope_has_no_markov_partition_of_two():
    ds = rd.to_markov_chain(tent(1.75), labels=halves, steps=STEPS, initial_state=[0.1], memory=6, rng=0)
    assert ds.lumpability_residual.max() > 10 * ds.lumpability_floor.max()
    assert ds.loglik_gap > 10 * ds.loglik_gap_stderr
    # The chain's entropy rate is above that of the map, and a longer memory comes nearer to it.
    assert ds.entropy_rate > math.log(1.75) + 0.01
    assert math.log(1.75) - 0.01 < ds.entropy_rate - ds.entropy_rate_gap < ds.entropy_rate - 0.01


def lumped_law(memory):
    """Entropy of x_t + x_{t-1} given `memory` of its own past, for fair bits x: over all strings of bits."""
    law, context = {}, {}
    for x in itertools.product((0, 1), repeat=memory + 2):
        z = tuple(a + b for a, b in itertools.pairwise(x))
        law[z] = law.get(z, 0) + 2.0 ** -(memory + 2)
        context[z[:-1]] = context.get(z[:-1], 0) + 2.0 ** -(memory + 2)
    return -sum(p * math.log(p / context[z[:-1]]) for z, p in law.items())


def test_a_lumping_with_a_known_defect(rng):
    """Sums of two fair bits: the next sum depends on how 1 was reached, at a mean distance of 1/8; 0 and 2 tell all."""
    delay = rd.Elman([[1.0], [0.0]], [[0.0, 0.0], [1.0, 0.0]], activation="identity")
    inputs = rng.integers(0, 2, (4, STEPS, 1)).astype(float)
    ds = rd.to_markov_chain(
        delay, inputs, labels=lambda s: s.sum(axis=1).astype(int), warmup=10, initial_state=[0.0, 0.0], memory=3
    )
    error = 5 / math.sqrt(ds.attrs["steps_counted"])
    np.testing.assert_allclose(ds.transition, [[0.5, 0.5, 0], [0.25, 0.5, 0.25], [0, 0.5, 0.5]], atol=2 * error)
    np.testing.assert_allclose(ds.lumpability_residual, [0, 1 / 8, 0], atol=2 * error)
    assert (ds.lumpability_residual[::2] <= 5 * ds.lumpability_floor[::2]).all()
    assert ds.entropy_rate == pytest.approx(1.25 * math.log(2), abs=error)
    gap = lumped_law(1) - lumped_law(3)
    assert ds.entropy_rate_gap == pytest.approx(gap, abs=error)
    assert ds.loglik_gap == pytest.approx(gap, abs=5 * ds.loglik_gap_stderr.item() + 30 / STEPS)
    assert ds.attrs["steps_counted"] == ds.attrs["steps_fresh"] == 4 * ((STEPS - 10) // 2)


def test_the_floor_is_what_a_true_chain_shows():
    """Many short chains: the mean residual over the mean floor is 1 within 10 %."""
    hmm = rd.HMM([1.0, 0, 0], [[0.2, 0.3, 0.5], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.eye(3))
    x, _ = hmm.sample(610, rng=0, sequences=20 if UNCOMPILED else 60)
    copy = rd.Elman([[1.0]], [[0.0]], activation="identity")
    parts = [rd.to_markov_chain(copy, one[:, None].astype(float), labels=_first, warmup=10, rng=0) for one in x]
    residual, floor = (np.mean([ds[f"lumpability_{name}"].values for ds in parts]) for name in ("residual", "floor"))
    assert residual == pytest.approx(floor, rel=0.1)


def _first(states):
    return states[:, 0].astype(int)


@pytest.mark.compiled
def test_the_memories_of_a_trained_network(networks_folder):
    """Three bits, flipped by random pulses: eight cells, near the eight sets of outputs, with the known way to flip."""
    net = rd.load(networks_folder / "flip_flop_tanh.safetensors")
    rng = np.random.default_rng(0)
    pulses = (rng.random((8, 4_000, 3)) < 0.05) * rng.choice([-1.0, 1.0], (8, 4_000, 3))
    pulses[:, 0] = 1
    ds = rd.to_markov_chain(net, pulses, cells=8, warmup=10, initial_state=np.zeros(64), rng=0)
    memory = np.sign(ds.center.values @ net.W_hy.T + net.b_y)
    assert len(np.unique(memory, axis=0)) == 8
    flips = (memory[:, None] != memory).sum(axis=2)
    p = 0.025  # a pulse of the other sign
    for k in (0, 1):
        np.testing.assert_allclose(ds.transition.values[flips == k].mean(), p**k * (1 - p) ** (3 - k), rtol=0.05)


def test_kmeans_takes_no_more_cells_than_there_are_states():
    net = rd.Elman(None, [[0.5]], [1.0], activation="identity")
    ds = rd.to_markov_chain(net, steps=50, warmup=100, cells=5, rng=0)
    assert ds.transition.values.tolist() == [[1.0]] and ds.entropy_rate == 0 and ds.lumpability_residual == 0
    cycle = rd.Elman(None, [[-1.0]], activation="identity")
    ds = rd.to_markov_chain(cycle, steps=50, initial_state=[1.0], cells=4, rng=0)
    assert ds.transition.values.tolist() == [[0.0, 1.0], [1.0, 0.0]] and ds.center.values.tolist() == [[-1.0], [1.0]]
    equal = [rd.to_markov_chain(tent(1.7), steps=400, initial_state=[0.1], cells=4, rng=3) for _ in range(2)]
    assert equal[0].identical(equal[1]) and equal[0].sizes["cell"] == 4


def test_cells_that_are_never_left_say_so():
    cycle = rd.Elman(None, [[-1.0]], activation="identity")
    ds = rd.to_markov_chain(cycle, steps=20, initial_state=[1.0], labels=lambda s: 2 * (s[:, 0] > 0).astype(int), rng=0)
    assert ds.status.values.tolist() == [0, 1, 0] and np.isnan(ds.transition[1]).all() and np.isnan(ds.center[1, 0])
    assert np.isnan(ds.lumpability_residual[1]) and ds.entropy_rate == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_of_both_types_and_several_initial_states(dtype):
    net = rd.Elman.random(6, gain=2.0, rng=0, dtype=dtype)
    ds = rd.to_markov_chain(net, steps=60, warmup=20, initial_state=np.full((3, 6), 0.1), cells=3, rng=0)
    assert ds["count"].sum() == 3 * 59 and ds.attrs["steps_fresh"] == 180


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"net": [tent(1.5)]}, TypeError, "one network is wanted"),
        ({"net": 3}, TypeError, "one network is wanted"),
        ({"net": tent(3.0)}, ValueError, "not finite"),
        ({"labels": 3}, TypeError, "labels is a int"),
        ({"labels": lambda s: s[:, 0]}, TypeError, r"labels\(states\) has the type float64"),
        ({"labels": lambda s: np.zeros(3, int)}, ValueError, r"labels\(states\) has shape"),
        ({"labels": lambda s: np.full(len(s), 10**6)}, ValueError, "at most 4095"),
        ({"memory": 1}, ValueError, "memory is 1"),
        ({"cells": 0}, ValueError, "cells is 0"),
        ({"steps": 3}, ValueError, "3 steps would be counted"),
    ],
)
def test_wrong_calls_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        rd.to_markov_chain(**{"net": tent(1.5), "steps": 2_000, "initial_state": [0.1]} | arguments)
