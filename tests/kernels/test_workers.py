"""Kernels hand themselves out: every worker is called once, with the arguments as they were given, however many."""

import numba
import numpy as np
import pytest

from rnndyn.kernels.jit import parallel
from rnndyn.kernels.workers import handed_out, kernel


@kernel
def enter(worker, numbers, pair, nothing, factor, out, workers, seen):
    if handed_out(worker, workers):
        return
    for row in range(worker, len(out), workers):
        out[row] = factor * numbers[row] + pair[0][row, 1] + pair[1] if nothing is None else 0.0
    seen[worker] += 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_each_worker_does_its_share_once(threads, workers):
    rng = np.random.default_rng(0)
    numbers, matrix, out, seen = rng.random(23), rng.random((23, 2)), np.zeros(23), np.zeros(9, np.int64)
    with parallel(min(threads, numba.config.NUMBA_NUM_THREADS)):
        enter(numbers, (matrix, 3), None, 0.5, out, workers, seen)
    assert seen.tolist() == [1] * workers + [0] * (9 - workers)
    assert out.tolist() == (0.5 * numbers + matrix[:, 1] + 3 if workers else np.zeros(23)).tolist()


@kernel
def infinite(worker, out, workers):
    if handed_out(worker, workers):
        return
    out[worker] = np.log(out[worker])


def test_what_is_not_compiled_is_as_silent():
    out = np.zeros(1)
    with parallel(1):
        infinite(out, 1)
    assert out[0] == -np.inf


def test_a_kernel_tells_its_own_name():
    assert enter.__name__ == "enter" and infinite.__wrapped__.__name__ == "infinite"
