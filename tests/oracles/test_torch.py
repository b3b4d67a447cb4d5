"""PyTorch as the oracle: forward to 1e-12, every gradient to 1e-10 (float64), over cells, layers, directions, sizes."""

from typing import NamedTuple

import numpy as np
import pytest
from cases import BY_NAME, relative_error

import rnndyn as rd

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.compiled

LAYERS = {"tanh": torch.nn.RNN, "relu": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


class Setting(NamedTuple):
    kind: str
    H: int
    I: int  # noqa: E741
    B: int
    T: int
    layers: int = 1
    directions: int = 1
    loss: str = "mse"
    readout: bool = True


def settings():
    """Every cell at every size, the other choices taken in turn, so that each value of each meets each cell."""
    hidden = (1, 2, 3, 15, 16, 17, 32, 64, 100, 256)
    batches, inputs, steps = (1, 2, 7, 8, 9, 16, 33), (0, 1, 2, 3, 16, 17), (1, 2, 5, 12, 20)
    for c, kind in enumerate(LAYERS):
        for k, H in enumerate(hidden):
            n = c + k
            T = min(steps[n % 5], 7) if H > 64 else steps[n % 5]
            loss = ("mse", "cross_entropy")[(c + k // 2) % 2]
            readout = loss != "mse" or k % 4 != 3
            yield Setting(kind, H, inputs[n % 6], batches[n % 7], T, 1 + n % 3, 1 + k % 2, loss, readout)
    for kind in LAYERS:  # the plain network of every day, and a long one
        yield Setting(kind, 64, 3, 32, 50)
        yield Setting(kind, 16, 2, 4, 200)


class FlipFlop(torch.nn.Module):
    """A recurrent layer with a linear read-out."""

    def __init__(self, setting):
        super().__init__()
        options = {"nonlinearity": setting.kind} if setting.kind in ("tanh", "relu") else {}
        self.setting = setting
        # PyTorch wants an input; a network without one is a network whose one input is zero.
        self.rnn = LAYERS[setting.kind](
            max(setting.I, 1),
            setting.H,
            setting.layers,
            batch_first=True,
            bidirectional=setting.directions == 2,
            **options,
        )
        self.readout = torch.nn.Linear(setting.H * setting.directions, 5) if setting.readout else torch.nn.Identity()

    def forward(self, inputs, state=None):
        hidden, final = self.rnn(inputs, state)
        return hidden, self.readout(hidden), final

    def loss(self, outputs, targets, mask=None):
        """Sum over time, mean over the batch, as in rnndyn."""
        if self.setting.loss == "mse":
            each = 0.5 * (outputs - targets).square().sum(-1)
        else:
            each = torch.nn.functional.cross_entropy(outputs.transpose(1, 2), targets, reduction="none")
        return (each if mask is None else each * mask).sum() / len(outputs)


def arrays_of(module, value):
    """The arrays of the network, by rnndyn's names, from the parameters; with value = "grad", their gradients.

    PyTorch adds two biases: our b_h is their sum, and its gradient is the gradient of either. Only in a GRU's new
    gate they stay apart, b_n and b_hn.
    """
    setting, H = module.setting, module.setting.H
    read = {key: (p.detach() if value == "data" else p.grad).numpy() for key, p in module.named_parameters()}
    arrays = {}
    for layer in range(setting.layers):
        for d, reverse in enumerate(("", "_reverse")[: setting.directions]):
            prefix = (f"{layer}." if setting.layers > 1 else "") + (
                ("forward.", "backward.")[d] if setting.directions == 2 else ""
            )
            suffix = f"_l{layer}{reverse}"
            W_xh, b_ih, b_hh = (read[f"rnn.{key}{suffix}"] for key in ("weight_ih", "bias_ih", "bias_hh"))
            arrays[f"{prefix}W_xh"] = W_xh[:, :0] if layer == 0 and setting.I == 0 else W_xh
            arrays[f"{prefix}W_hh"] = read[f"rnn.weight_hh{suffix}"]
            added = b_ih.copy()
            if value == "data":
                added += b_hh
            if setting.kind == "gru":
                added[2 * H :] = b_ih[2 * H :]
                arrays[f"{prefix}b_hn"] = b_hh[2 * H :]
            arrays[f"{prefix}b_h"] = added
    if setting.readout:
        prefix = f"{setting.layers - 1}." if setting.layers > 1 else ""
        arrays |= {f"{prefix}W_hy": read["readout.weight"], f"{prefix}b_y": read["readout.bias"]}
    return arrays


def network_of(module):
    """The same network in rnndyn, by hand: from_torch has its own tests."""
    setting = module.setting
    arrays = arrays_of(module, "data")
    make = {"gru": rd.GRU, "lstm": rd.LSTM}.get(setting.kind, rd.Elman)
    options = {"activation": setting.kind} if make is rd.Elman else {}

    def fields(prefix):
        return {
            key.removeprefix(prefix): a
            for key, a in arrays.items()
            if key.startswith(prefix) and "." not in key[len(prefix) :]
        }

    layers = []
    for layer in range(setting.layers):
        prefix = f"{layer}." if setting.layers > 1 else ""
        if setting.directions == 1:
            layers.append(make(**fields(prefix), **options))
        else:
            halves = [make(**fields(f"{prefix}{half}."), **options) for half in ("forward", "backward")]
            layers.append(rd.Bidirectional(*halves, **fields(prefix)))
    return layers[0] if setting.layers == 1 else rd.Stack(layers)


def draw(setting, dtype="float64", scale=1.0):
    """A module with larger weights than PyTorch's own, and random inputs and targets."""
    rng = np.random.default_rng([setting.H, setting.I, setting.B, setting.T, setting.layers])
    torch.manual_seed(int(rng.integers(2**31)))
    module = FlipFlop(setting).to(getattr(torch, dtype))
    inputs = scale * rng.standard_normal((setting.B, setting.T, setting.I))
    width = 5 if setting.readout else setting.H * setting.directions
    classes = rng.integers(0, width, (setting.B, setting.T))
    targets = (
        classes if setting.loss == "cross_entropy" else rng.standard_normal((setting.B, setting.T, width)).astype(dtype)
    )
    return module, inputs.astype(dtype), targets


def for_torch(inputs):
    """Inputs as a tensor; zeros where there are none."""
    return torch.from_numpy(inputs if inputs.shape[-1] else np.zeros((*inputs.shape[:-1], 1), inputs.dtype))


def compare(module, got, tolerance):
    """Every gradient against PyTorch's, normwise."""
    wanted = arrays_of(module, "grad")
    assert got.arrays().keys() == wanted.keys()
    errors = {key: relative_error(got.arrays()[key], wanted[key]) for key in wanted if wanted[key].size}
    assert max(errors.values()) <= tolerance, errors


@pytest.mark.parametrize("setting", list(settings()), ids=lambda s: "-".join(map(str, s)))
def test_forward_and_gradients_equal_torch(setting):
    module, inputs, targets = draw(setting)
    hidden, outputs, _ = module(for_torch(inputs))
    loss = module.loss(outputs, torch.from_numpy(targets))
    loss.backward()

    net = network_of(module)
    result = rd.run(net, inputs)
    np.testing.assert_allclose(result.hidden.values, hidden.detach().numpy(), rtol=0, atol=1e-12)
    if setting.readout:
        np.testing.assert_allclose(result.output.values, outputs.detach().numpy(), rtol=0, atol=1e-12)
    value, gradients = rd.value_and_grad(net, inputs, targets, loss=setting.loss)
    assert abs(value - loss.item()) <= 1e-12 * max(1.0, abs(loss.item()))
    compare(module, gradients, 1e-10)


@pytest.mark.parametrize("kind", LAYERS)
def test_float32_equals_torch_in_float64(kind):
    """Against the float64 gradient of the same float32 weights: 2e-6 in the states, 2e-5 in the gradients."""
    module, inputs, targets = draw(Setting(kind, 64, 3, 16, 50), "float32")
    net = network_of(module)
    assert net.dtype == np.float32
    module = module.double()
    hidden, outputs, _ = module(for_torch(inputs.astype(float)))
    loss = module.loss(outputs, torch.from_numpy(targets.astype(float)))
    loss.backward()
    assert np.abs(rd.run(net, inputs).hidden.values - hidden.detach().numpy()).max() <= 2e-6
    value, gradients = rd.value_and_grad(net, inputs, targets)
    assert abs(value - loss.item()) <= 2e-6 * loss.item()
    compare(module, gradients, 2e-5)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("layers", [1, 3])
def test_initial_and_final_states(kind, layers, rng):
    setting = Setting(kind, 17, 2, 5, 9, layers)
    module, inputs, targets = draw(setting)
    net = network_of(module)
    s0 = rng.standard_normal((5, net.state_size))
    blocks = (
        torch.from_numpy(s0).reshape(5, layers, -1, setting.H).permute(2, 1, 0, 3).contiguous()
    )  # (h | c), layer, batch, unit
    state = (blocks[0], blocks[1]) if kind == "lstm" else blocks[0]
    hidden, outputs, final = module(for_torch(inputs), state)
    module.loss(outputs, torch.from_numpy(targets)).backward()

    result = rd.run(net, inputs, initial_state=s0)
    np.testing.assert_allclose(result.hidden.values, hidden.detach().numpy(), rtol=0, atol=1e-12)
    final = torch.stack(final if kind == "lstm" else (final,)).permute(2, 1, 0, 3).reshape(5, -1).detach().numpy()
    np.testing.assert_allclose(result.state.values[:, -1], final, rtol=0, atol=1e-12)
    compare(module, rd.value_and_grad(net, inputs, targets, initial_state=s0)[1], 1e-10)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("layers, directions", [(1, 1), (1, 2), (2, 2)])
def test_ragged_batches_equal_packed_sequences(kind, layers, directions):
    lengths = np.array([3, 11, 1, 7, 11])
    setting = Setting(kind, 17, 3, len(lengths), 11, layers, directions)
    module, inputs, targets = draw(setting)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(inputs), lengths, batch_first=True, enforce_sorted=False
    )
    hidden, _ = torch.nn.utils.rnn.pad_packed_sequence(module.rnn(packed)[0], batch_first=True)
    mask = np.arange(11) < lengths[:, None]
    outputs = module.readout(hidden)
    loss = module.loss(outputs, torch.from_numpy(targets), torch.from_numpy(mask))
    loss.backward()

    net = network_of(module)
    result = rd.run(net, inputs, lengths=lengths)
    np.testing.assert_allclose(result.hidden.values[mask], hidden.detach().numpy()[mask], rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.output.values[mask], outputs.detach().numpy()[mask], rtol=0, atol=1e-12)
    value, gradients = rd.value_and_grad(net, inputs, targets, lengths=lengths)
    assert abs(value - loss.item()) <= 1e-12 * loss.item()
    compare(module, gradients, 1e-10)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("k1, k2", [(1, 1), (4, 4), (5, 5), (3, 7), (1, 4), (20, 20)])
def test_truncated_bptt_equals_detach(kind, layers, k1, k2):
    """Every k1 steps, the loss of those steps is sent back through k2 steps, then the state is detached."""
    T = 13
    module, inputs, targets = draw(Setting(kind, 17, 3, 4, T, layers))
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)

    def advance(state, start, stop):
        return module(x[:, start:stop], state)[1:] if stop > start else (None, state)

    for block in range(0, T, k1):
        stop = min(block + k1, T)
        start = max(0, stop - k2)
        with torch.no_grad():
            _, state = advance(None, 0, start)
        outputs, _ = advance(state, start, stop)
        module.loss(outputs[:, block - start :], y[:, block:stop]).backward()
    truncate = k1 if k1 == k2 else (k1, k2)
    value, gradients = rd.value_and_grad(network_of(module), inputs, targets, truncate=truncate)
    assert abs(value - module.loss(module(x)[1], y).item()) <= 1e-12 * value
    compare(module, gradients, 1e-10)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_output_activations(activation, rng):
    net = BY_NAME["elman-tanh"].network(rng, 9, 3, 4, output_activation=activation)
    inputs, targets = rng.standard_normal((6, 8, 3)), rng.random((6, 8, 4))
    tensors = {key: torch.from_numpy(a.copy()).requires_grad_() for key, a in net.arrays().items()}
    h, loss = torch.zeros(6, 9, dtype=torch.float64), 0.0
    for t in range(8):
        h = torch.tanh(torch.from_numpy(inputs[:, t]) @ tensors["W_xh"].T + h @ tensors["W_hh"].T + tensors["b_h"])
        o = h @ tensors["W_hy"].T + tensors["b_y"]
        y = torch.softmax(o, -1) if activation == "softmax" else torch.sigmoid(o)
        loss = loss + 0.5 * (y - torch.from_numpy(targets[:, t])).square().sum() / 6
    loss.backward()
    np.testing.assert_allclose(rd.run(net, inputs).output.values[:, -1], y.detach().numpy(), rtol=0, atol=1e-12)
    value, gradients = rd.value_and_grad(net, inputs, targets)
    assert abs(value - loss.item()) <= 1e-12 * loss.item()
    for key, tensor in tensors.items():
        assert relative_error(gradients.arrays()[key], tensor.grad.numpy()) <= 1e-10
