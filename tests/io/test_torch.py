"""PyTorch there and back: exact round trips, what is computed, and refusal of all that is not understood."""

import numpy as np
import pytest

import rnndyn as rd

torch = pytest.importorskip("torch")
nn = torch.nn

KINDS = {
    "tanh": (nn.RNN, {}, rd.Elman),
    "relu": (nn.RNN, {"nonlinearity": "relu"}, rd.Elman),
    "gru": (nn.GRU, {}, rd.GRU),
    "lstm": (nn.LSTM, {}, rd.LSTM),
}
every_kind = pytest.mark.parametrize(("module", "options", "cls"), KINDS.values(), ids=KINDS.keys())


class Task(nn.Module):
    """A module of a user's own."""

    def __init__(self, rnn, **parts):
        super().__init__()
        self.core = rnn
        for name, part in parts.items():
            setattr(self, name, part)


def arrays_of(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


@every_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (3, 1), (1, 2), (2, 2)])
def test_structure_and_exact_round_trip(module, options, cls, dtype, bias, layers, directions):
    torch.manual_seed(layers)
    original = module(
        3, 4, num_layers=layers, bidirectional=directions == 2, bias=bias, dtype=getattr(torch, dtype), **options
    )
    net = rd.from_torch(original)
    parts = net.layers if layers > 1 else (net,)
    assert type(net) is (rd.Stack if layers > 1 else rd.Bidirectional if directions == 2 else cls)
    assert (net.input_size, net.hidden_size, net.dtype) == (3, 4 * directions, np.dtype(dtype)) and len(parts) == layers
    for part in parts:
        halves = list(part.parts().values()) or [part]
        assert len(halves) == directions and all(type(half) is cls for half in halves)
        assert all((half.b_h is None) != bias for half in halves)
    back = rd.to_torch(net)
    assert type(back) is module and back.batch_first
    assert rd.from_torch(back) == net
    given, got = original.state_dict(), back.state_dict()
    assert list(given) == list(got)
    assert all(torch.equal(given[name], got[name]) for name in given if name.startswith("weight"))
    inputs = torch.randn(2, 7, 3, dtype=getattr(torch, dtype))
    wanted = original(inputs.transpose(0, 1))[0].transpose(0, 1)
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    assert torch.allclose(back(inputs)[0], wanted, rtol=tolerance, atol=tolerance)


@every_kind
def test_biases_are_where_they_belong(module, options, cls):
    original = module(3, 4, **options).double()
    net, entries = rd.from_torch(original), arrays_of(original)
    both = entries["bias_ih_l0"] + entries["bias_hh_l0"]
    if cls is rd.GRU:
        assert np.array_equal(net.b_h, np.concatenate([both[:8], entries["bias_ih_l0"][8:]]))
        assert np.array_equal(net.b_hn, entries["bias_hh_l0"][8:])
    else:
        assert np.array_equal(net.b_h, both)
    assert np.array_equal(net.W_xh, entries["weight_ih_l0"]) and np.array_equal(net.W_hh, entries["weight_hh_l0"])


@every_kind
def test_a_state_dict_of_arrays_will_do(module, options, cls):
    original = module(3, 4, num_layers=2, **options)
    choice = {"activation": options["nonlinearity"]} if options else {}
    assert rd.from_torch(arrays_of(original), **choice) == rd.from_torch(original)
    assert rd.from_torch(original.state_dict(), **choice) == rd.from_torch(original)


@pytest.mark.parametrize(("module", "cls"), [(nn.RNNCell, rd.Elman), (nn.GRUCell, rd.GRU), (nn.LSTMCell, rd.LSTM)])
def test_cells(module, cls):
    cell = module(3, 4)
    net = rd.from_torch(cell)
    assert type(net) is cls and net == rd.from_torch(cell.state_dict())
    assert net == rd.from_torch(Task(cell))
    whole = rd.to_torch(net)
    inputs = torch.randn(2, 1, 3)
    state = cell(inputs[:, 0])
    assert torch.allclose(whole(inputs)[0][:, 0], state[0] if cls is rd.LSTM else state, atol=1e-6)


@every_kind
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_read_out(module, options, cls, layers, directions, bias):
    torch.manual_seed(0)
    rnn = module(3, 4, num_layers=layers, bidirectional=directions == 2, batch_first=True, **options)
    linear = nn.Linear(4 * directions, 2, bias=bias)
    net = rd.from_torch(Task(rnn, fc=linear, dropout=nn.Dropout(0.5)))
    assert net.output_size == 2
    assert np.array_equal(net.W_hy, linear.weight.detach().numpy())
    assert (net.b_y is None) != bias
    assert net.replace(**({"W_hy": None, "b_y": None} if layers == 1 else {})).input_size == 3
    back = rd.to_torch(net)
    assert set(dict(back.named_children())) == {"rnn", "readout"}
    assert rd.from_torch(back) == net
    assert rd.from_torch(back.state_dict(), **({"activation": "relu"} if options else {})) == net
    inputs = torch.randn(5, 6, 3)
    assert torch.allclose(back(inputs), linear(rnn(inputs)[0]), atol=1e-6)


def test_zeros_keep_their_signs():
    net = rd.GRU(np.zeros((6, 1)), -np.zeros((6, 2)), -np.zeros(6), -np.zeros(2))
    assert rd.from_torch(rd.to_torch(net)) == net


def test_write_gates_become_keep_gates():
    write = rd.GRU.random(4, 2, rng=0, update="write").replace(b_h=np.linspace(-1, 1, 12))
    keep = rd.from_torch(rd.to_torch(write))
    assert keep.update == "keep"
    assert all(np.array_equal(a, b) for a, b in zip(keep.cell_weights(), write.cell_weights(), strict=True))


def test_options():
    entries = arrays_of(nn.RNN(3, 4))
    assert rd.from_torch(entries).activation == "tanh"
    assert rd.from_torch(entries, activation="sigmoid").activation == "sigmoid"
    fc = {"fc.weight": np.ones((2, 4), np.float32)}
    assert rd.from_torch(entries | fc, output_activation="softmax").output_activation == "softmax"
    assert rd.from_torch(arrays_of(nn.GRU(3, 4)), reset="before").reset == "before"
    stack = rd.from_torch(arrays_of(nn.RNN(3, 4, 2)) | fc, activation="relu", output_activation="softmax")
    assert [layer.activation for layer in stack.layers] == ["relu"] * 2 and stack.output_activation == "softmax"
    with pytest.raises(TypeError, match="GRU has no option 'activation': its options are reset, update"):
        rd.from_torch(nn.GRU(3, 4), activation="relu")
    with pytest.raises(ValueError, match="activation is 'relu', but the module's is 'tanh'"):
        rd.from_torch(nn.RNN(3, 4), activation="relu")
    with pytest.raises(ValueError, match="output_activation='softmax' without W_hy"):
        rd.from_torch(nn.RNN(3, 4), output_activation="softmax")


def test_which_matrix_is_the_read_out():
    core = {f"core.{name}": array for name, array in arrays_of(nn.GRU(4, 4)).items()}
    square, wide = np.ones((4, 4), np.float32), np.ones((9, 4), np.float32)
    assert rd.from_torch(core).output_size == 0
    assert rd.from_torch(core | {"policy.weight": wide, "policy.bias": wide[:, 0]}).output_size == 9
    assert rd.from_torch(core | {"head.weight": square}).output_size == 4
    for name, doubtful in [("emb", {"emb.weight": wide}), ("enc", {"enc.weight": square, "enc.bias": square[0]})]:
        with pytest.raises(ValueError, match=f"{name}: which is the read-out\\? Name it, as in readout='{name}'"):
            rd.from_torch(core | doubtful)
        assert rd.from_torch(core | doubtful, readout=name).output_size == len(doubtful[f"{name}.weight"])
    two = {"a.weight": wide, "b.weight": wide}
    with pytest.raises(ValueError, match="a, b: which is the read-out"):
        rd.from_torch(core | two)
    with pytest.raises(ValueError, match="entries beside the recurrent part and its read-out: b.weight"):
        rd.from_torch(core | two, readout="a")
    with pytest.raises(ValueError, match="there is no c.weight among a.weight, b.weight"):
        rd.from_torch(core | two, readout="c")
    with pytest.raises(ValueError, match=r"a.weight has shape \(output=9, unit=3\), wanted \(output, unit=4\)"):
        rd.from_torch(core | {"a.weight": wide[:, :3]}, readout="a")


def changed(**entries):
    return {name: array for name, array in (arrays_of(nn.LSTM(3, 4, 2)) | entries).items() if array is not None}


LONE = np.ones((1, 1), np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "holds no weight_ih_l0, but nothing"),
        ({"W": LONE}, "holds no weight_ih_l0, but W"),
        (changed(weight_hh_l1=None), "lacks weight_hh_l1: pass the whole"),
        (changed(weight_ih_l0=None), "lacks weight_ih_l0"),
        (changed(bias_hh_l0=None), "lacks bias_hh_l0"),
        (changed(weight_ih_l7=LONE), "lacks weight_ih_l2|has gaps"),
        (changed(weight_ih_l999999999=LONE), "has gaps: layers are numbered without gaps"),
        (changed(weight_ih_l0_reverse=LONE), "lacks weight_hh_l0_reverse"),
        (changed(weight_hr_l0=LONE), "weight_hr_l0 is a projection"),
        (changed(nonsense=LONE), "entries beside the recurrent part and its read-out: nonsense"),
        (changed(**{"norm.running_mean": LONE}), "entries beside .*: norm.running_mean"),
        (changed(**{"other.weight_ih_l0": LONE}), "holds the recurrent parts , other"),
        (changed(weight_hh_l0=np.ones((16, 5))), r"weight_hh_l0 has shape \(16, 5\), wanted \(G\*H, H\)"),
        (changed(weight_hh_l0=np.ones((8, 4))), r"weight_hh_l0 has shape \(8, 4\), wanted"),
        (changed(weight_hh_l0=np.ones((0, 0))), r"weight_hh_l0 has shape \(0, 0\), wanted"),
        (
            changed(weight_ih_l0=np.ones((12, 3))),
            r"weight_ih_l0 has shape \(gate=12, input=3\), wanted \(gate=16, input\)",
        ),
        (changed(bias_ih_l0=np.ones(12)), r"bias_ih_l0 has shape \(gate=12\), wanted \(gate=16\)"),
        (changed(bias_ih_l0=np.ones((16, 1))), r"bias_ih_l0 has the shape \(16, 1\), wanted \(gate\)"),
        (changed(weight_ih_l1=np.ones((16, 3))), r"layers\[1\] has 3 inputs, wanted 4"),
        (changed(weight_ih_l0=np.full((16, 3), np.nan)), r"weight_ih_l0 holds nan at index \(0, 0\)"),
        (changed(weight_ih_l0=np.ones((16, 3), bool)), "weight_ih_l0 has the type bool"),
        (
            changed(
                weight_hh_l1=np.ones((12, 4)),
                weight_ih_l1=np.ones((12, 4)),
                bias_ih_l1=np.ones(12),
                bias_hh_l1=np.ones(12),
            ),
            "mixes kinds of layers",
        ),
        (3, "module_or_state_dict is a int: a torch.nn.Module or its state_dict"),
        (nn.LSTM(3, 4, proj_size=2), "weight_hr_l0 is a projection"),
        (nn.Linear(3, 4), "holds 0 recurrent parts"),
        (Task(nn.GRU(3, 4), second=nn.GRU(4, 4)), r"holds 2 recurrent parts \(core, second\), wanted one"),
        (Task(nn.GRU(3, 4), squash=nn.Sigmoid()), r"parts that have no counterpart here: squash \(Sigmoid\)"),
        (Task(nn.GRU(3, 4), norm=nn.LayerNorm(4)), r"norm \(LayerNorm\)"),
        (Task(nn.GRU(3, 4), embedding=nn.Embedding(7, 4)), r"embedding \(Embedding\)"),
        (Task(nn.GRU(3, 4), first=nn.Linear(2, 3)), "entries beside .*: first.weight, first.bias"),
        (Task(nn.GRU(3, 4), scale=nn.Parameter(torch.ones(1))), "entries beside .*: scale"),
        (nn.GRU(3, 4).bfloat16(), "weight_ih_l0 is bfloat16, which NumPy has not"),
    ],
)
def test_what_is_not_understood_is_refused(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.from_torch(given)


def test_subclasses_and_half_precision():
    class Own(nn.GRU):
        pass

    assert type(rd.from_torch(Own(3, 4))) is rd.GRU
    assert rd.from_torch(nn.GRU(3, 4).half()).dtype == np.float32


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (rd.Leaky.random(3, 1), "PyTorch has no Leaky networks: only Elman"),
        (rd.Linear.random(3, 1), "PyTorch has no Linear networks"),
        (rd.Elman.random(3, 1, activation="sigmoid"), "PyTorch has no activation='sigmoid'"),
        (rd.Elman.random(3, 1, 1, output_activation="softmax"), "PyTorch has no output_activation='softmax'"),
        (rd.LSTM.random(3, 1, peephole=np.ones((3, 3))), "PyTorch has no peepholes"),
        (rd.GRU.random(3, 1, reset="before"), "PyTorch has no reset='before'"),
        (rd.GRU.random(3), "net has no inputs"),
        (rd.Stack([rd.GRU.random(3, 1), rd.GRU.random(4, 3)]), "differ in class, options or hidden size"),
        (rd.Stack([rd.GRU.random(3, 1), rd.LSTM.random(3, 3)]), "differ in class, options or hidden size"),
        (rd.Stack([rd.GRU.random(3, 1), rd.GRU.random(3, 3, update="write")]), "differ in class, options"),
        (rd.Stack([rd.Bidirectional.random(3, 1), rd.Elman.random(3, 6)]), "one direction and layers with two"),
        (rd.Bidirectional(rd.Stack.random(3, 1), rd.Elman.random(3, 1)), "differ in class"),
        (rd.Bidirectional(rd.Stack.random(3, 1), rd.Stack.random(3, 1)), "PyTorch has no Stack networks"),
        ("net", "net is a str: a network is wanted"),
    ],
)
def test_what_pytorch_has_not_is_refused(net, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.to_torch(net)


def test_biases_missing_in_some_layers_become_zeros():
    stack = rd.Stack([rd.LSTM.random(3, 2, rng=0), rd.LSTM.random(3, 3, rng=1).replace(b_h=None)])
    back = rd.from_torch(rd.to_torch(stack))
    assert back.layers[0] == stack.layers[0] and not back.layers[1].b_h.any()
