"""Cycles of piecewise-linear networks: brute force in plain NumPy, published cycles, systems with a known number."""

import itertools

import numpy as np
import pytest

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.codes import canonical, primitive, search, sequences
from rnndyn.analysis.pieces import Pieces, pieces


def brute_force(step, slopes, offset, size, units, k):
    """Points (n, S) of all orbits of k points that visit the codes that they were solved for, code after code."""
    points = []
    for word in itertools.product(itertools.product((0.0, 1.0), repeat=units), repeat=k):
        M, v = np.eye(size), np.zeros(size)
        for code in word:
            M, v = slopes(np.array(code)) @ M, slopes(np.array(code)) @ v + offset(np.array(code))
        s = first = np.linalg.solve(np.eye(size) - M, v)
        for _ in range(k):  # linear orbit and the network's run agree, point by point, only if the codes are right
            s = step(s)
        if np.abs(s - first).max() < 1e-9 * (1 + np.abs(first).max()):
            points.append(first)
    return np.unique(np.round(np.array(points).reshape(-1, size), 7), axis=0) + 0.0


def relu(a):
    return np.maximum(a, 0)


def piecewise_linear(seed, H):
    rng = np.random.default_rng(seed)
    A, W, b = rng.uniform(-1.2, 1.2, H), 1.5 * rng.standard_normal((H, H)), rng.standard_normal(H)
    net = rd.PiecewiseLinear(A, W, b)
    return net, lambda h: A * h + W @ relu(h) + b, lambda D: np.diag(A) + W * D, lambda D: b


def elman(seed, H):
    rng = np.random.default_rng(seed)
    W, b = 2 * rng.standard_normal((H, H)), rng.standard_normal(H)
    net = rd.Elman(None, W, b, activation="relu")
    return net, lambda h: relu(W @ h + b), lambda D: D[:, None] * W, lambda D: D * b


def leaky(seed, H):
    rng = np.random.default_rng(seed)
    W, b, alpha = 2 * rng.standard_normal((H, H)), rng.standard_normal(H), rng.uniform(0.3, 1.0, H)
    net = rd.Leaky(None, W, b, alpha=alpha, activation="relu")
    kept = np.diag(1 - alpha)
    return (
        net,
        lambda h: kept @ h + alpha * relu(W @ h + b),
        lambda D: kept + (alpha * D)[:, None] * W,
        lambda D: alpha * D * b,
    )


def residual(seed, H):
    rng = np.random.default_rng(seed)
    W, b, skip = 2 * rng.standard_normal((H, H)), rng.standard_normal(H), rng.uniform(-0.9, 0.9, H)
    net = rd.Residual(None, W, b, skip=skip, activation="relu")
    return net, lambda h: skip * h + relu(W @ h + b), lambda D: np.diag(skip) + D[:, None] * W, lambda D: D * b


@pytest.mark.parametrize("make", [piecewise_linear, elman, leaky, residual])
@pytest.mark.parametrize(("H", "k"), [(1, 6), (2, 1), (2, 4), (3, 3), (5, 1), (4, 2)])
def test_the_complete_search_equals_brute_force(make, H, k, rng):
    total = 0
    for seed in range(6):
        net, step, slopes, offset = make(seed, H)
        wanted = brute_force(step, slopes, offset, H, H, k)
        found = search(net, None, k, rng=rng)
        assert found.complete and not found.singular.any() and not found.boundary.any()
        got = np.unique(np.round(found.states, 7), axis=0) + 0.0
        assert got.shape == wanted.shape and np.abs(got - wanted).max(initial=0) < 2e-7
        total += len(wanted)
        check(found, step, slopes, k)
    assert total > 3  # of six networks: else this compares nothing with nothing


def check(found, step, slopes, period):
    """Orbits follow each other, periods are minimal, errors are within their bounds."""
    for c in np.unique(found.cycle):
        points, codes = found.states[found.cycle == c], found.codes[found.cycle == c]
        k = len(points)
        assert period % k == 0 and (found.period[found.cycle == c] == k).all()
        assert found.position[found.cycle == c].tolist() == list(range(k))
        assert primitive(codes) == k and canonical(codes)[0] == 0
        M = np.eye(len(points[0]))
        for i in range(k):
            M = slopes(codes[i].astype(float)) @ M
        s = points[0]
        for i in range(k):
            s = step(s)
            assert np.abs(s - points[(i + 1) % k]).max() <= 1e-12 * np.abs(points).max() * 10.0**k
        newton = np.linalg.solve(np.eye(len(M)) - M, s - points[0])
        assert np.linalg.norm(newton) <= found.error_bound[found.cycle == c][0] * 10.0 ** (k - 1)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (rd.PiecewiseLinear, {}),
        (rd.Elman, {"activation": "relu"}),
        (rd.Leaky, {"activation": "relu", "alpha": np.linspace(0.1, 0.9, 6)}),
        pytest.param(rd.Leaky, {"activation": "relu", "alpha": 0.3, "form": "voltage"}, marks=pytest.mark.slow),
    ],
)
def test_pieces_are_the_network(cls, options, rng):
    net = cls.random(6, 2, rng=0, **options)
    x, states = rng.standard_normal(2), rng.standard_normal((10, 6))
    system = pieces(net, x)
    inputs = np.tile(x, (10, 1))
    assert np.abs(system.step(states) - dynamics.step(net, states, inputs)).max() < 1e-14
    assert np.abs(system.jacobians(system.codes(states)) - dynamics.jacobian(net, states, inputs)).max() < 1e-14


def test_others_have_no_pieces(rng):
    assert pieces(rd.Elman.random(2), None) is None and pieces(rd.Leaky.random(2), None) is None
    with pytest.raises(TypeError, match="which is not piecewise linear: pass a PiecewiseLinear"):
        search(rd.GRU.random(2), None, 1, rng=rng)


# ---- published -------------------------------------------------------------------------------------------------------
# Tests of the program of Eisenmann et al. 2023: (a1, w1, w2, k, number of cycles of period k), a2 and b common.
PUBLISHED = [
    (-0.0222311, -0.64375, 0.52505308, 1, 1),
    (0.8377689, -0.64375, 0.52505308, 16, 2),
    (0.8377689, -0.64375, 0.52505308, 15, 0),
    (0.9777689, -0.14375, 0.52505308, 27, 2),
    (0.9777689, -0.14375, 0.52505308, 25, 0),
    (0.9777689, -0.14375, 1.17505308, 31, 2),
]


def published(a1, w1, w2):
    return rd.PiecewiseLinear([a1, 0.96461297], [[0.0, w1], [w2, 0.0]], [0.37298253, -0.97931491])


def multipliers(net, states):
    product = np.eye(net.state_size)
    for s in states:
        product = rd.jacobian(net, s) @ product
    values = np.linalg.eigvals(product)
    return values[np.argsort(-np.abs(values))]


@pytest.mark.parametrize(("a1", "w1", "w2", "k", "number"), PUBLISHED)
def test_published_cycles(a1, w1, w2, k, number):
    net = published(a1, w1, w2)
    found = search(net, None, k, rng=np.random.default_rng(0), limit=1000)
    assert len(np.unique(found.cycle[found.period == k])) == number
    assert not found.boundary.any() and found.error_bound.max() < 1e-10


def test_published_multipliers():
    leading = {}
    for a1, w1, w2, k, _ in (PUBLISHED[1], PUBLISHED[5]):
        net = published(a1, w1, w2)
        found = search(net, None, k, rng=np.random.default_rng(0), limit=1000)
        cycles = [found.states[found.cycle == c] for c in np.unique(found.cycle[found.period == k])]
        leading[k] = sorted(abs(multipliers(net, states)[0]) for states in cycles)
    assert leading[16] == pytest.approx([0.5189, 1.6102], abs=5e-5)
    assert leading[31][0] == pytest.approx(0.6095, abs=5e-5)
    fixed = search(published(*PUBLISHED[0][:3]), None, 1, rng=np.random.default_rng(0))
    assert fixed.states[0] == pytest.approx([0.36, -22.26], abs=5e-3)
    assert multipliers(published(*PUBLISHED[0][:3]), fixed.states) == pytest.approx([0.96461, -0.02223], abs=5e-6)


def test_the_partner_of_a_cycle_is_one_unit_off():
    found = search(published(*PUBLISHED[1][:3]), None, 16, rng=np.random.default_rng(0), limit=1000)
    one, other = (found.codes[found.cycle == c] for c in np.unique(found.cycle[found.period == 16]))
    assert min((one != np.roll(other, turn, axis=0)).sum() for turn in range(16)) == 1


# ---- large -----------------------------------------------------------------------------------------------------------
def uncoupled(H, seed):
    """H units, three with two fixed points, one with a fixed point and a 2-cycle, the others with one fixed point."""
    rng = np.random.default_rng(seed)
    A, w, b = np.full(H, 0.5), rng.uniform(-0.4, 0.3, H), rng.uniform(0.1, 1, H) * rng.choice([-1, 1], H)
    w[:3], b[:3] = 1.0, -1.0  # h = -2 and h = 2
    w[3], b[3] = -2.5, 1.0  # slopes 1/2 and -2: h = 1/3, and -1/2 <-> 3/4
    order = rng.permutation(H)
    return rd.PiecewiseLinear(A, np.diag(w[order]), b[order]), order


@pytest.mark.parametrize(
    ("k", "cycles", "budget"), [(1, 8, 300), (2, 16, 600), pytest.param(3, 8, 200, marks=pytest.mark.slow)]
)
def test_a_hundred_units(k, cycles, budget):
    # Fixed points: 2^3. Period 2: each of them with the one flipping unit on its cycle. Period 3: nothing new.
    net, order = uncoupled(100, 0)
    found = search(net, None, k, rng=np.random.default_rng(0), budget=budget)
    assert len(np.unique(found.cycle)) == cycles and not found.complete
    assert found.error_bound.max() < 1e-10
    states = found.states[:, np.argsort(order)]
    assert np.abs(np.abs(states[:, :3]) - 2).max() < 1e-12
    at = found.period == 1
    assert states[at, 3] == pytest.approx(1 / 3)
    assert sorted(set(np.round(states[~at, 3], 9))) == ([-0.5, 0.75] if k == 2 else [])


def test_equal_seeds_give_equal_cycles():
    net, _ = uncoupled(30, 1)
    one, other = (search(net, None, 2, rng=np.random.default_rng(7), budget=500) for _ in range(2))
    assert len(one.states) and np.array_equal(one.states, other.states) and np.array_equal(one.hits, other.hits)


@pytest.mark.parametrize("H", [6, 10])
def test_some_sequences_find_what_all_have(H, rng):
    for seed in range(4):
        net, *_ = piecewise_linear(seed, H)
        everything = search(net, None, 1, rng=rng)
        some = search(net, None, 1, rng=np.random.default_rng(0), limit=0, budget=1000)
        assert everything.complete and not some.complete
        assert np.array_equal(some.codes, everything.codes)
        assert np.array_equal(some.states, everything.states)


# ---- where the linear problem is no help -----------------------------------------------------------------------------
def test_a_point_on_the_boundary(rng):
    # Without bias all codes have the fixed point 0: it is one point, on the boundary of all pieces.
    net = rd.Elman.random(5, activation="relu", gain=1.5, rng=0)
    for k in (1, 2):
        found = search(net, None, k, rng=rng)
        zero = np.abs(found.states).max(axis=1) == 0
        assert zero.sum() == 1 and found.boundary[zero].all() and found.period[zero] == 1 and found.complete
        assert not found.codes[zero].any()


def test_a_line_of_fixed_points(rng):
    # A unit that keeps itself and is fed by nothing: each state of it is a fixed point. So is each side of zero.
    found = search(rd.PiecewiseLinear([1.0, 0.5], np.zeros((2, 2)), [0.0, 1.0]), None, 1, rng=rng)
    assert found.singular.tolist() == [True, True] and found.complete
    assert (found.states[:, 0] > 0).tolist() == [False, True] and found.states[:, 1] == pytest.approx([2, 2])


def test_a_drift_without_fixed_points(rng):
    # The same with a bias: the linear problems are singular and have no solution.
    for k in (1, 3):
        found = search(rd.PiecewiseLinear([1.0, 0.5], np.zeros((2, 2)), [0.1, 1.0]), None, k, rng=rng)
        assert not len(found.states) and found.complete and found.states.shape == (0, 2)


def test_a_continuum_of_two_cycles(rng):
    # h' = 2 - h: 1 is fixed, and every other state has period 2; those with both points above 0 are in one piece.
    found = search(rd.PiecewiseLinear([-1.0], [[0.0]], [2.0]), None, 2, rng=rng)
    assert found.complete and found.states[found.period == 1].ravel() == pytest.approx([1.0])
    pairs = found.states[found.period == 2].ravel().reshape(-1, 2)
    assert (
        len(pairs) and found.singular[found.period == 2].all() and pairs.sum(axis=1) == pytest.approx([2] * len(pairs))
    )


def test_weights_that_overflow(rng):
    net = rd.PiecewiseLinear([0.5, 0.5], [[0.0, 1e200], [1e200, 0.0]], [1.0, -1.0])
    found = search(net, None, 3, rng=rng, limit=0, budget=50)
    assert np.isfinite(found.states).all()


# ---- codes -----------------------------------------------------------------------------------------------------------
def test_codes_up_to_rotation(rng):
    codes = rng.random((7, 70)) < 0.5
    turn, key = canonical(codes)
    for i in range(7):
        assert canonical(np.roll(codes, i, axis=0))[1] == key
    assert canonical(np.roll(codes, -turn, axis=0)) == (0, key)
    assert canonical(~codes)[1] != key
    assert primitive(codes) == 7 and primitive(np.concatenate([codes, codes])) == 7 and primitive(codes[[0, 0, 0]]) == 1


def test_number_of_sequences():
    assert sequences(3, 2) == 32 and sequences(100, 20) == np.inf
    system = Pieces(np.diag([0.5] * 2), np.eye(2), np.eye(2), np.zeros(2), np.ones(2))
    # Necklaces of 4 colours: 4 of length 1; 6 of length 2 and 60 of length 4 that repeat nothing.
    assert search(system, None, 4, rng=np.random.default_rng(0)).tried == 4 + 6 + 60
