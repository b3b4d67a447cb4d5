"""Random networks of every class: spectra of their recurrent weights, bounds, biases, memories of a given length."""

import numpy as np
import pytest
from scipy import stats

import rnndyn as rd

CLASSES = [
    *(rd.Elman, rd.Linear, rd.Leaky, rd.Highway, rd.Residual),
    *(rd.LSTM, rd.LayerNormLSTM, rd.GRU, rd.PiecewiseLinear),
]
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
N, GAIN = 200, 1.3


def blocks(cls, kind, size=N):
    """Recurrent weights (gate, H, H) of a random network."""
    net = cls.random(size, 2, 1, gain=GAIN, recurrent=kind, rng=7)
    return net.W_hh.reshape(len(net.gates), size, size)


@every_class
def test_orthogonal_weights_have_their_spectrum_on_a_circle(cls):
    for W in blocks(cls, "orthogonal"):
        assert np.abs(np.abs(np.linalg.eigvals(W)) - GAIN).max() < 1e-12
        assert np.abs(W.T @ W - GAIN**2 * np.eye(N)).max() < 1e-13


@every_class
def test_identity_weights_are_the_scaled_identity(cls):
    assert (blocks(cls, "identity", 5) == GAIN * np.eye(5)).all()


@every_class
@pytest.mark.parametrize("kind", ["gaussian", "xavier"])
def test_independent_weights_obey_the_circular_law(cls, kind):
    """|eigenvalue|^2 over variance is uniform in [0, 1] as the network grows; here to within N^-1/2 = 0.07."""
    for W in blocks(cls, kind):
        assert stats.kstest(np.abs(np.linalg.eigvals(W)) ** 2 / GAIN**2, "uniform").statistic < N**-0.5
        if kind == "xavier":  # Glorot's bound with as many units before as behind: sqrt(6 / (N + N))
            bound = GAIN * np.sqrt(6 / (N + N))
            assert np.abs(W).max() <= bound
            assert stats.kstest(W.ravel() / bound, "uniform", args=(-1, 2)).pvalue > 1e-3
        else:
            assert stats.kstest(W.ravel() * np.sqrt(N) / GAIN, "norm").pvalue > 1e-3


def test_forget_gates_start_open():
    for cls in (rd.LSTM, rd.LayerNormLSTM):
        assert cls.random(3, rng=0).b_h.reshape(4, 3).tolist() == [[0] * 3, [1] * 3, [0] * 3, [0] * 3]


# ---- memories of a given length --------------------------------------------------------------------------------------
GATED = {
    "lstm": (lambda: rd.LSTM.random(400, 2, rng=0), "f", 1),
    "layer-norm": (lambda: rd.LayerNormLSTM.random(400, 2, rng=0, b_h=None), "f", 1),
    "gru": (lambda: rd.GRU.random(400, 2, rng=0, dtype="float32"), "z", 1),
    "gru-write": (lambda: rd.GRU.random(400, 2, rng=0, update="write"), "z", -1),
    "highway": (lambda: rd.Highway.random(400, 2, rng=0), "t", -1),
    "sru": (lambda: rd.SRU.random(400, 2, rng=0), "f", 1),
    "qrnn": (lambda: rd.QRNN.random(400, 2, rng=0, pooling="f"), "f", 1),
}


@pytest.mark.parametrize(("make", "gate", "sign"), GATED.values(), ids=GATED.keys())
def test_time_constants_are_uniform_up_to_the_longest(make, gate, sign):
    """At rest the gate is kept = u / (1 + u), so 1 / (1 - kept) = 1 + u is uniform in [2, longest]."""
    net = make()
    changed = rd.initial.chrono(net, 100, rng=1)
    before = np.zeros((len(net.gates), 400)) if net.b_h is None else net.b_h.reshape(-1, 400)
    after = changed.b_h.reshape(-1, 400)
    assert changed.dtype == net.dtype and type(changed) is type(net)
    kept = 1 / (1 + np.exp(-sign * after[net.gates.index(gate)].astype(float)))
    memory = 1 / (1 - kept)
    assert 1.999 < memory.min() and memory.max() < 100.001
    assert stats.kstest(memory, "uniform", args=(2, 98)).pvalue > 1e-3
    for k, name in enumerate(net.gates):
        if name == "i":
            assert np.array_equal(after[k], -after[net.gates.index("f")])  # i = 1 - f
        elif name != gate:
            assert np.array_equal(after[k], before[k])
    assert changed.replace(b_h=net.b_h) == net and changed == rd.initial.chrono(net, 100, rng=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((rd.Elman.random(2, rng=0), 10), "net is a Elman, without gates that keep its state"),
        ((rd.Stack.random(2, cell=rd.GRU, rng=0), 10), "net is a Stack"),
        ((rd.GRU.random(2, rng=0), 1.5), "longest is 1.5"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.initial.chrono(*arguments)
