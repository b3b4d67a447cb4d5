"""Disks that nearly touch against mpmath, and spectra at rest against eigenvalues and limits."""

import mpmath
import numpy as np
import pytest

import rnndyn as rd
from rnndyn.theory.rest import Factors, leaky_at_rest, overlap


def lens(r, R, d):
    """Shared area of two disks by the textbook's formula, with digits enough for its cancellation."""
    with mpmath.workdps(80):
        r, R, d = map(mpmath.mpf, (r, R, d))
        a, b = mpmath.acos((d * d + r * r - R * R) / (2 * d * r)), mpmath.acos((d * d + R * R - r * r) / (2 * d * R))
        kite = mpmath.sqrt((-d + r + R) * (d + r - R) * (d - r + R) * (d + r + R)) / 2
        return float(r * r * a + R * R * b - kite)


def test_disks_that_nearly_touch(rng):
    """Outside, inside, and of sizes far apart: by gaps of down to 16 units in the last place."""
    tried = 0
    for _ in range(600):
        R, d = np.exp(rng.normal(0, 3)), np.exp(rng.normal(0, 6))
        gap = 10.0 ** rng.uniform(-13, 0) * min(R, d)
        inner = abs(d - R)
        for r in (inner + gap, inner + 2 * min(R, d) - gap):
            if gap > 16 * np.spacing(max(r, R, d)):
                tried += 1
                # 20 roundings; sides are given exactly, and all differences of them are taken first.
                assert float(overlap(r, R, d)) == pytest.approx(lens(r, R, d), rel=2e-14)
    assert tried > 600


def test_disks_that_touch_are_all_or_nothing():
    for r, R in ((1.0, 2.0), (2.0, 1.0), (1e-9, 1.0), (3.0, 3.0)):
        assert overlap(r, R, r + R) == 0
        assert overlap(r, R, abs(r - R)) == pytest.approx(np.pi * min(r, R) ** 2, rel=1e-15)
    near = 1 + np.array([-1e-12, 0, 1e-12])  # a tiny disk that crosses the rim of a large one
    assert np.abs(np.diff(overlap(near, 1e-3, 1.0 + 1e-3))).max() < 1e-12


@pytest.mark.parametrize("alpha", [1e-3, 1e-6, 1e-9])
def test_slow_leaks_have_the_semicircle(alpha):
    """Real parts of eigenvalues even in a disk: the exponents per time constant, but for g^2 alpha."""
    x, gain = np.linspace(-0.95, 0.95, 9), 0.7
    wanted = 0.5 + (x * np.sqrt(1 - x**2) + np.arcsin(x)) / np.pi
    bound = 3 * (alpha + np.finfo(float).eps / alpha)  # exp and log of exponents near 0 are rounded to eps of 1
    assert np.abs(leaky_at_rest(alpha).below(alpha * (gain * x - 1), gain) - wanted).max() < bound
    assert np.abs(leaky_at_rest(alpha).spectrum(1 - wanted, gain) / alpha - (gain * x - 1)).max() < bound


@pytest.mark.parametrize("carry", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("gain", [0.4, 1.7])
def test_fractions_and_exponents_are_inverse(carry, gain):
    factors, y = Factors(carry, 1 - carry), np.linspace(0.01, 0.99, 33)
    assert np.abs(1 - factors.below(factors.spectrum(y, gain), gain) - y).max() < 1e-14
    ends = factors.spectrum([0.0, 1.0], gain)
    reach = (1 - carry) * gain
    # Beyond a radius near the rim there is a share as its distance to the power 3/2: eps of it, 4e-11 of radius.
    assert ends[0] == pytest.approx(np.log(carry + reach), abs=1e-10)
    assert ends[1] == (-np.inf if carry <= reach else pytest.approx(np.log(carry - reach), abs=1e-10))


@pytest.mark.parametrize("alpha", [0.4, 1.6])  # a step beyond 1 overshoots
@pytest.mark.parametrize("connectivity", ["gaussian", "orthogonal"])
def test_spectra_at_rest_of_large_networks(connectivity, alpha, rng):
    H, gain = 400, 0.9
    W = rd.Elman.random(H, gain=gain, recurrent=connectivity, rng=rng).W_hh
    factors = leaky_at_rest(alpha)
    measured, y = factors.exponents(np.linalg.eigvals(W)), (np.arange(H) + 0.5) / H
    # Eigenvalues repel each other: they stray from their places by some 1 / sqrt(H) in a disk, less on a circle.
    assert np.abs(measured - factors.spectrum(y, gain, connectivity))[: H * 9 // 10].max() < 2 / np.sqrt(H)
    # A linear statistic: its sum scatters by sqrt(ln 1 / (1 - 0.6^2)) = 0.7 on a circle, whatever H.
    assert abs(measured.mean() - factors.spectrum(y, gain, connectivity).mean()) < 0.01
    assert factors.spectrum(0.0, factors.critical_gain, connectivity) == pytest.approx(
        0, abs=1e-9
    )  # 1/H^(2/3) of digits


@pytest.mark.parametrize(
    ("fraction", "gain", "connectivity", "error", "words"),
    [
        (1.5, 1.0, "gaussian", ValueError, "fraction reaches"),
        (np.nan, 1.0, "gaussian", ValueError, "fraction holds nan"),
        (0.5, -1.0, "gaussian", ValueError, "gain is -1"),
        (0.5, None, "gaussian", TypeError, "gain is None"),
        (0.5, 1.0, "orthogonl", ValueError, "connectivity is 'orthogonl'"),
    ],
)
def test_what_is_no_spectrum_is_refused(fraction, gain, connectivity, error, words):
    with pytest.raises(error, match=words):
        leaky_at_rest(0.5).spectrum(fraction, gain, connectivity)
