"""Slow points and manifolds against closed forms, and that no tolerance changes what a manifold is."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.analysis.manifolds import slow_modes
from rnndyn.schema import Status

SPEEDS = 10.0 ** np.arange(-6, -1)


def ring(units, *, activation="tanh", J0=-2.0, J1=4.0, bias=0.0):
    """The leaky rate network with W_ij = (J0 + J1 cos(theta_i - theta_j)) / N."""
    theta = 2 * np.pi * np.arange(units) / units
    W = (J0 + J1 * np.cos(theta[:, None] - theta)) / units
    return rd.Leaky(None, W, np.full(units, bias), alpha=0.1, form="rate", activation=activation)


def ring_length(units, J1=4.0):
    """Of the ring h_i = tanh(a cos(theta_i - psi)), a = J1 <cos tanh(a cos)>, for many units."""
    theta, a = 2 * np.pi * np.arange(1000) / 1000, 2.0
    for _ in range(200):
        a = J1 * np.mean(np.cos(theta) * np.tanh(a * np.cos(theta)))
    slope = np.sin(theta) / np.cosh(a * np.cos(theta)) ** 2
    return 2 * np.pi * np.sqrt(units) * a * np.sqrt(np.mean(slope**2))


def verify(net, ds):
    """Every number of a result again, from the network's own step and Jacobian."""
    for k in range(ds.sizes["point"]):
        x, status = ds.state.values[k], ds.status.values[k]
        G = np.asarray(rd.run(net, steps=1, initial_state=x).state.values[0]) - x
        A = rd.jacobian(net, x) - np.eye(len(x))
        assert abs(np.linalg.norm(G) - ds.speed.values[k]) <= 2 * ds.speed_error.values[k]
        assert np.linalg.norm(A.T @ G) == pytest.approx(ds.gradient_norm.values[k], abs=1e-13)
        if status == Status.OK and ds.kind.values[k] == "fixed":
            assert np.linalg.norm(np.linalg.solve(A, G)) <= ds.error_bound.values[k]
    for m in range(ds.sizes["manifold"]):
        one = ds.isel(manifold=m)
        x, tangent = one.sample_state.values, one.tangent.values
        G = rd.run(net, steps=1, initial_state=x).state.values[:, 0] - x
        drift, error = one.drift.values, one.drift_error.values
        assert (np.abs(np.linalg.norm(G, axis=1) - np.abs(drift)) <= 3 * error + 1e-12).all()
        assert (np.sign(np.einsum("ns,ns->n", G, tangent)) == np.sign(drift))[np.abs(drift) > 3 * error].all()
        J = rd.jacobian(net, x)
        along = np.einsum("nij,nj->ni", J, tangent) - one.multiplier_along.values[:, None] * tangent
        assert np.linalg.norm(along, axis=1).max() < 0.05  # the tangent is the slow eigenvector, but for the curvature
        assert one.max_drift.item() >= np.abs(drift).max() * (1 - 1e-12)


def described(ds):
    """What does not depend on a tolerance."""
    names = ("dimension", "topology", "length", "first_end", "last_end")
    return [tuple(ds[name].values[m].item() for name in names) for m in range(ds.sizes["manifold"])]


# ---- lines -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("leak", [0.0, 1e-4])
def test_linear_line(leak):
    net = rd.Linear(None, [[1 - leak, 0.0], [0.3, 0.5]])
    ds = rd.slow_points(net, starts=32, rng=0)
    v = np.array([0.5 - leak, 0.3])  # (W - (1 - leak)) v = 0; the line ends where its first component is 10
    assert described(ds) == [(1, "line", pytest.approx(20 * np.linalg.norm(v) / v[0], rel=1e-6), "box", "box")]
    assert ds.length.item() == pytest.approx(20 * np.linalg.norm(v) / v[0], abs=ds.length_error.item())
    s = ds.arc_length.values[0] - ds.length.item() / 2
    assert ds.drift.values[0] == pytest.approx(-leak * s, abs=leak * 1e-5 + 1e-13)
    assert ds.multiplier_along.values == pytest.approx(1 - leak)
    assert ds.modulus_across.values == pytest.approx(0.5)
    assert ds.sizes["point"] == (leak > 0)  # on the exact line there is no point, with the leak there is the origin
    verify(net, ds)


@pytest.mark.parametrize(("gain", "stability"), [(0.999, "s"), (1.0, "u"), (1.05, "sus")])
def test_rank_one_line(gain, stability):
    """The map h' = tanh(g u u'h): on the line k' = u'tanh(g u k), and |1 - mu| = 1/separation at the ends."""
    u = np.array([0.6, 0.8])
    net = rd.Elman(None, gain * np.outer(u, u))
    ds = rd.slow_points(net, starts=32, rng=0)
    assert described(ds)[0][:2] == (1, "line") and ds.sizes["manifold"] == 1
    assert [word[0] for word in ds.stability.values] == list(stability)  # undecided at the pitchfork
    assert (ds.on_manifold == 0).all() and (np.diff(np.abs(ds.position - ds.length / 2)) != 0).all()
    ends = ds.multiplier_along.values[0, [0, -1]]
    assert np.abs(1 - ends) == pytest.approx(0.2, abs=1e-5)
    if gain == 1.05:
        k = 0.5
        for _ in range(2000):
            k = u @ np.tanh(gain * u * k)
        assert ds.state.values[-1] == pytest.approx(np.tanh(gain * u * k), abs=1e-12)
    verify(net, ds)


def test_ghost_of_a_fold():
    """Just beyond the fold of x' = tanh(2x + b), the speed is smallest where tanh'(2x + b) = 1/2."""
    fold, x = np.arctanh(np.sqrt(0.5)) - np.sqrt(2), -np.sqrt(0.5)
    b = -fold + 1e-4
    net = rd.Leaky(None, np.diag([2.0, 0.3]), [b, 0.0], alpha=0.1, form="rate")
    ds = rd.slow_points(net, starts=64, rng=0)
    slow = ds.isel(point=ds.kind.values == "slow")
    assert slow.sizes["point"] == 1 and slow.status.item() == Status.OK
    wanted = (-np.arctanh(np.sqrt(0.5)) - b) / 2
    assert abs(slow.state.values[0, 0] - wanted) <= slow.error_bound.item() < 1e-9
    assert wanted == pytest.approx(x, abs=1e-4)
    speed = 0.1 * (np.tanh(2 * wanted + b) - wanted)
    assert slow.speed.item() == pytest.approx(speed, abs=1e-15)
    assert slow.on_manifold.item() == 0 and described(ds)[0][:2] == (1, "line")
    faster = rd.slow_points(net, starts=64, rng=0, max_speed=1e-6)
    assert faster.kind.values.tolist() == ["fixed"] and described(faster) == described(ds)
    verify(net, ds)


# ---- rings -----------------------------------------------------------------------------------------------------------
@pytest.mark.compiled
@pytest.mark.parametrize("speed", [1e-5, 1e-3])
def test_ghost_of_a_fold_in_one_variable(speed):
    """There, too, it is one point, though no direction is free to tell that it is a minimum."""
    fold = rd.Map(lambda s, x, p: s + speed + s**2, 1)
    ds = rd.slow_points(fold, starts=64, rng=0)
    assert ds.kind.values.tolist() == ["slow"] and ds.status.values.tolist() == [0]
    assert np.abs(ds.state).item() <= ds.error_bound.item() < 1e-9 and ds.speed.item() == pytest.approx(speed)


def test_ring_of_many_units_has_the_length_of_the_theory():
    net = ring(64)
    ds = rd.slow_points(net, starts=48, rng=0)
    assert described(ds) == [(1, "ring", pytest.approx(ring_length(64), rel=1e-5), "closed", "closed")]
    assert abs(ds.length.item() - ring_length(64)) <= ds.length_error.item()
    assert (np.abs(ds.drift) <= ds.drift_error).all()  # a continuum to rounding
    assert (ds.modulus_across < 1).all()
    assert ds.on_manifold.values.tolist() == [-1]  # the unstable centre alone is a point
    verify(net, ds)


def test_ring_of_few_units_has_bumps():
    net = ring(16)
    ds = rd.slow_points(net, starts=48, rng=0)
    assert described(ds)[0][:2] == (1, "ring")
    on_it = ds.isel(point=ds.on_manifold.values == 0).sortby("position")
    assert on_it.sizes["point"] == 32  # stable and unstable by turns, N of each
    assert on_it.stability.values.tolist()[::2] in (["stable"] * 16, ["unstable"] * 16)
    assert (on_it.stability.values[::2] != on_it.stability.values[1::2]).all()
    assert np.diff(on_it.position) == pytest.approx(ds.length.item() / 32, rel=1e-2)
    verify(net, ds)


@pytest.mark.slow
@pytest.mark.compiled
def test_ring_of_relu_units_is_one_in_spite_of_its_kinks():
    ds = rd.slow_points(ring(64, activation="relu", J0=-6.0, J1=8.0, bias=1.0), starts=16, rng=0)
    assert [one[:2] for one in described(ds)] == [(1, "ring")]
    assert (ds.isel(point=ds.on_manifold.values == 0).kind == "fixed").all()


# ---- tolerances, dimensions, arguments -------------------------------------------------------------------------------
@pytest.mark.compiled
@pytest.mark.parametrize(
    "net",
    [rd.Linear(None, [[1 - 1e-4, 0.0], [0.3, 0.5]]), rd.Elman(None, 1.01 * np.outer([0.6, 0.8], [0.6, 0.8])), ring(16)],
    ids=["leak", "rank one", "ring"],
)
def test_neither_tolerance_nor_starts_change_a_manifold(net):
    results = [
        rd.slow_points(net, starts=starts, max_speed=speed, rng=seed)
        for seed, (speed, starts) in enumerate(zip(SPEEDS, (16, 32, 48, 64, 100), strict=True))
    ]
    first = described(results[0])
    assert len(first) == 1
    for ds in results[1:]:
        (one,) = described(ds)
        assert one[:2] == first[0][:2] and one[3:] == first[0][3:]
        assert one[2] == pytest.approx(first[0][2], rel=2e-5)  # of the splines; the nodes differ
        assert (ds.on_manifold == 0).sum() == (results[0].on_manifold == 0).sum()


def test_a_plane_is_one_object_of_two_dimensions():
    ds = rd.slow_points(rd.Linear(None, np.diag([1.0, 1.0, 0.5])), starts=64, rng=0)
    assert [one[:2] for one in described(ds)] == [(2, "unknown")]
    assert ds.sizes["point"] == 0 and np.isnan(ds.length).all()


def test_isolated_points_are_no_manifold():
    ds = rd.slow_points(rd.Elman(None, 1.5 * np.eye(2)), starts=200, rng=0)
    assert ds.sizes["manifold"] == 0 and ds.sizes["point"] == 9
    assert (ds.on_manifold == -1).all() and (ds.kind == "fixed").all() and np.isnan(ds.position).all()


@pytest.mark.parametrize(
    ("rates", "count"), [((0.0, 0.5), 1), ((1e-3, 2e-3, 0.4), 2), ((0.4, 0.5), 0), ((0.1, 0.1), 0), ((0.0, 0.0), 2)]
)
def test_slow_modes_are_counted_before_the_widest_gap(rates, count):
    assert slow_modes(np.diag(1 - np.array(rates))[None], 5.0) == count


def test_no_starts_and_wrong_arguments():
    net = rd.Linear(None, [[1.0, 0.0], [0.0, 0.5]])
    assert rd.slow_points(net, starts=np.empty((0, 2))).sizes["point"] == 0
    for name, value in (("max_speed", 0.0), ("separation", 1.0), ("samples", 1), ("limit", -1.0)):
        with pytest.raises(ValueError, match=name):
            rd.slow_points(net, **{name: value})
    with pytest.raises(TypeError, match="net is a list"):
        rd.slow_points([net])


def test_equal_calls_give_equal_results():
    net = ring(8)
    first, second = (rd.slow_points(net, starts=16, rng=3) for _ in range(2))
    assert first.identical(second)
