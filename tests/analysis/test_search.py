"""The searches for fixed points: complete ones against closed forms and planted points, others against those."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

import rnndyn as rd
from rnndyn.analysis.completeness import Box, claim, invariant_box, is_odd
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.newton import solve
from rnndyn.analysis.search.branch import EPS, Boxes, Drive, alone, band, branch_and_bound, drive, newton
from rnndyn.analysis.search.deflation import deflated
from rnndyn.analysis.search.fibres import on_fibres
from rnndyn.analysis.search.further import index_sum, search_on
from rnndyn.analysis.search.homotopy import on_homotopies

NETWORKS = Path(__file__).parents[2] / "data" / "networks"


def planted(N, seed):
    """Weights of Katz and Reggia's ensemble, and their planted fixed points: V, -V and 0."""
    V = np.random.default_rng((N, seed)).uniform(-1, 1, (N, N))
    return np.arctanh(V) @ np.linalg.inv(V), np.concatenate([V.T, -V.T, np.zeros((1, N))])


def index_sum_of(W, states):
    return np.sign(np.linalg.det(np.eye(len(W)) - W * (1 - states**2)[:, :, None])).sum()


# ---- branch and bound ------------------------------------------------------------------------------------------------
def test_uncoupled_units_have_three_points_each():
    found = branch_and_bound(Drive(np.diag([1.5, 2.0, 3.0, 40.0]), np.zeros(4)))
    assert found.complete and len(found.states) == 81
    assert np.abs(np.tanh(found.states * [1.5, 2.0, 3.0, 40.0]) - found.states).max() < 1e-14


@pytest.mark.parametrize("N", [1, 2, 3, 4, 5, 6])
def test_no_planted_point_is_missed(N):
    for seed in range(5):
        W, points = planted(N, seed)
        found = branch_and_bound(drive(rd.Elman(None, W), None))
        assert found.complete and index_sum_of(W, found.states) == 1
        distance = np.linalg.norm(points[:, None] - found.states, axis=2)
        # the planted points are roots of the rounded weights only to their condition times the rounding of W
        slopes = np.linalg.inv(np.eye(N) - W * (1 - points**2)[:, :, None])
        moved = np.linalg.norm(slopes, 2, axis=(1, 2)) * np.linalg.cond(W) * np.linalg.norm(W) * 100 * EPS
        assert (distance.min(axis=1) <= moved + found.radius[distance.argmin(axis=1)]).all()
        residual = np.abs(np.tanh(found.states @ W.T) - found.states).max()
        assert residual < 1e-13 * (1 + np.abs(W).max())


@pytest.mark.parametrize("seed", range(5))
def test_a_bias_and_an_input_leave_the_proof_as_it_is(seed, rng):
    rng = np.random.default_rng(seed)
    net = rd.Elman(rng.standard_normal((4, 2)), 3 * rng.standard_normal((4, 4)), rng.standard_normal(4))
    x = rng.standard_normal(2)
    found = branch_and_bound(drive(net, x))
    searched = rd.fixed_points(net, x, starts=500, rng=0)
    assert found.complete and len(found.states) >= searched.sizes["point"]
    gap = np.linalg.norm(searched.state.values[:, None] - found.states, axis=2).min(axis=1)
    assert (gap <= searched.error_bound.values + found.radius.max()).all()


@pytest.mark.parametrize(
    "net",
    [
        rd.Elman(None, 6 * np.random.default_rng(0).standard_normal((3, 3)), activation="sigmoid"),
        rd.Leaky(None, 3 * np.random.default_rng(1).standard_normal((3, 3)), [0.1, 0.2, 0.3], alpha=0.3),
        rd.Leaky(
            None, 3 * np.random.default_rng(2).standard_normal((3, 3)), [0.1, 0.2, 0.3], alpha=0.3, form="voltage"
        ),
        rd.Leaky(
            None, 6 * np.random.default_rng(3).standard_normal((3, 3)), alpha=[0.1, 0.5, 0.9], activation="sigmoid"
        ),
    ],
    ids=["sigmoid", "rate", "voltage", "leaky sigmoid"],
)
def test_states_are_those_of_the_network(net):
    found = branch_and_bound(drive(net, None))
    assert found.complete and len(found.states) % 2 == 1
    after = rd.run(net, initial_state=found.states, steps=1).state.values[:, 0]
    J = rd.jacobian(net, found.states)
    newton_step = np.linalg.solve(J - np.eye(3), (found.states - after)[..., None])[..., 0]
    assert (np.linalg.norm(newton_step, axis=1) <= 2 * found.radius).all() and found.radius.max() < 1e-11
    assert np.sign(np.linalg.det(np.eye(3) - J)).sum() == 1


def test_a_trained_memory_of_three_bits_has_27_points_and_no_more():
    net = rd.load(NETWORKS / "flip_flop_tanh.safetensors").astype("float64")
    found = branch_and_bound(drive(net, np.zeros(net.input_size)))
    assert found.complete and len(found.states) == 27
    J = net.W_hh * (1 - found.states**2)[:, :, None]
    unstable = (np.abs(np.linalg.eigvals(J)) > 1).sum(axis=1)
    assert np.bincount(unstable).tolist() == [8, 12, 6, 1]


def test_other_networks_have_no_drive():
    assert drive(rd.GRU.random(3, rng=0), None) is None
    assert drive(rd.Elman(None, np.eye(2), activation="relu"), None) is None
    assert drive(rd.Leaky(None, np.eye(2), alpha=0.5, form="voltage", activation="sigmoid"), None) is None


def test_a_degenerate_root_is_undecided():
    found = branch_and_bound(Drive(np.diag([1.0, 0.5]), np.zeros(2)))
    assert not found.complete and len(found.undecided) and np.abs(found.undecided).max() < 0.01
    ring = branch_and_bound(Drive(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2)))  # degenerate at 0
    assert not ring.complete


def test_a_pair_that_is_nearly_degenerate_is_resolved():
    fold = np.arctanh(np.sqrt(0.5)) - 2 * np.sqrt(0.5)  # of tanh(2 x + b), two of three points meet at x = sqrt(1/2)
    counts = [
        len(branch_and_bound(Drive(np.array([[2.0]]), np.array([-fold * f]))).states) for f in (1 - 1e-9, 1 + 1e-9)
    ]
    assert counts == [3, 1]


def test_too_small_a_budget_is_admitted():
    W, _ = planted(6, 0)
    found = branch_and_bound(drive(rd.Elman(None, W), None), budget=100)
    assert not found.complete


def test_bands_hold_tanh(rng):
    ends = np.sort(
        rng.standard_normal((2000, 2)) * 10.0 ** rng.uniform(-9, 1.5, (2000, 1)) + rng.normal(0, 3, (2000, 1))
    )
    a, c, e = band(Boxes(ends[:, :1], ends[:, 1:]))
    u = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * np.linspace(0, 1, 101)
    assert (np.abs(np.tanh(u) - a * u - c) <= e).all()
    curvature = 0.77 * (ends[:, 1:] - ends[:, :1]) ** 2 / 8  # a band for the largest |tanh''| is no wider
    assert (
        e <= curvature + 1e-6 * (ends[:, 1:] - ends[:, :1]) + 20 * EPS * (1 + np.abs(ends).max(axis=1, keepdims=True))
    ).all()


def test_enclosures_hold_the_map_and_boxes_with_two_roots_are_not_called_single(rng):
    W, points = planted(4, 1)
    equation, u = Drive(W, np.zeros(4)), np.arctanh(points)
    boxes = Boxes(u - 0.1 * rng.random(u.shape), u + 0.1 * rng.random(u.shape))
    enclosure, _, _ = newton(equation, boxes)
    assert ((enclosure.low <= u + 1e-12) & (u - 1e-12 <= enclosure.high)).all()
    both = Boxes(np.minimum(u[:4], u[4:8]), np.maximum(u[:4], u[4:8]))
    assert not alone(equation, both).any()


# ---- the search for more ---------------------------------------------------------------------------------------------
def equation_of(net, x=None):
    return Equation(net, x, 1, 1.0)


def unit_box(N):
    return Box(-np.ones(N), np.ones(N))


def distances(points, states):
    return np.abs(points[:, None] - states).max(axis=2).min(axis=1)


@pytest.mark.compiled
@pytest.mark.parametrize("N", [2, 4, 6])
def test_the_search_finds_what_the_proof_demands(N):
    W, _ = planted(N, 2)
    net = rd.Elman(None, W)
    wanted = branch_and_bound(drive(net, None)).states
    found = search_on(
        equation_of(net),
        unit_box(N),
        np.zeros((0, N)),
        expected=1,
        odd=True,
        work=200_000,
        rng=np.random.default_rng(0),
    )
    assert found.settled and len(found.states) == len(wanted) and (found.hits >= 2).all()
    assert distances(wanted, found.states).max() < 1e-9


@pytest.mark.compiled
def test_the_search_depends_on_its_generator_alone_and_keeps_to_its_budget():
    W, _ = planted(5, 0)
    net, runs = rd.Elman(None, W), []
    for _ in range(2):
        rng = np.random.default_rng(3)
        runs.append(search_on(equation_of(net), unit_box(5), np.zeros((1, 5)), expected=1, work=2000, rng=rng))
    assert all(np.array_equal(one, other) for one, other in zip(*runs, strict=True))
    assert not runs[0].settled and np.array_equal(runs[0].states[0], np.zeros(5)) and runs[0].work >= 2000
    assert np.abs(np.tanh(runs[0].states @ W.T) - runs[0].states).max() < 1e-12
    assert pdist(runs[0].states).min() > 1e-6


@pytest.mark.compiled
@pytest.mark.parametrize("cell", [rd.GRU, rd.LSTM])
def test_gated_cells_are_searched_too(cell):
    net = cell.random(3, gain=4.0, rng=5)
    box = invariant_box(net, Box(np.zeros(0), np.zeros(0)))
    found = search_on(
        equation_of(net), box, np.zeros((0, net.state_size)), expected=1, work=30_000, rng=np.random.default_rng(0)
    )
    many = rd.fixed_points(net, starts=2000, rng=1)
    assert index_sum(equation_of(net), found.states) == 1
    assert distances(many.state.values, found.states).max() < 1e-7


@pytest.mark.compiled
def test_each_method_finds_roots_from_nothing_but_one(rng):
    W, _ = planted(4, 1)
    equation, box = equation_of(rd.Elman(None, W)), unit_box(4)
    wanted = branch_and_bound(Drive(W, np.zeros(4))).states
    for starts in (
        on_fibres(equation, box, np.zeros((1, 4)), 20, rng),
        deflated(equation, box, np.zeros((1, 4)), 60, rng),
        on_homotopies(equation, box, 20, rng),
    ):
        roots, converged = solve(equation, starts, None)
        reached = (distances(wanted, roots[converged]) < 1e-9).sum()
        assert reached >= 3 and distances(roots[converged], wanted).max() < 1e-9


@pytest.mark.compiled
def test_deflation_stays_away_from_what_is_known(rng):
    wanted = np.array([-0.95750402, 0, 0.95750402])[:, None]  # of tanh(2 x)
    equation = equation_of(rd.Elman(None, [[2.0]]))
    ends = deflated(equation, unit_box(1), wanted[1:], 50, rng)
    assert len(ends) and np.abs(ends - wanted[0]).max() < 1e-6


@pytest.mark.compiled
def test_fibres_see_two_roots_within_one_step(rng):
    fold = np.arctanh(np.sqrt(0.5)) - 2 * np.sqrt(0.5)  # just before it, two roots 1e-3 apart
    net = rd.Elman(None, [[2.0]], [fold * (1 - 1e-6)])
    states = branch_and_bound(drive(net, None)).states
    starts = on_fibres(equation_of(net), unit_box(1), states[:1], 4, rng)
    assert np.ptp(states[1:]) < 5e-3 and (np.abs(starts - states[1:].mean()) < 0.1).any()


# ---- what is claimed -------------------------------------------------------------------------------------------------
def test_nothing_is_missing_is_said_only_when_every_check_agrees():
    good = dict(hits=np.array([2, 3, 2]), index_sum=1, expected=1, settled=True)
    assert claim(**good) == (0.0, "consistent")
    for flaw in (
        {"hits": np.array([1, 3, 2])},
        {"hits": np.array([], int)},
        {"index_sum": 3},
        {"index_sum": None},
        {"settled": False},
        {"mirrored": False},
    ):
        missing, ground = claim(**(good | flaw))
        assert missing >= 1 and ground == "incomplete"
    assert claim(**(good | {"index_sum": -4})).missing == 5
    assert claim(np.array([1]), None, None, proved=True) == (0.0, "proved")
    unknown = claim(**(good | {"expected": None}))
    assert unknown == (0.0, "unknown")


def test_odd_networks():
    W = np.eye(2)
    assert is_odd(rd.Elman(None, W), None) and is_odd(rd.Elman(W, W), np.zeros(2))
    assert is_odd(rd.Stack([rd.Elman(W, W), rd.Leaky(W, W, alpha=0.2)]), np.zeros(2))
    assert not is_odd(rd.Elman(W, W), np.ones(2)) and not is_odd(rd.Elman(None, W, [0.0, 1e-9]), None)
    assert not is_odd(rd.Elman(None, W, activation="sigmoid"), None) and not is_odd(rd.GRU.random(2, rng=0), None)
