"""Products of Jacobians against 50-digit arithmetic and closed forms."""

import mpmath
import numpy as np
import pytest

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.graded import Product, log_singular_values


def precise(jacobians):
    """Ln of the singular values of the product, from the largest, in enough digits for the smallest."""
    size = jacobians.shape[1]
    spread = sum(np.log10(np.linalg.cond(J)) for J in jacobians)
    with mpmath.workdps(60 + int(spread)):
        product = mpmath.eye(size)
        for J in jacobians:
            product = mpmath.matrix(J.tolist()) * product
        return np.array(sorted((float(mpmath.log(s)) for s in mpmath.svd_r(product, compute_uv=False)), reverse=True))


def product_of(jacobians):
    product = Product(1, jacobians.shape[1])
    for J in jacobians:
        product.push(J[None])
    return log_singular_values(product.log_rows, product.rows)[0]


@pytest.mark.parametrize("size, steps", [(1, 1000), (2, 1000), (3, 300), (4, 1), (4, 300)])
def test_random_matrices_against_mpmath(rng, size, steps):
    J = rng.standard_normal((steps, size, size))
    assert np.abs(product_of(J) - precise(J)).max() < 1e-12


@pytest.mark.slow
def test_four_units_over_a_thousand_steps(rng):
    J = rng.standard_normal((1000, 4, 4)) / 2
    error = np.abs(product_of(J) - precise(J))
    assert error[0] < 1e-12 and error.max() < 5e-12


@pytest.mark.parametrize("cls", [rd.Elman, rd.GRU, rd.LSTM, rd.Leaky])
def test_networks_against_mpmath(cls, rng):
    net = cls.random(2 if cls is rd.LSTM else 4, 3, gain=1.2, rng=0)
    inputs, start = rng.standard_normal((60, 3)), rng.standard_normal(4)
    ds = rd.jacobian_products(net, inputs, initial_state=start)
    states = np.concatenate([[start], rd.run(net, inputs, initial_state=start).state.values])
    J = dynamics.jacobian(net, np.ascontiguousarray(states[:-1]), inputs)
    for t in (1, 2, 7, 60):
        condition = sum(np.linalg.cond(j) for j in J[:t])
        assert np.abs(ds.log_singular_value.sel(time=t) - precise(J[:t])).max() < 1e-15 * max(condition, 1e3)
    assert np.array_equal(ds.log_norm, ds.log_singular_value[:, 0]) and (ds.log_norm <= ds.bound + 1e-12).all()
    assert ds.time.values.tolist() == list(range(1, 61)) and ds.status == 0


@pytest.mark.slow
def test_linear_networks_over_very_many_steps():
    for gain in (0.5, 2.0):
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
        ds = rd.jacobian_products(rd.Linear(None, gain * Q), steps=100_000, every=50_000)
        assert ds.time.values.tolist() == [50_000, 100_000]
        wanted = ds.time * np.log(gain)
        assert np.abs(ds.log_singular_value / wanted - 1).max() < 1e-14
        assert np.abs(ds.bound / wanted - 1).max() < 1e-10


def test_an_invariant_direction_that_a_frame_could_stick_to():
    net = rd.Linear(None, [[0.5, 1.0], [0.0, 2.0]])
    ds = rd.jacobian_products(net, steps=3000, every=1000)
    assert np.abs(ds.log_singular_value.sum("index")).max() < 1e-10  # det = 1
    assert np.abs(ds.log_norm / ds.time - np.log(2)).max() < 1e-3


def test_singular_products():
    ds = rd.jacobian_products(rd.Linear(None, [[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]]), steps=50)
    assert np.abs(ds.log_singular_value[:, 0] - np.log(5) / 2).max() < 1e-14
    assert np.abs(ds.log_singular_value[1:, 1] + np.log(2) * ds.time[1:]).max() < 1e-13
    assert np.isneginf(ds.log_singular_value[:, 2]).all()
    assert ds.status == 0
    rounded = rd.jacobian_products(rd.Linear(None, np.outer([1.0, 2.0, 3.0], [0.3, 0.2, 0.1])), steps=5)
    assert np.isneginf(rounded.log_singular_value[:, 1:]).all() and rounded.status == 5
    zero = rd.jacobian_products(rd.Linear(None, np.zeros((2, 2))), steps=3)
    assert np.isneginf(zero.log_singular_value).all() and np.isneginf(zero.bound).all()


def test_grades_beyond_the_range_of_numbers(rng):
    scales = np.array([0.0, -900.0, -2000.0, -2001.0])
    rows = np.triu(rng.standard_normal((4, 4))) + 2 * np.eye(4)
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    got = log_singular_values(scales[None], rows[None])[0]
    with mpmath.workdps(2000):
        exact = mpmath.diag([mpmath.exp(s) for s in scales.tolist()]) * mpmath.matrix(rows.tolist())
        wanted = sorted((float(mpmath.log(s)) for s in mpmath.svd_r(exact, compute_uv=False)), reverse=True)
    assert np.abs(got - wanted).max() < 1e-12


@pytest.mark.parametrize("size", [1, 2, 5, 8, 33])
def test_ordinary_matrices_have_their_ordinary_singular_values(rng, size):
    A = rng.standard_normal((4, size, size))
    norms = np.linalg.norm(A, axis=-1)
    got = log_singular_values(np.log(norms), A / norms[..., None])
    assert np.abs(got - np.log(np.linalg.svd(A, compute_uv=False))).max() < 1e-11


def test_equal_singular_values():
    assert np.abs(log_singular_values(np.zeros((1, 6)), np.eye(6)[None])).max() == 0
    twice = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    assert log_singular_values(np.zeros((1, 2)), twice)[0, 0] == pytest.approx(np.log(2) / 2, abs=1e-15)


@pytest.mark.parametrize("activation, gamma", [("tanh", 1.0), ("sigmoid", 0.25), ("relu", 1.0)])
def test_the_documents_bound(activation, gamma, rng):
    net = rd.Elman.random(5, 2, rng=1, gain=0.9).replace(activation=activation)
    ds = rd.jacobian_products(net, rng.standard_normal((40, 2)))
    assert np.abs(ds.bound - ds.time * np.log(gamma * np.linalg.norm(net.W_hh, 2))).max() < 1e-12
    assert (ds.log_norm <= ds.bound + 1e-12).all()


@pytest.mark.compiled
def test_its_rate_is_the_lyapunov_exponent():
    net = rd.Elman.random(6, gain=2.5, rng=4)
    start = np.full(6, 0.1)
    ds = rd.jacobian_products(net, steps=4000, initial_state=start, every=4000)
    spectrum = rd.lyapunov_spectrum(net, steps=4000, warmup=0, initial_state=start, rng=0)
    rate = ds.log_singular_value[0] / 4000
    assert np.abs(rate.values - spectrum.exponent.values).max() < 5e-3
    assert abs(rate.sum() - spectrum.exponent.sum()) < 1e-10


def test_batches_ensembles_and_thinning():
    nets = [rd.Elman.random(3, 1, rng=seed) for seed in (0, 1)]
    inputs = np.random.default_rng(0).standard_normal((2, 17, 1))
    ds = rd.jacobian_products(nets, inputs, every=5)
    assert ds.log_singular_value.dims == ("network", "batch", "time", "index")
    assert ds.time.values.tolist() == [5, 10, 15, 17]
    one = rd.jacobian_products(nets[1], inputs[0])
    assert np.array_equal(one.log_singular_value.sel(time=ds.time), ds.log_singular_value[1, 0])


def test_divergence_is_a_status():
    net = rd.Map(lambda s, x, p: 4 * s * (1 - s), 1)
    ds = rd.jacobian_products(net, steps=40, initial_state=[[0.3], [2.0]])
    assert ds.status.values.tolist() == [0, 2]
    assert np.isfinite(ds.log_norm[0]).all() and np.isnan(ds.log_norm[1, -1]) and np.isfinite(ds.log_norm[1, 0])


@pytest.mark.parametrize(
    "options", [{}, {"steps": 0}, {"steps": -1}, {"steps": 3, "every": 0}, {"steps": 3, "initial_state": [0.0]}]
)
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError):
        rd.jacobian_products(rd.Linear(None, np.eye(2)), **options)
