"""Multiple shooting: the linear problem against a dense solve, cycles against closed forms and known numbers."""

import numpy as np
import pytest
from cases import BY_NAME

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.cycles import segments, shoot, solve_cyclic


# ---- the linear problem ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("k", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("size", [1, 3])
def test_the_cyclic_solution_is_the_dense_one(k, size, rng):
    J, g = rng.standard_normal((5, k, size, size)), rng.standard_normal((5, k, size, 2))
    x, condition = solve_cyclic(J, g)
    M = np.zeros((5, k, size, k, size))
    for i in range(k):
        M[:, i, :, (i + 1) % k] += np.eye(size)
        M[:, i, :, i] -= J[:, i]
    wanted = np.linalg.solve(M.reshape(5, k * size, k * size), g.reshape(5, k * size, 2))
    error = np.abs(x.reshape(wanted.shape) - wanted).max(axis=(1, 2))
    assert (error <= 1e-14 * condition * k * np.abs(wanted).max(axis=(1, 2))).all()


def test_long_products_lose_nothing(rng):
    # Growth and decay by 2 a step, for 400 steps: the product of the matrices has condition 2^800 and no inverse.
    k, turn = 400, np.linalg.qr(rng.standard_normal((2, 2)))[0]
    J = np.broadcast_to(turn @ np.diag([2.0, 0.5]) @ turn.T, (1, k, 2, 2))
    wanted = rng.standard_normal((1, k, 2, 1))
    x, condition = solve_cyclic(J, np.roll(wanted, -1, axis=1) - J @ wanted)
    assert np.abs(x - wanted).max() < 1e-13 and condition[0] < 100


def test_a_singular_system_stops_nobody_else(rng):
    J = np.stack([np.full((3, 1, 1), 1.0), np.full((3, 1, 1), 0.5), np.full((3, 1, 1), np.nan)])
    x, condition = solve_cyclic(J, np.ones((3, 3, 1, 1)))
    assert condition[0] > 1e15 and x[1].ravel() == pytest.approx([2, 2, 2]) and np.isinf(condition[2])
    assert solve_cyclic(J[:0], np.ones((0, 3, 1, 1)))[0].shape == (0, 3, 1, 1)


# ---- maps ------------------------------------------------------------------------------------------------------------
def logistic(s, x, r):
    return r * s * (1 - s)


def henon(s, x, p):
    return np.array([1 - p[0] * s[0] ** 2 + s[1], p[1] * s[0]])


def cycles_of(net, period, count=300, seed=0, first=None):
    """Distinct cycles of this minimal period that shooting finds from runs, each turned to its smallest point first."""
    rng = np.random.default_rng(seed)
    first = 0.1 * rng.random((8, net.state_size)) if first is None else first
    orbits, converged = shoot(net, None, segments(net, None, first, period, count, rng))
    found = {}
    for orbit in orbits[converged]:
        if any(np.abs(orbit - np.roll(orbit, d, axis=0)).max() < 1e-8 for d in range(1, period)):
            continue
        turned = np.roll(orbit, -np.argmin(orbit[:, 0]), axis=0)
        found.setdefault(tuple(np.round(turned.ravel(), 8) + 0.0), turned)
    return list(found.values())


@pytest.mark.parametrize("r", [3.2, 3.5])
def test_logistic_two_cycle(r):
    (orbit,) = cycles_of(rd.Map(logistic, 1, parameters=r), 2, 50)
    root = np.sqrt((r + 1) * (r - 3))
    assert orbit.ravel() == pytest.approx([(r + 1 - root) / (2 * r), (r + 1 + root) / (2 * r)], abs=1e-15)


def test_logistic_four_cycle():
    # The 4-cycle at r = 3.5 is superstable nearby; May 1976 has its points 0.38282, 0.82694, 0.50088, 0.87500.
    (orbit,) = cycles_of(rd.Map(logistic, 1, parameters=3.5), 4, 50)
    assert orbit.ravel() == pytest.approx([0.38282, 0.82694, 0.50088, 0.87500], abs=5e-6)
    assert not cycles_of(rd.Map(logistic, 1, parameters=3.2), 4, 50)


def test_henon_two_cycle_is_its_closed_form():
    # The x of the 2-cycle solve a^2 x^2 - a (1-b) x + (1-b)^2 - a = 0.
    a, b = 0.6, 0.3
    (orbit,) = cycles_of(rd.Map(henon, 2, parameters=(a, b)), 2, 50)
    assert orbit[:, 0] == pytest.approx(np.sort(np.roots([a**2, -a * (1 - b), (1 - b) ** 2 - a])), abs=1e-14)
    assert orbit[:, 1] == pytest.approx(b * orbit[::-1, 0], abs=1e-15)


@pytest.mark.parametrize(("a", "multiplier"), [(0.9125, -1.0), (0.3675 + 1e-4, 1.0)])
def test_henon_at_its_flips(a, multiplier):
    # 1 -> 2 at a = 3 (1-b)^2 / 4 = 0.3675, 2 -> 4 at (1-b)^2 + (1+b)^2 / 4 = 0.9125.
    net = rd.Map(henon, 2, parameters=(a, 0.3))
    (orbit,) = cycles_of(net, 2, 50)
    J = rd.jacobian(net, orbit)
    values = np.linalg.eigvals(J[1] @ J[0])
    assert np.abs(values - multiplier).min() < (1e-9 if multiplier < 0 else 2e-3)


# Unstable cycles of the Henon map by period: known numbers (one of the fixed points is off the attractor).
@pytest.mark.parametrize(("period", "number"), [(1, 2), (2, 1), (3, 0), (4, 1), (5, 0), (6, 2), (7, 4), (8, 7)])
def test_unstable_cycles_of_the_henon_attractor(period, number):
    net = rd.Map(henon, 2, parameters=(1.4, 0.3))
    found = cycles_of(net, period)
    assert len(found) == number
    for orbit in found:
        after = np.array([henon(s, None, (1.4, 0.3)) for s in orbit])
        assert np.abs(after - np.roll(orbit, -1, axis=0)).max() < 1e-14


# ---- networks --------------------------------------------------------------------------------------------------------
def test_tanh_flip():
    # x' = tanh(w x), w < -1: x <-> -x with x = tanh(-w x); 0 is fixed.
    for w in (-1.1, -2.0, -5.0):
        (orbit,) = cycles_of(rd.Elman(None, [[w]]), 2, 20, first=np.array([[0.9], [0.1]]))
        assert orbit[0] == -orbit[1] and np.tanh(w * orbit[0]) == pytest.approx(orbit[1], abs=1e-15)


@pytest.mark.parametrize("case", [BY_NAME[n] for n in ("elman-tanh", "lstm-peephole", "gru-after-keep")])
def test_a_fixed_point_is_a_cycle_repeated(case, rng):
    net = case.network(rng, 4, 2)
    net = net.replace(W_hh=0.2 * net.W_hh)  # contracting, so that a run is near the one fixed point
    x = rng.standard_normal(2)
    start = dynamics.forward(net, np.tile(x, (3, 200, 1)), rng.standard_normal((3, net.state_size)), 200)[:, -3:]
    orbits, converged = shoot(net, x, start + 0.01 * rng.standard_normal(start.shape))
    assert converged.all()
    assert np.abs(orbits - orbits[:1, :1]).max() < 1e-12 * max(1, np.abs(orbits).max())


def test_a_cycle_in_a_stack():
    # The lower layer flips, the upper one follows: F = tanh of x and of the lower state.
    stack = rd.Stack([rd.Elman(None, [[-2.0]]), rd.Elman([[1.0]], [[0.3]])])
    (orbit,) = cycles_of(stack, 2, 40)
    (lower,) = cycles_of(rd.Elman(None, [[-2.0]]), 2, 40)
    assert np.sort(orbit[:, 0]) == pytest.approx(np.sort(lower[:, 0]), abs=1e-14)


def test_starts_do_not_influence_each_other(rng):
    net = rd.Elman.random(6, gain=3.0, rng=0)
    starts = segments(net, None, rng.uniform(-1, 1, (8, 6)), 3, 20, rng)
    orbits, converged = shoot(net, None, starts)
    again, same = shoot(net, None, starts[5:8])
    assert np.array_equal(same, converged[5:8]) and np.abs(again - orbits[5:8])[same].max(initial=0) < 1e-12


def test_a_tolerance_is_enough(rng):
    net = rd.Elman(None, [[-2.0]])
    loose, converged = shoot(net, None, np.array([[[1.0], [-1.0]]]), tol=1e-3)
    assert converged.all() and 1e-12 < abs(np.tanh(-2 * loose[0, 0, 0]) - loose[0, 1, 0]) <= 1e-3


def test_hopeless_starts_are_given_up(rng):
    # x' = x + 1 has no cycle; infinite and missing starts are left alone.
    net = rd.Linear(None, [[1.0]], [1.0])
    starts = np.array([[[0.0], [1.0]], [[np.nan], [0.0]], [[np.inf], [0.0]]])
    assert not shoot(net, None, starts)[1].any()
    assert shoot(net, None, starts[:0])[0].shape == (0, 2, 1)
