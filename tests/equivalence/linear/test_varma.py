"""Linear networks and VARMA models: the same weights, covariances, spectra and likelihoods, by any way."""

import naive
import numpy as np
import pytest
from cases import examples
from hypothesis import given
from hypothesis import strategies as st
from linear_systems import covariance, data, joint, system

import rnndyn as rd
from rnndyn.equivalence.linear.state_space import innovations, state_space


def exact_psi(net, lags):
    """V A^j K by the definition."""
    model = state_space(net)
    K = innovations(model).K
    return np.array(
        [np.eye(len(model.V))] + [model.V @ np.linalg.matrix_power(model.A, j) @ K for j in range(1, lags + 1)]
    )


def exact_autocovariance(net, lags):
    P = naive.stationary_covariance(net.W_hh, net.process_noise, 1 << 14)
    V, powers = net.W_hy, [np.linalg.matrix_power(net.W_hh, k) for k in range(lags + 1)]
    return np.array([V @ A @ P @ V.T + (k == 0) * net.observation_noise for k, A in enumerate(powers)])


def slow(n, O, seed=0):
    """Leaky units with eigenvalues 0.8 to 0.99."""
    rng = np.random.default_rng(seed)
    noise = {"process_noise": np.diag(rng.uniform(0.1, 1, n)), "observation_noise": np.eye(O)}
    return rd.Linear(None, np.diag(np.linspace(0.8, 0.99, n)), W_hy=rng.standard_normal((O, n)), **noise)


# ---- from a network ----------------------------------------------------------------------------------------------
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from(["auto", "cayley_hamilton"]),
)
@examples(200)
def test_every_view_is_the_same(seed, n, O, I, method):
    """200 random stable systems; tolerances are 1e-9 throughout, of likelihoods of some 100 nats."""
    rng = np.random.default_rng(seed)
    net = system(rng, n, O, I, radius=rng.uniform(0.1, 0.97))
    model = rd.to_varma(net, method=method)
    np.testing.assert_allclose(model.psi(30), exact_psi(net, 30), atol=1e-9 * np.sqrt(np.linalg.cond(model.noise_cov)))
    covariances = exact_autocovariance(net, 5)
    np.testing.assert_allclose(model.autocovariance(5), covariances, atol=1e-9 * np.abs(covariances).max())
    response = [net.W_hy @ np.linalg.matrix_power(net.W_hh, j) @ net.W_xh for j in range(10)]
    np.testing.assert_allclose(model.input_response(9), response, atol=1e-9 * max(1, np.abs(response).max(initial=0)))
    y, x = data(rng, 20, O), rng.standard_normal((20, I))
    dense = joint(net, y, x)[0]
    x = x if I else None
    assert model.loglik(y, x) == pytest.approx(dense, rel=1e-9, abs=1e-9)
    assert rd.kalman_filter(net, y, inputs=x).loglik == pytest.approx(dense, rel=1e-9, abs=1e-9)
    assert rd.kalman_filter(model.to_rnn(), y, inputs=x).loglik == pytest.approx(dense, rel=1e-7, abs=1e-7)
    assert model.conversion.psi_error < 1e-10


def test_the_spectrum_is_that_of_the_network(rng):
    net = system(rng, 4, 2)
    model = rd.to_varma(net)
    w = np.linspace(-np.pi, np.pi, 513)[:-1]
    f = model.spectrum(w)
    for frequency, found in zip(w[::50], f[::50], strict=True):
        H = net.W_hy @ np.linalg.inv(np.eye(4) - np.exp(-1j * frequency) * net.W_hh)
        np.testing.assert_allclose(found, H @ net.process_noise @ H.conj().T + net.observation_noise, rtol=1e-9)
    np.testing.assert_allclose(f.mean(axis=0), model.autocovariance(0)[0], rtol=1e-9, atol=1e-10)
    # Kolmogorov and Szego: the mean of log det over all frequencies.
    assert np.linalg.slogdet(f)[1].mean() == pytest.approx(np.linalg.slogdet(model.noise_cov)[1], abs=1e-10)


def test_an_invertible_read_out_gives_order_one(rng):
    net = system(rng, 2, 2)
    V, A = net.W_hy, net.W_hh
    phi = V @ A @ np.linalg.inv(V)
    noisy, quiet = rd.to_varma(net), rd.to_varma(net.replace(observation_noise=None))
    assert (len(noisy.ar), len(noisy.ma), len(quiet.ar), len(quiet.ma)) == (1, 1, 1, 0)
    np.testing.assert_allclose(noisy.ar[0], phi, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(noisy.ma[0], V @ A @ innovations(state_space(net)).K - phi, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(quiet.noise_cov, V @ net.process_noise @ V.T, rtol=1e-11, atol=1e-12)


def test_orders_are_the_observability_index(rng):
    net = system(rng, 6, 2)
    model, final = rd.to_varma(net), rd.to_varma(net, method="cayley_hamilton")
    assert (len(model.ar), len(model.ma), len(final.ar)) == (3, 3, 6)
    coefficients = -np.poly(net.W_hh)[1:]
    np.testing.assert_allclose(final.ar, coefficients[:, None, None] * np.eye(2), rtol=1e-10, atol=1e-12)
    assert model.conversion.degree == 6 and not model.conversion.unobservable


def test_the_filter_forgets_as_the_moving_average(rng):
    """The steady filter is a network; its Lyapunov exponents are the logarithms of the MA eigenvalues."""
    net = system(rng, 3, 1)
    ma = np.sort(np.log(np.abs(rd.to_varma(net).ma_eigenvalues)))[::-1]
    measured = rd.lyapunov_spectrum(rd.filter_network(net), np.zeros((3000, 1)), rng=0).exponent.values
    np.testing.assert_allclose(measured, ma, atol=1e-2)  # of a finite run
    np.testing.assert_allclose(rd.steady_filter(net).exponent, ma, rtol=1e-8)


@pytest.mark.parametrize(("n", "O"), [(16, 4), (8, 1), (16, 1), (24, 4)])
def test_slow_units(n, O):
    net = slow(n, O)
    model = rd.to_varma(net)
    assert np.abs(model.psi(50) - exact_psi(net, 50)).max() < 1e-9 * np.sqrt(np.linalg.cond(model.noise_cov))
    covariances = exact_autocovariance(net, 3)
    np.testing.assert_allclose(model.autocovariance(3), covariances, rtol=1e-8)
    y = rd.simulate(net, 200, rng=0).output.values
    assert model.loglik(y) == pytest.approx(rd.kalman_filter(net, y).loglik.item(), abs=1e-7)
    if n == 16 and O == 4:
        assert len(model.ar) == 4


def test_the_form_of_cayley_and_hamilton_is_refused_for_slow_units():
    with pytest.raises(ValueError, match=r"method='cayley_hamilton': the weights .* use method='auto'"):
        rd.to_varma(slow(16, 4), method="cayley_hamilton")
    assert rd.to_varma(slow(6, 1), method="cayley_hamilton").conversion.psi_error < 1e-7


def test_modes_without_effect_are_named_and_cancel(rng):
    net = system(rng, 2, 1)
    A = np.zeros((4, 4))
    A[:2, :2], A[2, 2], A[3, 3] = net.W_hh, 0.9, -0.7
    Q = np.zeros((4, 4))
    Q[:2, :2], Q[3, 3] = net.process_noise, 1.0
    larger = rd.Linear(None, A, [*net.b_h, 0, 0], W_hy=[[*net.W_hy[0], 1.0, 0.0]], b_y=net.b_y, process_noise=Q,
                       observation_noise=net.observation_noise)  # fmt: skip
    model, small = rd.to_varma(larger), rd.to_varma(net)
    assert len(model.ar) == 2 and model.conversion.degree == 2
    np.testing.assert_allclose(np.real(model.conversion.unreachable), [0.9], rtol=1e-12)
    np.testing.assert_allclose(np.real(model.conversion.unobservable), [-0.7], rtol=1e-12)
    np.testing.assert_allclose(model.psi(20), small.psi(20), atol=1e-11)
    final = rd.to_varma(larger, method="cayley_hamilton")
    assert len(final.ar) == 4
    np.testing.assert_allclose(final.psi(20), small.psi(20), atol=1e-10)
    with pytest.raises(ValueError, match=r"it is unobservable\), of eigenvalues -0.7"):
        rd.to_varma(larger, method="observability")


def test_outputs_that_show_no_state_are_white_noise():
    net = rd.Linear(None, [[0.5]], W_hy=[[0.0]], b_y=[2.0], process_noise=[[1.0]], observation_noise=[[3.0]])
    model = rd.to_varma(net)
    assert repr(model) == "VARMA(outputs=1, p=0, q=0, inputs=0, r=0)"
    assert model.const == 2 and model.mean == 2 and model.autocovariance(2).ravel().tolist() == [pytest.approx(3), 0, 0]


# ---- other programs ----------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:Estimation of VARMA")
def test_statsmodels_with_several_series_missing_values_and_means(rng):
    varmax = pytest.importorskip("statsmodels.tsa.statespace.varmax")
    ar = np.array([[[0.5, 0.2], [-0.1, 0.4]], [[0.1, 0.0], [0.2, -0.2]]])
    ma, S, const = np.array([[[0.3, 0.1], [0.0, -0.4]]]), np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([1.0, -2.0])
    model = rd.VARMA(ar, ma, S, const=const)
    y = model.simulate(80, rng=rng)
    y[rng.random(y.shape) < 0.2] = np.nan
    y[30:32] = np.nan
    theirs = varmax.VARMAX(y, order=(2, 1), trend="c")
    theirs.ssm.tolerance = 0
    stacked = [const, ar.transpose(1, 0, 2), ma.transpose(1, 0, 2), np.linalg.cholesky(S)[np.tril_indices(2)]]
    wanted = theirs.loglike(np.concatenate([np.ravel(part) for part in stacked]))
    assert model.loglik(y) == pytest.approx(wanted, rel=1e-10)
    assert rd.kalman_filter(model.to_rnn(), y).loglik == pytest.approx(wanted, rel=1e-10)


def test_statsmodels_of_one_series(rng):
    process = pytest.importorskip("statsmodels.tsa.arima_process")
    ar, ma = np.array([0.9, -0.5]), np.array([0.4, 0.3, -0.2])
    model = rd.VARMA(ar[:, None, None], ma[:, None, None], [[2.0]])
    theirs = process.ArmaProcess.from_coeffs(ar, ma)
    np.testing.assert_allclose(model.psi(20).ravel(), theirs.arma2ma(21), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(model.autocovariance(9).ravel(), theirs.acovf(10) * 2, rtol=1e-10)
    np.testing.assert_allclose(np.sort_complex(1 / model.ar_eigenvalues), np.sort_complex(theirs.arroots), rtol=1e-10)
    np.testing.assert_allclose(np.sort_complex(1 / model.ma_eigenvalues), np.sort_complex(theirs.maroots), rtol=1e-10)


# ---- to a network ------------------------------------------------------------------------------------------------
def inside(coefficients):
    """Lag i times s^i, so that the eigenvalues have modulus 0.9 at most."""
    largest = np.abs(rd.VARMA(coefficients, None, np.eye(coefficients.shape[1])).ar_eigenvalues).max(initial=0.9)
    return coefficients * ((0.9 / largest) ** np.arange(1, len(coefficients) + 1))[:, None, None]


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
@examples(50)
def test_there_and_back(seed, O, p, q, r):
    rng = np.random.default_rng(seed)
    ar, ma = inside(rng.standard_normal((p, O, O))), -inside(rng.standard_normal((q, O, O)))
    exog = rng.standard_normal((r, O, 2 if r else 0))
    model = rd.VARMA(ar, ma, covariance(rng, O) + np.eye(O), exog=exog, const=rng.standard_normal(O))
    net = model.to_rnn()
    assert net.hidden_size == O * max(p, q + 1, r)
    again = rd.to_varma(net)
    np.testing.assert_allclose(again.psi(20), model.psi(20), atol=1e-9)
    np.testing.assert_allclose(again.input_response(20), model.input_response(20), atol=1e-9)
    np.testing.assert_allclose(again.noise_cov, model.noise_cov, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(again.mean, model.mean, rtol=1e-9, atol=1e-9)
    y, x = data(rng, 12, O), rng.standard_normal((12, 2)) if r else None
    assert again.loglik(y, x) == pytest.approx(model.loglik(y, x), rel=1e-8, abs=1e-8)


def test_simulated_sequences_have_the_mean_and_covariances(rng):
    model = rd.VARMA([[[0.6]]], [[[0.5]]], [[1.0]], exog=[[[2.0]]], const=[1.0])
    y = model.simulate(200, batch=400, inputs=np.ones((200, 1)), rng=rng)[:, 50:, 0]
    mean, wanted = 3 / 0.4, model.autocovariance(2).ravel()
    n = 150 * 400 * 0.25  # about four correlated steps count as one
    assert abs(y.mean() - mean) < 5 * np.sqrt(wanted[0] / n)
    for k in range(3):
        found = ((y[:, k:] - mean) * (y[:, : 150 - k] - mean)).mean()
        assert abs(found - wanted[k]) < 5 * np.sqrt(2 / n) * wanted[0]
    start = model.simulate(1, batch=20_000, inputs=np.zeros((1, 1)), rng=rng)
    assert start.var() == pytest.approx(wanted[0], rel=0.05) and start.mean() == pytest.approx(2.5, abs=0.1)
    assert np.array_equal(
        model.simulate(5, inputs=np.ones((5, 1)), rng=1), model.simulate(5, inputs=np.ones((5, 1)), rng=1)
    )


def test_a_network_simulates_as_its_varma(rng):
    net = system(rng, 2, 1, 1)
    ds = rd.simulate(net, 3000, inputs=np.zeros((3000, 1)), batch=4, rng=0)
    wanted = rd.to_varma(net).autocovariance(0)[0, 0, 0]
    assert ds.output.dims == ("batch", "time", "output") and ds.output.var() == pytest.approx(wanted, rel=0.15)
    residual = ds.hidden[:, 1:].values - ds.hidden[:, :-1].values @ net.W_hh.T - net.b_h
    np.testing.assert_allclose(np.cov(residual.reshape(-1, 2).T), net.process_noise, rtol=0.1, atol=0.02)


# ---- what is refused ---------------------------------------------------------------------------------------------
NOISE = {"process_noise": [[1.0]], "observation_noise": [[1.0]]}


@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        (rd.Linear(None, [[1.01]], W_hy=[[1.0]], **NOISE), {}, "spectral radius 1.01, not below 1"),
        (rd.Linear(None, [[0.5]], W_hy=[[1], [2]], process_noise=[[1.0]]), {}, "too little noise for its 2 outputs"),
        (rd.Linear(None, [[0.5]], W_hy=[[1.0]]), {}, "too little noise"),
        (rd.Linear(None, [[0.5]], W_hy=[[1.0]], **NOISE), {"method": "best"}, "method is 'best'"),
    ],
)
def test_wrong_networks_are_refused(net, options, message):
    with pytest.raises(ValueError, match=message):
        rd.to_varma(net, **options)


def test_inputs_are_given_where_there_are_any_and_only_there():
    net = rd.Linear([[1.0]], [[0.5]], W_hy=[[1.0]], **NOISE)
    for call in (
        lambda: rd.simulate(net, 3),
        lambda: rd.to_varma(net).simulate(3),
        lambda: rd.to_varma(net).loglik([1.0]),
    ):
        with pytest.raises(ValueError, match="inputs is missing: the network has 1 inputs"):
            call()
    with pytest.raises(ValueError, match="inputs has shape .time=3, input=1., wanted .time=3, input=0."):
        rd.simulate(rd.Linear(None, [[0.5]], W_hy=[[1.0]], **NOISE), 3, inputs=np.ones((3, 1)))
    with pytest.raises(ValueError, match="spectral radius 2"):
        rd.simulate(rd.Linear(None, [[2.0]], **NOISE), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[[0.5, 0.1]]], None, [[1.0]]), "ar has shape"),
        (([[[0.5]]], None, [[-1.0]]), "noise_cov has the eigenvalue"),
        (([[[np.nan]]], None, [[1.0]]), "ar holds nan"),
        ((None, None, [[1.0, 0.5], [0.0, 1.0]]), "noise_cov is not symmetric"),
    ],
)
def test_wrong_coefficients_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.VARMA(*arguments)


def test_what_is_not_stationary_has_weights_but_no_law():
    walk = rd.VARMA([[[1.0]]], None, [[1.0]])
    assert walk.psi(3).ravel().tolist() == [1, 1, 1, 1]
    for law in (
        lambda: walk.loglik([1.0]),
        lambda: walk.autocovariance(1),
        lambda: walk.simulate(3),
        lambda: walk.mean,
    ):
        with pytest.raises(ValueError, match="ar has an eigenvalue of modulus 1, not below 1"):
            law()


def test_a_singular_noise_has_no_likelihood():
    with pytest.raises(ValueError, match="without error"):
        rd.VARMA(None, None, np.zeros((1, 1))).loglik([1.0])


@pytest.mark.parametrize("gaps", [(1e-6, 3e-6), (2e-7, 6e-7)], ids=["ill-conditioned", "singular"])
def test_a_form_that_rounding_changes_is_refused(gaps):
    """Two roots within 1e-6 of 1: the coefficients, as rounded, do not say what the variance is."""
    poly = -np.poly(1 - np.array(gaps))[1:]
    model = rd.VARMA(poly[:, None, None], None, [[1.0]])
    with pytest.raises(ValueError, match="too near to 1 for this form"):
        model.autocovariance(0)


def test_a_very_slow_process_takes_another_way():
    near = rd.VARMA([[[1 - 1e-8]]], None, [[1.0]])
    assert near.autocovariance(0).item() == pytest.approx(1 / (1 - (1 - 1e-8) ** 2), rel=1e-7)
