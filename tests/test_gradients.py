"""`value_and_grad` and `jacobian`: equal to complex steps of the equations as printed, exact however cut."""

import functools
import tracemalloc

import naive
import numba
import numpy as np
import pytest
import xarray as xr
from cases import BY_NAME, CASES, FAMILIES, SMOOTH, UNCOMPILED, bits, examples, relative_error
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_family = pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
smooth_case = pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
sizes = {
    "H": st.integers(1, 6),
    "I": st.integers(0, 3),
    "B": st.integers(1, 3),
    "T": st.integers(1, 4 if UNCOMPILED else 10),
    "seed": st.integers(0, 2**32 - 1),
}
LOSSES = {"mse": naive.mse, "cross_entropy": naive.cross_entropy}


def draw(case, H, I, B, T, seed, O=2, loss="mse", dtype="float64", readout=True):
    rng = np.random.default_rng(seed)
    net = case.network(rng, H, I, O if readout else 0, dtype)
    width = O if readout else H
    targets = rng.standard_normal((B, T, width)) if loss == "mse" else rng.integers(0, width, (B, T))
    return net, rng.standard_normal((B, T, I)), targets, 0.5 * rng.standard_normal((B, net.state_size))


def loss_by_hand(case, net, inputs, targets, s0, loss="mse", **changed):
    """Loss of the equations as printed, with some fields changed (to complex ones, say)."""
    keywords = case.parameters(net) | {k: v for k, v in changed.items() if k not in ("W_hy", "b_y")} | case.options
    total = 0.0
    for xs, ys, s in zip(inputs, targets, s0, strict=True):
        hs = naive.forward(case.step, s, xs, **keywords)[:, : net.hidden_size]
        if net.W_hy is not None:
            hs = naive.outputs(hs, changed.get("W_hy", net.W_hy), changed.get("b_y", net.b_y))
        total = total + LOSSES[loss](hs, ys)
    return total / len(inputs)


# ---- against complex steps ---------------------------------------------------------------------------------------
@smooth_case
@pytest.mark.parametrize("loss", LOSSES)
@given(**sizes, readout=st.booleans())
@examples(12)
def test_gradients_equal_complex_steps(case, loss, H, I, B, T, seed, readout):
    net, inputs, targets, s0 = draw(case, H, I, B, T, seed, loss=loss, readout=readout)
    value, gradients = rd.value_and_grad(net, inputs, targets, loss=loss, initial_state=s0)
    wanted = loss_by_hand(case, net, inputs, targets, s0, loss)
    assert abs(value - wanted) <= 1e-12 * max(1.0, abs(wanted))
    fields = [*case.parameters(net), *(("W_hy", "b_y") if readout else ())]
    got, slopes = [], []
    for field in fields:
        array = np.asarray(getattr(net, field), float)
        slope = naive.complex_step(
            lambda z, field=field: loss_by_hand(case, net, inputs, targets, s0, loss, **{field: z}), array
        )
        assert np.shape(getattr(gradients, field)) == array.shape
        got.append(np.ravel(getattr(gradients, field)))
        slopes.append(np.ravel(slope))
    assert relative_error(np.concatenate(got), np.concatenate(slopes)) <= 1e-12


@pytest.mark.parametrize("case", [case for case in CASES if case not in SMOOTH], ids=lambda case: case.name)
def test_relu_gradients_equal_central_differences(case):
    net, inputs, targets, s0 = draw(case, 5, 2, 3, 6, 4)
    gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0)[1]
    for field in (*case.parameters(net), "W_hy", "b_y"):
        array, slope = np.asarray(getattr(net, field), float), np.zeros_like(getattr(net, field))
        for index in np.ndindex(array.shape):
            high, low = array.copy(), array.copy()
            high[index] += 1e-6
            low[index] -= 1e-6
            ends = (loss_by_hand(case, net, inputs, targets, s0, **{field: a}) for a in (high, low))
            slope[index] = (next(ends) - next(ends)) / 2e-6
        assert relative_error(getattr(gradients, field), slope) <= 1e-7, field


# What PyTorch has not, one of each kind; its own cells meet it in float32 in tests/oracles.
@pytest.mark.parametrize("case", [BY_NAME[n] for n in ("leaky-voltage-tanh", "lstm-peephole", "gru-before-write")])
def test_float32_gradients(case):
    net, inputs, targets, s0 = draw(case, 20, 3, 9, 15, 2, dtype="float32")
    gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0)[1].arrays()
    wide = {name: a.astype(np.float64) for name, a in (net.arrays() | net.constants()).items()}
    inputs, targets, s0 = (a.astype(np.float32).astype(np.float64) for a in (inputs, targets, s0))
    wanted = rd.value_and_grad(net.with_arrays(wide), inputs, targets, initial_state=s0)[1].arrays()
    for name, array in gradients.items():
        assert array.dtype == np.float32
        assert relative_error(array, wanted[name]) <= 1e-4, name


@smooth_case
@pytest.mark.parametrize("wrt", ["state", "input"])
@given(H=st.integers(1, 8), I=st.integers(0, 4), seed=st.integers(0, 2**32 - 1))
@examples(15)
def test_jacobians_equal_complex_steps(case, wrt, H, I, seed):
    rng = np.random.default_rng(seed)
    net = case.network(rng, H, I)
    states, xs = rng.standard_normal((3, net.state_size)), rng.standard_normal((3, I))
    got = rd.jacobian(net, states, xs if I else None, wrt=wrt)
    step = functools.partial(case.step, **case.parameters(net), **case.options)
    for J, s, x in zip(got, states, xs, strict=True):
        along_state, along_input = functools.partial(step, x=x), functools.partial(step, s)
        wanted = naive.complex_step(along_state, s) if wrt == "state" else naive.complex_step(along_input, x)
        np.testing.assert_allclose(J, wanted, rtol=0, atol=1e-14 * np.abs(wanted).max(initial=1.0) * H**0.5)


@every_case
def test_jacobians_take_any_leading_axes(case):
    rng = np.random.default_rng(0)
    net = case.network(rng, 5, 3)
    states, xs = rng.standard_normal((2, 4, net.state_size)), rng.standard_normal((2, 4, 3))
    whole = rd.jacobian(net, states, xs)
    assert whole.shape == (2, 4, net.state_size, net.state_size)
    assert bits(rd.jacobian(net, states[1, 2], xs[1, 2])) == bits(whole[1, 2])
    assert rd.jacobian(net, states, xs, wrt="input").shape == (2, 4, net.state_size, 3)


# ---- however it is cut -------------------------------------------------------------------------------------------
@every_family
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_checkpoints_give_the_same_bits(case, dtype):
    H, B = (5, 2) if UNCOMPILED else (18, 10)
    net, inputs, targets, s0 = draw(case, H, 3, B, 25, 3, dtype=dtype)
    value, plain = rd.value_and_grad(net, inputs, targets, initial_state=s0)
    for checkpoint in (1, 2, 5, 7, 24, 25, 40):
        again, gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0, checkpoint=checkpoint)
        assert again == value
        assert bits(*gradients.arrays().values()) == bits(*plain.arrays().values()), checkpoint


@pytest.mark.parametrize("cut", [{"checkpoint": 3}, {"truncate": 3}])
def test_time_is_not_cut_for_networks_that_look_ahead(cut, rng):
    """Their windows would not see what comes after; a window as long as the sequences cuts nothing."""
    below = rd.Bidirectional.random(3, 2, rng=0)
    net, x, y = rd.Stack([below, rd.Elman.random(3, 6, 1, rng=1)]), rng.standard_normal((2, 7, 2)), np.zeros((2, 7, 1))
    for call in (rd.value_and_grad, rd.train):
        with pytest.raises(ValueError, match="truncate or checkpoint with a Bidirectional, which looks ahead"):
            call(net, x, y, **cut)
    assert rd.value_and_grad(net, x, y, checkpoint=7)[0] == rd.value_and_grad(net, x, y)[0]


@pytest.mark.compiled
def test_checkpoints_save_memory():
    net, inputs, targets, _ = draw(BY_NAME["gru-after-keep"], 32, 2, 8, 2500, 3)
    peaks = {}
    for checkpoint in (None, 50):
        rd.value_and_grad(net, inputs, targets, checkpoint=checkpoint)
        tracemalloc.start()
        rd.value_and_grad(net, inputs, targets, checkpoint=checkpoint)
        peaks[checkpoint] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[50] < peaks[None] / 2, peaks


@every_case
def test_padding_changes_no_bit_of_the_gradient(case):
    net, inputs, targets, s0 = draw(case, 9, 3, 5, 8, 5)
    lengths = np.array([8, 3, 0, 5, 1])
    mask = (np.arange(8) < lengths[:, None])[..., None]
    options = {"initial_state": s0, "lengths": lengths}
    value, gradients = rd.value_and_grad(net, inputs, targets, **options)
    again, same = rd.value_and_grad(net, np.where(mask, inputs, 9.0), np.where(mask, targets, -7.0), **options)
    assert again == value
    assert bits(*same.arrays().values()) == bits(*gradients.arrays().values())
    alone = [
        rd.value_and_grad(net, inputs[[b], :n], targets[[b], :n], initial_state=s0[[b]])
        for b, n in enumerate(lengths)
        if n
    ]
    assert abs(sum(v for v, _ in alone) / 5 - value) <= 1e-12 * value
    for name, array in gradients.arrays().items():
        assert relative_error(array, sum(g.arrays()[name] for _, g in alone) / 5) <= 1e-12


@pytest.mark.compiled
@every_family
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread")
def test_threads_change_no_bit_of_the_gradient(case):
    net, inputs, targets, s0 = draw(case, 100, 3, 70, 40, 6, dtype="float32")  # much work: little is not shared out
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append(rd.value_and_grad(net, inputs, targets, initial_state=s0)[1])
    finally:
        numba.set_num_threads(before)
    alone, whole = found
    assert bits(*alone.arrays().values()) == bits(*whole.arrays().values())


@every_case
def test_truncation_longer_than_the_sequence_changes_nothing(case):
    net, inputs, targets, s0 = draw(case, 6, 2, 3, 9, 8)
    plain = rd.value_and_grad(net, inputs, targets, initial_state=s0)[1].arrays()
    for truncate in (9, 100, (1, 9), (3, 50)):
        cut = rd.value_and_grad(net, inputs, targets, initial_state=s0, truncate=truncate)[1].arrays()
        for name, array in plain.items():
            assert relative_error(cut[name], array) <= 1e-12


def test_a_callable_loss():
    net, inputs, targets, _ = draw(BY_NAME["lstm"], 6, 2, 4, 5, 9)

    def half_square(outputs):
        assert outputs.shape == targets.shape
        difference = np.asarray(outputs) - targets
        return 0.5 * np.sum(difference**2) / len(outputs), difference / len(outputs)

    wanted, plain = rd.value_and_grad(net, inputs, targets)
    value, gradients = rd.value_and_grad(net, inputs, None, loss=half_square)
    assert abs(value - wanted) <= 1e-13 * wanted
    for name, array in plain.arrays().items():
        assert relative_error(gradients.arrays()[name], array) <= 1e-13


def test_a_callable_sees_zeros_behind_the_ends():
    """So its value and its gradient do not depend on what is there, and fit together: those of the squared error."""
    net, inputs, targets, _ = draw(BY_NAME["lstm"], 6, 2, 4, 5, 9)
    lengths = [0, 3, 5, 2]
    ended = np.where((np.arange(5) < np.array(lengths)[:, None])[:, :, None], targets, 0.0)

    def half_square(outputs):
        difference = outputs - ended
        return 0.5 * np.sum(difference**2) / len(outputs), difference / len(outputs)

    wanted, plain = rd.value_and_grad(net, inputs, targets, lengths=lengths)
    value, gradients = rd.value_and_grad(net, inputs, None, loss=half_square, lengths=lengths)
    assert value == pytest.approx(wanted, rel=1e-13)
    for name, array in plain.arrays().items():
        assert relative_error(gradients.arrays()[name], array) <= 1e-13
    with pytest.raises(ValueError, match="mask with loss=.*which has no loss of single steps"):
        rd.value_and_grad(net, inputs, None, loss=half_square, mask=np.ones((4, 5)))


@pytest.mark.parametrize("kind", [float, bool])
def test_a_mask_is_matched_by_the_names_of_its_dimensions(kind, rng):
    """With as many sequences as steps a transposed one has the shape of the other."""
    net, inputs, targets, _ = draw(BY_NAME["lstm"], 6, 2, 5, 5, 9)
    mask = rng.integers(3, size=(5, 5)).astype(kind)
    named = xr.DataArray(mask, dims=("batch", "time"))
    wanted = rd.value_and_grad(net, inputs, targets, mask=mask)[0]
    assert rd.value_and_grad(net, inputs, targets, mask=named.T)[0] == wanted
    assert rd.value_and_grad(net, inputs, targets, mask=mask.T)[0] != wanted


def test_one_sequence_without_a_batch_axis():
    net, inputs, targets, _ = draw(BY_NAME["gru-before-keep"], 6, 2, 1, 5, 9)
    value, gradients = rd.value_and_grad(net, inputs, targets)
    alone, same = rd.value_and_grad(net, inputs[0], targets[0])
    assert alone == value
    assert bits(*same.arrays().values()) == bits(*gradients.arrays().values())


def test_fields_that_are_absent_have_no_gradient():
    net = rd.GRU(np.ones((3, 1)), np.ones((3, 1)))
    gradients = rd.value_and_grad(net, np.ones((2, 3, 1)), np.ones((2, 3, 1)))[1]
    assert gradients.b_h is None
    assert gradients.W_hy is None
    assert gradients.arrays().keys() == {"W_xh", "W_hh"}


# ---- what may not be passed --------------------------------------------------------------------------------------
NET, X, Y, _ = draw(BY_NAME["gru-after-keep"], 4, 3, 5, 6, 0, O=2)
CLASSES = np.zeros((5, 6), int)
CROSS = {"loss": "cross_entropy"}


def spoiled(value):
    bad = Y.copy()
    bad[2, 1, 0] = value
    return bad


BAD = {  # what is wrong: (inputs, targets, keywords, exception, words that the message holds)
    "NaN in the targets": (X, spoiled(np.nan), {}, ValueError, ["targets", "nan", "(2, 1, 0)"]),
    "too few targets": (X, Y[:, :5], {}, ValueError, ["targets", "time=6"]),
    "targets of other outputs": (X, Y[..., :1], {}, ValueError, ["targets", "output=2"]),
    "no targets": (X, None, {}, (TypeError, ValueError), ["targets"]),
    "complex targets": (X, Y + 0j, {}, TypeError, ["targets", "complex"]),
    "class beyond the last": (X, CLASSES + 2, CROSS, ValueError, ["targets", "2"]),
    "negative class": (X, CLASSES - 1, CROSS, ValueError, ["targets", "-1"]),
    "half a class": (X, CLASSES + 0.5, CROSS, TypeError, ["targets"]),
    "one-hot classes": (X, np.zeros((5, 6, 2), int), CROSS, ValueError, ["targets"]),
    "unknown loss": (X, Y, {"loss": "regret"}, ValueError, ["loss", "regret", "mse"]),
    "loss of another kind": (X, Y, {"loss": 3}, TypeError, ["loss"]),
    "loss without a gradient": (X, Y, {"loss": lambda y: 1.0}, (TypeError, ValueError), ["loss"]),
    "loss with a wrong gradient": (X, Y, {"loss": lambda y: (1.0, np.ones(3))}, ValueError, ["loss"]),
    "truncation to nothing": (X, Y, {"truncate": 0}, ValueError, ["truncate", "0"]),
    "truncation in three parts": (X, Y, {"truncate": (1, 2, 3)}, (TypeError, ValueError), ["truncate"]),
    "half a truncation": (X, Y, {"truncate": 1.5}, TypeError, ["truncate", "1.5"]),
    "checkpoints of nothing": (X, Y, {"checkpoint": 0}, ValueError, ["checkpoint", "0"]),
    "half a checkpoint": (X, Y, {"checkpoint": 2.5}, TypeError, ["checkpoint", "2.5"]),
    "NaN in the inputs": (np.full_like(X, np.nan), Y, {}, ValueError, ["inputs", "nan"]),
    "long lengths": (X, Y, {"lengths": [7] * 5}, ValueError, ["lengths", "7"]),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_is_named(fault):
    inputs, targets, keywords, exception, words = BAD[fault]
    with pytest.raises(exception) as caught:
        rd.value_and_grad(NET, inputs, targets, **keywords)
    message = str(caught.value)
    assert not [word for word in words if word not in message], message


def test_a_jacobian_takes_states_by_name(rng):
    s, x = rng.standard_normal((4, 3, 4)), rng.standard_normal((4, 3, 3))
    state = xr.DataArray(s, dims=("batch", "time", "state")).transpose("state", "time", "batch")
    input = xr.DataArray(x, dims=("batch", "time", "input")).transpose("time", "batch", "input")
    wanted = rd.jacobian(NET, s, x).swapaxes(0, 1)  # in the order of the states: time, batch
    assert bits(rd.jacobian(NET, state, input)) == bits(np.ascontiguousarray(wanted))


@pytest.mark.parametrize("empty", [np.s_[:, :0], np.s_[:0]], ids=["no steps", "no sequences"])
def test_nothing_costs_nothing(empty):
    value, gradients = rd.value_and_grad(NET, X[empty], Y[empty])
    assert value == 0.0
    assert all((array == 0).all() for array in gradients.arrays().values())


@pytest.mark.parametrize(
    "state, x, keywords, words",
    [
        (np.zeros(5), np.zeros(3), {}, ["state"]),
        (np.zeros(4), np.zeros(2), {}, ["input"]),
        (np.zeros(4), None, {}, ["input"]),
        (np.full(4, np.nan), np.zeros(3), {}, ["state", "nan"]),
        (np.zeros(4), np.zeros(3), {"wrt": "weather"}, ["wrt", "weather"]),
    ],
)
def test_bad_input_of_jacobian_is_named(state, x, keywords, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        rd.jacobian(NET, state, x, **keywords)
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)
