"""Gradients of networks that are fed their own outputs or started by another network: against PyTorch's autograd."""

import numpy as np
import pytest
from cases import BY_NAME, bits, relative_error

import rnndyn as rd
from rnndyn.gradients import state_gradients

torch = pytest.importorskip("torch")
H, O, B, T = 5, 2, 3, 6
ACTIVATIONS = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "softmax": lambda z: torch.softmax(z, -1)}
CASES = [("lstm", "identity"), ("elman-tanh", "sigmoid"), ("stack", "softmax")]
every_case = pytest.mark.parametrize(("name", "activation"), CASES)


def driven(name, rng, activation, inputs=O):
    """A network with as many outputs as inputs."""
    if name == "stack":
        return rd.Stack([BY_NAME["lstm"].network(rng, 3, O), driven("elman-tanh", rng, activation, 3)])
    net = BY_NAME[name].network(rng, H, inputs, O)
    return net if activation == "identity" else net.replace(output_activation=activation)


def tracked(net):
    """The arrays of a network as tensors that collect a gradient."""
    return {name: torch.tensor(array, requires_grad=True) for name, array in net.arrays().items()}


def torch_step(net, W, prefix, s, x):
    """One step of an Elman network, an LSTM or a stack of both, by hand on tensors."""
    if isinstance(net, rd.Stack):
        cut, parts = net.layers[0].state_size, []
        for k, own in enumerate((s[:, :cut], s[:, cut:])):
            parts.append(torch_step(net.layers[k], W, f"{prefix}{k}.", own, x))
            x = parts[-1][:, : net.layers[k].hidden_size]
        return torch.cat(parts, 1)
    a = x @ W[f"{prefix}W_xh"].T + s[:, : net.hidden_size] @ W[f"{prefix}W_hh"].T + W[f"{prefix}b_h"]
    if isinstance(net, rd.Elman):
        return torch.tanh(a)
    i, f, g, o = a.chunk(4, 1)
    c = torch.sigmoid(f) * s[:, net.hidden_size :] + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], 1)


def torch_output(net, W, prefix, s):
    """Output at a state; of a stack, that of its last layer."""
    if isinstance(net, rd.Stack):
        return torch_output(net.layers[1], W, f"{prefix}1.", s[:, net.layers[0].state_size :])
    z = s[:, : net.hidden_size] @ W[f"{prefix}W_hy"].T + W[f"{prefix}b_y"]
    return ACTIVATIONS[net.output_activation](z)


def compare(value, gradients, loss, W):
    """Both losses and all gradients; 1e-12 is some hundred roundings of sums of this length."""
    loss.backward()
    assert np.isclose(value, loss.item(), rtol=1e-13)
    for name, array in gradients.arrays().items():
        assert relative_error(array, W[name].grad.numpy()) < 1e-12, name


@every_case
def test_through_what_is_fed_back(name, activation, rng):
    loop = rd.ClosedLoop(driven(name, rng, activation))
    s0, y = 0.5 * rng.standard_normal((B, loop.state_size)), rng.standard_normal((B, T, O))
    value, gradients = rd.value_and_grad(loop, T, y, initial_state=s0)
    W, s, loss = tracked(loop), torch.tensor(s0), 0.0
    for t in range(T):
        s = torch_step(loop.net, W, "net.", s, torch_output(loop.net, W, "net.", s))
        loss = loss + 0.5 * (torch_output(loop.net, W, "net.", s) - torch.tensor(y[:, t])).square().sum() / B
    compare(value, gradients, loss, W)


@every_case
def test_checkpoints_change_no_bit(name, activation, rng):
    loop = rd.ClosedLoop(driven(name, rng, activation))
    s0, y = 0.5 * rng.standard_normal((B, loop.state_size)), rng.standard_normal((B, T, O))
    whole, parts = (rd.value_and_grad(loop, T, y, initial_state=s0, checkpoint=c) for c in (None, 2))
    assert whole[0] == parts[0] and bits(*whole[1].arrays().values()) == bits(*parts[1].arrays().values())


@every_case
def test_derivatives_by_the_states_on_the_way(name, activation, rng):
    """With a loss of the last two steps, dL/ds_t is the difference quotient of the loss of what follows from s_t."""
    loop, mask = rd.ClosedLoop(driven(name, rng, activation)), np.arange(T) >= T - 2
    s0, y = 0.5 * rng.standard_normal((B, loop.state_size)), rng.standard_normal((B, T, O))
    whole, _ = state_gradients(loop, T, y, initial_state=s0, mask=mask)
    states, h = rd.run(loop, initial_state=s0, steps=T).state.values[:, 1], 1e-5

    def rest(s):
        return rd.value_and_grad(loop, T - 2, y[:, 2:], initial_state=s, mask=mask[2:])[0]

    for e in np.eye(loop.state_size):
        difference = (rest(states + h * e) - rest(states - h * e)) / (2 * h)
        assert np.isclose((whole[:, 1] @ e).sum(), difference, atol=1e-9)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("name", "activation"), CASES[:2])
def test_through_the_last_state_of_an_encoder(name, activation, closed, rng):
    inside, encoder = driven(name, rng, activation), BY_NAME[name].network(rng, H, 3)
    net = rd.EncoderDecoder(encoder, rd.ClosedLoop(inside) if closed else inside)
    source, y = rng.standard_normal((B, 4, 3)), rng.standard_normal((B, T, O))
    x = T if closed else rng.standard_normal((B, T, O))
    value, gradients = rd.value_and_grad(net, (source, x), y)
    W, s, loss = tracked(net), torch.zeros((B, net.state_size), dtype=torch.float64), 0.0
    prefix = "decoder.net." if closed else "decoder."
    for t in range(source.shape[1]):
        s = torch_step(encoder, W, "encoder.", s, torch.tensor(source[:, t]))
    for t in range(T):
        own = torch_output(inside, W, prefix, s) if closed else torch.tensor(x[:, t])
        s = torch_step(inside, W, prefix, s, own)
        loss = loss + 0.5 * (torch_output(inside, W, prefix, s) - torch.tensor(y[:, t])).square().sum() / B
    compare(value, gradients, loss, W)
    assert np.isclose(rd.train(net, (source, x), y, steps=1)[1].loss[0], value, rtol=1e-15)
    parts = rd.value_and_grad(net, (source, x), y, checkpoint=2)[1]
    assert bits(*parts.arrays().values()) == bits(*gradients.arrays().values())
    reaching = rd.value_and_grad(net, (source, x), y, truncate=(1, T))[1]  # every loss goes back to the encoder
    for name, array in gradients.arrays().items():
        assert relative_error(reaching.arrays()[name], array) < 1e-12, name
