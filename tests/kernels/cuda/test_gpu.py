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


def stacks(dtype):
    """A stack, and networks of both directions of time, with 3 inputs."""
    low, high = rd.GRU.random(20, 3, rng=0, dtype=dtype), rd.LSTM.random(30, 20, 2, rng=1, dtype=dtype)
    pair = [rd.Elman.random(20, 3, rng=n, dtype=dtype) for n in range(2)]
    return [rd.Stack([low, high]), rd.Bidirectional(*pair, W_hy=np.ones((2, 40), dtype))]


@every_dtype
def test_networks_of_networks_agree(dtype, rng):
    x, y = (rng.standard_normal((19, 12, size)).astype(dtype) for size in (3, 2))
    for net in stacks(dtype):
        runs = [rd.run(net, x, device=device) for device in ("cuda", "cpu")]
        close(runs[0].state, runs[1].state)
        there, here = (rd.value_and_grad(net, x, y, device=device)[1].arrays() for device in ("cuda", "cpu"))
        for name, array in here.items():
            close(there[name], array)


@every_dtype
@pytest.mark.parametrize("batch_size", [None, 8])
def test_trainings_agree(batch_size, dtype, rng):
    """Of five steps; Adam divides by the size of a gradient, and so amplifies its rounding where that is small."""
    net, x = rd.LSTM.random(37, 3, 2, rng=0, dtype=dtype), rng.standard_normal((19, 12, 3)).astype(dtype)
    options = {"steps": 5, "batch_size": batch_size, "rng": 0}
    there, here = (rd.train(net, x, x[..., :2], device=device, **options) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there[1].loss, here[1].loss, rtol=10 * TOLERANCE[dtype])
    for name, array in here[0].arrays().items():
        np.testing.assert_allclose(there[0].arrays()[name], array, rtol=0, atol=100 * TOLERANCE[dtype])


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


def test_growth_of_blocks_agrees(rng):
    nets, x = [rd.GRU.random(37, 5, rng=n) for n in range(3)], rng.standard_normal((2, 30, 5))
    options = {"window": 5, "warmup": 5, "steps": 25, "rng": 0}
    there, here = (rd.finite_time_exponents(nets, x, device=device, **options) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.local_exponent, here.local_exponent, rtol=0, atol=1e-9)


@every_dtype
def test_statistics_of_chaos_agree(dtype):
    """Trajectories part after some hundred steps; exponents and their dimension are those of one attractor."""
    net = rd.Elman.random(100, gain=2.0, rng=0, dtype=dtype)
    options = {"k": 20, "steps": 20_000, "warmup": 1000, "rng": 0}
    there, here = (rd.lyapunov_spectrum(net, device=device, **options) for device in ("cuda", "cpu"))
    assert here.exponent[0] > 10 * here.stderr[0]
    error = np.hypot(there.stderr, here.stderr)
    assert (np.abs(there.exponent - here.exponent) < 5 * error).all()


@every_dtype
def test_spectra_with_more_columns_than_threads(dtype, rng):
    net = rd.GRU.random(300, gain=0.5, rng=rng, dtype=dtype)
    there, here = (rd.lyapunov_spectrum(net, steps=20, warmup=5, rng=0, device=device) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e2 * TOLERANCE[dtype])


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_newton_steps_end_at_roots(case, rng):
    """Far more starts than blocks at once; as many as on the processor end at a root, and each of them to rounding."""
    from rnndyn import dynamics, roots, roots_cuda

    nets, inputs = [case.network(rng, 37, 5) for _ in range(2)], rng.standard_normal((2, 5))
    of, starts = np.arange(3000) % 2, rng.uniform(-1, 1, (3000, nets[0].state_size))
    states, left = roots_cuda.newton_from(nets, of, inputs[of], starts, 1e-14)
    for n, net in enumerate(nets):
        own, x = states[of == n], inputs[of[of == n]]
        length = np.linalg.norm(dynamics.step(net, own, x) - own, axis=1)
        np.testing.assert_allclose(left[of == n], length, rtol=1e-6, atol=1e-13 * (1 + np.abs(own).max()))
        found = roots.newton_from(net, inputs[n], starts[of == n], 1e-14)[1]
        # The processor has half the rounds, and near-equal steps may part ways in flat places.
        assert (left[of == n] < 1e-12).mean() >= (found < 1e-12).mean() - 0.05


@pytest.mark.parametrize("make", [rd.Elman, rd.GRU, rd.LSTM], ids=lambda make: make.__name__)
def test_fixed_points_agree(make):
    nets, inputs = [make.random(20, 2, gain=1.2, rng=n) for n in range(2)], np.array([[0.5, 0.0], [-1.0, 1.0]])
    there, here = (rd.fixed_points(nets, inputs, starts=512, rng=0, device=name) for name in ("cuda", "cpu"))
    assert there.sizes == here.sizes
    np.testing.assert_allclose(there.state, here.state, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(there.status, here.status)


@every_dtype
@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_derivatives_agree(case, dtype, rng):
    from rnndyn import dynamics
    from rnndyn.devices import running_on

    net = case.network(rng, 300, 5, dtype=dtype)  # more units than threads
    s, x = (rng.standard_normal((3, size)).astype(dtype) for size in (net.state_size, 5))
    with running_on("cuda"):
        there = dynamics.split_jacobian(net, s, x)
    for ours, theirs in zip(there, dynamics.split_jacobian(net, s, x), strict=True):
        close(ours, theirs)


def test_products_of_jacobians_agree(rng):
    nets, x = [rd.LSTM.random(20, 2, rng=n) for n in range(2)], rng.standard_normal((3, 10, 2))
    there, here = (rd.jacobian_products(nets, x, device=device) for device in ("cuda", "cpu"))
    # J is the same to 1e-15; the sum of the condition numbers of ten of them, some 1e3 each, decides.
    np.testing.assert_allclose(there.log_singular_value, here.log_singular_value, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.log_recurrent_norm, here.log_recurrent_norm, rtol=0, atol=1e-10)


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


def test_inputs_of_spectra_are_read_where_they_are(rng):
    nets, x = [rd.GRU.random(20, 3, rng=n) for n in range(2)], rng.standard_normal((3, 40, 3))
    there, here = (
        rd.lyapunov_spectrum(nets, given, steps=30, warmup=10, rng=0, device="cuda")
        for given in (device.cuda.to_device(x), x)
    )
    np.testing.assert_array_equal(there.exponent, here.exponent)


def test_no_bit_depends_on_the_memory(rng, monkeypatch):
    from rnndyn import passes_cuda

    net, x, y = rd.LSTM.random(64, 3, 2, rng=0), rng.standard_normal((33, 20, 3)), rng.standard_normal((33, 20, 2))
    expected = grads(net, x, y)
    monkeypatch.setattr(memory, "free_bytes", lambda: 3e6)  # some sequences
    monkeypatch.setattr(passes_cuda, "free_bytes", lambda: 3e6)
    for key, array in grads(net, x, y).items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)
