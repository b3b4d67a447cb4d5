"""Fits of linear networks: the score, the maximum, its standard errors, and what they are where the answer is known."""

import numpy as np
import pytest
from linear_systems import data, system

import rnndyn as rd
from rnndyn.equivalence.linear.coordinates import pull_back, to_model, to_vector
from rnndyn.equivalence.linear.filtering import Series
from rnndyn.equivalence.linear.score import score
from rnndyn.equivalence.linear.state_space import state_space, stationary
from rnndyn.equivalence.linear.subspace import subspace

CASES = [
    (2, 1, 0, 12, 1, 0.0),
    (3, 2, 2, 30, 3, 0.3),
    (3, 2, 1, 400, 2, 0.0),
    (2, 3, 0, 1, 2, 0.0),
    (1, 1, 1, 40, 1, 1.0),
]


@pytest.mark.parametrize(("n", "O", "I", "T", "B", "missing"), CASES)
def test_the_score_is_the_derivative(n, O, I, T, B, missing, rng):
    """Central differences of the likelihood of the filter, a function of every array; their own error is some 1e-9."""
    net = system(rng, n, O, I)
    model = state_space(net)
    y = np.stack([data(rng, T, O, missing) for _ in range(B)])
    series = Series(y, rng.standard_normal((B, T, I)) if I else None)
    loglik, gradient = score(model, series)
    assert loglik == pytest.approx(rd.kalman_filter(net, y, inputs=series.x).loglik.sum().item(), rel=1e-12)
    for name, array in model._asdict().items():
        for k in range(array.size):
            step = np.zeros_like(array)
            step.flat[k] = 1e-5
            step = (step + step.T) / 2 if name in "QR" else step
            up, down = (score(model._replace(**{name: array + s * step}), series)[0] for s in (1, -1))
            wanted = getattr(gradient, name)
            assert (up - down) / 2e-5 == pytest.approx(wanted.flat[k], rel=1e-6, abs=1e-8 * (1 + abs(wanted).max()))


def test_a_singular_noise_has_a_score(rng):
    """Of rank one in the state, none in the outputs: no inverse of either is needed."""
    net = system(rng, 3, 1).replace(process_noise=np.outer([1.0, 0.5, -0.3], [1.0, 0.5, -0.3]), observation_noise=None)
    model, series = state_space(net), Series(data(rng, 30, 1, 0.1)[None], None)
    gradient = score(model, series)[1]
    for k in range(9):
        step = np.zeros((3, 3))
        step.flat[k] = 1e-6
        up, down = (score(model._replace(A=model.A + s * step), series)[0] for s in (1, -1))
        assert (up - down) / 2e-6 == pytest.approx(gradient.A.flat[k], rel=1e-5, abs=1e-5)


def test_coordinates_are_of_stable_networks(rng):
    """Any vector is one, with the identity as stationary covariance; the chain rule goes through."""
    sizes = 3, 2, 1
    vector = rng.standard_normal(2 * 9 + 3 + 6 + 2 + 3)
    model = to_model(vector, sizes)
    assert np.abs(np.linalg.eigvals(model.A)).max() < 1
    np.testing.assert_allclose(stationary(model)[1], np.eye(3), atol=1e-12)
    series = Series(data(rng, 20, 2)[None], rng.standard_normal((1, 20, 1)))
    slope = pull_back(vector, sizes, score(model, series)[1])
    for k in range(len(vector)):
        step = 1e-6 * np.eye(len(vector))[k]
        up, down = (score(to_model(vector + s * step, sizes), series)[0] for s in (1, -1))
        assert (up - down) / 2e-6 == pytest.approx(slope[k], rel=1e-5, abs=1e-5)
    again = to_model(to_vector(model), sizes)
    assert score(again, series)[0] == pytest.approx(score(model, series)[0], rel=1e-11)


def test_statsmodels_finds_the_same_maximum(rng):
    """One hidden unit and one output are an ARMA(1, 1) with a mean: four parameters, in both programs."""
    sarimax = pytest.importorskip("statsmodels.tsa.statespace.sarimax")
    true = rd.Linear(None, [[0.8]], [0.2], W_hy=[[1.5]], process_noise=[[0.4]], observation_noise=[[0.6]])
    y = rd.simulate(true, 1500, rng=3).output.values
    net = rd.fit_linear(y, 1, rng=0)
    theirs = sarimax.SARIMAX(y, order=(1, 0, 1), trend="c").fit(disp=False, cov_type="oim")
    assert rd.kalman_filter(net, y).loglik == pytest.approx(theirs.llf, abs=1e-4)
    errors = rd.standard_errors(net, y)
    assert errors.attrs["n_parameters"] == 4 and errors.score_norm < 1e-2 and errors.status == 0
    ours = [errors.modulus_stderr.item(), errors.innovation_cov_stderr.item()]
    np.testing.assert_allclose(ours, theirs.bse[[1, 3]], rtol=2e-2)  # theirs by other differences
    phi, theta = theirs.params[1:3]
    np.testing.assert_allclose(errors.psi[1:4, 0, 0], (phi + theta) * phi ** np.arange(3), rtol=1e-3)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("n", "O", "I", "T", "missing"), [(2, 1, 0, 3000, 0.0), (2, 2, 1, 500, 0.1), (3, 3, 0, 2000, 0.0)]
)
def test_simulated_systems_are_recovered(n, O, I, T, missing):
    rng = np.random.default_rng(n + O)
    true = system(rng, n, O, I)
    x = rng.standard_normal((T, I))
    y = rd.simulate(true, T, inputs=x if I else None, rng=5).output.values
    y[rng.random(y.shape) < missing] = np.nan
    x = x if I else None
    net = rd.fit_linear(y, n, inputs=x, rng=0)
    gain = rd.kalman_filter(net, y, inputs=x).loglik - rd.kalman_filter(true, y, inputs=x).loglik
    parameters = n * I + O * n + O + n * (n + 1) // 2 + O * (O + 1) // 2
    assert 0 < gain < 2 * parameters  # half a chi-square of as many degrees of freedom
    errors, exact = rd.standard_errors(net, y, inputs=x, lags=4), rd.to_varma(true)
    assert errors.status == 0 and errors.score_norm < 1e-2
    for name, wanted in (("psi", exact.psi(4)), ("innovation_cov", exact.noise_cov), ("output_mean", exact.mean)):
        distance = np.abs(errors[name] - wanted) / np.maximum(errors[f"{name}_stderr"], 1e-12)
        assert distance.values[1 if name == "psi" else 0 :].max() < 4, name
    if I:
        distance = np.abs(errors.input_response - exact.input_response(4)) / errors.input_response_stderr
        assert distance.max() < 4


def test_the_start_is_near_already(rng):
    true = system(rng, 2, 2)
    y = rd.simulate(true, 4000, rng=1).output.values
    scaled = (y - y.mean(axis=0)) / y.std(axis=0)
    start = subspace(Series(scaled[None], None), 2)
    found = np.sort_complex(np.linalg.eigvals(start.A))
    np.testing.assert_allclose(found, np.sort_complex(np.linalg.eigvals(true.W_hh)), atol=0.15)


def test_fits_are_reproducible_and_take_what_users_have(rng):
    y = rd.simulate(system(rng, 1, 1), 300, rng=1).output
    net = rd.fit_linear(y, 1, rng=0)
    assert net == rd.fit_linear(y.values[:, 0], 1, rng=0)  # DataArray, one axis
    narrow = rd.fit_linear(y.values.astype("float32"), 1, rng=0)
    assert rd.kalman_filter(narrow, y).loglik == pytest.approx(rd.kalman_filter(net, y).loglik.item(), abs=1e-2)
    scaled = rd.fit_linear(1e6 * y + 1e9, 1, rng=0)  # units do not matter
    shift = 300 * np.log(1e6)
    wanted = rd.kalman_filter(net, y).loglik.item() - shift
    assert rd.kalman_filter(scaled, 1e6 * y + 1e9).loglik == pytest.approx(wanted, abs=1e-3)


def test_a_search_cut_short_says_so(rng, caplog):
    y = rd.simulate(system(rng, 2, 1), 300, rng=1).output
    with caplog.at_level("WARNING", logger="rnndyn"):
        rd.fit_linear(y, 2, steps=1, starts=1, rng=0)
    assert "a search ended with a slope" in caplog.text


def test_away_from_a_maximum_there_are_no_errors(rng):
    y = 5 * rng.standard_normal((50, 1))
    net = rd.Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.01]], observation_noise=[[0.01]])
    ds = rd.standard_errors(net, y)
    assert ds.status == 7 and np.isnan(ds.psi_stderr).all()


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        (np.zeros((50, 1)), {}, "y is constant in output 0"),
        (np.full((50, 1), np.nan), {}, "y has no values of output 0"),
        (np.arange(8.0), {}, "y has 8 times: at least"),
        (np.arange(100.0)[:, None] % 7 * [1.0, 2.0], {}, "outputs that follow from one another"),
        (np.arange(50.0), {"hidden_size": 0}, "hidden_size is 0"),
        (np.arange(50.0), {"inputs": np.zeros((3, 1))}, "inputs has shape"),
        (np.arange(50.0), {"starts": 0}, "starts is 0"),
    ],
)
def test_wrong_data_are_refused(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.fit_linear(y, **({"hidden_size": 1} | arguments))


def test_errors_of_what_has_none_are_refused():
    with pytest.raises(ValueError, match="spectral radius 1"):
        rd.standard_errors(rd.Linear(None, [[1.0]], W_hy=[[1.0]], process_noise=[[1.0]]), np.zeros(9))
    quiet = rd.Linear(None, [[0.5]], W_hy=[[1.0]], observation_noise=[[1.0]])
    with pytest.raises(ValueError, match="process_noise leaves a mode without noise"):
        rd.standard_errors(quiet, np.zeros(9))
