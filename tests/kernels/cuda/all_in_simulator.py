"""Every GPU kernel is launched by a public call, in Numba's simulator; test_simulator.py runs this file.

What each of them gives is compared in the other files.
"""

import importlib
import pkgutil

import numpy as np
import pytest
from kernels.cuda.wide_in_simulator import stand_in

import rnndyn as rd
from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

import rnndyn.kernels.cuda as package  # noqa: E402
from rnndyn import tangents_cuda, wide_cuda  # noqa: E402

Kernel = type(importlib.import_module("rnndyn.kernels.cuda.forward").forward)


def kernels():
    """Module and name of every kernel."""
    names = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    for module in map(importlib.import_module, names):
        for one in vars(module).values():
            if isinstance(one, Kernel) and not one._device and one.fn.__module__ == module.__name__:
                yield module.__name__, one.fn.__name__


@pytest.fixture
def launched(monkeypatch):
    """Module and name of every kernel that was launched."""
    found, call = set(), Kernel.__call__

    def counted(kernel, *given):
        if not kernel._device:
            found.add((kernel.fn.__module__, kernel.fn.__name__))
        return call(kernel, *given)

    monkeypatch.setattr(Kernel, "__call__", counted)
    return found


def test_no_kernel_is_left_out(launched, rng, monkeypatch):
    """By blocks, by products of our own, and by those of a library; of a cell with rates."""
    net, x = rd.GRU.random(2, 2, reset="before", rng=0), rng.standard_normal((3, 2, 2))
    rd.train(net, device.cuda.to_device(x), x, steps=1, batch_size=2, rng=0, device="cuda")
    rd.fixed_points(rd.Elman(None, [[0.5]]), starts=1, rng=0, device="cuda")
    rd.jacobian_products(net, x[:1], device="cuda")
    short = {"steps": 1, "warmup": 0, "rng": 0, "device": "cuda"}
    rd.lyapunov_spectrum(net, x[0], **short)
    monkeypatch.setattr(wide_cuda, "CACHE_BYTES", 0)
    monkeypatch.setattr(wide_cuda, "WORTH_BYTES", 0)
    rd.value_and_grad(net, x, x, device="cuda")
    stand_in(monkeypatch, lambda left, right, out: np.matmul(left, right, out=out))
    monkeypatch.setattr(tangents_cuda, "WORTH_LIBRARY", 0)
    rd.lyapunov_spectrum(net, x[0], **short)
    assert len(launched) > 15 and launched == set(kernels())
