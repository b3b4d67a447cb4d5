"""Arrays that are on a GPU before the call, by the simulator's own; test_simulator.py runs this file."""

import logging

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn import arrays_cuda  # noqa: E402
from rnndyn.kernels.cuda.finite import first_bad  # noqa: E402
from rnndyn.kernels.cuda.pack import turned  # noqa: E402
from rnndyn.kernels.cuda.rows import taken  # noqa: E402

B, T, I = 2, 3, 2


class Traffic:
    """Shapes of all arrays that go to the device, and of those that come back."""

    def __init__(self):
        self.there, self.back = [], []

    def __iter__(self):
        yield from self.there + self.back

    def clear(self):
        self.__init__()


@pytest.fixture
def moved(monkeypatch):
    traffic, there, back = Traffic(), device.cuda.to_device, type(device.cuda.to_device(np.zeros(1))).copy_to_host

    def to_device(array):
        traffic.there.append(np.shape(array))
        return there(array)

    def copy_to_host(array, *given):
        traffic.back.append(tuple(array.shape))
        return back(array, *given)

    monkeypatch.setattr(device.cuda, "to_device", to_device)
    monkeypatch.setattr(type(there(np.zeros(1))), "copy_to_host", copy_to_host)
    return traffic


def data(net, rng):
    shapes = (B, T, net.input_size), (B, net.state_size), (B, T, net.hidden_size)
    return [rng.standard_normal(shape).astype(net.dtype) for shape in shapes]


def equal(there, here):
    for name in here:
        np.testing.assert_array_equal(there[name], here[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_run_takes_them_without_a_copy(dtype, moved, rng):
    net = rd.LSTM.random(3, I, rng=0, dtype=dtype)
    x, s0, _ = data(net, rng)
    given = [device.cuda.to_device(a) for a in (x, s0)]
    moved.clear()
    there = rd.run(net, given[0], initial_state=given[1], device="cuda")
    assert x.shape not in moved and s0.shape not in moved and (B, T + 1, 2, 3) in moved  # the last are the states
    equal(there, rd.run(net, x, initial_state=s0))
    assert '"device": "cuda"' in there.attrs["arguments"]


@pytest.mark.parametrize("call", [rd.lyapunov_spectrum, rd.finite_time_exponents], ids=lambda call: call.__name__)
@pytest.mark.parametrize("networks", [1, 2])
def test_spectra_take_inputs_without_a_copy(call, networks, moved, rng):
    """The sum rule alone has the inputs of single runs on the processor."""
    nets = [rd.GRU.random(2, 5, gain=0.8, rng=n) for n in range(networks)]
    x, s0 = rng.standard_normal((B, 6, 5)), rng.standard_normal((B, 2))
    given, there = [device.cuda.to_device(a) for a in (x, s0)], {"steps": 4, "warmup": 2, "rng": 0, "qr_interval": 1}
    there |= {"window": 2} if call is rd.finite_time_exponents else {}
    moved.clear()
    found = call(nets, given[0], initial_state=given[1], device="cuda", **there)
    assert not [shape for shape in moved if len(shape) == 3 and (shape[0], shape[2]) == (B, 5)], "the inputs, or a part"
    equal(found, call(nets, x, initial_state=s0, device="cuda", **there))


def test_one_input_for_several_trajectories(rng):
    net, x, options = rd.Elman.random(2, I, rng=0), rng.standard_normal((6, I)), {"steps": 4, "warmup": 2, "rng": 0}
    for trajectories in (1, 2):
        options |= {"trajectories": trajectories, "device": "cuda"}
        equal(rd.lyapunov_spectrum(net, device.cuda.to_device(x), **options), rd.lyapunov_spectrum(net, x, **options))


def test_searches_and_products_copy_them(rng):
    net, send = rd.Elman.random(2, I, gain=0.5, rng=0), device.cuda.to_device
    x, s0, _ = data(net, rng)
    there = rd.fixed_points(net, send(x[0]), starts=send(s0), device="cuda")
    equal(there, rd.fixed_points(net, x[0], starts=s0, device="cuda"))
    there = rd.jacobian_products(net, send(x), initial_state=send(s0), device="cuda")
    equal(there, rd.jacobian_products(net, x, initial_state=s0))


@pytest.mark.parametrize("options", [{}, {"checkpoint": 2}, {"truncate": (1, 2)}], ids=str)
def test_gradients_take_them_without_a_copy(options, moved, rng):
    net = rd.Elman.random(3, I, rng=0)
    x, s0, y = data(net, rng)
    given = [device.cuda.to_device(a) for a in (x, s0, y)]
    moved.clear()
    value, gradients = rd.value_and_grad(net, given[0], given[2], initial_state=given[1], device="cuda", **options)
    assert not [shape for shape in moved if len(shape) == 3 and (shape[0], shape[2]) == (B, I)], "the inputs, or a part"
    expected, by_hand = rd.value_and_grad(net, x, y, initial_state=s0, **options)
    assert value == pytest.approx(expected, rel=1e-14)
    for name, array in by_hand.arrays().items():
        np.testing.assert_allclose(gradients.arrays()[name], array, rtol=0, atol=1e-14 * np.abs(array).max(initial=1))


def test_training_on_all_sequences_leaves_them_there(moved, rng):
    net = rd.Elman.random(3, I, rng=0)
    x, _, y = data(net, rng)
    given = device.cuda.to_device(x)
    moved.clear()
    there, _ = rd.train(net, given, y, steps=2, device="cuda")
    assert x.shape not in moved
    batched, _ = rd.train(net, given, y, steps=2, batch_size=B, rng=0, device="cuda")
    here, _ = rd.train(net, x, y, steps=2)
    for trained in (there, batched):
        np.testing.assert_allclose(trained.W_hh, here.W_hh, rtol=0, atol=1e-13)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("layers", [1, 2])
def test_training_sends_data_once_and_weights_once_a_step(layers, batch_size, moved, rng):
    net = rd.Elman.random(3, I, rng=0) if layers == 1 else rd.Stack.random(3, I, layers=2, rng=0)
    (x, y), (other, wanted) = ((rng.standard_normal((n, T, I)), rng.standard_normal((n, T, 3))) for n in (3, 4))
    options = {"steps": 3, "batch_size": batch_size, "rng": 0, "validation": (other, wanted)}
    there, history = rd.train(net, x, y, device="cuda", **options)
    assert [moved.there.count(shape) for shape in (x.shape, other.shape)] == [1, 1]
    assert (2, T, I) not in moved  # a batch
    # Recurrent weights of the first network and of that after each step, which the validation sees first.
    assert moved.there.count((1, 1, 3, 3)) == 4 * (1 if layers == 1 else 3)
    here, expected = rd.train(net, x, y, **options)
    np.testing.assert_allclose(history.validation_loss, expected.validation_loss, rtol=1e-13)
    for name, array in here.arrays().items():
        np.testing.assert_allclose(there.arrays()[name], array, rtol=0, atol=1e-13)


def test_data_that_take_too_much_memory_are_sent_at_each_step(moved, rng, monkeypatch):
    net = rd.Elman.random(3, I, rng=0)
    x, _, y = data(net, rng)
    monkeypatch.setattr(arrays_cuda, "free_bytes", lambda: 2 * x.nbytes - 1)
    rd.train(net, x, y, steps=3, device="cuda")
    assert moved.there.count(x.shape) == 3
    monkeypatch.setattr(arrays_cuda, "free_bytes", lambda: 2 * x.nbytes)
    moved.clear()
    rd.train(net, x, y, steps=3, device="cuda")
    assert moved.there.count(x.shape) == 1


def test_layers_hand_on_their_states_and_slopes_there(moved, rng):
    net = rd.Stack([rd.LSTM.random(4, I, rng=0), rd.Elman.random(3, 4, rng=1)])
    x, s0, y = data(net, rng)
    value, gradients = rd.value_and_grad(net, x, y, initial_state=s0, device="cuda")
    assert not {(B, T, 4), (B, T + 1, 2, 4)} & set(moved) and (B, T + 1, 1, 3) in moved.back
    expected, by_hand = rd.value_and_grad(net, x, y, initial_state=s0)
    assert value == pytest.approx(expected, rel=1e-14)
    for name, array in by_hand.arrays().items():
        np.testing.assert_allclose(gradients.arrays()[name], array, rtol=0, atol=1e-14 * np.abs(array).max(initial=1))
    moved.clear()
    equal(rd.run(net, x, initial_state=s0, device="cuda"), rd.run(net, x, initial_state=s0))
    assert (B, T, 4) not in moved and (B, T + 1, 2, 4) in moved.back


def test_rows_are_taken_and_matrices_turned_there(rng):
    x = rng.standard_normal((5, 4, 7))
    rows = np.array([3, 0, 3])
    np.testing.assert_array_equal(taken(device.cuda.to_device(x), rows, 3).copy_to_host(), x[rows, :3])
    W = rng.standard_normal((2, 3, 5, 7))
    np.testing.assert_array_equal(turned(device.cuda.to_device(W)).copy_to_host(), W.swapaxes(2, 3))


@pytest.mark.parametrize("name", ["single", "shared", "lengths", "float32", "transposed", "stack", "pair"])
def test_what_cannot_stay_is_copied(name, rng, caplog):
    """Each result is that of the same call with arrays of the processor."""
    net, options = rd.Elman.random(3, I, rng=0), {"lengths": [3, 1]} if name == "lengths" else {}
    x, s0, _ = data(net, rng)
    send = device.cuda.to_device
    there, here = (send(x), send(s0)), (x, s0)
    if name == "single":
        there, here = (send(x[0]), send(s0[0])), (x[0], s0[0])
    elif name == "shared":  # inputs without a batch axis, one state a row
        there, here = (send(x[0]), send(s0)), (x[0], s0)
    elif name == "float32":
        net = net.astype("float32")
    elif name == "transposed":
        there = send(np.ascontiguousarray(x.swapaxes(0, 1))), send(s0)
        there = type(there[0])(np.swapaxes(there[0]._ary, 0, 1)), there[1]
    elif name == "stack":
        net = rd.Stack([net, rd.Elman.random(2, 3, rng=1)])
        s0 = rng.standard_normal((B, 5))
        there, here = (send(x), send(s0)), (x, s0)
    elif name == "pair":
        net = rd.EncoderDecoder(rd.Elman.random(3, I, rng=1), net)
        there, here = ((send(x), send(x)), None), ((x, x), None)
    with caplog.at_level(logging.INFO, "rnndyn"):
        found = rd.run(net, there[0], initial_state=there[1], device="cuda", **options)
    assert ("inputs is copied" in caplog.text) == (name in ("float32", "transposed"))
    equal(found, rd.run(net, here[0], initial_state=here[1], device="cuda", **options))


def test_on_the_processor_they_are_refused(rng):
    net = rd.Elman.random(3, I, rng=0)
    x, s0, y = data(net, rng)
    send = device.cuda.to_device
    for name, call in {
        "inputs": lambda: rd.run(net, send(x)),
        "initial_state": lambda: rd.run(net, x, initial_state=send(s0)),
        "targets": lambda: rd.value_and_grad(net, x, send(y)),
        "starts": lambda: rd.fixed_points(net, starts=send(s0)),
        "input": lambda: rd.fixed_points(net, send(x[0, 0])),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} is on a GPU and is used on the processor: pass a copy.*device="):
            call()


def test_they_are_checked_where_they_are(moved, rng):
    net = rd.Elman.random(3, I, rng=0)
    x, s0, y = data(net, rng)
    bad, short, wide = x.copy(), device.cuda.to_device(s0[:1]), device.cuda.to_device(np.zeros((B, T, 3)))
    bad[1, 0, 1], bad[1, 2, 0] = np.inf, np.nan
    bad, x = device.cuda.to_device(bad), device.cuda.to_device(x)
    moved.clear()
    with pytest.raises(ValueError, match=r"^inputs holds inf at index \(1, 0, 1\): every value must be finite"):
        rd.run(net, bad, device="cuda")
    with pytest.raises(ValueError, match=r"^inputs has shape .*input=3\), wanted \(batch, time, input=2\)"):
        rd.run(net, wide, device="cuda")
    with pytest.raises(ValueError, match="initial_state has 1 rows, but inputs has a batch of 2"):
        rd.run(net, x, initial_state=short, device="cuda")
    assert (B, T, I) not in moved


def test_the_first_number_that_is_not_finite_is_found():
    """More numbers than threads, so that each looks at several."""
    x = np.zeros((5, 7))
    assert first_bad(device.cuda.to_device(x)) is None
    for value in (np.nan, np.inf, -np.inf):
        for at in (0, 17, 34):
            x[:] = 1
            x.flat[at:] = value
            assert first_bad(device.cuda.to_device(x)) == at
