"""Mean field with leak, noise and orthogonal weights: against simulated networks, and both limits of alpha."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnndyn as rd
from rnndyn.theory import mean_field
from rnndyn.theory.correlation import SMALL, flow_correlation
from rnndyn.theory.gaussian import STEP, grid
from rnndyn.theory.isotropic import NODES, mean_with_leak
from rnndyn.theory.leaky import leaky_correlation, leaky_exponent


# ---- simulated networks ----------------------------------------------------------------------------------------------
def simulated(gain, connectivity, noise, alpha, rng, size=400, networks=6, steps=1000, warmup=200):
    """Variance, largest exponent, mean exponent of networks in plain NumPy: (networks, 3)."""
    found = []
    for _ in range(networks):
        J = rd.Elman.random(size, gain=gain, recurrent=connectivity, rng=rng).W_hh
        x, v, squares, growth = rng.standard_normal(size), rng.standard_normal(size), [], []
        for _ in range(warmup + steps):
            v = (1 - alpha) * v + alpha * J @ (v / np.cosh(x) ** 2)
            x = (1 - alpha) * x + alpha * (J @ np.tanh(x) + noise * rng.standard_normal(size))
            growth.append(np.log(np.linalg.norm(v)))
            squares.append(x @ x / size)
            v /= np.linalg.norm(v)
        step = (1 - alpha) * np.eye(size) + alpha * J / np.cosh(x) ** 2
        mean = np.linalg.slogdet(step)[1] / size
        found.append((np.mean(squares[warmup:]), np.mean(growth[warmup:]), mean))
    return np.array(found)


@pytest.mark.parametrize(
    "gain, connectivity, noise, alpha",
    [
        (3.0, "orthogonal", 0.0, 0.5),
        (2.5, "gaussian", 1.5, 0.5),
        (1.5, "orthogonal", 1.0, 0.3),
        (0.7, "gaussian", 0.5, 0.8),
    ],
)
def test_wide_networks(gain, connectivity, noise, alpha, rng):
    theory = mean_field(gain, connectivity=connectivity, noise=noise, alpha=alpha)
    runs = simulated(gain, connectivity, noise, alpha, rng)
    wanted = theory.variance, theory.exponent, theory.mean_exponent
    off, error = runs.mean(axis=0) - wanted, runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    # Student's t of 5 degrees of freedom passes 5 in 0.4 % of cases. Finite size: 7 / N was published for N = 4096 and
    # alpha = 0.5, per time constant; of the mean of a logarithm of determinants it is some 1 / N.
    assert (np.abs(off) < 5 * error + np.array([5, 4, 2]) / 400).all()


def test_the_mean_exponent_of_a_published_simulation():
    """N = 4096, g = 3, alpha = 0.5: -1.320546 nats per time constant; 1 / N is 0.00024."""
    theory = mean_field(3.0, alpha=0.5)
    assert abs(theory.mean_exponent / 0.5 + 1.320546) < 2 / 4096


# ---- the equations ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gain, alpha, noise", [(2.0, 0.5, 0.0), (2.0, 0.05, 1.0), (0.8, 0.9, 0.4), (1.0, 0.3, 0.05)])
def test_correlations_obey_their_equation(gain, alpha, noise):
    """Averages by a grid in two dimensions, without Hermite sums."""
    c = leaky_correlation(gain, alpha, noise)
    D, b, q = c.covariance, 1 - alpha, c.variance
    x, weight = grid(q, 0.05)
    checked = np.unique(np.linspace(1, len(D) - 2, 5).astype(int))
    for t in (0, *checked):
        rho = D[t] / q
        inner = np.tanh(rho * x[:, None] + np.sqrt(max(1 - rho**2, 0)) * x) @ weight
        force = alpha**2 * (gain**2 * (weight * np.tanh(x)) @ inner + noise**2 * (t == 0))
        left = (1 + b**2) * D[t] - b * (D[t + 1] + D[abs(t - 1)])
        assert abs(left - force) < 2e-12 * q
    assert 0 < D[-1] < 1e-5 * q and (np.diff(D) < 0).all()


@given(gain=st.floats(0.1, 3.0), noise=st.floats(0.2, 3.0), alpha=st.floats(0.1, 0.99999))
@settings(max_examples=15, deadline=None)
def test_what_holds_for_every_network(gain, noise, alpha):
    c = leaky_correlation(gain, alpha, noise)
    assert (np.diff(c.covariance) < 0).all() and c.covariance[-1] > 0
    filtered = alpha * noise**2 / (2 - alpha)  # without recurrent weights; at most their field adds g^2 at every lag
    assert filtered < c.variance < filtered + gain**2
    growth = np.exp(alpha * leaky_exponent(gain, alpha, c))
    x, weight = grid(c.variance)
    slope = weight @ np.cosh(x) ** -2.0
    assert 1 - alpha + alpha * gain * slope - 1e-12 <= growth < 1 - alpha + alpha * gain


@pytest.mark.slow
def test_stated_errors_hold_against_finer_grids():
    for gain, noise, alpha in ((3.0, 0.0, 0.5), (5.0, 1.0, 0.2), (1.2, 0.0, 0.9)):
        theory = mean_field(gain, noise=noise, alpha=alpha)
        finer = leaky_correlation(gain, alpha, noise, step=STEP / 2, small=SMALL / 10)
        assert abs(finer.variance - theory.variance) < theory.variance_error < 1e-10
        assert abs(alpha * leaky_exponent(gain, alpha, finer) - theory.exponent) < theory.exponent_error < 1e-10
        mean = mean_with_leak(gain, theory.variance, "gaussian", alpha, 4 * NODES, STEP / 2)
        assert abs(mean - theory.mean_exponent) < theory.spectrum_error < 1e-4
    for gain in (1.5, 3.0):
        flow = mean_field(gain, alpha=0)
        assert abs(flow_correlation(gain, 1.0, STEP / 2).variance - flow.variance) < flow.variance_error < 1e-10


# ---- limits ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gain, noise", [(2.0, 0.0), (2.0, 0.7), (0.6, 0.7)])
@pytest.mark.parametrize("connectivity", ["gaussian", "orthogonal"])
def test_a_small_memory_is_close_to_none(gain, noise, connectivity):
    none, small = (mean_field(gain, noise=noise, connectivity=connectivity, alpha=alpha) for alpha in (1.0, 1 - 1e-6))
    for name in ("variance", "exponent", "mean_exponent"):  # they change by some times 1 - alpha
        assert abs(getattr(none, name) - getattr(small, name)) < 2e-5, name


def test_a_small_leak_is_close_to_continuous_time():
    """The variance has errors of the order alpha^2; correlation and exponent alpha: extrapolated, alpha^2."""
    gain, alpha = 2.0, 0.02
    flow, fine, coarse = (mean_field(gain, alpha=a) for a in (0.0, alpha, 2 * alpha))
    assert abs(fine.variance - flow.variance) < alpha**2
    exact = flow_correlation(gain, 2 * alpha).covariance
    shared = min(len(exact), len(coarse.lag), len(fine.lag) // 2)
    extrapolated = 2 * fine.covariance[::2][:shared] - coarse.covariance[:shared]
    assert np.abs(extrapolated - exact[:shared]).max() < 2 * alpha**2
    assert np.abs(fine.covariance[::2][:shared] - exact[:shared]).max() > 10 * alpha**2  # so that this says something
    assert abs(2 * fine.exponent / alpha - coarse.exponent / (2 * alpha) - flow.exponent) < alpha**2
    assert abs(fine.exponent / alpha - flow.exponent) > 0.1 * alpha**2


def test_noise_of_steps_fades_in_continuous_time():
    """Its variance is that of a first-order filter: alpha noise^2 / (2 - alpha), without recurrent weights."""
    theory = mean_field(1e-6, noise=0.8, alpha=0.1)
    assert theory.variance == pytest.approx(0.1 * 0.8**2 / 1.9, rel=1e-11)
    assert theory.exponent == pytest.approx(np.log(0.9), abs=1e-6)
    assert (theory.unstable, theory.dimension, theory.entropy_rate) == (0, 0, 0)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_the_exponent_is_zero_at_the_critical_gain(alpha):
    critical = mean_field(1.0, noise=0.5, alpha=alpha).critical_gain
    assert abs(mean_field(critical, noise=0.5, alpha=alpha).exponent) < 1e-11
    assert np.isnan(mean_field(1.0, noise=5.9, alpha=0.9).critical_gain)


# ---- at rest ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("connectivity", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("gain, alpha", [(0.9, 0.0), (0.9, 0.3), (0.9, 0.8), (0.5, 1.0), (1.0, 0.5)])
def test_networks_at_rest_have_their_whole_spectrum(gain, alpha, connectivity):
    theory = mean_field(gain, connectivity=connectivity, alpha=alpha)
    spectrum = theory.spectrum((np.arange(4000) + 0.5) / 4000)
    assert (np.diff(spectrum) < 1e-15).all() and theory.variance == theory.variance_error == 0
    assert spectrum.mean() == pytest.approx(theory.mean_exponent, abs=5e-4)  # a logarithm at one end, or two
    assert theory.spectrum(0.0) == pytest.approx(theory.exponent, abs=1e-10)
    assert theory.critical_gain == 1 and theory.unstable == 0
