"""Memory of gradients and spectra against the length of the sequences."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.kernels import memory

pytestmark = pytest.mark.compiled
LENGTHS = (400, 1600, 6400)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    """Blocks that are used again would not be counted, and a sheet whole, with its 64 KiB, or not at all."""
    monkeypatch.setattr(memory, "_kept", [])
    monkeypatch.setattr(memory, "KEPT_BYTES", 0)
    monkeypatch.setattr(memory, "SMALL", 0)


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


SPECTRUM = """
import resource, sys
import numba, scipy.linalg, xarray
import rnndyn as rd
call, net = rd.lyapunov_spectrum, rd.Elman.random(256, gain=2.0, rng=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
call(net, k=16, steps=int(sys.argv[1]), warmup=0, rng=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def megabytes_of_a_spectrum(steps):
    """What a fresh process that has imported everything takes at most beyond it, machine code included."""
    command = [sys.executable, "-c", SPECTRUM, str(steps)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"NUMBA_NUM_THREADS": "1"}
    )
    return int(done.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units")
def test_a_spectrum_of_many_steps_stays_small():
    """256 units, 16 exponents: 103 MB measured, the kernels' own code included, for 1e4 and for 1e5 steps."""
    megabytes_of_a_spectrum(10)  # compiles
    assert megabytes_of_a_spectrum(6000) < 150


def test_a_spectrum_takes_no_more_for_more_steps():
    net, sizes = rd.Elman.random(256, gain=2.0, rng=0), []
    rd.lyapunov_spectrum(net, k=16, steps=200, warmup=0, rng=0)  # compiles
    for steps in (8000, 16000):  # up to the first of these, stretches grow to their full length
        tracemalloc.start()
        try:
            rd.lyapunov_spectrum(net, k=16, steps=steps, warmup=0, rng=0)
            sizes.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert sizes[0] < 50e6 and sizes[1] < sizes[0] + 1e5  # measured: 34 MB, and the same up to 32000 steps
