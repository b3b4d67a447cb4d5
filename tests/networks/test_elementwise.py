"""SRU and QRNN: diagonal Jacobians and their closed-form exponents, convolutions over the inputs, mistakes."""

import numpy as np
import pytest
from cases import BY_NAME, relative_error

import rnndyn as rd


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


APART = np.array([2.0, 0.5, -1.0, -2.5, -4.0])  # biases of forget gates: the frame soon turns to the axes


def biased(net):
    """The network with forget gates that are far apart."""
    b = np.zeros_like(net.b_h)
    b[5:10] = APART
    return net.replace(b_h=b)


def exponents(net, x):
    return rd.lyapunov_spectrum(net, x, warmup=50, steps=len(x) - 50, initial_state=np.zeros(net.state_size), rng=0)


def falling_means(slopes):
    """Means of the logarithms of diagonals (time, unit) after the warm-up, the largest first."""
    return np.sort(np.log(np.abs(slopes))[50:].mean(axis=0))[::-1]


def test_exponents_of_a_qrnn_are_the_means_of_log_f(rng):
    net, x = biased(rd.QRNN.random(5, 3, pooling="f", rng=0)), rng.standard_normal((450, 3))
    wanted = falling_means(sigmoid(x @ net.W_xh[5:].T + APART))
    assert np.abs(exponents(net, x).exponent.values - wanted).max() < 1e-12


@pytest.mark.parametrize("kind", ["qrnn", "sru", "sru that sees"])
def test_exponents_beside_a_read_gate(kind, rng):
    """The state is (h, c) and h only a function of c: its directions are lost, and c has its own exponents.

    A tangent of c with the h that it makes is longer than alone, by sqrt(1 + (dh'/dc : dc'/dc)^2) in each unit; so the
    volume of i of them differs by that to the power i at most, at either end of the run: the logarithm over its length.
    """
    x, v = rng.standard_normal((450, 3)), 0.7 * rng.standard_normal((2, 5)) * (kind == "sru that sees")
    net = biased(rd.QRNN.random(5, 3, rng=0) if kind == "qrnn" else rd.SRU.random(5, 3, rng=0, v=v))
    c = np.concatenate([np.zeros((1, 5)), rd.run(net, x).state.values[:-1, 5:]])
    a_c, a_f = x @ net.W_xh[:5].T, x @ net.W_xh[5:10].T + APART
    f = sigmoid(a_f + v[0] * c)
    slopes = f if kind == "qrnn" else f + v[0] * (c - a_c) * f * (1 - f)
    ds, wanted = exponents(net, x), falling_means(slopes)
    J = rd.jacobian(net, np.concatenate([c, c], axis=1), x)
    ratio = J[:, range(5), range(5, 10)] / J[:, range(5, 10), range(5, 10)]
    slack = 0.5 * np.log1p((ratio[[49, 449]] ** 2).max()) / 400
    assert slack < 0.02  # it must tell a wrong exponent from a right one: these are 0.4 apart
    off = np.cumsum(ds.exponent.values[:5] - wanted)
    assert (np.abs(off) <= slack * np.arange(1, 6)).all()
    assert np.isneginf(ds.exponent.values[5:]).all() and ds.sizes["index"] == 10


def test_no_unit_sees_another(rng):
    net = BY_NAME["sru"].network(rng, 4, 2)
    J = rd.jacobian(net, rng.standard_normal((20, 8)), rng.standard_normal((20, 2)))
    assert not J[:, :, :4].any()  # nothing comes of h
    for block in (J[:, :4, 4:], J[:, 4:, 4:]):
        assert (np.abs(block) * (1 - np.eye(4)) == 0).all() and (block[:, range(4), range(4)] != 0).all()


@pytest.mark.compiled
def test_the_fixed_point_of_a_qrnn_is_its_candidate(rng):
    net, x = BY_NAME["qrnn-f"].network(rng, 4, 2), rng.standard_normal(2)
    ds = rd.fixed_points(net, x, rng=0, starts=50)
    z, f = np.split(net.W_xh @ x + net.b_h, 2)
    assert ds.attrs["expected_index_sum"] == ds.attrs["index_sum"] == ds.sizes["point"] == 1
    assert (ds.status == "certified").all()
    assert np.abs(ds.state.values[0] - np.tanh(z)).max() < 1e-14
    assert np.abs(np.sort(ds.eigenvalue.values[0].real) - np.sort(sigmoid(f))).max() < 1e-14


def test_windows_make_it_a_masked_convolution(rng):
    """PyTorch's convolution over the padded inputs; its kernel is (H, I, k), the oldest step first, as ours is."""
    torch = pytest.importorskip("torch")
    x, width = rng.standard_normal((3, 12, 2)), 2
    kernel, bias = rng.standard_normal((15, 2, width)), rng.standard_normal(15)
    padded = torch.nn.functional.pad(torch.from_numpy(x).transpose(1, 2), (width - 1, 0))
    a = torch.nn.functional.conv1d(padded, torch.from_numpy(kernel), torch.from_numpy(bias)).transpose(1, 2).numpy()
    z, f, o = np.split(a, 3, axis=-1)
    c, hidden = np.zeros((3, 5)), []
    for t in range(12):
        c = sigmoid(f[:, t]) * c + (1 - sigmoid(f[:, t])) * np.tanh(z[:, t])
        hidden.append(sigmoid(o[:, t]) * c)
    net = rd.QRNN(kernel.transpose(0, 2, 1).reshape(15, 4), bias)
    assert relative_error(rd.run(net, rd.QRNN.windows(x, width)).hidden, np.stack(hidden, axis=1)) < 1e-14


def test_windows(rng):
    x = rng.standard_normal((2, 6, 3))
    assert np.array_equal(rd.QRNN.windows(x, 1), x)
    assert np.array_equal(rd.QRNN.windows(x, 8)[:, :, -3:], x) and rd.QRNN.windows(x[0], 4).shape == (6, 12)
    assert rd.QRNN.windows(x.astype("float32")).dtype == np.float32
    with pytest.raises(ValueError, match="width is 0"):
        rd.QRNN.windows(x, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rd.SRU(np.ones((6, 2))), "W_xh has 6 rows: 4 blocks of H rows are wanted, c, f, r, k"),
        (lambda: rd.SRU(np.ones((0, 2))), "W_xh has 0 rows"),
        (lambda: rd.SRU(None), "W_xh is None"),
        (lambda: rd.SRU(np.ones((8, 2)), v=np.ones((2, 3))), r"v has shape \(seeing=2, unit=3\), wanted \(seeing=2, u"),
        (lambda: rd.QRNN(np.ones((4, 2))), "W_xh has 4 rows: 3 blocks of H rows are wanted, z, f, o"),
        (lambda: rd.QRNN(np.ones((6, 2)), pooling="ifo"), "pooling is 'ifo': one of 'fo', 'f' is wanted"),
        (lambda: rd.QRNN.random(3, pooling="ifo"), "pooling is 'ifo'"),
        (lambda: rd.SRU.random(3, gain=2.0), "SRU has no 'gain'"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
