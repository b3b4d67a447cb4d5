"""GPU kernels in Numba's simulator, against those of the processor; test_simulator.py runs this file.

Both sides are plain Python here, and each number is the same chain of operations on both: they are equal to the last
bit, but for the gradients of weights, whose sums are cut into chunks.
"""

import numpy as np
import pytest
from cases import BY_NAME, CASES

import rnndyn as rd
from rnndyn.kernels.cuda import device
from rnndyn.networks.masked import masked

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn import passes, passes_cuda, sums  # noqa: E402
from rnndyn.kernels.cuda import memory, near, product  # noqa: E402

B, T, H, I = 2, 2, 5, 1  # more units than a block has threads
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


@pytest.fixture(autouse=True)
def empty_arrays_as_on_a_device(monkeypatch):
    """Numba cannot slice an empty array in device memory; its simulator can."""
    Array = type(device.cuda.to_device(np.zeros(1)))
    get = Array.__getitem__

    def strict(array, index):
        assert array._ary.size or not isinstance(index, slice), "a slice of an empty array"
        return get(array, index)

    monkeypatch.setattr(Array, "__getitem__", strict)


def draw(case, rng, dtype="float64", H=H, I=I):
    net = case.network(rng, H, I, 0, dtype)
    shapes = (B, T, I), (B, net.state_size), (B, T, H), (B, net.state_size)
    return net, *(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def there_and_back(Tape, Sums, net, x, s0, g, adjoint):
    """All that one tape gives, by name, and the gradients of the weights."""
    tape, sums, trace = Tape(net, x, s0), Sums(net, len(x)), np.zeros((*x.shape[:2], s0.shape[1]), net.dtype)
    found = {"hidden": tape.hidden, "last": tape.last}
    found["adjoint"], found["inputs"] = tape.pull(g, adjoint, sums, inputs=True, trace=trace)
    return found | {"trace": trace}, sums.gradients().arrays()


def compare(net, *data):
    here = there_and_back(passes.Tape, sums.WeightSums, net, *data)
    there = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
    for name, array in here[0].items():
        np.testing.assert_array_equal(there[0][name], array, err_msg=name)
        assert there[0][name].dtype == array.dtype
    for name, array in here[1].items():
        assert there[1][name].dtype == array.dtype
        # Two roundings of each of at most B (T + 1) partial sums.
        bound = 2 * B * (T + 1) * EPS[array.dtype.name] * np.abs(array).max(initial=1.0)
        np.testing.assert_allclose(there[1][name], array, rtol=0, atol=bound, err_msg=name)


# A GRU that writes has the cell of one that keeps, with other weights.
@pytest.mark.parametrize("case", [c for c in CASES if not c.name.endswith("write")], ids=lambda case: case.name)
def test_every_cell_there_and_back(case, rng):
    compare(*draw(case, rng))


@pytest.mark.parametrize("name", ["gru-after-keep", "lstm-peephole", "leaky-voltage-tanh"])
def test_masked_states_there_and_back(name, rng):
    net, x, s0, g, adjoint = draw(BY_NAME[name], rng)
    factors = 1.5 * rng.integers(0, 2, (B, H))
    wide = [np.concatenate([part, more], axis=1) for part, more in ((s0, factors), (adjoint, 0 * factors))]
    compare(masked(net, factors), x, wide[0], g, wide[1])


@pytest.mark.parametrize("name", ["gru-before-keep", "lstm-peephole"])
def test_single_precision(name, rng):
    compare(*draw(BY_NAME[name], rng, "float32"))


@pytest.mark.parametrize("name", ["gru-before-keep", "lstm"])
@pytest.mark.parametrize("shared", ["weights and states", "states", "nothing"])
def test_nothing_is_read_before_it_is_written_and_bits_do_not_depend_on_what_is_shared(
    name, shared, rng, poisoned, monkeypatch
):
    net, *data = draw(BY_NAME[name], rng)
    made, copied = net.cuda_layout, set()
    rooms = passes_cuda.forward_numbers(made), passes_cuda.backward_numbers(made)
    limits = {"weights and states": device.SHARED_BYTES, "states": max(rooms) * made.dtype.itemsize, "nothing": 0}
    for kernel in ("forward", "backward"):

        def counted(*weights, kernel=kernel):
            copied.add(kernel)
            return near.near(*weights)

        monkeypatch.setattr(f"rnndyn.kernels.cuda.{kernel}.near", counted)
    monkeypatch.setattr(device, "SHARED_BYTES", limits[shared])
    compare(net, *data)
    assert copied == ({"forward", "backward"} if "weights" in shared else set())


@pytest.mark.parametrize("sizes", [{"H": 1}, {"I": 0}, {"H": 3, "I": 4}], ids=str)
def test_small_sizes(sizes, rng):
    compare(*draw(BY_NAME["gru-after-keep"], rng, **sizes))


def test_states_without_a_tape(rng):
    for name in ("leaky-voltage-tanh", "lstm"):
        net, x, s0, *_ = draw(BY_NAME[name], rng)
        np.testing.assert_array_equal(passes_cuda.run_states(net, x, s0), passes.run_states(net, x, s0))


@pytest.mark.parametrize("batch, steps", [(0, 3), (2, 0)])
def test_nothing_to_do(batch, steps, rng):
    net = BY_NAME["lstm"].network(rng, H, I)
    x, s0, g = np.zeros((batch, steps, I)), np.ones((batch, 2 * H)), np.zeros((batch, steps, H))
    compare(net, x, s0, g, s0)


def test_nothing_to_do_on_the_device():
    net, x, s0 = rd.Elman.random(3, 2, rng=0), np.zeros((2, 0, 2)), np.ones((2, 3))
    given = device.cuda.to_device(x), device.cuda.to_device(s0)
    assert rd.run(net, given[0], initial_state=given[1], device="cuda").state.shape == (2, 0, 3)
    value, gradients = rd.value_and_grad(net, given[0], np.zeros((2, 0, 3)), device="cuda")
    assert value == 0 and not gradients.W_hh.any()


# ---- more work than memory ------------------------------------------------------------------------------------------
class Full(Exception):
    """What CUDA says when there is no more memory."""

    code = memory.OUT_OF_MEMORY


def small(monkeypatch, rows):
    """A device that has memory for so many sequences, and does not say so."""
    make = device.cuda.device_array

    def device_array(shape, dtype):
        if shape[0] > rows:
            raise Full
        return make(shape, dtype)

    monkeypatch.setattr(device.cuda, "device_array", device_array)


def free(monkeypatch, count):
    """A device that says that it has so many bytes free."""
    info = type(device.cuda.current_context().get_memory_info())(count, count)
    monkeypatch.setattr(type(device.cuda.current_context()), "get_memory_info", lambda self: info)


@pytest.mark.parametrize("name", ["gru-before-keep", "lstm"])
@pytest.mark.parametrize("limit", [small, free], ids=["refuses", "says"])
def test_no_bit_depends_on_the_tile(limit, name, rng, monkeypatch):
    net = BY_NAME[name].network(rng, 3, 2, 0)
    shapes = (5, T, 2), (5, net.state_size), (5, T, 3), (5, net.state_size)
    data = [rng.standard_normal(shape) for shape in shapes]
    monkeypatch.setattr(passes_cuda, "BLOCKS", 12)  # the sums are cut into chunks, which tiles do not respect
    whole = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
    made = net.cuda_layout
    row = passes_cuda.forward_bytes(made, T, T) + passes_cuda.backward_bytes(made, T, True, True)
    limit(monkeypatch, 2 if limit is small else int(2 * row / memory.SHARE) + 1)
    parts = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
    for found, expected in zip(parts, whole, strict=True):
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array, err_msg=key)


def test_public_calls_go_through_a_small_device(rng, monkeypatch):
    net, x = networks()["stack"], rng.standard_normal((3, 2, 2))
    run, (value, gradients) = rd.run(net, x, device="cuda"), rd.value_and_grad(net, x, x, device="cuda")
    free(monkeypatch, 1)
    small(monkeypatch, 2)  # steps of one sequence
    np.testing.assert_array_equal(rd.run(net, x, device="cuda").state, run.state)
    again, parts = rd.value_and_grad(net, x, x, device="cuda")
    assert again == value
    for name, array in gradients.arrays().items():
        np.testing.assert_array_equal(parts.arrays()[name], array)


def test_a_sequence_that_does_not_fit_is_an_error(rng, monkeypatch):
    net, x = rd.LSTM.random(3, 2, rng=0), rng.standard_normal((3, 4, 2))
    assert net.cuda_layout.units == 3  # its weights are there already
    small(monkeypatch, 0)
    free(monkeypatch, 1e9)
    for call in (
        lambda: rd.run(net, x, device="cuda"),
        lambda: rd.value_and_grad(net, x, x[..., [0, 0, 0]], device="cuda"),
    ):
        with pytest.raises(
            rd.DeviceError, match="one sequence needs .* GB of the GPU's memory, of which 1 GB are free"
        ):
            call()


def test_what_all_sequences_share_and_does_not_fit_is_an_error(rng, monkeypatch):
    """Sums of gradients, and the inputs of a spectrum."""
    net, x, send = rd.Elman.random(3, 2, rng=0), rng.standard_normal((2, 4, 2)), device.cuda.to_device
    assert net.cuda_layout.units == 3
    for shared, needs, call in (
        ((3, 3), "sum of gradients", lambda: rd.value_and_grad(net, x, x[..., [0, 0, 0]], device="cuda")),
        ((4, 2), "stretch of inputs", lambda: rd.lyapunov_spectrum(net, x, steps=4, warmup=0, device="cuda")),
    ):

        def to_device(array, shared=shared):
            if array.shape[1:] == shared:
                raise Full
            return send(array)

        monkeypatch.setattr(device.cuda, "to_device", to_device)
        with pytest.raises(rd.DeviceError, match=f"one {needs} needs .* GB of the GPU's memory"):
            call()


# ---- products ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("M, N", [(3, 5), (9, 4), (5, 0)])
def test_outer_adds_up_all_samples(chunks, M, N, rng):
    """Of some of the numbers of both, in tiles of four, full ones and others."""
    shapes = (2, 3, M + 4), (2, 4, N + 1), (chunks, M, N + 1)
    left, right, out = (rng.integers(-9, 9, shape).astype(float) for shape in shapes)
    expected, used = out.sum(axis=0), left[:, :, 2 : 2 + M]
    expected[:, :N] += np.einsum("btm,btn->mn", used, right[:, :3, :N])
    expected[:, N] += used.sum(axis=(0, 1))
    grid, length = (product.blocks(M), product.blocks(N + 1), chunks), -(-6 // chunks)
    for row in (0, 1):
        part = slice(row, row + 1)
        product.outer[grid, (product.TILE, product.TILE)](left[part], 2, right[part], out, 3 * row, length)
    np.testing.assert_array_equal(out.sum(axis=0), expected)


# ---- the public calls --------------------------------------------------------------------------------------------
def networks():
    stack = rd.Stack([rd.GRU.random(2, 2, rng=0), rd.Elman.random(3, 2, 2, rng=1)])
    both = rd.Bidirectional(rd.Elman.random(2, 2, rng=0), rd.Elman.random(2, 2, rng=1), W_hy=np.ones((2, 4)))
    return {"lstm": rd.LSTM.random(2, 2, 2, rng=0), "stack": stack, "bidirectional": both}


@pytest.mark.parametrize("name", networks())
def test_run_is_that_of_the_processor(name, rng):
    net, x = networks()[name], rng.standard_normal((3, 2, 2))
    there = rd.run(net, x, lengths=[2, 1, 0], device="cuda")
    here = rd.run(net, x, lengths=[2, 1, 0])
    assert (there.attrs["device"], here.attrs["device"]) == ("cuda", "cpu")
    for name in here:
        np.testing.assert_array_equal(there[name], here[name])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bidirectional", {"lengths": [3, 1], "mask": [[1, 0, 2], [1, 1, 1]]}),
        ("stack", {"truncate": (1, 2)}),
        ("stack", {"lengths": [3, 1]}),
        ("lstm", {"checkpoint": 2}),
        ("lstm", {"loss": "cross_entropy"}),
        ("stack", {"loss": lambda y: (0.5 * float((y**2).sum()), y)}),
    ],
    ids=["lengths and mask", "truncated", "lengths", "checkpoints", "labels", "own loss"],
)
def test_gradients_are_those_of_the_processor(name, options, rng):
    net, x = networks()[name], rng.standard_normal((2, 3, 2))
    targets = np.ones((2, 3), int) if options.get("loss") == "cross_entropy" else rng.standard_normal((2, 3, 2))
    value, gradients = rd.value_and_grad(net, x, targets, device="cuda", **options)
    expected, by_hand = rd.value_and_grad(net, x, targets, **options)
    assert value == pytest.approx(expected, rel=1e-14)
    for key, array in by_hand.arrays().items():
        np.testing.assert_allclose(gradients.arrays()[key], array, rtol=0, atol=1e-14 * np.abs(array).max(initial=1.0))


def test_training_takes_the_same_way(rng):
    net, x = rd.Elman.random(3, 1, 1, rng=0), rng.standard_normal((2, 3, 1))
    there, history = rd.train(net, x, 0.5 * x, steps=2, device="cuda")
    here, expected = rd.train(net, x, 0.5 * x, steps=2)
    assert history.attrs["device"] == "cuda"
    np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-13)
    np.testing.assert_allclose(there.W_hh, here.W_hh, rtol=0, atol=1e-13)


def test_auto_takes_the_device():
    net = rd.Elman.random(2, rng=0)
    assert rd.run(net, initial_state=[0.1, 0.2], steps=1, device="auto").attrs["device"] == "cuda"
    assert rd.run(net, initial_state=[0.1, 0.2], steps=1).attrs["device"] == "cpu"


@pytest.mark.parametrize("name", ["map", "normalised", "within"])
def test_what_has_no_kernel_says_so_and_auto_takes_the_processor(name, rng):
    normalised = rd.LayerNormLSTM.random(2, 2, rng=0)
    net = {
        "map": rd.Map(lambda s, x, p: 0.5 * s + x, 2, input_size=2),
        "normalised": normalised,
        "within": rd.Stack([rd.Elman.random(2, 2, rng=0), normalised]),
    }[name]
    x, who = rng.standard_normal((2, 3, 2)), "Map" if name == "map" else "LayerNormLSTM"
    calls = [rd.run, lambda net, x, device: rd.value_and_grad(net, x, x, device=device)]
    if name != "map":
        calls.append(lambda net, x, device: rd.train(net, x, x, steps=1, device=device)[1])
    for call in calls:
        with pytest.raises(rd.DeviceError, match=f"device='cuda': a {who} runs on the.*use device='cpu' or 'auto'"):
            call(net, x, device="cuda")
    for result in (calls[0](net, x, device="auto"), *(call(net, x, device="auto") for call in calls[2:])):
        assert result.attrs["device"] == "cpu"
    assert calls[1](net, x, device="auto")[0] == calls[1](net, x, device="cpu")[0]


def test_what_is_no_network_is_told_so_first():
    for call in (rd.run, rd.value_and_grad, rd.train):
        with pytest.raises(TypeError, match="net is a int"):
            call(3, *[None] * (call is not rd.run) * 2, device="auto")
