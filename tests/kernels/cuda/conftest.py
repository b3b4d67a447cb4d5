"""Numba's simulator without its races between threads: they can then take turns 500 times as often, so it is faster."""

import os
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from threading import Lock

import numpy as np
import pytest


def until_the_last_leaves(swapped):
    """The simulator's exchange of a module's ``cuda``, undone not by the first thread that leaves a function of it.

    As numba-cuda's simulator has it. In Numba's, the threads that are still inside meet the true ``cuda``.
    """
    inside, open_, lock = Counter(), {}, Lock()

    @contextmanager
    def held(function, fake):
        module = id(function.__globals__)
        with lock:
            if not inside[module]:
                open_[module] = ExitStack()
                open_[module].enter_context(swapped(function, fake))
            inside[module] += 1
        try:
            yield
        finally:
            with lock:
                inside[module] -= 1
                if not inside[module]:
                    open_.pop(module).close()

    return held


def shared_array(self, shape, dtype):
    """One array for all threads at each line that asks for it; the simulator's own may make several of the first."""
    if shape == 0:
        return np.frombuffer(self._dynshared.data, dtype, self._dynshared_size // dtype.itemsize)
    caller = sys._getframe(1)
    return self._allocations.setdefault((caller.f_code, caller.f_lineno), np.empty(shape, dtype))


if os.environ.get("NUMBA_ENABLE_CUDASIM"):
    from numba.cuda.simulator import kernel, kernelapi

    kernel.swapped_cuda_module = until_the_last_leaves(kernel.swapped_cuda_module)
    kernelapi.FakeCUDAShared.array = shared_array
    sys.setswitchinterval(1e-5)  # its threads wait for one another all the time


@pytest.fixture
def poisoned(monkeypatch):
    """Device memory is not zero at first."""
    from rnndyn.kernels.cuda import device

    make = device.cuda.device_array

    def array(shape, dtype):
        return device.cuda.to_device(np.full(make(shape, dtype).shape, np.nan, dtype))

    monkeypatch.setattr(device.cuda, "device_array", array)
