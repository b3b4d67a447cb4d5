"""`run`: equal to the equations as printed, bitwise indifferent to how the work is cut, clear about bad input."""

import contextlib
import subprocess
import sys

import naive
import numba
import numpy as np
import pytest
import xarray as xr
from cases import BY_NAME, CASES, FAMILIES, UNCOMPILED, bits, examples
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd
from rnndyn.kernels.cuda.device import problem

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_family = pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
sizes = {
    "H": st.integers(1, 9 if UNCOMPILED else 40),
    "I": st.integers(0, 5),
    "B": st.integers(1, 3 if UNCOMPILED else 20),
    "T": st.integers(1, 12),
    "seed": st.integers(0, 2**32 - 1),
}


def draw(case, H, I, B, T, seed, dtype="float64", O=0):
    rng = np.random.default_rng(seed)
    net = case.network(rng, H, I, O, dtype)
    return net, rng.standard_normal((B, T, I)).astype(dtype), rng.standard_normal((B, net.state_size)).astype(dtype)


# ---- the equations -----------------------------------------------------------------------------------------------
@every_case
@given(**sizes)
@examples(20)
def test_run_equals_the_equations(case, H, I, B, T, seed):
    net, inputs, s0 = draw(case, H, I, B, T, seed, O=2)
    wanted = case.states_by_hand(net, s0, inputs)
    result = rd.run(net, inputs, initial_state=s0)
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(result.state.values, wanted, rtol=0, atol=1e-12 * scale)
    assert bits(result.hidden.values) == bits(result.state.values[..., :H])
    by_hand = np.array([naive.outputs(hs, net.W_hy, net.b_y) for hs in wanted[..., :H]])
    np.testing.assert_allclose(result.output.values, by_hand, rtol=0, atol=1e-11 * scale)


@every_family
@given(**sizes)
@examples(10)
def test_float32_is_float64_to_seven_digits(case, H, I, B, T, seed):
    net, inputs, s0 = draw(case, H, I, B, T, seed, "float32")
    wanted = case.states_by_hand(net, s0.astype(float), inputs.astype(float))
    result = rd.run(net, inputs, initial_state=s0)
    assert result.state.dtype == np.float32
    np.testing.assert_allclose(result.state.values, wanted, rtol=0, atol=1e-5 * max(1.0, np.abs(wanted).max()))


@pytest.mark.compiled
@every_case
@pytest.mark.parametrize("H", [63, 64, 65, 128, 200, 256])
def test_larger_networks(case, H):
    net, inputs, s0 = draw(case, H, 7, 5, 4, H)
    wanted = case.states_by_hand(net, s0, inputs)
    got = rd.run(net, inputs, initial_state=s0).state.values
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))


@every_case
def test_the_initial_state_is_zero(case):
    net, inputs, s0 = draw(case, 5, 2, 3, 4, 0)
    assert bits(rd.run(net, inputs).state) == bits(rd.run(net, inputs, initial_state=0 * s0).state)


def test_autonomous_networks_need_only_steps():
    case = BY_NAME["gru-after-keep"]
    net, inputs, s0 = draw(case, 6, 0, 2, 8, 1)
    result = rd.run(net, steps=8, initial_state=s0)
    np.testing.assert_allclose(result.state, case.states_by_hand(net, s0, inputs), atol=1e-12)
    assert result.sizes["time"] == 8
    assert result.time.values.tolist() == list(range(1, 9))


def test_stack_and_bidirectional_are_their_parts():
    below, above = (BY_NAME["lstm"].network(np.random.default_rng(k), 6, i) for k, i in enumerate((3, 6)))
    inputs = np.random.default_rng(3).standard_normal((4, 7, 3))
    first = rd.run(below, inputs)
    second = rd.run(above, first.hidden.values)
    both = rd.run(rd.Stack([below, above]), inputs)
    assert bits(both.state) == bits(np.concatenate([first.state, second.state], axis=-1))
    assert bits(both.hidden) == bits(second.hidden)

    backward = BY_NAME["lstm"].network(np.random.default_rng(5), 6, 3)
    ahead, behind = first, rd.run(backward, inputs[:, ::-1])
    sides = rd.run(rd.Bidirectional(below, backward), inputs)
    assert bits(sides.hidden) == bits(np.concatenate([ahead.hidden, behind.hidden[:, ::-1]], axis=-1))


# ---- how the work is cut changes no bit --------------------------------------------------------------------------
@contextlib.contextmanager
def threads(count):
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@every_family
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_batch_split_gives_the_same_bits(case, dtype):
    net, inputs, s0 = draw(case, 19, 3, 21, 6, 7, dtype, O=2)
    whole = rd.run(net, inputs, initial_state=s0)
    for rows in (slice(0, 1), slice(1, 9), slice(9, 21), slice(None, None, -1), [3, 3, 3, 17, 3]):
        part = rd.run(net, inputs[rows], initial_state=s0[rows])
        assert bits(part.state, part.output) == bits(whole.state[rows], whole.output[rows])


@every_case
def test_padding_changes_no_bit(case):
    net, inputs, s0 = draw(case, 9, 3, 6, 10, 11)
    lengths = np.array([10, 4, 7, 1, 0, 9])
    ragged = rd.run(net, inputs, initial_state=s0, lengths=lengths)
    mask = np.arange(10) < lengths[:, None]
    other = np.where(mask[..., None], inputs, 1e3)
    assert bits(rd.run(net, other, initial_state=s0, lengths=lengths).state) == bits(ragged.state)
    longer = np.concatenate([inputs, np.ones((6, 5, 3))], axis=1)
    again = rd.run(net, longer, initial_state=s0, lengths=lengths)
    assert bits(again.state[:, :10].values[mask]) == bits(ragged.state.values[mask])
    for row, length in enumerate(lengths):
        alone = rd.run(net, inputs[row, :length], initial_state=s0[row])
        assert bits(alone.state) == bits(ragged.state[row, :length])


@every_case
def test_carrying_the_state_over_changes_no_bit(case):
    net, inputs, s0 = draw(case, 17, 3, 5, 12, 13)
    whole = rd.run(net, inputs, initial_state=s0).state.values
    state, pieces = s0, []
    for start, stop in [(0, 1), (1, 6), (6, 6), (6, 12)]:
        pieces.append(rd.run(net, inputs[:, start:stop], initial_state=state).state.values)
        state = pieces[-1][:, -1] if stop > start else state
    assert bits(np.concatenate(pieces, axis=1)) == bits(whole)


THREADS = """
import hashlib, sys
import numba, numpy as np
sys.path.insert(0, "tests")
from cases import BY_NAME
import rnndyn as rd
for name, dtype in (("elman-tanh", "float32"), ("lstm-peephole", "float32"), ("gru-before-write", "float64")):
    for B, H, T in ((1, 400, 9), (40, 19, 9), (70, 100, 40)):  # with much work, for little is not shared out
        rng = np.random.default_rng(0)
        net = BY_NAME[name].network(rng, H, 3, 2, dtype)
        inputs, targets = rng.standard_normal((B, T, 3)), rng.standard_normal((B, T, 2))
        seen = set()
        for threads in (1, 2, 3, 8):
            numba.set_num_threads(threads)
            gradients = rd.value_and_grad(net, inputs, targets)[1]
            arrays = [rd.run(net, inputs).state.values, *gradients.arrays().values()]
            seen.add(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
        assert len(seen) == 1, (name, dtype, B, H)
print("equal")
"""


@pytest.mark.compiled
def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread")
def test_the_number_of_threads_is_left_as_it_was():
    net, inputs, s0 = draw(BY_NAME["elman-tanh"], 16, 3, 40, 5, 0)
    with threads(1):
        alone = rd.run(net, inputs)
        assert numba.get_num_threads() == 1
    with threads(2):
        assert bits(rd.run(net, inputs).state) == bits(alone.state)
        assert numba.get_num_threads() == 2


# ---- what may be passed ------------------------------------------------------------------------------------------
def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "negative strides": lambda a: a[:, ::-1].copy()[:, ::-1],
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": read_only,
    "lists": lambda a: a.tolist(),
    "long double": lambda a: a.astype(np.longdouble),
    "a DataArray, transposed": lambda a: xr.DataArray(a, dims=("batch", "time", "input")).transpose(
        "input", "batch", "time"
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_bits(layout):
    net, inputs, _ = draw(BY_NAME["lstm"], 5, 3, 4, 6, 0)
    assert bits(rd.run(net, LAYOUTS[layout](inputs)).state) == bits(rd.run(net, inputs).state)


def test_other_number_types():
    net, inputs, _ = draw(BY_NAME["lstm"], 5, 3, 4, 6, 0)
    whole = np.rint(3 * inputs)
    assert bits(rd.run(net, whole.astype(np.int8)).state) == bits(rd.run(net, whole).state)
    half = inputs.astype(np.float16)
    assert bits(rd.run(net, half).state) == bits(rd.run(net, half.astype(float)).state)
    assert rd.run(net, inputs.astype(np.float32)).state.dtype == np.float64  # the network's dtype
    one = np.broadcast_to(inputs[:1], inputs.shape)  # stride 0
    assert bits(rd.run(net, one).state) == bits(rd.run(net, one.copy()).state)


def test_inputs_are_left_alone():
    net, inputs, s0 = draw(BY_NAME["elman-relu"], 5, 3, 4, 6, 0)
    lengths = np.array([6, 2, 0, 5])
    before = bits(inputs, s0, lengths)
    result = rd.run(net, inputs, initial_state=s0, lengths=lengths)
    result.state.values[:] = 0
    result.hidden.values[:] = 0
    assert bits(inputs, s0, lengths) == before


def test_dimensions_of_the_result():
    net, inputs, _ = draw(BY_NAME["lstm"], 5, 3, 4, 6, 0, O=2)
    result = rd.run(net, inputs)
    assert dict(result.state.sizes) == {"batch": 4, "time": 6, "state": 10}
    assert dict(result.hidden.sizes) == {"batch": 4, "time": 6, "unit": 5}
    assert dict(result.output.sizes) == {"batch": 4, "time": 6, "output": 2}
    alone = rd.run(net, inputs[0])
    assert dict(alone.state.sizes) == {"time": 6, "state": 10}
    assert bits(alone.state) == bits(result.state[0])
    assert "output" not in rd.run(net.replace(W_hy=None, b_y=None), inputs)


@every_case
@pytest.mark.parametrize("B, T", [(0, 4), (3, 0), (0, 0)])
def test_nothing_in_nothing_out(case, B, T):
    net, inputs, s0 = draw(case, 5, 3, B, T, 0, O=2)
    result = rd.run(net, inputs, initial_state=s0)
    assert result.state.shape == (B, T, net.state_size)
    assert result.output.shape == (B, T, 2)


def test_a_diverging_network_says_so_by_infinity():
    net = rd.Linear(np.zeros((1, 0)), [[1e10]])
    with np.errstate(over="ignore", invalid="ignore"):  # uncompiled, NumPy warns
        state = rd.run(net, steps=40, initial_state=[1.0]).state.values
    assert np.isfinite(state[:30]).all()
    assert np.isinf(state[-1]).all()


# ---- what may not ------------------------------------------------------------------------------------------------
NET = BY_NAME["gru-after-keep"].network(np.random.default_rng(0), 4, 3)
FREE = BY_NAME["gru-after-keep"].network(np.random.default_rng(0), 4, 0)
X = np.random.default_rng(1).standard_normal((5, 6, 3))


def spoiled(value, index=(2, 1, 0)):
    bad = X.copy()
    bad[index] = value
    return bad


BAD = {  # what is wrong: (network, inputs, keywords, exception, words that the message holds)
    "NaN": (NET, spoiled(np.nan), {}, ValueError, ["inputs", "nan", "(2, 1, 0)"]),
    "infinity": (NET, spoiled(-np.inf), {}, ValueError, ["inputs", "inf", "(2, 1, 0)"]),
    "too few inputs": (NET, X[..., :2], {}, ValueError, ["inputs", "input=2", "input=3"]),
    "a vector": (NET, X[0, :, 0], {}, ValueError, ["inputs", "time", "input"]),
    "four axes": (NET, X[None], {}, ValueError, ["inputs", "batch"]),
    "a number": (NET, 1.0, {}, ValueError, ["inputs"]),
    "complex": (NET, X + 0j, {}, TypeError, ["inputs", "complex"]),
    "boolean": (NET, X > 0, {}, TypeError, ["inputs", "bool"]),
    "strings": (NET, X.astype(str), {}, TypeError, ["inputs"]),
    "objects": (NET, X.astype(object), {}, TypeError, ["inputs", "object"]),
    "ragged lists": (NET, [[[1.0, 2.0, 3.0]], [[1.0, 2.0]]], {}, (TypeError, ValueError), ["inputs"]),
    "masked": (NET, np.ma.masked_greater(X, 0), {}, TypeError, ["inputs", "masked"]),
    "unknown dimension": (NET, xr.DataArray(X, dims=("batch", "zeit", "input")), {}, ValueError, ["inputs", "zeit"]),
    "no inputs": (NET, None, {}, (TypeError, ValueError), ["inputs"]),
    "no inputs but steps": (NET, None, {"steps": 4}, (TypeError, ValueError), ["inputs"]),
    "inputs where none are taken": (FREE, X, {}, ValueError, ["inputs"]),
    "autonomous without steps": (FREE, None, {}, (TypeError, ValueError), ["steps"]),
    "negative steps": (FREE, None, {"steps": -1}, ValueError, ["steps", "-1"]),
    "half a step": (FREE, None, {"steps": 1.5}, TypeError, ["steps", "1.5"]),
    "other steps than inputs": (NET, X, {"steps": 7}, ValueError, ["steps", "7", "6"]),
    "state too long": (NET, X, {"initial_state": np.zeros((5, 5))}, ValueError, ["initial_state", "4"]),
    "state of another batch": (NET, X, {"initial_state": np.zeros((4, 4))}, ValueError, ["initial_state", "4", "5"]),
    "NaN in the state": (NET, X, {"initial_state": np.full((5, 4), np.nan)}, ValueError, ["initial_state", "nan"]),
    "length beyond the end": (NET, X, {"lengths": [1, 2, 7, 3, 4]}, ValueError, ["lengths", "7", "6"]),
    "negative length": (NET, X, {"lengths": [1, 2, -3, 3, 4]}, ValueError, ["lengths", "-3"]),
    "too few lengths": (NET, X, {"lengths": [1, 2, 3]}, ValueError, ["lengths", "batch=5"]),
    "half a length": (NET, X, {"lengths": [1.5, 2, 3, 4, 5]}, TypeError, ["lengths"]),
    "no network": (np.eye(3), X, {}, TypeError, ["net"]),
    "unknown device": (NET, X, {"device": "abacus"}, ValueError, ["device", "abacus"]),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_named(fault):
    net, inputs, keywords, exception, words = BAD[fault]
    with pytest.raises(exception) as caught:
        rd.run(net, inputs, **keywords)
    message = str(caught.value)
    assert not [word for word in words if word not in message], message
    assert "\n" not in message.strip(), "one line"


def test_no_gpu_is_an_error_and_no_fallback():
    if problem() is None:
        pytest.skip("there is a GPU")
    with pytest.raises(rd.DeviceError, match="cuda"):
        rd.run(NET, X, device="cuda")
