"""All searches together: what is found, and what is claimed of it."""

import itertools

import numpy as np
import pytest

import rnndyn as rd


def planted(N, seed):
    """A network, and 2 N + 1 of its fixed points (Katz & Reggia's protocol)."""
    V = np.random.default_rng((11, N, seed)).uniform(-1, 1, (N, N))
    points = np.concatenate([V.T, -V.T, np.zeros((1, N))])
    return rd.Elman(None, np.arctanh(V) @ np.linalg.inv(V)), points


def missed(ds, points):
    """How many of the points are not in the result."""
    return sum(np.abs(ds.state.values - point).max(axis=1).min() > 1e-6 for point in points)


@pytest.mark.parametrize("N", [2, 3, 4, 5, 6, 7, 8])
def test_of_small_networks_all_points_are_found_with_a_proof(N):
    """Planted points are right to 1e-6 only: V is inverted, and its condition number may be 1e9."""
    for seed in range(4):
        net, points = planted(N, seed)
        ds = rd.fixed_points(net, starts=64, rng=0)
        assert ds.attrs["completeness"] == "proved"
        assert ds.attrs["estimated_missing"] == 0
        assert ds.attrs["index_sum"] == 1
        assert missed(ds, points) == 0


@pytest.mark.compiled
@pytest.mark.parametrize("N", [9, 12])
def test_nothing_is_claimed_while_points_are_missing(N):
    net, points = planted(N, 0)
    ds = rd.fixed_points(net, starts=200, rng=0)
    assert missed(ds, points) == 0 or ds.attrs["estimated_missing"] > 0
    assert (ds.attrs["estimated_missing"] == 0) == (ds.attrs["completeness"] in ("proved", "consistent"))


def test_few_starts_are_made_good():
    """A single start finds one point of the 27 of three bistable units; the search goes on until all are there."""
    net = rd.Elman(None, 2 * np.eye(3) + 0.01 * (1 - np.eye(3)))
    ds = rd.fixed_points(net, starts=np.full((1, 3), 0.9), rng=0)
    assert ds.sizes["point"] == 27
    assert sorted(ds.n_unstable.values.tolist()) == 8 * [0] + 12 * [1] + 6 * [2] + [3]
    assert (ds.attrs["n_starts"], ds.attrs["n_converged"]) == (1, 1)


@pytest.mark.parametrize("period", [1, 2])
def test_rectified_networks_are_searched_by_their_codes(period, rng):
    """Against all 2^(H p) affine maps, solved one by one."""
    H = 3
    for _ in range(4):
        A, W, b = rng.uniform(-0.9, 0.9, H), 1.5 * rng.standard_normal((H, H)), rng.standard_normal(H)
        ds = rd.fixed_points(rd.PiecewiseLinear(A, W, b), period=period, starts=20, rng=0)
        assert ds.attrs["completeness"] == "proved"
        by_hand = []
        for codes in itertools.product(itertools.product([0.0, 1.0], repeat=H), repeat=period):
            J, c = np.eye(H), np.zeros(H)
            for code in codes:
                step = np.diag(A) + W * np.array(code)
                J, c = step @ J, step @ c + b
            s = first = np.linalg.solve(np.eye(H) - J, c)
            fits = True
            for code in codes:
                fits &= bool(((s > 0) == np.array(code)).all())
                s = A * s + W @ np.maximum(s, 0) + b
            if fits:
                by_hand.append(first)
        assert ds.sizes["point"] == len(by_hand)
        assert missed(ds, by_hand) == 0


def test_cycles_are_found_by_multiple_shooting():
    """At r = 4 the logistic map has the 2^p points sin^2(pi k / (2^p - 1)) and sin^2(pi k / (2^p + 1)) of F^p."""
    logistic = rd.Map(lambda s, x, p: p[0] * s * (1 - s), 1, parameters=(4.0,))
    ds = rd.fixed_points(logistic, period=4, rng=0, starts=256)
    expected = np.sin(np.pi * np.concatenate([np.arange(8) / 15, np.arange(1, 9) / 17])) ** 2
    np.testing.assert_allclose(ds.state.values.ravel(), np.sort(expected), atol=1e-12)
