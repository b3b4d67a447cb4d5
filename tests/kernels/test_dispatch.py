"""A cell that uses everything that the contract offers, defined outside the package."""

from typing import Any

import numpy as np
import pytest
from cases import bits, relative_error

import rnndyn as rd
from rnndyn.cells.contract import Cell, dphi, phi
from rnndyn.cells.functions import Sigmoid, sigmoid, tanh
from rnndyn.cells.primitives import like
from rnndyn.kernels.dispatch import slots
from rnndyn.networks.base import network
from rnndyn.networks.recurrent import CellNetwork


# s = (h, v): v' = q0 v + tanh(a0 + a1 h) + a2, h' = h + q1 (sigmoid(v') - h); what drives a2 is m = sigmoid(a0) v.
def velocity(a, s, q):
    return q[0] * s[1] + tanh(a[0] + a[1] * s[0]) + a[2]


def update(p, a, s, q):
    v = velocity(a, s, q)
    return s[0] + q[1] * (phi(p, v) - s[0]), v


def partials(p, a, s, q):
    v = velocity(a, s, q)
    t = tanh(a[0] + a[1] * s[0])
    d = 1.0 - t * t
    e = q[1] * dphi(p, v)
    one, zero = like(v, 1.0), like(v, 0.0)
    Da = (e * d, e * d * s[0], e), (d, d * s[0], one)
    Ds = (1.0 - q[1] + e * d * a[1], e * q[0]), (d * a[1], q[0])
    Dq = (e * s[1], phi(p, v) - s[0]), (s[1], zero)
    return Da, Ds, Dq


def rate(p, a, s):
    return sigmoid(a[0]) * s[1]


def rate_partials(p, a, s):
    r = sigmoid(a[0])
    return (s[1] * r * (1.0 - r), like(r, 0.0), like(r, 0.0)), (like(r, 0.0), r)


class Everything(Cell):
    """Input alone, input and state, input and rate; two state variables, two trained parameters a unit."""

    __slots__ = ()
    drives = ("xh", "x", "xm")
    gates = (2, 0, 1)
    states = 2
    parameters = 2
    trainable = True
    activation = Sigmoid
    update, partials = staticmethod(update), staticmethod(partials)
    rate, rate_partials = staticmethod(rate), staticmethod(rate_partials)


@network
class Net(CellNetwork):
    """Network of that cell; the block of W_hh that belongs to the input alone is not used."""

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    q: Any = None
    W_hy: Any = None
    b_y: Any = None

    gates = ("a", "b", "c")
    _dims = CellNetwork._dims | {"q": ("parameter", "unit")}

    def _measure(self, arrays):
        return super()._measure(arrays) | {"parameter": 2}

    @property
    def cell(self):
        return Everything

    @property
    def state_size(self):
        return 2 * self.hidden_size

    def _unit_parameters(self):
        return self.q

    def _unit_gradients(self, q):
        return {"q": q}


H, I, O, B, T = 11, 3, 2, 5, 6


def draw(rng, dtype="float64"):
    net = Net(
        rng.standard_normal((3 * H, I)),
        rng.standard_normal((3 * H, H)) / np.sqrt(H),
        rng.standard_normal(3 * H),
        q=rng.uniform(0.2, 0.8, (2, H)),
        W_hy=rng.standard_normal((O, H)),
        b_y=rng.standard_normal(O),
    )
    return net.astype(dtype), rng.standard_normal((B, T, I)), rng.standard_normal((B, T, O))


def by_hand(net, x, s):
    """States (B, T, S) of the equations above in NumPy."""
    a_b, a_m, a_a = np.split(net.W_xh, 3)  # rows by gate; pre-activations 0, 1, 2 belong to the gates 2, 0, 1
    b_b, b_m, b_a = np.split(net.b_h, 3)
    _, W_m, W_a = np.split(net.W_hh, 3)
    h, v = s[:, :H], s[:, H:]
    states = []
    for xt in x.transpose(1, 0, 2):
        a0, a1 = xt @ a_a.T + b_a + h @ W_a.T, xt @ a_b.T + b_b
        a2 = xt @ a_m.T + b_m + (v / (1 + np.exp(-a0))) @ W_m.T
        v = net.q[0] * v + np.tanh(a0 + a1 * h) + a2
        h = h + net.q[1] * (1 / (1 + np.exp(-v)) - h)
        states.append(np.concatenate([h, v], axis=1))
    return np.stack(states, axis=1)


def test_it_runs(rng):
    net, x, _ = draw(rng)
    s = rng.standard_normal((B, 2 * H))
    assert relative_error(rd.run(net, x, initial_state=s).state.values, by_hand(net, x, s)) < 1e-14


def test_its_jacobians(rng):
    net, x, _ = draw(rng)
    s, u = rng.standard_normal(2 * H), x[0, 0]

    def step(z):
        return by_hand(net, z[None, None, 2 * H :], z[None, : 2 * H])[0, 0]

    z, h = np.concatenate([s, u]), 1e-5
    wanted = np.stack([(step(z + h * e) - step(z - h * e)) / (2 * h) for e in np.eye(z.size)], axis=1)
    assert relative_error(rd.jacobian(net, s, u), wanted[:, : 2 * H]) < 1e-9
    assert relative_error(rd.jacobian(net, s, u, wrt="input"), wanted[:, 2 * H :]) < 1e-9


def test_its_gradients(rng):
    net, x, y = draw(rng)
    _, gradients = rd.value_and_grad(net, x, y)
    for name, array in net.arrays().items():
        direction, h = rng.standard_normal(array.shape), 1e-5
        high, low = (rd.value_and_grad(net.with_arrays({name: array + d * direction}), x, y)[0] for d in (h, -h))
        got = np.sum(gradients.arrays()[name] * direction)
        assert abs(got - (high - low) / (2 * h)) < 1e-8 * max(1, abs(got)), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_bits_do_not_depend_on_the_batch(dtype, rng):
    net, x, y = draw(rng, dtype)
    whole = rd.run(net, x).state.values
    rows = np.concatenate([rd.run(net, x[b : b + 1]).state.values for b in range(B)])
    assert bits(whole) == bits(rows)
    assert whole.dtype == dtype
    kept, made_again = (rd.value_and_grad(net, x, y, checkpoint=c)[1].arrays() for c in (None, 2))
    assert bits(*kept.values()) == bits(*made_again.values())


def test_slots():
    assert [slots(Everything, source) for source in "xhm"] == [(0, 3), (0, 1), (2, 1)]
