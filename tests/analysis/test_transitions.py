"""Unstable manifolds of saddles, against systems whose graph is known and against runs in plain NumPy."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.analysis.capture import adapted_norm, trapping_balls
from rnndyn.schema import Status


def scalar(w, b=0.0):
    """The network x' = tanh(w x + b)."""
    return rd.Elman(None, [[w]], [b])


def cube(n=3, coupling=0.0, rng=0):
    """Of n tanh units of gain 2, each with two memories; without coupling all 3^n fixed points are known."""
    return rd.Elman(None, 2 * np.eye(n) + coupling * np.random.default_rng(rng).standard_normal((n, n)))


def direction(J):
    """Eigenvector of the largest eigenvalue, its largest entry positive."""
    values, vectors = np.linalg.eig(J)
    v = vectors[:, np.abs(values).argmax()].real
    return v * np.sign(v[np.abs(v).argmax()])


def found(net, input=None, **options):
    """Points and transitions."""
    points = rd.fixed_points(net, input, starts=256, rng=0, **{k: options.pop(k) for k in ["period"] if k in options})
    return points, rd.transitions(net, points, input, **options)


# ---- known graphs ----------------------------------------------------------------------------------------------------
def test_one_saddle_between_two_attractors():
    points, ds = found(scalar(2.0))
    assert ds.saddle.values.tolist() == [1, 1] and ds.branch.values.tolist() == [-1, 1]
    assert ds.target.values.tolist() == [0, 2] and ds.period.values.tolist() == [1, 1]
    assert ds.share.values.tolist() == [1, 1] and not ds.status.values.any()
    # The path of a monotone orbit is the distance, but for its last hundredth of a ball.
    distance = np.abs(points.state.values[[0, 2], 0] - points.state.values[1, 0])
    assert (ds.path_length.values < distance).all() and ds.path_length.values == pytest.approx(distance, rel=0.01)
    assert rd.transition_graph(ds).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("coupling", [0.0, 0.05])
@pytest.mark.parametrize("n", [2, 3])
def test_the_edges_of_a_cube(n, coupling):
    points, ds = found(cube(n, coupling))
    assert points.sizes["point"] == 3**n
    corners = np.round(points.state.values).astype(int)  # -1, 0 or 1 in each unit
    edges = rd.transition_graph(ds)
    assert len(edges) == n * 2 ** (n - 1) == ds.attrs["n_saddles"]
    assert ds.attrs["n_not_followed"] == 3**n - 2**n - len(edges)
    for a, saddle, b in edges:
        flipped = corners[saddle] == 0
        assert flipped.sum() == 1
        np.testing.assert_array_equal(corners[a], np.where(flipped, corners[a], corners[saddle]))
        np.testing.assert_array_equal(corners[b], np.where(flipped, -corners[a], corners[saddle]))
    assert ds.share.values.tolist() == [1] * len(ds.share)


def test_both_sides_may_lead_to_one_attractor():
    # On the circle x' = x + a sin(x) + b sin(2 x) written as (cos, sin): one saddle, one attractor, joined twice.
    def step(s, x, p):
        angle = np.arctan2(s[1], s[0])
        radius = 1 + 0.3 * (np.hypot(s[0], s[1]) - 1)
        turned = angle + 0.4 * np.sin(angle)
        return np.array([radius * np.cos(turned), radius * np.sin(turned)])

    net = rd.Map(step, 2)
    points = rd.fixed_points(net, starts=np.array([[1.1, 0.1], [-1.1, 0.1]]))
    ds = rd.transitions(net, points)
    np.testing.assert_allclose(points.state, [[-1, 0], [1, 0]], atol=1e-12)
    assert rd.transition_graph(ds).tolist() == [[0, 1, 0]]
    assert ds.path_length.values == pytest.approx([np.pi, np.pi], rel=0.05)  # chords of half a circle


def test_a_branch_that_leads_to_two_attractors():
    """The hump of f throws part of the fundamental segment [0.5, 0.8) of 0 across the repeller 2.5, to 4 instead of 1.

    f > 2.5 between s = 0.5 + 1.7 / 27 and s = 0.6 + 0.3 / 2.48; orbits start at equal ratios, so the share is in logs,
    and each of the two ends may miss it by one orbit.
    """
    knots = [-2.0, -1.0, 0.5, 0.6, 0.9, 1.1, 2.0, 3.0, 3.9, 4.1]
    values = [-1.5, -1.6, 0.8, 3.5, 1.02, 0.98, 1.5, 3.5, 4.02, 3.98]
    net = rd.Map(lambda s, x, p: np.interp(s, knots, values), 1)
    points = rd.fixed_points(net, starts=np.array([[0.0], [1.0], [4.0]]))
    assert points.stability.values.tolist() == ["unstable", "stable", "stable"]
    ds = rd.transitions(net, points, orbits=64, steps=500)
    share = {t: v for t, b, v in zip(ds.target.values, ds.branch.values, ds.share.values, strict=True) if b == 1}
    assert share[2] == pytest.approx(np.log((0.6 + 0.3 / 2.48) / (0.5 + 1.7 / 27)) / np.log(1.6), abs=2 / 64)
    assert share.keys() == {1, 2} and sum(share.values()) == 1
    assert not len(rd.transition_graph(ds))  # the other side leads to -1.55, which is not listed


# ---- where they lead, checked step by step ---------------------------------------------------------------------------
@pytest.mark.compiled
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.slow
def test_trained_flip_flops_end_where_a_plain_run_ends(cell, networks_folder):
    net = rd.load(networks_folder / f"flip_flop_{cell}.safetensors").astype("float64")
    points = rd.fixed_points(net, starts=512, rng=0)
    ds = rd.transitions(net, points)
    assert ds.sizes["transition"] == 2 * ds.attrs["n_saddles"] and not ds.status.values.any()
    states = points.state.values
    v = np.stack([direction(rd.jacobian(net, states[k], np.zeros(3))) for k in ds.saddle.values])
    inputs = np.zeros((len(v), 1000, 3))
    for distance in (1e-3, 1e-5):  # other displacements than the ones that were used
        starts = states[ds.saddle.values] + distance * ds.branch.values[:, None] * v
        last = rd.run(net, inputs, initial_state=starts).state.values[:, -1]
        assert np.abs(last - states[ds.target.values]).max() < 1e-9


def test_arrival_is_for_good():
    """From where an orbit is said to have arrived, plain NumPy goes on to the attractor itself."""
    net = cube(3, 0.1)
    points, ds = found(net)
    W, states = net.W_hh, points.state.values
    for way in range(ds.sizes["transition"]):
        one = ds.isel(transition=way)
        saddle, target = states[one.saddle.item()], states[one.target.item()]
        length = one.displacement.item()
        x = saddle + one.branch.item() * length * direction((1 - saddle**2)[:, None] * W)
        for _ in range(one.steps.item()):
            before, x = x, np.tanh(W @ x)
            length += np.linalg.norm(x - before)
        # The start differs by rounding, 1e-16 of 1e-7; the orbit multiplies that, but not its share of the path.
        assert length == pytest.approx(one.path_length.item(), rel=1e-6)
        assert np.linalg.norm(x - target) < 0.01 * np.linalg.norm(saddle - target)
        for _ in range(2000):
            x = np.tanh(W @ x)
        assert np.abs(x - target).max() < 1e-12


# ---- flips, cycles, and ways that end nowhere ------------------------------------------------------------------------
def test_past_a_flip_both_sides_lead_to_the_cycle():
    points, ds = found(scalar(-2.0), steps=500)
    assert points.sizes["point"] == 1
    assert ds.target.values.tolist() == [-1, -1] and ds.period.values.tolist() == [2, 2]
    assert not ds.status.values.any() and not len(rd.transition_graph(ds))


def test_points_of_cycles_are_targets_of_the_iterate():
    points, ds = found(scalar(-2.0), period=2)
    assert points.state.values.ravel() == pytest.approx([-0.957504, 0, 0.957504], abs=1e-6)
    assert rd.transition_graph(ds).tolist() == [[0, 1, 2]]
    assert (ds.steps.values % 2 == 0).all()


def test_an_attractor_that_is_not_listed_is_seen():
    net = scalar(2.0)
    points = rd.fixed_points(net, starts=256, rng=0)
    ds = rd.transitions(net, points.isel(point=[1, 2]), steps=500)
    assert ds.target.values.tolist() == [-1, 1] and ds.period.values.tolist() == [1, 1]


def test_what_diverges_says_so():
    _, ds = found(rd.Linear(None, [[2.0]]))
    assert ds.status.values.tolist() == [Status.DIVERGED] * 2
    assert ds.target.values.tolist() == [-1, -1] and np.isinf(ds.path_length).all()


def test_when_the_steps_run_out_nothing_is_known():
    _, ds = found(scalar(2.0), steps=5)
    assert ds.status.values.tolist() == [Status.NOT_CONVERGED] * 2
    assert ds.period.values.tolist() == [0, 0] and ds.target.values.tolist() == [-1, -1]
    assert ds.steps.values.tolist() == [5, 5]


def test_a_departure_too_small_to_see_is_no_arrival():
    """From 2e-14 beside the saddle at -0.1, three steps change less than a return may."""
    _, ds = found(scalar(2.0, 0.1), displacement=2e-14, steps=3)
    assert (ds.status.values == Status.NOT_CONVERGED).all() and not ds.period.values.any()
    assert (ds.path_length.values < 1e-12).all()


@pytest.mark.parametrize("displacement", [1e-18, 3.0])
def test_a_side_that_is_not_certain_is_not_followed(displacement):
    _, ds = found(scalar(2.0, 0.1), displacement=displacement)
    assert (ds.status.values == Status.ILL_CONDITIONED).all() and not ds.steps.values.any()
    assert (ds.target.values == -1).all()


def test_no_saddle_no_transitions():
    _, ds = found(scalar(0.5))
    assert ds.sizes["transition"] == 0 and ds.sizes["point"] == 1
    assert rd.transition_graph(ds).shape == (0, 3)


def test_no_points_no_transitions():
    net = scalar(2.0)
    ds = rd.transitions(net, rd.fixed_points(net, starts=4, rng=0).isel(point=[]))
    assert ds.sizes["transition"] == ds.sizes["point"] == 0


def test_equal_calls_give_equal_results():
    net = cube(2, 0.1)
    points = rd.fixed_points(net, starts=64, rng=0)
    assert rd.transitions(net, points).identical(rd.transitions(net, points))


def test_a_constant_input_shifts_the_saddle():
    net = rd.Elman([[1.0]], [[2.0]])
    points, ds = found(net, [0.3])
    assert rd.transition_graph(ds).tolist() == [[0, 1, 2]]
    with pytest.raises(ValueError, match="give the input under which they were found"):
        rd.transitions(net, points)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda net, points: (scalar(2.1), points), ValueError, "points are those of another network"),
        (lambda net, points: ([net], points), TypeError, "net is an ensemble"),
        (lambda net, points: (net, 3), ValueError, "points is a int: the result of rnndyn.fixed_points is wanted"),
        (lambda net, points: (net, rd.run(net, steps=2)), ValueError, "points is a Dataset"),
    ],
)
def test_what_does_not_fit_is_named(change, error, message):
    net = scalar(2.0)
    with pytest.raises(error, match=message):
        rd.transitions(*change(net, rd.fixed_points(net, starts=16, rng=0)))


def test_a_graph_is_one_of_transitions():
    with pytest.raises(ValueError, match="ds is a Dataset: the result of rnndyn.transitions is wanted"):
        rd.transition_graph(rd.fixed_points(scalar(2.0), starts=16, rng=0))


@pytest.mark.parametrize("bad", [{"steps": 0}, {"orbits": 0}, {"displacement": 0.0}])
def test_options_are_checked(bad):
    net = scalar(2.0)
    with pytest.raises(ValueError, match=next(iter(bad))):
        rd.transitions(net, rd.fixed_points(net, starts=16, rng=0), **bad)


# ---- balls -----------------------------------------------------------------------------------------------------------
def test_a_linear_map_contracts_in_its_norm(rng):
    A = rng.standard_normal((5, 6, 6))
    A *= (0.95 / np.abs(np.linalg.eigvals(A)).max(axis=1))[:, None, None]
    L, rate = adapted_norm(A)
    for one, factor, r in zip(A, L, rate, strict=True):
        assert r == pytest.approx(0.975)
        assert np.linalg.norm(factor.T @ one @ np.linalg.inv(factor.T), ord=2) <= r
        assert np.linalg.svd(factor)[1].min() >= 1 - 1e-12


def test_a_ball_ends_where_the_map_leaves():
    # x' = x / 2 + x^3 expands from |x| = 1/sqrt(2) on; shrinking by (1 + 3/4) / 2 = 7/8 holds up to sqrt(3/8) = 0.61.
    def F(x):
        return x / 2 + x**3

    balls = trapping_balls(F, np.zeros((1, 1)), np.full((1, 1, 1), 0.5), np.array([8.0]))
    reach = (balls.radius / balls.L[:, 0, 0]).item()
    assert np.sqrt(3 / 8) / 2 < reach <= np.sqrt(3 / 8)
    inside = np.array([[0.99 * reach], [-0.99 * reach], [1.01 * reach], [np.nan]])
    assert balls.holding(inside, 1.0).tolist() == [0, 0, -1, -1]
    assert balls.holding(inside, 0.5).tolist() == [-1] * 4
