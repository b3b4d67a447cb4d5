"""Memory of the gradient against the length of the sequences."""

import tracemalloc

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.kernels import memory

pytestmark = pytest.mark.compiled
LENGTHS = (400, 1600, 6400)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    """Blocks that are used again would not be counted."""
    monkeypatch.setattr(memory, "_kept", [])
    monkeypatch.setattr(memory, "KEPT_BYTES", 0)


def peak(net, steps, checkpoint):
    """Peak of the memory that one gradient takes, in bytes; NumPy reports its arrays to tracemalloc."""
    inputs, targets = np.zeros((1, steps, 1), net.dtype), np.zeros((1, steps, 1), net.dtype)
    tracemalloc.start()
    try:
        rd.value_and_grad(net, inputs, targets, checkpoint=checkpoint)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(net, checkpoint):
    """Slope of log(memory) against log(length), between the shortest and the longest."""
    rd.value_and_grad(net, np.zeros((1, 4, 1), net.dtype), np.zeros((1, 4, 1), net.dtype), checkpoint=2)  # compiles
    base = peak(net, 1, checkpoint)  # packed weights and sums of gradients, which every length needs
    sizes = [peak(net, steps, checkpoint) - base for steps in LENGTHS]
    return np.polyfit(np.log(LENGTHS), np.log(sizes), 1)[0]


@pytest.mark.slow
def test_checkpoints_take_the_square_root():
    """With sqrt(T) checkpoints, as many states stay, and one tape of as many steps is made at a time [griewank2000].

    What the loss itself needs at each step (inputs, outputs, values) grows with T whatever is done. With one input, one
    output and 256 units these are some 30 bytes a step beside 6000 of the tape, and lift the exponent but a little.
    """
    net = rd.LSTM.random(256, 1, 1, rng=0, dtype="float32")
    assert 0.45 < exponent(net, True) < 0.6
    assert 0.95 < exponent(net, None) < 1.05


def test_a_fixed_window_holds_the_tape_at_a_fixed_size():
    """Between T = 400 and 1600 only the states at the checkpoints are added."""
    net = rd.LSTM.random(128, 1, 1, rng=0)
    short, long = (peak(net, steps, 20) for steps in LENGTHS[:2])
    added_states = (LENGTHS[1] - LENGTHS[0]) // 20 * net.state_size * 8
    assert long - short < 2 * added_states + 16 * 8 * (LENGTHS[1] - LENGTHS[0])
