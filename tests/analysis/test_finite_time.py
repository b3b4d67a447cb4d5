"""Exponents over blocks against closed forms and against the spectrum that they average to."""

import numpy as np
import pytest
from scipy.special import digamma, polygamma
from scipy.stats import skew

import rnndyn as rd
from rnndyn.schema import Status


def multiplied(factors):
    """A map of one variable, at rest at 0, whose slope at step t is the t-th factor."""
    return rd.Map(lambda s, x, p: 0.0 * s, 1, input_size=1, jacobian=lambda s, x, p: np.array([x])), factors[:, None]


def test_blocks_are_means_of_logarithms(rng):
    net, x = multiplied(np.exp(rng.standard_normal(130)))
    ds = rd.finite_time_exponents(net, x, window=10, warmup=20, steps=110, initial_state=[0.0])
    blocks = np.log(x[20:, 0]).reshape(11, 10).mean(axis=1)
    assert np.abs(ds.local_exponent[:, 0] - blocks).max() < 1e-14
    assert np.abs(ds.exponent - blocks.mean()).max() < 1e-14
    assert np.abs(ds.variance - blocks.var(ddof=1)).max() < 1e-14
    assert np.abs(ds.skewness - skew(blocks, bias=False)).max() < 1e-12
    assert np.abs(ds.diffusion - 10 * ds.variance).max() < 1e-15
    assert ds.status == 0 and ds.attrs["steps_used"] == 110


def test_random_matrices_have_the_variance_of_the_exact_law(rng):
    """Log R_ii of Gaussian matrices are independent in i and t, with known mean and variance (Newman)."""
    N, T, window = 3, 2000, 10
    net = rd.Map(lambda s, x, p: 0 * s, N, input_size=N * N, jacobian=lambda s, x, p: x.reshape(N, N))
    x = rng.standard_normal((T + 50, N * N))
    ds = rd.finite_time_exponents(net, x, window=window, warmup=50, steps=T, initial_state=np.zeros(N), rng=0)
    half = (N - np.arange(N)) / 2
    mean, diffusion = (np.log(2) + digamma(half)) / 2, polygamma(1, half) / 4
    assert (np.abs(ds.exponent - mean) < 4 * np.sqrt(diffusion / T)).all()
    assert (np.abs(ds.diffusion / diffusion - 1) < 4 * np.sqrt(2 / (T / window))).all()
    # The sum of n cumulants: third one psi''(N_i / 2) / 8 a step.
    wanted = polygamma(2, half) / 8 / diffusion**1.5 / np.sqrt(window)
    assert (np.abs(ds.skewness - wanted) < 4 * np.sqrt(6 / (T / window))).all()


def test_they_average_to_the_spectrum():
    def slopes(s, x, p):
        return np.array([[-2.8 * s[0], 1.0], [0.3, 0.0]])

    henon = rd.Map(lambda s, x, p: (1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]), 2, jacobian=slopes)
    call = {"steps": 500, "warmup": 100, "initial_state": [0.1, 0.1], "rng": 0}
    ds, wanted = rd.finite_time_exponents(henon, window=25, **call), rd.lyapunov_spectrum(henon, **call)
    assert np.abs(ds.exponent - wanted.exponent).max() < 1e-12
    assert np.abs(ds.local_exponent.sum("index") - np.log(0.3)).max() < 1e-12
    assert np.abs(ds.skewness.sum()) < 1e-9  # of two variables with a constant sum


def test_undefined_moments_are_nan():
    turn = rd.Map(lambda s, x, p: 0 * s, 2, jacobian=lambda s, x, p: 0.5 * np.array([[0.6, -0.8], [0.8, 0.6]]))
    ds = rd.finite_time_exponents(turn, window=5, steps=40, warmup=3, initial_state=[0.0, 0.0])
    assert np.abs(ds.exponent - np.log(0.5)).max() < 1e-14 and ds.variance.max() < 1e-28 and np.isnan(ds.skewness).all()
    ds = rd.finite_time_exponents(turn, window=40, steps=40, warmup=3, initial_state=[0.0, 0.0])
    assert ds.sizes["block"] == 1 and np.isfinite(ds.exponent).all()
    assert np.isnan(ds.variance).all() and np.isnan(ds.skewness).all() and np.isnan(ds.stderr).all()
    flat = rd.Map(lambda s, x, p: 0 * s, 2, jacobian=lambda s, x, p: np.diag([0.5, 0.0]))
    ds = rd.finite_time_exponents(flat, window=5, steps=20, warmup=3, initial_state=[0.0, 0.0])
    assert abs(ds.exponent[0] - np.log(0.5)) < 1e-14 and np.isneginf(ds.local_exponent[:, 1]).all()
    assert np.isneginf(ds.exponent[1]) and np.isnan(ds.variance[1]) and np.isnan(ds.skewness[1])
    away = rd.Map(lambda s, x, p: 3.0 * s**2, 1, jacobian=lambda s, x, p: np.array([6.0 * s]))
    ds = rd.finite_time_exponents(away, window=5, steps=20, warmup=0, initial_state=[2.0])
    assert ds.status == Status.DIVERGED and np.isnan(ds.exponent).all() and np.isnan(ds.local_exponent).all()


def test_dimensions_and_units(rng):
    nets = [rd.Elman.random(3, gain=0.9, rng=k) for k in range(2)]
    ds = rd.finite_time_exponents(nets, window=5, steps=19, warmup=2, trajectories=2, k=2, time_step=0.1, rng=0)
    assert ds.local_exponent.dims == ("network", "batch", "block", "index")
    assert ds.local_exponent.shape == (2, 2, 3, 2) and ds.attrs["steps_used"] == 15
    assert ds.exponent.units == "nat/time" and ds.diffusion.units == "nat^2/time"
    slow = rd.finite_time_exponents(nets, window=5, steps=19, warmup=2, trajectories=2, k=2, rng=0)
    for name, power in (("exponent", 1), ("variance", 2), ("diffusion", 1), ("skewness", 0)):
        assert np.allclose(ds[name], slow[name] * 10**power, rtol=1e-12)


BAD = [({"window": 0}, "window is 0"), ({"window": 30, "steps": 20}, "window is 30: at most steps = 20")]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.finite_time_exponents(rd.Elman.random(2, rng=0), **arguments)
