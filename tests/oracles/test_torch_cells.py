"""Cells that PyTorch has not, written out in its operations: forward to 1e-12, every gradient of autograd to 1e-10."""

import pytest
from cases import BY_NAME, relative_error

import rnndyn as rd

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.compiled


def highway(state, x, p, net):
    a_h, a_t = (x @ p["W_xh"].T + state @ p["W_hh"].T + p["b_h"]).chunk(2, -1)
    return torch.lerp(state, torch.tanh(a_h), torch.sigmoid(a_t))


def residual(state, x, p, net):
    added = torch.nn.functional.linear(x, p["W_xh"]) + torch.nn.functional.linear(state, p["W_hh"], p["b_h"])
    return torch.tensor(net.skip) * state + torch.tanh(added)


def sru(state, x, p, net):
    a_c, a_f, a_r, a_k = torch.nn.functional.linear(x, p["W_xh"], p["b_h"]).chunk(4, -1)
    c = state.chunk(2, -1)[1]
    gates = torch.sigmoid(torch.stack([a_f, a_r]) + p["v"].unflatten(0, (2,) + (1,) * (x.ndim - 1)) * c)
    c = torch.lerp(a_c, c, gates[0])
    return torch.cat([torch.lerp(a_k, c, gates[1]), c], -1)


def qrnn(state, x, p, net):
    z, *gates = torch.nn.functional.linear(x, p["W_xh"], p["b_h"]).chunk(len(net.gates), -1)
    memory = torch.lerp(torch.tanh(z), state.chunk(len(gates), -1)[-1], torch.sigmoid(gates[0]))
    return memory if net.pooling == "f" else torch.cat([torch.sigmoid(gates[1]) * memory, memory], -1)


def layer_norm_lstm(state, x, p, net):
    def normalised(z, gain, bias=None):
        return torch.nn.functional.layer_norm(z, z.shape[-1:], gain, bias)

    h, c = state.chunk(2, -1)
    a = normalised(x @ p["W_xh"].T, p["gain_x"]) + normalised(h @ p["W_hh"].T, p["gain_h"], p["b_h"])
    i, f, g, o = a.chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.cat([torch.sigmoid(o) * torch.tanh(normalised(c, p["gain_c"], p["b_c"])), c], -1)


STEPS = {"highway-tanh": highway, "residual-tanh": residual, "sru": sru, "qrnn-f": qrnn, "qrnn-fo": qrnn}
STEPS |= {"layer-norm-lstm": layer_norm_lstm}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(("H", "B", "T"), [(2, 1, 1), (17, 3, 12), (32, 9, 20)])
def test_runs_and_gradients_are_those_of_autograd(name, H, B, T, rng):
    net = BY_NAME[name].network(rng, H, 3, 2)
    inputs, targets = rng.standard_normal((B, T, 3)), rng.standard_normal((B, T, 2))
    s0 = 0.5 * rng.standard_normal((B, net.state_size))
    p = {key: torch.from_numpy(array.copy()).requires_grad_() for key, array in net.arrays().items()}
    state, states = torch.from_numpy(s0), []
    for x in torch.from_numpy(inputs).unbind(1):
        state = STEPS[name](state, x, p, net)
        states.append(state)
    states = torch.stack(states, 1)
    outputs = torch.nn.functional.linear(states[..., :H], p["W_hy"], p["b_y"])
    loss = 0.5 * (outputs - torch.from_numpy(targets)).square().sum() / B
    loss.backward()
    value, gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0)
    run = rd.run(net, inputs, initial_state=s0)
    assert relative_error(run.state, states.detach().numpy()) <= 1e-12
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for key, parameter in p.items():
        assert relative_error(getattr(gradients, key), parameter.grad.numpy()) <= 1e-10, key


@pytest.mark.parametrize("name", STEPS)
def test_jacobians_are_those_of_autograd(name, rng):
    net = BY_NAME[name].network(rng, 6, 3)
    state, x = rng.standard_normal(net.state_size), rng.standard_normal(3)
    p = {key: torch.from_numpy(array.copy()) for key, array in net.arrays().items()}
    by_state, by_input = torch.func.jacrev(lambda s, x: STEPS[name](s, x, p, net), argnums=(0, 1))(
        torch.from_numpy(state), torch.from_numpy(x)
    )
    assert relative_error(rd.jacobian(net, state, x), by_state.numpy()) <= 1e-14
    assert relative_error(rd.jacobian(net, state, x, wrt="input"), by_input.numpy()) <= 1e-14
