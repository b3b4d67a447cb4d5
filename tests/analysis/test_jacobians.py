"""Products of Jacobians against 50-digit arithmetic and closed forms."""

import mpmath
import naive
import numpy as np
import pytest
from cases import COUPLED, FAMILIES

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis import jacobians
from rnndyn.analysis.graded import Product, log_singular_values
from rnndyn.kernels.cuda.device import problem


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


@pytest.mark.parametrize("steps", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_two_units_over_very_many_steps_against_mpmath(steps):
    """The larger one from a product in 40 digits, the other from it and the sum of log |det|: digits enough for both.

    The norm loses no digits, whatever the spread.
    """
    J = np.random.default_rng(5).standard_normal((steps, 2, 2))
    with mpmath.workdps(40):
        a, b, c, d = (mpmath.mpf(v) for v in (1, 0, 0, 1))
        log_det = mpmath.mpf(0)
        for p, q, r, s in J.reshape(-1, 4).tolist():
            p, q, r, s = map(mpmath.mpf, (p, q, r, s))
            a, b, c, d = p * a + q * c, p * b + q * d, r * a + s * c, r * b + s * d
            log_det += mpmath.log(abs(p * s - q * r))
        size = a * a + b * b + c * c + d * d  # of sigma_1^2 + sigma_2^2 the second is lost, as it should be
        largest = mpmath.log(size) / 2
        wanted = np.array([float(largest), float(log_det - largest)])
    assert wanted[0] - wanted[1] > steps / 2
    error = np.abs(product_of(J) - wanted)
    assert error[0] < 2e-12 and error[1] < 3e-11  # measured: 1e-13 and 6e-12, and less than the last bit of 1e5 steps


@pytest.mark.slow
def test_linear_networks_over_many_steps():
    for gain in (0.5, 2.0):
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
        ds = rd.jacobian_products(rd.Linear(None, gain * Q), steps=20_000, every=10_000)
        assert ds.time.values.tolist() == [10_000, 20_000]
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


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_the_singular_values_multiply_to_the_determinants(case, rng):
    net = case.network(rng, 2, 1)
    inputs, start = rng.standard_normal((40, 1)), rng.standard_normal(net.state_size)
    ds = rd.jacobian_products(net, inputs, initial_state=start)
    states = np.concatenate([[start], rd.run(net, inputs, initial_state=start).state.values])
    J = dynamics.jacobian(net, np.ascontiguousarray(states[:-1]), inputs)
    wanted, condition = np.linalg.slogdet(J)[1], np.linalg.cond(J)
    if np.isfinite(wanted).all():  # no ReLU is off
        assert np.abs(ds.log_singular_value.sum("index") - wanted.cumsum()).max() < 1e-15 * condition.sum() + 1e-12
    assert np.array_equal(ds.rate, ds.log_singular_value / ds.time)


# ---- direct and recurrent paths --------------------------------------------------------------------------------------


def gates_by_hand(case, net, states, inputs):
    """D s'_k / d s_k with the recurrent pre-activations held: a complex step of the cell whose W_hh sees the old state.

    The naive step is called with W_hh = 0 and the drive of the old state in the bias, so that only the direct path
    feels the step.
    """
    parameters = case.parameters(net)
    W_hh, b_h = (case.names.get(field, field) for field in ("W_hh", "b_h"))
    direct = []
    for s, x in zip(states, inputs, strict=True):
        held = parameters | {W_hh: np.zeros_like(parameters[W_hh])}
        drive = parameters[W_hh] @ s[: net.hidden_size]
        if case.options.get("form") == "voltage" or case.kind == "PiecewiseLinear":
            rate = {"tanh": np.tanh}.get(case.options.get("activation"), naive.relu)
            drive = parameters[W_hh] @ rate(s)
        held[b_h] = held[b_h] + drive
        direct.append(naive.complex_step(lambda z, x=x, held=held: case.step(z, x, **held, **case.options), s))
    return np.array(direct)


@pytest.mark.parametrize("case", [c for c in COUPLED if c.kind != "GRU"], ids=lambda case: case.name)
def test_direct_and_recurrent_paths_by_hand(case, rng):
    net = case.network(rng, 3, 2)
    inputs, start = rng.standard_normal((12, 2)), rng.standard_normal(net.state_size)
    ds = rd.jacobian_products(net, inputs, initial_state=start)
    states = np.concatenate([[start], rd.run(net, inputs, initial_state=start).state.values])[:-1]
    D = gates_by_hand(case, net, states, inputs)
    J = dynamics.jacobian(net, np.ascontiguousarray(states), inputs)
    whole, direct = np.eye(net.state_size), np.eye(net.state_size)
    for t in range(12):
        whole, direct = J[t] @ whole, D[t] @ direct
        own = np.abs(np.diagonal(direct))
        assert np.exp(ds.log_direct_path[t].values) == pytest.approx(own, rel=1e-12, abs=0)
        assert np.exp(ds.log_direct_norm[t].item()) == pytest.approx(own.max(), rel=1e-12, abs=0)
        rest = np.linalg.norm(whole - direct, 2)
        scale = np.linalg.norm(whole, 2) + np.linalg.norm(direct, 2)
        assert np.exp(ds.log_recurrent_norm[t].item()) == pytest.approx(rest, rel=1e-12, abs=1e-13 * scale)


def test_the_cell_path_of_an_lstm_is_the_product_of_its_forget_gates(rng):
    net = rd.LSTM.random(3, 2, rng=0)
    inputs = rng.standard_normal((50, 2))
    ds = rd.jacobian_products(net, inputs)
    hidden = np.concatenate([np.zeros((1, 3)), rd.run(net, inputs).hidden.values])[:-1]
    f = naive.sigmoid((inputs @ net.W_xh.T + hidden @ net.W_hh.T + net.b_h)[:, 3:6])
    assert np.abs(ds.log_direct_path[:, 3:] - np.log(f).cumsum(axis=0)).max() < 1e-12
    assert np.isneginf(ds.log_direct_path[:, :3]).all()
    assert (ds.log_direct_norm <= 0).all() and ds.log_direct_norm[-1] == ds.log_direct_path[-1].max()


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("update", ["keep", "write"])
def test_the_direct_path_of_a_gru_is_the_product_of_its_update_gates(reset, update, rng):
    net = rd.GRU.random(3, 2, rng=0, reset=reset, update=update)
    inputs = rng.standard_normal((50, 2))
    ds = rd.jacobian_products(net, inputs)
    hidden = np.concatenate([np.zeros((1, 3)), rd.run(net, inputs).hidden.values])[:-1]
    z = naive.sigmoid((inputs @ net.W_xh.T + hidden @ net.W_hh.T + net.b_h)[:, 3:6])
    kept = z if update == "keep" else 1 - z
    assert np.abs(ds.log_direct_path - np.log(kept).cumsum(axis=0)).max() < 1e-12


def test_without_weights_only_the_direct_path_is_left():
    net = rd.LSTM(None, np.zeros((8, 2)), np.array([0, 0, 3, -1, 0.5, 0.5, 0, 0.0]))
    ds = rd.jacobian_products(net, steps=600, every=600)
    f = 1 / (1 + np.exp(-np.array([3.0, -1.0])))
    assert ds.log_direct_norm[-1] == pytest.approx(600 * np.log(f[0]), rel=1e-14)
    assert np.isneginf(ds.log_recurrent_norm).all()


def test_recurrent_paths_far_below_the_direct_one():
    """The step h' = (d + w) h by hand in two units, with w = 1e-9 d: (d + w)^t - d^t = t w d^(t-1) (1 + O(t 1e-9))."""
    net = rd.Leaky(None, 1e-9 * np.eye(2), alpha=0.5, activation="identity")
    ds = rd.jacobian_products(net, steps=600, every=100)
    t = ds.time.values
    wanted = np.log(0.5) * t + np.log(np.expm1(t * np.log1p(1e-9)))
    assert np.abs(ds.log_direct_path - np.log(0.5) * t[:, None]).max() < 1e-12
    assert np.abs(ds.log_recurrent_norm - wanted).max() < 1e-12


def test_layers_have_direct_paths_of_their_own(rng):
    stack = rd.Stack([rd.LSTM.random(2, 1, rng=0), rd.GRU.random(3, 2, rng=1)])
    inputs = rng.standard_normal((20, 1))
    ds = rd.jacobian_products(stack, inputs)
    below = rd.jacobian_products(stack.layers[0], inputs)
    above = rd.jacobian_products(stack.layers[1], rd.run(stack.layers[0], inputs).hidden.values)
    apart = np.concatenate([below.log_direct_path, above.log_direct_path], axis=1)
    np.testing.assert_allclose(ds.log_direct_path, apart, rtol=1e-13)
    assert (ds.log_recurrent_norm >= np.maximum(below.log_recurrent_norm, above.log_recurrent_norm) - 1e-12).all()


def test_elman_has_no_direct_path_and_a_map_no_paths():
    ds = rd.jacobian_products(rd.Elman.random(3, rng=0), steps=10)
    assert np.isneginf(ds.log_direct_path).all() and np.abs(ds.log_recurrent_norm - ds.log_norm).max() < 1e-13
    ds = rd.jacobian_products(rd.Map(lambda s, x, p: 0.5 * s, 1), steps=3)
    assert "log_direct_path" not in ds and "log_recurrent_norm" not in ds


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


@pytest.mark.parametrize("name", ["lstm", "map", "stack"])
def test_it_does_not_matter_how_many_steps_are_taken_at_a_time(name, rng, monkeypatch):
    """Also of runs that leave the range of numbers, between two stretches or within one.

    Jacobians are the same to the last bit; products whose singular values are computed together share their sweeps.
    """
    if name == "map":
        net, start = (
            rd.Map(lambda s, x, p: (4 * s[0] * (1 - s[0]), s[1] + x[0]), 2, input_size=1),
            [[0.3, 0], [9, 1e300]],
        )
    elif name == "stack":
        net = rd.Stack([rd.GRU.random(2, 1, rng=0), rd.Elman.random(2, 2, activation="relu", gain=1e30, rng=1)])
        start = np.ones((2, 4))
    else:
        net, start = rd.LSTM.random(2, 1, rng=0), np.ones((2, 4))
    x = rng.standard_normal((2, 17, 1))
    together = rd.jacobian_products(net, x, initial_state=start)
    for steps in (1, 5):
        monkeypatch.setattr(jacobians, "CHUNK_ELEMENTS", steps * 2 * net.state_size**2)
        apart = rd.jacobian_products(net, x, initial_state=start)
        for variable in together:
            np.testing.assert_allclose(apart[variable], together[variable], rtol=1e-15, atol=1e-14)
    assert together.status.values.tolist() == {"lstm": [0, 0], "map": [0, 2], "stack": [2, 2]}[name]


@pytest.mark.parametrize("kind", ["cell", "Map"])
def test_a_gpu_that_is_not_there_or_not_able(kind):
    net = rd.Linear(None, np.eye(2)) if kind == "cell" else rd.Map(lambda s, x, p: 0.5 * s, 2)
    if kind == "cell" and problem() is None:
        pytest.skip("there is a GPU")
    with pytest.raises(rd.DeviceError, match="device='cuda'" if kind == "cell" else "run of a Map.*use device='cpu'"):
        rd.jacobian_products(net, steps=2, device="cuda")
    with pytest.raises(ValueError, match="device is 'gpu'"):
        rd.jacobian_products(net, steps=2, device="gpu")


def test_no_sequences_have_no_products():
    ds = rd.jacobian_products(rd.Elman.random(3, 2, rng=0), np.ones((0, 4, 2)))
    assert ds.log_singular_value.shape == (0, 4, 3) and ds.status.shape == (0,)


@pytest.mark.parametrize(
    "options", [{}, {"steps": 0}, {"steps": -1}, {"steps": 3, "every": 0}, {"steps": 3, "initial_state": [0.0]}]
)
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError):
        rd.jacobian_products(rd.Linear(None, np.eye(2)), **options)
