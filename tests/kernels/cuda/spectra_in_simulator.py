"""Lyapunov spectra by the GPU kernels in Numba's simulator, against those by NumPy; test_simulator.py runs this file.

The processor's spectra are made step by step here, by Householder's QR: another algorithm than Gram-Schmidt, and
without compiled code. Each step of the simulator costs some 0.1 s, so runs are short.
"""

import numpy as np
import pytest
from cases import BY_NAME, CASES

import rnndyn as rd
from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn.tangents_cuda import DeviceCourse  # noqa: E402

# Of exponents in nats per step. Runs are too short for their errors to grow; each R_ii has a few roundings times the
# condition of J, at most some hundreds here.
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}
LINEAR = "linear", "elman-identity"
# A GRU that writes has the cell of one that keeps, with other weights.
NONLINEAR = [case for case in CASES if case.name not in LINEAR and not case.name.endswith("write")]


def compare(net, x=None, **options):
    """Spectra of both devices, equal to rounding; the GPU's comes back."""
    there, here = (rd.lyapunov_spectrum(net, x, rng=1, device=place, **options) for place in ("cuda", "cpu"))
    assert (there.attrs["device"], here.attrs["device"]) == ("cuda", "cpu")
    atol = TOLERANCE[there.attrs["dtype"]]
    for name in ("exponent", "stderr", "dimension", "entropy_rate", "status", "sum_rule_defect"):
        np.testing.assert_allclose(there[name], here[name], rtol=0, atol=atol, err_msg=name)
    return there


@pytest.mark.parametrize("case", NONLINEAR, ids=lambda case: case.name)
def test_every_cell(case, rng):
    net = case.network(rng, 3, 2, 0)
    compare(net, rng.standard_normal((4, 2)), steps=3, warmup=1, k=2, qr_interval=1)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_ensembles_of_trajectories(dtype, rng):
    """Each row meets its own network and inputs; windows of two steps, the last one of one."""
    nets = [rd.GRU.random(3, 2, gain=0.8, rng=n, dtype=dtype) for n in range(2)]
    found = compare(nets, rng.standard_normal((2, 4, 2)).astype(dtype), steps=3, warmup=1, qr_interval=2)
    assert found.exponent.shape == (2, 2, 3)
    assert np.unique(found.exponent.values.round(3), axis=None).size == 12


def test_nothing_is_read_before_it_is_written_and_columns_may_be_more_than_threads(rng, poisoned, monkeypatch):
    """With the weights of the network in shared memory, and with nothing there: the same bits."""
    net, x = BY_NAME["gru-before-keep"].network(rng, 5, 1, 0), rng.standard_normal((2, 1))
    shared = compare(net, x, steps=2, warmup=0)
    monkeypatch.setattr(device, "SHARED_BYTES", 0)
    np.testing.assert_array_equal(compare(net, x, steps=2, warmup=0).exponent, shared.exponent)


@pytest.mark.parametrize("name", ["elman-identity", "leaky-voltage-tanh"])
def test_growth_of_single_blocks(name, rng):
    """Every block begins where the last one ended, with the frame that it left; linear networks run as well."""
    net, x = BY_NAME[name].network(rng, 3, 1, 0), rng.standard_normal((6, 1))
    options = {"window": 2, "warmup": 2, "steps": 4, "qr_interval": 1, "rng": 1}
    there, here = (rd.finite_time_exponents(net, x, device=place, **options) for place in ("cuda", "cpu"))
    assert (there.attrs["device"], there.sizes["block"]) == ("cuda", 2)
    np.testing.assert_allclose(there.local_exponent, here.local_exponent, rtol=0, atol=1e-12)


def test_the_interval_adapts_as_on_the_processor(rng):
    """From one step on, one more at each window, as far as the spread allows."""
    net = rd.Elman.random(2, gain=0.9, rng=rng)
    there, here = (rd.lyapunov_spectrum(net, steps=40, warmup=4, rng=1, device=place) for place in ("cuda", "cpu"))
    np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e-12)
    assert float(there.sum_rule_defect) < 1e-12


@pytest.mark.parametrize("rows", [2, 4])
def test_no_bit_depends_on_how_many_networks_fit(rows, rng, monkeypatch):
    """Three networks with two trajectories each, one or two networks at a time, by a device that refuses more."""
    nets = [rd.LSTM.random(2, 1, rng=n) for n in range(3)]
    data = {"inputs": rng.standard_normal((2, 4, 1)), "steps": 4, "warmup": 0, "rng": 0, "device": "cuda"}
    whole, make = rd.lyapunov_spectrum(nets, **data), device.cuda.device_array

    def device_array(shape, dtype):
        if shape[0] > rows:
            raise MemoryError
        return make(shape, dtype)

    info = type(device.cuda.current_context().get_memory_info())(0, 0)
    monkeypatch.setattr(device.cuda, "device_array", device_array)
    for free in (False, True):
        if free:  # so nothing is held between the stretches
            monkeypatch.setattr(type(device.cuda.current_context()), "get_memory_info", lambda self: info)
        parts = rd.lyapunov_spectrum(nets, **data)
        for name in whole:
            np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    monkeypatch.setattr(device.cuda, "device_array", lambda shape, dtype: device_array((9,), dtype))
    with pytest.raises(rd.DeviceError, match="one network needs .* GB of the GPU's memory, of which 0 GB are free"):
        rd.lyapunov_spectrum(nets, **data)


def test_a_direction_that_dies_is_left_to_the_processor():
    """A unit that nothing leaves makes every Jacobian singular: its exponent is -inf, the other is ln 0.5."""
    net = rd.Elman(np.zeros((2, 0)), [[0.5, 0.0], [0.3, 0.0]], activation="identity")
    with pytest.raises(rd.DeviceError, match="linear network.*eigenvalues.*use device='cpu'"):
        rd.lyapunov_spectrum(net, device="cuda")
    net = rd.Elman(np.zeros((2, 0)), net.W_hh, [1.0, 1.0], activation="relu")
    found = compare(net, steps=3, warmup=1, qr_interval=1)
    np.testing.assert_allclose(found.exponent, [np.log(0.5), -np.inf], rtol=0, atol=1e-15)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the simulator's threads say that numbers overflow
def test_a_run_that_diverges_says_so():
    net = rd.Elman(np.zeros((1, 0)), [[1e200]], [1.0], activation="relu")
    found = rd.lyapunov_spectrum([net, net.replace(W_hh=[[0.5]])], steps=3, warmup=0, rng=0, device="cuda")
    assert found.status.values.tolist() == [2, 0]
    np.testing.assert_allclose(found.exponent, [[np.nan], [np.log(0.5)]], rtol=0, atol=1e-15)


def test_frames_are_orthonormal_and_growth_is_that_of_householder():
    """The Hilbert matrix, with a condition of 1e7: one sweep would leave columns with products of 1e-10."""
    size = 6
    W = 1.0 / (np.arange(size)[:, None] + np.arange(size) + 1)
    net = rd.Elman(np.zeros((size, 0)), W, np.ones(size), activation="relu")  # positive: the Jacobian is W
    course = DeviceCourse([net], None, np.ones((1, 1, size)))
    frames, done = course.frames(np.eye(size)[None]), np.zeros(1, int)
    growth, _, lost = frames.grow(course.stretch(1)[0], 1, done)
    Q, R = frames.get(0), np.abs(np.diagonal(np.linalg.qr(W)[1]))
    assert done.tolist() == [1] and not lost.any()
    eps = np.finfo(float).eps
    assert np.abs(Q.T @ Q - np.eye(size)).max() < 4 * eps
    bound = size * eps * np.linalg.norm(W, axis=0)  # relative to R: S eps |J q| / R
    assert (np.abs(growth[0, 0] - R) < bound).all()


def test_a_frame_that_cannot_be_resolved_stays_where_it_was():
    """The second column keeps 1e-16 of its length, which may be rounding."""
    W = np.array([[1.0, 1.0], [1.0, 1.0 + np.finfo(float).eps]])
    net = rd.Elman(np.zeros((2, 0)), W, np.ones(2), activation="relu")
    course = DeviceCourse([net], None, np.ones((1, 1, 2)))
    frames, done = course.frames(np.eye(2)[None]), np.zeros(1, int)
    _, _, lost = frames.grow(course.stretch(2)[0], 1, done)
    assert lost.tolist() == [True] and done.tolist() == [0]
    np.testing.assert_array_equal(frames.get(0), np.eye(2))


def test_what_has_no_kernel_says_so_and_auto_takes_the_processor():
    own, cell = rd.Map(lambda s, x, p: 0.5 * s, 2), rd.Elman.random(2, rng=0)
    for net in (own, rd.Stack([rd.Elman.random(2, rng=0), rd.Elman.random(2, 2, rng=1)]), rd.LayerNormLSTM.random(2)):
        with pytest.raises(rd.DeviceError, match=f"spectrum of a {type(net).__name__}.*use device='cpu' or 'auto'"):
            rd.lyapunov_spectrum(net, device="cuda")
    short = {"steps": 1, "warmup": 0, "rng": 0, "device": "auto"}
    assert rd.lyapunov_spectrum(own, **short).attrs["device"] == "cpu"
    assert rd.lyapunov_spectrum(cell, **short).attrs["device"] == "cuda"
    assert "dimension" in rd.lyapunov_spectrum(cell, k="dimension", **short)
