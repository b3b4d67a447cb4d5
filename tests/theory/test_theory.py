"""Theory against published numbers, other programs, limits in which two theories meet, and networks."""

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

import rnndyn as rd
from rnndyn.theory import gru_at_rest, leaky_at_rest, lstm_at_rest, mean_field
from rnndyn.theory.correlation import flow_correlation, slopes
from rnndyn.theory.gaussian import grid, powers
from rnndyn.theory.leaky import leaky_correlation
from rnndyn.theory.rest import overlap


# ---- random matrices -------------------------------------------------------------------------------------------------
def test_newmans_law_against_mpmath():
    for n in (1, 2, 7):
        exact = [(mpmath.log(2 * 1.7**2) + mpmath.digamma(mpmath.mpf(n - i) / 2)) / 2 for i in range(n)]
        found = rd.theory.random_matrix_exponents(n, scale=1.7)
        assert np.abs(found - np.array(exact, float)).max() < 1e-14
        variance = [mpmath.psi(1, mpmath.mpf(n - i) / 2) / 4 for i in range(n)]
        assert np.abs(rd.theory.random_matrix_variances(n) - np.array(variance, float)).max() < 1e-13
    assert rd.theory.random_matrix_exponents(4)[[2, 3]].round(7).tolist() == [0.0579658, -0.6351814]
    assert rd.theory.random_matrix_exponents(9, 2).shape == (2,)


def test_complex_matrices_by_their_qr(rng):
    n, draws = 3, 4000
    Z = (rng.standard_normal((draws, n, n)) + 1j * rng.standard_normal((draws, n, n))) / np.sqrt(2)
    logs = np.log(np.abs(np.einsum("tii->ti", np.linalg.qr(Z)[1])))
    variance = rd.theory.random_matrix_variances(n, ensemble="complex")
    z = (logs.mean(axis=0) - rd.theory.random_matrix_exponents(n, ensemble="complex")) / np.sqrt(variance / draws)
    assert np.abs(z).max() < 4 and np.abs(logs.var(axis=0) / variance - 1).max() < 0.15


def test_many_units_follow_the_circular_law():
    found = rd.theory.random_matrix_exponents(2000, scale=1.5 / np.sqrt(2000))
    assert np.abs(leaky_at_rest().below(found[:1800], 1.5) - (1 - (np.arange(1800) + 0.5) / 2000)).max() < 1e-3


# ---- mean field, published values ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "gain, connectivity, q, slope, exponent, unstable, entropy, dimension, mean",
    [
        (2, "gaussian", 2.121474, 0.340668, 0.154724, 0.1335, 0.010683, 0.2576, -1.14902),
        (2, "orthogonal", 2.121474, 0.340668, 0.154724, 0.2245, 0.018713, 0.4163, -0.64902),
        (3, "gaussian", 6.305391, 0.206651, 0.310249, 0.1530, 0.025196, 0.2877, -2.27281),
        (3, "orthogonal", 6.305391, 0.206651, 0.310249, 0.1950, 0.033138, 0.3566, -1.77281),
    ],
)
def test_networks_without_leak(gain, connectivity, q, slope, exponent, unstable, entropy, dimension, mean):
    theory = mean_field(gain, connectivity=connectivity)
    found = theory.variance, theory.slope, theory.exponent, theory.entropy_rate, theory.mean_exponent
    assert np.abs(np.subtract(found, (q, slope, exponent, entropy, mean))).max() < 6e-6
    assert abs(theory.unstable - unstable) < 5e-4 and abs(theory.dimension - dimension) < 1e-4
    assert theory.exponent_error < 1e-12 and theory.spectrum_error < 2e-5
    y = (np.arange(4000) + 0.5) / 4000
    assert abs(theory.spectrum(y).mean() - mean) < 1e-3 and abs(theory.spectrum(1e-8) - exponent) < 1e-6


def test_noise_moves_the_transition():
    assert mean_field(1.0, noise=0.1).critical_gain == pytest.approx(1.1934, abs=5e-5)
    assert mean_field(1.0, noise=1.0).critical_gain == pytest.approx(1.8556, abs=5e-5)
    critical = mean_field(1.0, noise=0.5).critical_gain
    assert abs(mean_field(critical, noise=0.5).exponent) < 1e-11
    assert mean_field(0.9, noise=0.5).exponent < 0 and mean_field(0.9, noise=0.5).variance > 0.25


@pytest.mark.parametrize(
    ("gain", "q", "exponent"), [(1.5, 0.74769, 0.04675), (2, 1.92481, 0.11246), (3, 5.44633, 0.23546)]
)
def test_continuous_time(gain, q, exponent):
    theory = mean_field(gain, alpha=0)
    assert abs(theory.variance - q) < 6e-6 and abs(theory.exponent - exponent) < 6e-6
    assert theory.exponent_error < 1e-6


@pytest.mark.parametrize(("alpha", "exponent"), [(0.5, 0.21612), (0.25, 0.22540)])
def test_leaky_networks(alpha, exponent):
    theory = mean_field(3.0, alpha=alpha)
    assert abs(theory.exponent / alpha - exponent) < 6e-6 and theory.exponent_error < 1e-6


# ---- mean field, identities ------------------------------------------------------------------------------------------
def test_below_the_transition_networks_are_at_rest():
    y = np.array([0.0, 0.3, 0.9])
    assert np.allclose(mean_field(0.7).spectrum(y), np.log(0.7) + 0.5 * np.log(1 - y), atol=1e-14)
    assert np.allclose(mean_field(0.7, connectivity="orthogonal").spectrum(y), np.log(0.7), atol=1e-14)
    assert mean_field(0.7, alpha=0.25).exponent == pytest.approx(np.log(1 - 0.25 + 0.25 * 0.7), abs=1e-14)
    assert mean_field(0.7, alpha=0).exponent == pytest.approx(-0.3, abs=1e-14)


def test_correlations_obey_their_equations():
    gain, alpha = 2.0, 0.5
    c = leaky_correlation(gain, alpha)
    n, D, b = np.arange(len(c.powers)), c.covariance, 1 - alpha
    force = alpha**2 * gain**2 * ((D[:, None] / c.variance) ** n @ c.powers)
    left = (1 + b**2) * D[1:-1] - b * (D[2:] + D[:-2]) - force[1:-1]
    assert np.abs(left).max() < 1e-12 * c.variance and 0 < D[-1] < 1e-5 * c.variance
    flow = flow_correlation(gain, 0.05)
    second = np.diff(flow.covariance, 2) / 0.05**2
    wanted = flow.covariance - gain**2 * (
        (flow.covariance[:, None] / flow.variance) ** np.arange(len(flow.powers)) @ flow.powers
    )
    assert np.abs(second - wanted[1:-1]).max() < 1e-3  # differences: 0.05^2 / 12 times the fourth derivative
    assert abs(slopes(flow)[0] - mean_field(gain, alpha=0).slope) < 1e-10


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.97, 1.0])
def test_hermite_sums_are_averages_of_two_gaussians(rho):
    q = 2.3
    x, weight = grid(q)

    def inner(z):
        return weight @ np.tanh(rho * z + np.sqrt(1 - rho**2) * x)

    wanted = weight[::4] @ [np.tanh(z) * inner(z) for z in x[::4]] * 4
    p = powers(q)
    assert abs(p @ rho ** np.arange(len(p)) - wanted) < 1e-12


def test_averages_of_one_gaussian_against_adaptive_quadrature():
    for q in (0.1, 5.0, 400.0):
        x, weight = grid(q)
        wanted = quad(
            lambda z, q=q: np.tanh(np.sqrt(q) * z) ** 2 * np.exp(-z * z / 2), -9, 9, points=[0], epsabs=1e-13, limit=400
        )
        assert abs(weight @ np.tanh(x) ** 2 - wanted[0] / np.sqrt(2 * np.pi)) < 1e-12


# ---- networks at rest ------------------------------------------------------------------------------------------------
def log_moduli(net):
    with np.errstate(divide="ignore"):
        values = np.log(np.abs(np.linalg.eigvals(rd.jacobian(net, np.zeros(net.state_size)))))
    return np.sort(values)[::-1]


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("update", ["keep", "write"])
def test_gru_at_rest(reset, update, rng):
    H, b_r, b_z = 6, 0.7, -0.4
    W_hh, b_h = rng.standard_normal((3 * H, H)), np.repeat([b_r, b_z, 0.0], H)
    net = rd.GRU(None, W_hh, b_h, reset=reset, update=update)
    found = gru_at_rest(b_r, b_z, update=update).exponents(np.linalg.eigvals(W_hh[2 * H :]))
    assert np.abs(found - log_moduli(net)).max() < 1e-12


def test_lstm_and_leaky_at_rest(rng):
    H = 5
    W_hh, b_h = rng.standard_normal((4 * H, H)), np.repeat([0.3, 1.0, 0.0, -0.2], H)
    found = lstm_at_rest(0.3, 1.0, -0.2).exponents(np.linalg.eigvals(W_hh[2 * H : 3 * H]))
    measured = log_moduli(rd.LSTM(None, W_hh, b_h))
    assert np.abs(found[:H] - measured[:H]).max() < 1e-12
    assert np.isneginf(found[H:]).all() and (measured[H:] < -20).all()
    W = rng.standard_normal((H, H))
    for form in ("rate", "voltage"):
        leaky = leaky_at_rest(0.2).exponents(np.linalg.eigvals(W))
        assert np.abs(leaky - log_moduli(rd.Leaky(None, W, alpha=0.2, form=form))).max() < 1e-12


def test_critical_gains():
    gains = [gru_at_rest().critical_gain, gru_at_rest(b_r=1.0).critical_gain]
    gains += [lstm_at_rest(b_f=b).critical_gain for b in (0.0, 1.0, 2.0)]
    assert np.abs(np.array(gains) - [2, 1.3679, 2, 1.07577, 0.4768]).max() < 5e-5


def test_shared_areas_of_disks(rng):
    points = rng.uniform(-3, 3, (400_000, 2))
    for r, R, d in ((1.0, 1.5, 1.2), (0.5, 2.0, 1.0), (2.0, 0.5, 2.2), (1.0, 1.0, 2.5), (1.0, 2.0, 0.0)):
        both = (np.linalg.norm(points, axis=1) < R) & (np.linalg.norm(points - [d, 0], axis=1) < r)
        assert abs(overlap(r, R, d) - 36 * both.mean()) < 0.08  # some 5 standard errors
    density = leaky_at_rest(0.3).below(np.array([-5.0, -0.3, 3.0]), 1.2)
    assert (np.diff(density) > 0).all() and density[-1] == pytest.approx(1, abs=1e-12)


# ---- bad input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call, words",
    [
        (lambda t: t.random_matrix_exponents(0), "n is 0"),
        (lambda t: t.random_matrix_exponents(3, 4), "k is 4"),
        (lambda t: t.random_matrix_exponents(3, scale=0.0), "scale"),
        (lambda t: t.random_matrix_exponents(3, scale=np.inf), "scale"),
        (lambda t: t.random_matrix_exponents(3, ensemble="p-adic"), "ensemble"),
        (lambda t: t.mean_field(-1.0), "gain"),
        (lambda t: t.mean_field(np.nan), "gain"),
        (lambda t: t.mean_field(60.0), "stated errors"),
        (lambda t: t.mean_field(20.0, alpha=0.5), "stated errors"),
        (lambda t: t.mean_field(1.0001, alpha=0.1), "stated errors"),
        (lambda t: t.mean_field(2.0, alpha=1.5), "alpha"),
        (lambda t: t.mean_field(2.0, noise=-0.1), "noise"),
        (lambda t: t.mean_field(2.0, alpha=0.0, noise=0.1), "averages out"),
        (lambda t: t.mean_field(5.0, alpha=0.5, noise=5.0), "stated errors"),
        (lambda t: t.mean_field(1.0, alpha=0.001, noise=0.01), "too many steps"),
        (lambda t: t.mean_field(1.0, alpha=0.9, noise=1e-7), "too many steps"),
        (lambda t: t.mean_field(2.0, alpha=0.5, noise=0.1).spectrum(0.5), "unless at rest"),
        (lambda t: t.mean_field(2.0, connectivity="sparse"), "connectivity"),
        (lambda t: t.mean_field(2.0, alpha=0.0).spectrum(0.5), "alpha"),
        (lambda t: t.mean_field(2.0).spectrum(1.5), "fraction"),
        (lambda t: t.gru_at_rest(update="forget"), "update"),
    ],
)
def test_what_is_not_known_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(rd.theory)
