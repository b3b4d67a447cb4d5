"""The Kalman filter and smoother against the joint Gaussian law, other programs, closed forms and each other."""

import naive
import numpy as np
import pytest
from cases import bits, examples
from hypothesis import given
from hypothesis import strategies as st
from linear_systems import covariance, data, joint, system

import rnndyn as rd
from rnndyn.equivalence.linear.state_space import factor, innovations, state_space, stationary

compiled = pytest.mark.compiled


# ---- other programs and closed forms -----------------------------------------------------------------------------
def reference(net, y, x=None, mean=None, cov=None):
    """The smoother of statsmodels; without `cov` an exactly diffuse start."""
    from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother

    n, O = net.hidden_size, net.output_size
    model = KalmanSmoother(k_endog=O, k_states=n, k_posdef=n)
    model.tolerance = 0  # no shortcut to a steady state
    model.bind(np.ascontiguousarray(y))
    model["design"], model["transition"], model["selection"] = net.W_hy, net.W_hh, np.eye(n)
    model["state_cov"], model["obs_cov"], model["obs_intercept"] = net.process_noise, net.observation_noise, net.b_y
    drive = np.tile(net.b_h, (len(y), 1)) if x is None else net.b_h + x @ net.W_xh.T
    model["state_intercept"] = np.roll(drive, -1, axis=0).T  # theirs acts one step later
    if cov is None:
        model.initialize_diffuse()
    else:
        model.initialize_known(mean if x is None else mean + net.W_xh @ x[0], cov)
    return model.smooth()


@pytest.mark.parametrize("seed", range(4))
def test_statsmodels(seed):
    rng = np.random.default_rng(seed)
    net = system(rng, n=seed + 1, O=1 + seed % 3, I=2)
    y, x = data(rng, 60, net.output_size), rng.standard_normal((60, 2))
    y[20:23] = np.nan
    mean, cov = rng.standard_normal(seed + 1), covariance(rng, seed + 1)
    theirs = reference(net, y, x, mean, cov)
    ours = rd.rts_smoother(net, y, inputs=x, initial_mean=mean, initial_cov=cov)
    assert ours.loglik == pytest.approx(theirs.llf, rel=1e-12)
    for name in ("predicted", "filtered", "smoothed"):
        state, P = getattr(theirs, f"{name}_state").T[:60], getattr(theirs, f"{name}_state_cov").transpose(2, 0, 1)[:60]
        np.testing.assert_allclose(ours[f"{name}_mean"], state, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(ours[f"{name}_cov"], P, rtol=1e-10, atol=1e-11)


@pytest.mark.filterwarnings("ignore:The univariate filtering approach")
@pytest.mark.parametrize("radius", [0.9, 1.2])
@pytest.mark.parametrize("noisy", [True, False], ids=["noise", "no read-out noise"])
def test_a_diffuse_start_is_that_of_statsmodels(radius, noisy, rng):
    for n, O in ((4, 1), (5, 2), (2, 2)):
        net = system(rng, n, O, radius=radius)
        net = net if noisy else net.replace(observation_noise=None)
        y = data(rng, 40, O, missing=0)
        theirs = reference(net.replace(observation_noise=np.zeros((O, O))) if not noisy else net, y)
        ours = rd.rts_smoother(net, y, initial_cov="diffuse")
        assert ours.loglik == pytest.approx(theirs.llf, rel=1e-11)
        unknown = np.isinf(ours.predicted_cov.values).any(axis=(1, 2))
        assert unknown.sum() == theirs.nobs_diffuse and unknown[0]
        assert np.isfinite(ours.smoothed_cov).all()
        np.testing.assert_allclose(ours.smoothed_mean, theirs.smoothed_state.T, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(
            ours.smoothed_cov, theirs.smoothed_state_cov.transpose(2, 0, 1), rtol=1e-7, atol=1e-9
        )
        if not noisy and O == n:  # the first output says all
            assert np.isfinite(ours.filtered_cov).all()


def test_a_diffuse_start_is_the_limit_of_large_variances(rng):
    net = system(rng, 3, 2)
    y = data(rng, 30, 2, missing=0.3)
    exact = rd.rts_smoother(net, y, initial_cov="diffuse")
    near = rd.rts_smoother(net, y, initial_mean=np.zeros(3), initial_cov=1e9 * np.eye(3))
    np.testing.assert_allclose(near.smoothed_mean, exact.smoothed_mean, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(near.smoothed_cov, exact.smoothed_cov, rtol=1e-6, atol=1e-7)
    assert near.loglik + 1.5 * np.log(1e9) == pytest.approx(exact.loglik.item(), abs=1e-6)


def test_what_no_output_shows_stays_diffuse():
    net = rd.Linear(
        None, [[0.5, 0.0], [0.0, 1.1]], W_hy=[[1.0, 0.0]], process_noise=np.eye(2), observation_noise=[[1.0]]
    )
    ds = rd.rts_smoother(net, [0.1, 0.2, 0.3], initial_cov="diffuse")
    assert np.isinf(ds.smoothed_cov[:, 1, 1]).all() and np.isfinite(ds.smoothed_cov[:, 0]).all()
    alone = rd.rts_smoother(
        rd.Linear(None, [[0.5]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[1.0]]),
        [0.1, 0.2, 0.3],
        initial_cov="diffuse",
    )
    np.testing.assert_allclose(ds.smoothed_cov[:, 0, 0], alone.smoothed_cov[:, 0, 0], rtol=1e-14)
    assert ds.loglik == pytest.approx(alone.loglik.item(), rel=1e-14)


def test_a_scalar_state_has_the_closed_forms():
    a, q, r, T = 0.8, 0.3, 0.7, 400
    net = rd.Linear(None, [[a]], W_hy=[[1.0]], process_noise=[[q]], observation_noise=[[r]])
    middle = rd.rts_smoother(net, np.zeros(T)).isel(time=T // 2)
    gap = r * (1 - a * a) - q
    P = (-gap + np.sqrt(gap**2 + 4 * q * r)) / 2
    smoothed = q * r / np.sqrt((q + r * (1 + a * a)) ** 2 - 4 * r * r * a * a)
    found = [middle[f"{name}_cov"].item() for name in ("predicted", "filtered", "smoothed")]
    assert found == pytest.approx([P, P * r / (P + r), smoothed], rel=1e-14)


# ---- the joint Gaussian law --------------------------------------------------------------------------------------
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 12))
@examples(60)
def test_the_joint_law(seed, n, O, I, T):
    rng = np.random.default_rng(seed)
    net = system(rng, n, O, I, radius=rng.uniform(0.1, 0.99))
    y, x = data(rng, T, O, missing=rng.uniform(0, 0.6)), rng.standard_normal((T, I))
    loglik, mean, cov = joint(net, y, x)
    ds = rd.rts_smoother(net, y, inputs=x if I else None)
    assert ds.loglik == pytest.approx(loglik, rel=1e-9, abs=1e-9)
    scale = np.abs(mean).max() + np.abs(cov).max()
    np.testing.assert_allclose(ds.smoothed_mean, mean, atol=1e-9 * scale)
    np.testing.assert_allclose(ds.smoothed_cov, cov, atol=1e-9 * scale)
    gain = np.linalg.eigvalsh(ds.filtered_cov.values - ds.smoothed_cov.values)
    assert gain.min() > -1e-13 * scale  # knowing more never hurts
    assert bits(ds.smoothed_mean[-1], ds.smoothed_cov[-1]) == bits(ds.filtered_mean[-1], ds.filtered_cov[-1])


def test_a_long_run_at_rest_is_that_of_every_step(rng):
    """The covariances stop to be computed once they are at rest; the equations as printed never stop."""
    net = system(rng, 4, 2, radius=0.99)
    y = data(rng, 600, 2, missing=0)
    y[300] = np.nan  # wakes them
    ds = rd.kalman_filter(net, y)
    model = state_space(net)
    m, P = stationary(model)
    for t in range(600):
        np.testing.assert_allclose(ds.predicted_cov[t], P, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ds.predicted_mean[t], m, rtol=1e-9, atol=1e-10)
        if np.isnan(y[t, 0]):
            m, P = model.A @ m + model.b, model.A @ P @ model.A.T + model.Q
        else:
            _, _, m, P = naive.kalman_step(m, P, y[t] - model.c, model.A, model.V, model.Q, model.R, model.b)
    from rnndyn.equivalence.linear import filtering, kalman

    start = kalman.as_start(model, None, None, 1)
    assert filtering.gains(model, start, y[None], smoothing=False).step.max() < 300  # most steps were at rest


@compiled
def test_ill_conditioned_noise_against_fifty_digits():
    """Variances from 1e-10 to 1e8: the usual form loses half of its digits or all, the square root keeps them."""
    mp = pytest.importorskip("mpmath")
    mp.mp.dps = 60
    A = np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    V, P1 = np.array([[1.0, 0.0, 0.0], [1.0, 1e-6, 0.0]]), 1e8 * np.eye(3)
    Q, R = np.diag([0.0, 0.0, 1e-8]), 1e-10 * np.eye(2)
    y = np.sin(np.arange(40)[:, None] / 7) + 1e-5 * np.array([0.0, 1.0])
    net = rd.Linear(None, A, W_hy=V, process_noise=Q, observation_noise=R)
    ds = rd.rts_smoother(net, y, initial_cov=P1)
    a, v, q, r, P, m = (mp.matrix(M.tolist()) for M in (A, V, Q, R, P1, np.zeros((3, 1))))
    kept, loglik = [], mp.mpf(0)
    for t in range(40):
        S = v * P * v.T + r
        K, e = P * v.T * S**-1, mp.matrix(y[t].tolist()) - v * m
        loglik -= (2 * mp.log(2 * mp.pi) + mp.log(mp.det(S)) + (e.T * S**-1 * e)[0]) / 2
        mf, Pf = m + K * e, P - K * S * K.T
        m, P = a * mf, a * Pf * a.T + q
        kept.append((mf, Pf, m, P))
    assert abs(ds.loglik.item() / float(loglik) - 1) < 1e-7  # 1e-8 found; innovations are 1e-5 of y
    usual = P1
    for _ in range(5):
        _, filtered, _, usual = naive.kalman_step(np.zeros(3), usual, np.zeros(2), A, V, Q, R, 0)
    assert np.linalg.eigvalsh(filtered).min() < 0
    ms, Ps = kept[-1][:2]
    for t in range(38, -1, -1):
        mf, Pf, mp_, Pp = kept[t]
        J = Pf * a.T * Pp**-1
        ms, Ps = mf + J * (ms - mp_), Pf + J * (Ps - Pp) * J.T
        got, exact = ds.smoothed_cov[t].values, np.array(Ps.tolist(), float)
        scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
        assert np.abs((got - exact) / scale).max() < 1e-6
        assert np.linalg.eigvalsh(got / scale).min() > 0


def test_the_steady_filter_is_where_the_covariances_end(rng):
    for n, O in ((1, 1), (3, 2), (2, 4), (6, 1)):
        net = system(rng, n, O)
        steady = innovations(state_space(net))
        ds = rd.kalman_filter(net, np.zeros((600, O)))
        np.testing.assert_allclose(ds.predicted_cov[-1], steady.P, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(ds.innovation_cov[-1], steady.S, rtol=1e-9, atol=1e-11)


# ---- shapes, batches, threads ------------------------------------------------------------------------------------
def test_a_batch_is_its_series(rng):
    net = system(rng, 3, 2, 1)
    y = np.stack([data(rng, 25, 2, missing=m) for m in (0, 0, 0.3, 1.0)])
    x = rng.standard_normal((4, 25, 1))
    mean = rng.standard_normal((4, 3))
    whole = rd.rts_smoother(net, y, inputs=x, initial_mean=mean)
    for k in range(4):
        one = rd.rts_smoother(net, y[k], inputs=x[k], initial_mean=mean[k])
        assert all(bits(whole[name][k]) == bits(one[name]) for name in one.data_vars)
    shared = rd.kalman_filter(net, y[:2], inputs=x[0])
    assert bits(shared.loglik[0]) == bits(rd.kalman_filter(net, y[0], inputs=x[0]).loglik)
    assert whole.loglik[3] == 0 and np.isnan(whole.innovation[3]).all()


@compiled
def test_threads_change_no_bit(rng):
    import numba

    net, y = system(rng, 5, 2), data(rng, 300, 2)[None] * np.ones((64, 1, 1))
    y[::2, 7] = np.nan
    before = numba.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            numba.set_num_threads(threads)
            ds = rd.rts_smoother(net, y)
            found.append(bits(*(ds[name] for name in ds.data_vars)))
    finally:
        numba.set_num_threads(before)
    assert found[0] == found[1]


def test_a_prediction_is_what_missing_values_leave(rng):
    net = system(rng, 2, 1, 1)
    x = rng.standard_normal((8, 1))
    ds = rd.kalman_filter(net, np.full(8, np.nan), inputs=x)
    h = np.linalg.solve(np.eye(2) - net.W_hh, net.b_h)
    np.testing.assert_allclose(ds.predicted_mean, rd.run(net, x, initial_state=h).state, rtol=1e-12)
    np.testing.assert_allclose(ds.predicted_cov, np.broadcast_to(ds.predicted_cov[0], (8, 2, 2)), rtol=1e-12)


def test_outputs_without_noise_are_known(rng):
    net = system(rng, 2, 2).replace(observation_noise=None)
    y = data(rng, 10, 2, missing=0)
    ds = rd.rts_smoother(net, y)
    np.testing.assert_allclose(ds.filtered_mean, np.linalg.solve(net.W_hy, (y - net.b_y).T).T, rtol=1e-9)
    assert np.abs(ds.smoothed_cov).max() < 1e-14


def test_a_state_without_noise_is_known_from_the_start():
    net = rd.Linear(None, [[0.5, 1.0], [0.0, 0.0]], W_hy=[[1.0, 0.0]], observation_noise=[[1.0]])
    ds = rd.rts_smoother(net, [1.0, -1.0, 2.0])
    assert not ds.smoothed_mean.any() and not ds.smoothed_cov.any()
    assert ds.loglik == pytest.approx(-1.5 * np.log(2 * np.pi) - 3.0)


def test_networks_without_read_out_and_in_single_precision(rng):
    net = rd.Linear(None, 0.5 * np.eye(2, dtype="float32"), process_noise=np.eye(2, dtype="float32"))
    y = rng.standard_normal((5, 2)).astype("float32")
    ds = rd.kalman_filter(net, y)
    assert ds.loglik.dtype == "float64" and ds.filtered_mean.dims == ("time", "state")
    wide = rd.kalman_filter(rd.Linear(None, 0.5 * np.eye(2), process_noise=np.eye(2)), y)
    assert bits(ds.loglik) == bits(wide.loglik)


def test_no_steps_and_no_series():
    net = rd.Linear(None, [[0.5]], W_hy=[[1.0]], process_noise=[[1.0]])
    assert rd.rts_smoother(net, np.zeros((0, 1))).loglik == 0
    assert rd.rts_smoother(net, np.zeros((0, 4, 1))).smoothed_cov.shape == (0, 4, 1, 1)


def test_an_unstable_network_may_overflow():
    net = rd.Linear(None, [[1e200]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[1.0]])
    ds = rd.kalman_filter(net, [np.nan] * 3 + [1.0], initial_mean=[1e100], initial_cov=[[1.0]])
    assert ds.status == 2


def test_units_of_the_state_do_not_matter(rng):
    net, units = system(rng, 3, 2), np.array([1e-8, 1.0, 1e7])
    arrays = {"W_hh": net.W_hh * units[:, None] / units, "b_h": net.b_h * units, "W_hy": net.W_hy / units}
    other = net.replace(process_noise=net.process_noise * np.outer(units, units), **arrays)
    y = data(rng, 30, 2)
    assert rd.kalman_filter(other, y).loglik == pytest.approx(rd.kalman_filter(net, y).loglik.item(), rel=1e-12)
    assert rd.to_varma(other).conversion.psi_error < 1e-12


def test_factors_keep_small_variances():
    P = np.array([[1e-20, 0.0, 0.0], [0.0, 1e12, 1e11], [0.0, 1e11, 1e10]])
    F = factor(P)
    assert F.shape == (3, 2)
    np.testing.assert_allclose(F @ F.T, P, rtol=1e-14)


# ---- what is refused ---------------------------------------------------------------------------------------------
ONE = {"W_hy": [[1.0]], "process_noise": [[1.0]], "observation_noise": [[1.0]]}


@pytest.mark.parametrize(
    ("net", "arguments", "message"),
    [
        (rd.Linear(None, [[1.0]], **ONE), {}, "linear has spectral radius 1, not below 1"),
        (rd.Linear(None, [[0.5]], **ONE), {"y": [1.0, np.inf]}, "y holds inf"),
        (rd.Linear(None, [[0.5]], **ONE), {"y": np.zeros((3, 2))}, "y has shape"),
        (rd.Linear(None, [[0.5]], **ONE), {"initial_cov": "flat"}, "initial_cov is 'flat'"),
        (rd.Linear(None, [[0.5]], **ONE), {"initial_cov": [[-1.0]]}, "initial_cov has the eigenvalue -1"),
        (rd.Linear(None, [[0.5]], **ONE), {"initial_mean": [1.0, 2.0]}, "initial_mean has shape"),
        (rd.Linear([[1.0]], [[0.5]], **ONE), {}, "inputs is missing: the network has 1 inputs"),
        (rd.Linear([[1.0]], [[0.5]], **ONE), {"inputs": np.zeros((2, 1))}, "inputs has shape"),
        (
            rd.Linear(None, [[0.5]], W_hy=[[1.0], [2.0]], process_noise=[[1.0]]),
            {"y": np.zeros((3, 2))},
            "without error",
        ),
        (rd.Linear(None, [[0.5]], W_hy=[[1.0]]), {}, "without error at time 1"),
    ],
)
def test_wrong_arguments_are_refused(net, arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.kalman_filter(net, **({"y": np.zeros(3)} | arguments))


def test_other_networks_are_refused():
    with pytest.raises(TypeError, match=r"linear is a Elman: a rnndyn\.Linear is wanted"):
        rd.kalman_filter(rd.Elman(None, [[0.5]]), [1.0])
