"""On a GPU: what it gives is what the processor gives, to rounding."""

from importlib.util import find_spec

import numpy as np
import pytest
from cases import CASES, FAMILIES

import rnndyn as rd
from rnndyn.kernels.cuda import device, memory

pytestmark = pytest.mark.gpu
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def close(there, here):
    here = np.asarray(here)
    atol = TOLERANCE[here.dtype.name] * np.abs(here[np.isfinite(here)]).max(initial=1.0)
    np.testing.assert_allclose(np.asarray(there), here, rtol=0, atol=atol)


@every_dtype
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_runs_agree(case, dtype, rng):
    net = case.network(rng, 37, 5, 3, dtype)
    x, lengths = rng.standard_normal((19, 12, 5)).astype(dtype), rng.integers(0, 13, 19)
    there, here = (rd.run(net, x, lengths=lengths, device=device) for device in ("cuda", "cpu"))
    for name in here:
        close(there[name], here[name])


@every_dtype
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients_agree(case, dtype, rng):
    net = case.network(rng, 37, 5, 3, dtype)
    x, y = rng.standard_normal((19, 12, 5)).astype(dtype), rng.standard_normal((19, 12, 3)).astype(dtype)
    (value, there), (expected, here) = (rd.value_and_grad(net, x, y, device=device) for device in ("cuda", "cpu"))
    assert value == pytest.approx(expected, rel=TOLERANCE[dtype])
    for name, array in here.arrays().items():
        close(there.arrays()[name], array)


@every_dtype
@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_more_units_than_threads_or_shared_memory(case, dtype, rng):
    for units in (300, 2500):
        net = case.network(rng, units, 1, 0, dtype)
        x, y = rng.standard_normal((2, 3, 1)).astype(dtype), np.zeros((2, 3, units), dtype)
        there, here = (rd.value_and_grad(net, x, y, device=device)[1] for device in ("cuda", "cpu"))
        for name, array in here.arrays().items():
            close(there.arrays()[name], array)


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_spectra_agree(case, rng):
    nets = [case.network(rng, 37, 5, 0) for _ in range(3)]
    x = rng.standard_normal((2, 30, 5))
    there, here = (rd.lyapunov_spectrum(nets, x, warmup=5, steps=25, rng=0, device=name) for name in ("cuda", "cpu"))
    # On the processor, states that differ by 1e-15 give exponents that differ by up to 1e-11.
    np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(there.status, here.status)


@every_dtype
def test_spectra_with_more_columns_than_threads(dtype, rng):
    net = rd.GRU.random(300, gain=0.5, rng=rng, dtype=dtype)
    there, here = (rd.lyapunov_spectrum(net, steps=20, warmup=5, rng=0, device=device) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e2 * TOLERANCE[dtype])


def test_the_same_bits_every_time(rng):
    net, x, y = rd.GRU.random(64, 3, 2, rng=0), rng.standard_normal((33, 20, 3)), rng.standard_normal((33, 20, 2))
    first, second = (rd.value_and_grad(net, x, y, device="cuda")[1].arrays() for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array)


def grads(net, x, y):
    return rd.value_and_grad(net, x, y, device="cuda")[1].arrays()


@every_dtype
def test_arrays_of_others_are_read_where_they_are(dtype, rng):
    net, x = rd.GRU.random(64, 3, 2, rng=0, dtype=dtype), rng.standard_normal((33, 20, 3)).astype(dtype)
    y, places = rng.standard_normal((33, 20, 2)).astype(dtype), {"numba": device.cuda.to_device}
    if find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            places["torch"] = lambda array: torch.tensor(array, device="cuda")
    if find_spec("cupy") is not None:
        import cupy

        places["cupy"] = cupy.asarray
    expected = grads(net, x, y)
    for name, send in places.items():
        for key, array in grads(net, send(x), send(y)).items():
            np.testing.assert_array_equal(array, expected[key], err_msg=f"{name}, {key}")


def test_no_bit_depends_on_the_memory(rng, monkeypatch):
    from rnndyn import passes_cuda

    net, x, y = rd.LSTM.random(64, 3, 2, rng=0), rng.standard_normal((33, 20, 3)), rng.standard_normal((33, 20, 2))
    expected = grads(net, x, y)
    monkeypatch.setattr(memory, "free_bytes", lambda: 3e6)  # some sequences
    monkeypatch.setattr(passes_cuda, "free_bytes", lambda: 3e6)
    for key, array in grads(net, x, y).items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)
