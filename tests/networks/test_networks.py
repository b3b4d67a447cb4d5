"""Networks as objects: checked when made, never changed, equal bit by bit; random ones are what they say."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import xarray as xr

import rnndyn as rd
from rnndyn.networks import Gradients
from rnndyn.networks.recurrent import CellNetwork

H, I, O = 5, 3, 2
CELLS = {
    "elman": lambda **k: rd.Elman.random(H, I, O, rng=1, **k),
    "elman-softmax": lambda **k: rd.Elman.random(H, I, O, rng=1, output_activation="softmax", activation="relu", **k),
    "linear": lambda **k: rd.Linear.random(
        H, I, O, rng=1, process_noise=np.eye(H, dtype=k.get("dtype", "float64")), **k
    ),
    "leaky": lambda **k: rd.Leaky.random(H, I, O, rng=1, **k),
    "leaky-alphas": lambda **k: rd.Leaky.random(
        H, I, O, rng=1, form="voltage", alpha=np.linspace(0.1, 0.9, H).astype(k.get("dtype", "float64")), **k
    ),
    "highway": lambda **k: rd.Highway.random(H, I, O, rng=1, **k),
    "residual": lambda **k: rd.Residual.random(H, I, O, rng=1, **k),
    "sru": lambda **k: rd.SRU.random(H, I, O, rng=1, **k),
    "qrnn": lambda **k: rd.QRNN.random(H, I, O, rng=1, **k),
    "qrnn-f": lambda **k: rd.QRNN.random(H, I, O, rng=1, pooling="f", **k),
    "piecewise": lambda **k: rd.PiecewiseLinear.random(H, I, O, rng=1, **k),
    "lstm": lambda **k: rd.LSTM.random(H, I, O, rng=1, **k),
    "lstm-peephole": lambda **k: rd.LSTM.random(
        H, I, O, rng=1, peephole=np.arange(3.0 * H).reshape(3, H).astype(k.get("dtype", "float64")), **k
    ),
    "gru": lambda **k: rd.GRU.random(H, I, O, rng=1, **k),
    "gru-write": lambda **k: rd.GRU.random(H, I, O, rng=1, reset="before", update="write", **k),
}
NORMALISED = {"layer-norm": lambda **k: rd.LayerNormLSTM.random(H, I, O, rng=1, **k)}
COMPOSED = {
    "stack": lambda **k: rd.Stack.random(H, I, O, layers=3, cell=rd.LSTM, rng=1, **k),
    "bidirectional": lambda **k: rd.Bidirectional.random(H, I, O, cell=rd.Leaky, rng=1, **k),
    "stack of bidirectional": lambda **k: rd.Stack(
        [rd.Bidirectional.random(H, I, cell=rd.GRU, rng=1, **k), rd.Elman.random(H, 2 * H, O, rng=2, **k)]
    ),
}
every_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS.keys())
ALL = CELLS | NORMALISED | COMPOSED
every_network = pytest.mark.parametrize("make", ALL.values(), ids=ALL.keys())


@every_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_arrays_and_repr(make, dtype):
    net = make(dtype=dtype)
    assert (net.input_size, net.output_size, net.dtype) == (I, O, np.dtype(dtype))
    everything = net.arrays() | net.constants()
    assert not set(net.arrays()) & set(net.constants())
    for array in everything.values():
        assert array.dtype == net.dtype and array.flags.c_contiguous and not array.flags.writeable
    assert repr(net).startswith(type(net).__name__ + "(") and dtype in repr(net) and "array(" not in repr(net)
    assert f"hidden_size={net.hidden_size}" in repr(net)


@every_network
def test_nothing_can_be_changed(make):
    net = make()
    array = next(iter(net.arrays().values()))
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0
    field = dataclasses.fields(net)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(net, field, None)


@every_network
def test_equality_is_that_of_bits(make):
    net, again = make(), make()
    assert net == again and hash(net) == hash(again) and net.content_hash() == again.content_hash()
    assert net != net.astype("float32") and net.astype("float64") is net
    assert net.astype("float32").dtype == np.float32
    assert net != "a network"
    for name, array in (net.arrays() | net.constants()).items():
        if name.startswith("process_noise") or array.size == 0:
            continue
        changed = array.copy()
        changed.flat[-1] = np.nextafter(changed.flat[-1], 1e9)
        other = net.with_arrays({name: changed})
        assert other != net and type(other) is type(net), name
        assert other.with_arrays({name: array}) == net
    zero = net.with_arrays({name: np.zeros_like(a) for name, a in net.arrays().items()})
    assert zero != net.with_arrays({name: -np.zeros_like(a) for name, a in net.arrays().items()})


@every_network
def test_other_values_give_the_network_that_checked_arrays_give(make):
    net = make()
    arrays = {name: 0.5 * array for name, array in net.arrays().items()}
    given = {name: array.copy() for name, array in arrays.items()}
    if isinstance(net, CellNetwork):
        net.layout  # noqa: B018  what is kept of the old weights must not be passed on
    other = net.with_values(given)
    assert other == net.with_arrays(arrays)
    assert not any(array.flags.writeable for array in other.arrays().values())
    if isinstance(net, CellNetwork):
        for panel, wanted in zip(other.layout.weights, net.with_arrays(arrays).layout.weights, strict=True):
            np.testing.assert_array_equal(panel, wanted)


@every_network
def test_copies_are_equal_and_as_immutable(make):
    net = make()
    for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other == net
        assert not any(array.flags.writeable for array in other.arrays().values())


@every_network
def test_replacing_refuses_unknown_names(make):
    net = make()
    with pytest.raises(TypeError, match=rf"{type(net).__name__} has no 'nonsense': its fields are "):
        net.replace(nonsense=1)
    with pytest.raises(TypeError, match="has no 'nonsense'"):
        net.with_arrays({"nonsense": np.zeros(1)})


def test_inputs_are_copied_and_left_alone():
    W_hh = np.eye(2)
    net = rd.Elman(np.zeros((2, 1)), W_hh)
    W_hh[0, 0] = 7.0
    assert net.W_hh[0, 0] == 1.0 and W_hh.flags.writeable


def test_replace_checks_again():
    net = CELLS["elman"]()
    assert net.replace(activation="relu").activation == "relu" and net.activation == "tanh"
    with pytest.raises(ValueError, match="W_hh holds nan"):
        net.replace(W_hh=np.full((H, H), np.nan))
    assert net.replace(W_hy=None, b_y=None).output_size == 0


def test_dtypes_are_made_one():
    single, double = np.ones((2, 2), np.float32), np.ones((2, 2))
    assert rd.Elman(single, single).dtype == np.float32
    assert rd.Elman(single, double).dtype == np.float64 and rd.Elman(single, double).W_xh.dtype == np.float64
    assert rd.Elman(single, [[1, 0], [0, 1]]).dtype == np.float64
    assert rd.Elman(single.astype(np.float16), single).dtype == np.float32
    assert rd.Elman(single.astype(">f4"), np.asfortranarray(single)) == rd.Elman(single, single)
    # A number has no type of its own.
    assert rd.Leaky(single, single, alpha=0.1).dtype == np.float32
    stack = rd.Stack([rd.Elman(single, single), rd.Elman(double, double)])
    assert stack.dtype == np.float64 and stack.layers[0].dtype == np.float64
    both = rd.Bidirectional(rd.Elman(single, single), rd.Elman(single, single), W_hy=np.ones((1, 4)))
    assert both.dtype == both.backward.dtype == both.W_hy.dtype == np.float64
    both = rd.Bidirectional(rd.Elman(double, double), rd.Elman(single, single), W_hy=np.ones((1, 4), np.float32))
    assert both.backward.dtype == both.W_hy.dtype == np.float64 and not both.W_hy.flags.writeable


def test_autonomous_networks():
    net = rd.Elman(None, np.eye(2))
    assert net.input_size == 0 and net.W_xh.shape == (2, 0)
    assert net == rd.Elman(np.zeros((2, 0)), np.eye(2))
    assert rd.GRU.random(4).W_xh.shape == (12, 0)


def test_arrays_by_dimension_name():
    net = CELLS["lstm"]()
    named = {
        "W_xh": xr.DataArray(net.W_xh.T, dims=("input", "gate")),
        "W_hh": xr.DataArray(net.W_hh.T, dims=("unit", "gate")),
        "b_h": xr.DataArray(net.b_h, dims="gate"),
        "W_hy": xr.DataArray(net.W_hy.T, dims=("unit", "output")),
    }
    assert rd.LSTM(**named, b_y=net.b_y) == net
    with pytest.raises(ValueError, match=r"W_xh has the dimensions \('time', 'gate'\), wanted \(gate, input\)"):
        rd.LSTM(named["W_xh"].rename(input="time"), net.W_hh)


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (rd.Elman, {"W_hh": np.ones((2, 3))}, r"W_hh has shape \(gate=2, unit=3\), wanted \(gate=3, unit=3\)"),
        (rd.Elman, {"W_hh": np.ones(4)}, r"W_hh has the shape \(4,\), wanted \(gate, unit\)"),
        (rd.Elman, {"W_hh": np.ones((0, 0))}, "W_hh has shape .* at least one hidden unit is wanted"),
        (rd.Elman, {"W_hh": None}, "W_hh is None"),
        (rd.Elman, {"W_xh": np.ones((1, 2))}, r"W_xh has shape \(gate=1, input=2\), wanted \(gate=2, input=2\)"),
        (rd.Elman, {"b_h": np.ones(3)}, r"b_h has shape \(gate=3\), wanted \(gate=2\)"),
        (rd.Elman, {"b_h": [[1.0], [2.0]]}, r"b_h has the shape \(2, 1\), wanted \(gate\)"),
        (rd.Elman, {"b_y": [1.0]}, "b_y is given without W_hy"),
        (rd.Elman, {"W_hy": np.ones((3, 1))}, r"W_hy has shape \(output=3, unit=1\), wanted \(output=3, unit=2\)"),
        (rd.Elman, {"W_hy": np.ones((3, 2)), "b_y": [1.0]}, r"b_y has shape \(output=1\), wanted \(output=3\)"),
        (
            rd.Elman,
            {"activation": "tan"},
            "activation is 'tan': one of 'tanh', 'relu', 'sigmoid', 'identity' is wanted",
        ),
        (rd.Elman, {"output_activation": "softmax"}, "output_activation='softmax' without W_hy"),
        (rd.Elman, {"W_hh": [[True, False]] * 2}, "W_hh has the type bool"),
        (rd.Elman, {"W_hh": np.eye(2) * 1j}, "W_hh has the type complex128"),
        (rd.Elman, {"W_hh": [[0.0, np.inf], [np.nan, 0.0]]}, r"W_hh holds inf at index \(0, 1\)"),
        (rd.LSTM, {}, r"W_hh has shape \(gate=2, unit=2\), wanted \(gate=8, unit=2\)"),
        (
            rd.GRU,
            {"W_hh": np.ones((2, 6))},
            r"W_hh has shape \(gate=2, unit=6\), wanted \(gate=6, unit=2\): pass its transpose",
        ),
        (
            rd.GRU,
            {"W_xh": None, "W_hh": np.ones((6, 2)), "b_hn": np.ones(6)},
            r"b_hn has shape \(unit=6\), wanted \(unit=2\)",
        ),
        (rd.GRU, {"reset": "never"}, "reset is 'never': one of 'after', 'before'"),
        (rd.GRU, {"update": True}, "update is True: one of 'keep', 'write'"),
        (
            rd.LSTM,
            {"W_xh": None, "W_hh": np.ones((8, 2)), "peephole": np.ones((2, 3))},
            r"peephole has shape \(peephole=2, unit=3\), wanted \(peephole=3, unit=2\): pass its transpose",
        ),
        (rd.Leaky, {"alpha": 0.0}, "alpha is 0.0: dt/tau is positive"),
        (rd.Leaky, {"alpha": [0.1, -0.2]}, "alpha is -0.2: dt/tau is positive"),
        (rd.Leaky, {"alpha": [0.1]}, r"alpha has shape \(unit=1\), wanted \(unit=2\)"),
        (rd.Leaky, {"alpha": None}, "alpha is None"),
        (rd.Leaky, {"alpha": np.nan}, "alpha holds nan"),
        (rd.Leaky, {"alpha": 0.1, "form": "current"}, "form is 'current': one of 'rate', 'voltage'"),
        (rd.Residual, {"skip": None}, "skip is None"),
        (rd.Residual, {"skip": [0.1]}, r"skip has shape \(unit=1\), wanted \(unit=2\)"),
        (rd.Highway, {}, r"W_hh has shape \(gate=2, unit=2\), wanted \(gate=4, unit=2\)"),
        (rd.Linear, {"process_noise": [[1.0, 0.0], [0.5, 1.0]]}, "process_noise is not symmetric"),
        (rd.Linear, {"process_noise": [[1.0, 2.0], [2.0, 1.0]]}, "process_noise has the eigenvalue -1"),
        (rd.Linear, {"observation_noise": [[1.0]]}, "observation_noise has shape"),
        (rd.Stack, {"layers": []}, "layers is empty"),
        (rd.Stack, {"layers": 3}, "layers is a int: a list of networks is wanted"),
        (rd.Stack, {"layers": [3]}, r"layers\[0\] is a int: a network is wanted"),
        (
            rd.Stack,
            {"layers": [rd.Elman.random(2), rd.Elman.random(2, 3)]},
            r"layers\[1\] has 3 inputs, wanted 2, the hidden",
        ),
        (rd.Stack, {"layers": [rd.Elman.random(2, 1, 1), rd.Elman.random(2, 2)]}, r"layers\[0\] has a read-out"),
        (rd.Stack, {"layers": [rd.Stack.random(2)]}, r"layers\[0\] is itself a Stack"),
        (
            rd.Bidirectional,
            {"forward": rd.Elman.random(2, 1), "backward": rd.Elman.random(2)},
            "backward has 0 inputs, wanted 1",
        ),
        (
            rd.Bidirectional,
            {"forward": rd.Elman.random(2, 1, 1), "backward": rd.Elman.random(2, 1)},
            "forward has a read-out",
        ),
        (
            rd.Bidirectional,
            {"forward": rd.Elman.random(2), "backward": None},
            "backward is a NoneType: a network is wanted",
        ),
        (
            rd.Bidirectional,
            {"forward": rd.Elman.random(2), "backward": rd.Elman.random(3), "W_hy": np.ones((1, 4))},
            r"W_hy has shape \(output=1, unit=4\), wanted \(output=1, unit=5\)",
        ),
    ],
)
def test_mistakes_are_named(cls, arguments, message):
    if cls not in (rd.Stack, rd.Bidirectional):
        arguments = {"W_xh": np.ones((2, 2)), "W_hh": np.eye(2)} | arguments
    with pytest.raises((TypeError, ValueError), match=message):
        cls(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": 2.0}, "hidden_size is 2.0: an integer"),
        ({"hidden_size": 2, "input_size": -1}, "input_size is -1"),
        ({"hidden_size": 2, "gain": "large"}, "gain is 'large'"),
        ({"hidden_size": 2, "recurrent": "uniform"}, "recurrent is 'uniform': one of 'gaussian'"),
        ({"hidden_size": 2, "dtype": "float16"}, "dtype is 'float16'"),
        ({"hidden_size": 2, "rng": 0.5}, "rng is 0.5"),
        ({"hidden_size": 2, "nonsense": 0.5}, "Elman has no 'nonsense'"),
    ],
)
def test_mistakes_in_random_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.Elman.random(**arguments)


def test_random_kinds():
    N = 400
    normal = rd.Elman.random(N, 50, 20, gain=1.5, rng=0)
    assert abs(normal.W_hh.var() * N / 1.5**2 - 1) < 0.02 and abs(normal.W_hh.mean()) < 0.001
    assert abs(normal.W_xh.var() * 50 - 1) < 0.05 and abs(normal.W_hy.var() * N - 1) < 0.1
    assert not normal.b_h.any() and not normal.b_y.any()
    xavier = rd.Elman.random(N, gain=2.0, recurrent="xavier", rng=0).W_hh
    assert abs(xavier.var() * N / 4 - 1) < 0.02
    assert 0.999 < np.abs(xavier).max() / (2 * np.sqrt(3 / N)) <= 1
    orthogonal = rd.GRU.random(40, gain=0.5, recurrent="orthogonal", rng=0).W_hh.reshape(3, 40, 40)
    for Q in orthogonal:
        assert np.abs(Q @ Q.T - 0.25 * np.eye(40)).max() < 1e-14
    assert np.abs(orthogonal[0] - orthogonal[1]).max() > 0.1
    assert np.array_equal(rd.Elman.random(4, gain=3.0, recurrent="identity").W_hh, 3 * np.eye(4))


def test_orthogonal_matrices_are_uniform():
    # The trace of a uniformly distributed one has mean 0 and variance 1; without the signs of R the mean is far off.
    traces = [np.trace(rd.Elman.random(3, recurrent="orthogonal", rng=seed).W_hh) for seed in range(2000)]
    assert abs(np.mean(traces)) < 4 / np.sqrt(2000) and abs(np.var(traces) - 1) < 0.15


def test_random_is_reproducible():
    assert rd.LSTM.random(4, 2, 1, rng=3) == rd.LSTM.random(4, 2, 1, rng=np.random.default_rng(3))
    assert rd.LSTM.random(4, 2, 1, rng=3) != rd.LSTM.random(4, 2, 1, rng=4)
    assert np.array_equal(rd.Elman.random(4, 2, 1, rng=3).W_hh, rd.Elman.random(4, rng=3).W_hh)
    assert rd.GRU.random(4, 2, rng=3, dtype="float32") == rd.GRU.random(4, 2, rng=3).astype("float32")
    generator = np.random.default_rng(3)
    assert rd.Elman.random(4, rng=generator) != rd.Elman.random(4, rng=generator)
    assert rd.LSTM.random(2, rng=0).b_h.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert rd.Highway.random(2, rng=0).b_h.tolist() == [0, 0, -1, -1]
    assert rd.Leaky.random(2, rng=0, alpha=0.5).alpha == 0.5


def test_noise_up_to_rounding_is_a_covariance(rng):
    A = rng.standard_normal((6, 2))
    covariance = A @ A.T  # of rank 2: eigenvalues a little below zero
    net = rd.Linear(None, 0.5 * np.eye(6), process_noise=covariance, observation_noise=np.zeros((6, 6)))
    assert set(net.constants()) == {"process_noise", "observation_noise"}
    assert "process_noise" not in net.arrays()
    assert np.array_equal(net.process_noise, covariance)


@every_cell
def test_the_kernels_get_complete_weights(make):
    net = make()
    gates = len(net.gates)
    bare = net.replace(**{name: None for name in ("b_h", "b", "b_hn") if name in net.arrays()})
    for one in (net, bare):
        W_xh, W_hh, b_h, b_hn, q = one.cell_weights()
        assert (W_xh.shape, W_hh.shape, b_h.shape) == ((gates * H, I), (gates * H, H), (gates * H,))
        assert (b_hn is None) == (getattr(net, "reset", None) != "after") and q.ndim == 2 and q.shape[1] == H
        peepholes = 0 if getattr(net, "peephole", None) is None else 3
        assert len(q) == {"Leaky": 1, "Residual": 1, "SRU": 2, "PiecewiseLinear": 1}.get(type(net).__name__, peepholes)
    assert not bare.cell_weights()[2].any()
    assert isinstance(net.cell, type)


def test_write_is_keep_with_the_signs_of_z_reversed():
    keep, write = CELLS["gru"](), CELLS["gru"](update="write")
    for a, b in zip(keep.cell_weights()[:3], write.cell_weights()[:3], strict=True):
        signs = np.repeat([1.0, -1.0, 1.0], H)
        assert np.array_equal((a.T * signs).T, b)
    assert np.array_equal(keep.cell_weights()[3], write.cell_weights()[3])


@every_cell
def test_gradients_fold_back_to_fields(make, rng):
    # The map from fields to cell_weights is linear, so folding is its transpose: <g, weights(d)> = <fold(g), d>.
    net = make()
    upstream = [None if w is None else rng.standard_normal(w.shape) for w in net.cell_weights()]
    gradients = net.fold_gradients(*upstream, W_hy=rng.standard_normal((O, H)), b_y=rng.standard_normal(O))
    assert set(gradients.arrays()) == set(net.arrays())
    fields = net.arrays() | net.constants()
    left = sum(np.vdot(g, w) for g, w in zip(upstream, net.cell_weights(), strict=True) if w is not None)
    inner = [name for name in fields if name not in ("W_hy", "b_y", "process_noise")]
    for name in inner:
        assert getattr(gradients, name).shape == fields[name].shape
    right = sum(np.vdot(getattr(gradients, name), fields[name]) for name in inner)
    assert abs(left - right) < 1e-12 * sum(np.linalg.norm(g) * 10 for g in upstream if g is not None)
    total = np.concatenate([a.ravel() for a in gradients.arrays().values()])
    assert abs(gradients.norm() / np.linalg.norm(total) - 1) < 1e-14
    assert "norm=" in repr(gradients)


def test_gradients_of_what_is_absent():
    net = rd.Elman(None, np.eye(2))
    gradients = net.fold_gradients(np.zeros((2, 0)), np.ones((2, 2)), np.ones(2))
    assert gradients.b_h is None and gradients.W_hy is None and set(gradients.arrays()) == {"W_xh", "W_hh"}
    with pytest.raises(AttributeError):
        gradients.W_hx  # noqa: B018


def test_gradients_of_composed_networks():
    one = Gradients({"W_hh": np.array([3.0])})
    other = Gradients({"W_hh": np.array([4.0]), "alpha": np.array(9.0)}, constant=("alpha",))
    stack = rd.Stack.random(1, 1, layers=2).fold_gradients([one, other])
    assert stack.layers[1].alpha == 9.0 and set(stack.arrays()) == {"0.W_hh", "1.W_hh"} and stack.norm() == 5.0
    both = rd.Bidirectional.random(1, 1, 1).fold_gradients(one, other, W_hy=np.array([[12.0, 0.0]]))
    assert set(both.arrays()) == {"forward.W_hh", "backward.W_hh", "W_hy", "b_y"} and both.norm() == 13.0
    assert both.b_y.shape == (1,) and rd.Bidirectional.random(1, 1).fold_gradients(one, other).W_hy is None


def test_sizes_of_composed_networks():
    stack = rd.Stack([rd.LSTM.random(4, 3), rd.GRU.random(5, 4), rd.Elman.random(2, 5, 1, output_activation="sigmoid")])
    assert (stack.state_size, stack.hidden_size, stack.input_size, stack.output_size) == (15, 2, 3, 1)
    assert stack.W_hy is stack.layers[2].W_hy and stack.output_activation == "sigmoid"
    assert list(stack.arrays())[:3] == ["0.W_xh", "0.W_hh", "0.b_h"] and "2.b_y" in stack.arrays()
    both = rd.Bidirectional(rd.LSTM.random(4, 3), rd.GRU.random(5, 3))
    assert (both.state_size, both.hidden_size, both.output_size) == (13, 9, 0)
    swapped = rd.Stack(stack.layers[:1]).replace(layers=[rd.Elman.random(2)])
    assert isinstance(swapped.layers, tuple) and swapped.describe()["parts"]["0"]["class"] == "Elman"
