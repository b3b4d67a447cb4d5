"""Fixed points against closed forms; every point that is reported is verified again in plain NumPy."""

import copy
import itertools

import naive
import numpy as np
import pytest
from cases import SMOOTH

import rnndyn as rd
from rnndyn.analysis.completeness import Box, invariant_box, missing_estimate
from rnndyn.kernels.cuda.device import problem


def scalar(w, b=0.0):
    """The network x' = tanh(w x + b)."""
    return rd.Elman(None, [[w]], [b])


def verify(ds, step, size, period=1):
    """Residuals, Jacobians and what follows from them, from a step (S,) -> (S,) of complex numbers alone."""

    def iterate(x):
        for _ in range(period):
            x = step(x)
        return x

    for k in range(ds.sizes["point"]):
        x = ds.state.values[k]
        if (
            ds.status[k] == "degenerate" and np.abs(x).max() > 1e3
        ):  # where gates without bounds hold any state to rounding
            continue
        residual = np.abs(iterate(x) - x).max()
        assert residual <= 1e-13 * max(1, np.abs(x).max()) * 10.0 ** (period - 1)
        J = np.stack([iterate(x + 1e-30j * e).imag / 1e-30 for e in np.eye(size)], axis=1)
        if ds.status[k] != "degenerate":
            wanted, got = np.linalg.eigvals(J), ds.eigenvalue.values[k]
            # each is near one of the others: order within rounding is nobody's fault
            assert np.abs(wanted[:, None] - got).min(axis=0).max() < 1e-6 * max(1, np.abs(wanted).max())
            assert ds["index"][k] == np.sign(np.linalg.det(np.eye(size) - J))
            newton = np.linalg.solve(J - np.eye(size), x - iterate(x))
            assert np.linalg.norm(newton) <= ds.error_bound[k] + 1e-15
    modulus = np.abs(ds.eigenvalue.values)
    assert (np.diff(modulus, axis=1) <= 0).all() and np.array_equal(ds.n_unstable, (modulus > 1).sum(axis=1))


# ---- one unit --------------------------------------------------------------------------------------------------------
def test_pitchfork():
    assert rd.fixed_points(scalar(0.9), rng=0, starts=100).state.values.ravel() == pytest.approx([0.0], abs=1e-15)
    ds = rd.fixed_points(scalar(1.5), rng=0, starts=100)
    assert ds.state.values.ravel() == pytest.approx([-0.8586, 0.0, 0.8586], abs=1e-4)
    assert ds.stability.values.tolist() == ["stable", "unstable", "stable"]
    assert ds["index"].values.tolist() == [1, -1, 1]
    verify(ds, lambda x: np.tanh(1.5 * x), 1)


def test_at_the_pitchfork_the_point_is_undecided():
    ds = rd.fixed_points(scalar(1.0), rng=0, starts=100)
    assert ds.sizes["point"] == 1 and ds.status == "degenerate" and ds.stability == "undecided"
    assert abs(ds.state.item()) <= ds.error_bound.item() < 1e-4 and ds["index"] == 0


@pytest.mark.compiled
@pytest.mark.parametrize("side", [1, -1])
def test_folds(side):
    x = np.sqrt(0.5)  # x^2 = 1 - 1/w at w = 2
    fold = side * (np.arctanh(x) - 2 * x)
    assert abs(fold) == pytest.approx(0.53283998, abs=1e-8)
    before, after = (rd.fixed_points(scalar(2.0, fold * f), rng=0, starts=200) for f in (1 - 1e-6, 1 + 1e-6))
    assert (before.sizes["point"], after.sizes["point"]) == (3, 1)
    assert before.attrs["index_sum"] == after.attrs["index_sum"] == 1
    close = np.abs(np.abs(before.state.values) - x).ravel().argsort()[:2]
    assert set(before.stability.values[close]) == {"stable", "unstable"}
    verify(before, lambda s: np.tanh(2 * s + fold * (1 - 1e-6)), 1)


def test_flip():
    b = 2.29558715  # x^2 = 1 + 1/w at w = -2
    ds = rd.fixed_points(scalar(-2.0, b), rng=0, starts=50)
    assert ds.eigenvalue.item() == pytest.approx(-1, abs=1e-7)
    beyond = [rd.fixed_points(scalar(-2.0, b * f), rng=0, starts=50).stability.item() for f in (0.99, 1.01)]
    assert beyond == ["unstable", "stable"]
    cycle = rd.fixed_points(scalar(-2.0), rng=0, starts=200, period=2)
    assert cycle.state.values.ravel() == pytest.approx([-0.95750402, 0, 0.95750402], abs=1e-7)
    assert cycle.stability.values.tolist() == ["stable", "unstable", "stable"]
    verify(cycle, lambda s: np.tanh(-2 * s), 1, period=2)


def test_neimark_sacker():
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    for gain, stability in ((0.99, "stable"), (1.01, "unstable")):
        ds = rd.fixed_points(rd.Elman(None, gain * turn), rng=0, starts=50)
        assert ds.stability.values.tolist() == [stability]
        assert ds.eigenvalue.values[0] == pytest.approx(gain * np.exp([0.7j, -0.7j]), abs=1e-14)


# ---- several units ---------------------------------------------------------------------------------------------------
@pytest.mark.compiled
@pytest.mark.parametrize("coupling", [0.0, 0.05])
def test_three_bistable_units_have_27_points(coupling):
    W = 2 * np.eye(3) + coupling * (1 - np.eye(3))
    ds = rd.fixed_points(rd.Elman(None, W), rng=0)
    assert np.bincount(ds.n_unstable).tolist() == [8, 12, 6, 1]
    assert ds.attrs["index_sum"] == ds.attrs["expected_index_sum"] == 1 and ds.attrs["estimated_missing"] == 0
    assert (ds.status == "certified").all() and ds.error_bound.max() < 1e-13
    verify(ds, lambda x: np.tanh(W @ x), 3)


@pytest.mark.compiled
@pytest.mark.parametrize("N", [2, 3, 4])
def test_planted_points_are_found(N):
    V = np.random.default_rng(N).uniform(-1, 1, (N, N))
    W = np.arctanh(V) @ np.linalg.inv(V)
    ds = rd.fixed_points(rd.Elman(None, W), rng=0, starts=2000)
    planted = np.concatenate([V.T, -V.T, np.zeros((1, N))])
    distance = np.linalg.norm(ds.state.values - planted[:, None], axis=2).min(axis=1)
    assert distance.max() < 1e-9 and ds.attrs["index_sum"] == 1
    verify(ds, lambda x: np.tanh(W @ x), N)


@pytest.mark.compiled
@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_every_cell(case, rng):
    net = case.network(rng, 4, 2)
    x = rng.standard_normal(2)
    ds = rd.fixed_points(net, x, rng=0, starts=200)
    assert ds.attrs["expected_index_sum"] in (1, "unknown")
    if ds.attrs["expected_index_sum"] == 1 and not (ds.status == "degenerate").any():
        assert ds.attrs["index_sum"] % 2 == 1 or ds.attrs["estimated_missing"] > 0
    verify(ds, lambda s: case.step(s, x, **case.parameters(net), **case.options), net.state_size)


@pytest.mark.compiled
def test_saturated_gates_make_no_points(rng):
    # Far outside [-1, 1] the update gate is 1 to rounding and keeps any state; none of these is fixed.
    net = rd.GRU.random(6, gain=2.0, rng=3)
    ds = rd.fixed_points(net, starts=30 * rng.standard_normal((300, 6)))
    assert (np.abs(ds.state) <= 1).all()


@pytest.mark.compiled
def test_saturated_gates_of_a_closed_loop_make_no_points():
    """A GRU's states stay in [-1, 1] whatever it is fed; an LSTM's cell state goes as far as its inputs."""
    loop = rd.ClosedLoop(rd.GRU.random(6, 2, 2, rng=0))
    ds = rd.fixed_points(loop, starts=128, rng=0)
    assert np.array_equal(ds.state, np.zeros((1, 6))) and ds.completeness == "consistent"
    assert invariant_box(rd.ClosedLoop(rd.LSTM.random(6, 2, 2, rng=0)), Box(np.zeros(0), np.zeros(0))) is None


@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["tanh", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("gru", "lstm"))])
def test_trained_flip_flops_hold_eight_memories(kind, networks_folder, plain_search):
    net = rd.load(networks_folder / f"flip_flop_{kind}.safetensors")
    ds = rd.fixed_points(net, rng=0, starts=512)
    assert (ds.stability == "stable").sum() >= 8
    parameters = {name: getattr(net, name) for name in ("W_xh", "W_hh", "b_h")} | (
        {"b_hn": net.b_hn} if kind == "gru" else {}
    )
    parameters = {name: np.asarray(value, float) for name, value in parameters.items()}
    step = {"tanh": naive.elman_step, "gru": naive.gru_step, "lstm": naive.lstm_step}[kind]
    verify(ds, lambda s: step(s, np.zeros(3), **parameters), net.state_size)


# ---- maps ------------------------------------------------------------------------------------------------------------
def henon(s, x, p):
    return np.array([1 - p * s[0] ** 2 + s[1], 0.3 * s[0]])


@pytest.mark.parametrize("a", [0.2, 0.5, 1.4])
def test_henon_points(a):
    ds = rd.fixed_points(rd.Map(henon, 2, parameters=a), rng=0, starts=60)
    x = (-0.7 + np.array([-1, 1]) * np.sqrt(0.49 + 4 * a)) / (2 * a)
    assert np.abs(ds.state.values - np.stack([x, 0.3 * x], axis=1)).max() < 1e-13
    assert ds.stability.values.tolist() == ["unstable", "stable" if a < 0.3675 else "unstable"]
    assert ds.attrs["expected_index_sum"] == "unknown"
    verify(ds, lambda s: henon(s, None, a), 2)


def test_no_points_before_the_fold():
    ds = rd.fixed_points(rd.Map(henon, 2, parameters=-0.13), rng=0, starts=60)
    assert ds.sizes == {"point": 0, "state": 2, "mode": 2}
    assert ds.attrs["n_converged"] == 0 and ds.attrs["index_sum"] == 0 and ds.stability.dtype.kind == "U"


LONG = (pytest.mark.compiled, pytest.mark.slow)
CYCLES = [(1, 2), (2, 4), *(pytest.param(*c, marks=LONG) for c in [(3, 2), (4, 8), (5, 2), (6, 16)])]


@pytest.mark.parametrize("period, points", CYCLES)
def test_cycles_of_the_henon_map(period, points):
    ds = rd.fixed_points(rd.Map(henon, 2, parameters=1.4), rng=0, starts=300, period=period)
    assert ds.sizes["point"] == points
    verify(ds, lambda s: henon(s, None, 1.4), 2, period)


def test_small_and_large_scales():
    for scale in (1e-8, 1.0, 1e8):
        net = rd.Map(lambda s, x, p: p * np.tanh(2 * s / p), 1, parameters=scale)
        starts = scale * np.linspace(-1, 1, 20)[:, None]
        ds = rd.fixed_points(net, starts=starts)
        assert ds.state.values.ravel() / scale == pytest.approx([-0.95750402, 0, 0.95750402], abs=1e-8)


def test_a_continuum_of_points_is_singular():
    ds = rd.fixed_points(rd.Linear(None, np.diag([1.0, 0.5])), rng=0, starts=40)
    assert (ds.status == "degenerate").all() and (ds.stability == "undecided").all()


def test_a_linear_network_has_one_point(rng):
    net = rd.Linear(rng.standard_normal((4, 2)), rng.standard_normal((4, 4)), rng.standard_normal(4))
    x = rng.standard_normal(2)
    ds = rd.fixed_points(net, x, starts=20, rng=0)
    wanted = np.linalg.solve(np.eye(4) - net.W_hh, net.W_xh @ x + net.b_h)
    assert ds.sizes["point"] == 1
    assert np.linalg.norm(ds.state.values[0] - wanted) <= ds.error_bound.item() < 1e-12


# ---- the search ------------------------------------------------------------------------------------------------------
@pytest.mark.compiled
def test_equal_calls_give_equal_results_and_starts_do_not_influence_each_other(rng):
    net = rd.Elman.random(5, gain=2.5, rng=1)
    assert rd.fixed_points(net, rng=7, starts=200).identical(rd.fixed_points(net, rng=7, starts=200))
    starts = rng.uniform(-1, 1, (64, 5))
    whole = rd.fixed_points(net, starts=starts)
    shuffled = rd.fixed_points(net, starts=starts[rng.permutation(64)])
    assert whole.attrs["n_converged"] == shuffled.attrs["n_converged"]
    assert np.abs(whole.state.values - shuffled.state.values).max() < 1e-13


def test_a_tolerance_stops_earlier():
    net = rd.Elman.random(5, gain=2.0, rng=1)
    rough = rd.fixed_points(net, starts=100, rng=0, tol=1e-3)
    assert (rough.residual <= 1e-3).all() and rough.residual.max() > 1e-12
    assert (rough.error_bound >= rough.residual / 10).all()


def test_a_nearly_fixed_state_is_not_listed():
    # Just past the fold the network lingers, |F(x) - x| = 1e-9, but there is no point.
    x = np.sqrt(0.5)
    net = scalar(2.0, -(np.arctanh(x) - 2 * x) + 1e-9)
    ds = rd.fixed_points(net, starts=np.full((20, 1), -x) + 1e-3 * np.arange(20)[:, None])
    assert (np.abs(ds.state.values + x) > 0.1).all()


@pytest.mark.parametrize("n", [0, 1])
def test_few_starts(n):
    """The branch and bound of small networks needs none."""
    ds = rd.fixed_points(scalar(0.5), starts=np.full((n, 1), 0.3))
    assert ds.attrs["n_starts"] == ds.attrs["n_converged"] == n
    assert ds.sizes["point"] == 1 and ds.attrs["completeness"] == "proved"


def test_no_starts_and_no_other_search():
    ds = rd.fixed_points(rd.Map(lambda s, x, p: 0.5 * s, 1), starts=np.empty((0, 1)))
    assert ds.sizes["point"] == 0 and ds.attrs["n_starts"] == 0 and ds.attrs["estimated_missing"] > 0


@pytest.mark.compiled
def test_float32_networks_are_searched_in_float64():
    net = rd.Elman.random(5, gain=2.0, rng=1, dtype="float32")
    single, double = (rd.fixed_points(one, starts=200, rng=0) for one in (net, net.astype("float64")))
    assert single.state.dtype == np.float64 and single.residual.max() < 1e-14
    assert single.sizes == double.sizes


def test_ensembles_have_a_coordinate():
    nets = [scalar(w) for w in (0.5, 2.0, 3.0)]
    ds = rd.fixed_points(nets, starts=60, rng=0)
    assert ds.network.values.tolist() == [0, 1, 1, 1, 2, 2, 2] and ds.network.dims == ("point",)
    assert ds.attrs["index_sum"] == [1, 1, 1] and ds.attrs["n_starts"] == [60, 60, 60]


def searched_alone(ds, k, **coordinates):
    """The points of one search of a result of many, and its attrs, in the form of a result of one."""
    rows = np.logical_and.reduce([ds[name] == value for name, value in coordinates.items()])
    attrs = {name: ds.attrs[name][k] for name in SET_ATTRS}
    return ds.isel(point=rows).drop_vars(coordinates).drop_attrs(deep=False).assign_attrs(attrs)


SET_ATTRS = ("n_starts", "n_converged", "index_sum", "expected_index_sum", "estimated_missing", "completeness")


@pytest.mark.parametrize("seed", [0, np.random.default_rng(3)], ids=["seed", "generator"])
def test_several_inputs_and_networks_give_what_each_gives_alone(seed):
    nets = [rd.Elman.random(3, 2, gain=2.0, rng=k) for k in range(2)]
    inputs = np.array([[0.0, 0.0], [0.3, -0.2], [2.0, 1.0]])
    together = rd.fixed_points(nets, inputs, starts=40, rng=copy.deepcopy(seed))
    assert together.input_index.dims == together.network.dims == ("point",)
    pairs = list(zip(together.network.values.tolist(), together.input_index.values.tolist(), strict=True))
    assert pairs == sorted(pairs) and len(set(pairs)) == 6
    for k, (net, x) in enumerate(itertools.product(nets, inputs)):
        alone = rd.fixed_points(net, x, starts=40, rng=copy.deepcopy(seed))
        wanted = alone.drop_attrs(deep=False).assign_attrs({name: alone.attrs[name] for name in SET_ATTRS})
        assert searched_alone(together, k, network=k // 3, input_index=k % 3).identical(wanted)


def test_a_generator_moves_on(rng):
    before = copy.deepcopy(rng)
    rd.fixed_points([scalar(0.5), scalar(0.6)], starts=5, rng=rng)
    assert rng.random() != before.random()


def test_progress_is_told_search_by_search():
    told, nets = [], [scalar(0.5), scalar(1.6)]
    ds = rd.fixed_points(nets, starts=5, rng=0, progress=lambda *now: told.append(now))
    assert told == [(1, 2), (2, 2)] and ds.identical(rd.fixed_points(nets, starts=5, rng=0))


def test_inputs_by_dimension_name():
    import xarray as xr

    net = rd.Elman([[1.0]], [[2.0]])
    named = xr.DataArray([[0.1, 0.4, 1.0]], dims=("input", "input_index"))
    ds = rd.fixed_points(net, named, starts=20, rng=0)
    assert ds.input_index.values.tolist() == [0, 0, 0, 1, 1, 1, 2] and "network" not in ds.coords
    under = named.isel(input=0, input_index=ds.input_index).values
    np.testing.assert_allclose(np.tanh(2 * ds.state.values[:, 0] + under), ds.state.values[:, 0], rtol=1e-15)
    one = rd.fixed_points(net, [[0.1]], starts=20, rng=0)
    assert one.input_index.values.tolist() == [0, 0, 0] and one.attrs["index_sum"] == [1]


def test_networks_without_inputs_take_rows_of_none():
    ds = rd.fixed_points(scalar(2.0), np.empty((2, 0)), starts=20, rng=0)
    assert ds.input_index.values.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.compiled
def test_stacks():
    net = rd.Stack([rd.Elman.random(3, 2, gain=1.5, rng=0), rd.GRU.random(2, 3, gain=2.0, rng=1)])
    ds = rd.fixed_points(net, [0.3, -0.2], starts=100, rng=0)
    assert ds.sizes["point"] % 2 == 1 and ds.attrs["index_sum"] == ds.attrs["expected_index_sum"] == 1


# ---- what is said of a point -----------------------------------------------------------------------------------------
@pytest.mark.compiled
def test_what_is_said_of_a_point_fits_together(tmp_path):
    net = rd.GRU.random(4, 2, gain=3.0, rng=2)
    ds = rd.fixed_points(net, [0.5, -1.0], starts=100, rng=0)
    assert (ds.status == "certified").all() and (ds.unique_radius > ds.error_bound).all()
    assert rd.open_results(rd.save_results(ds, tmp_path / "points.nc")).identical(ds)
    for k in range(ds.sizes["point"]):
        point = ds.isel(point=k)
        J = rd.jacobian(net, point.state.values, [0.5, -1.0])
        right, left = point.right_eigenvector.values.T, point.left_eigenvector.values.T
        assert np.abs((right * point.eigenvalue.values) @ left.conj().T - J).max() < 1e-12
        assert np.array_equal(point.input_jacobian, rd.jacobian(net, point.state.values, [0.5, -1.0], wrt="input"))
        assert np.exp(-1 / point.time_constant.values) == pytest.approx(np.abs(point.eigenvalue.values))
        assert np.isinf(point.transient_growth) == (point.stability != "stable")
        assert 1 <= point.transient_growth and 0 < point.nonnormality < 1
        assert np.array_equal(point.mode_type == "rotation", point.eigenvalue.imag != 0)


def test_the_input_jacobian_of_a_cycle():
    # F^2(x) = tanh(-2 tanh(-2 x + u) + u): d/du = (1 - y^2)(1 - 2 (1 - z^2)), z the other point
    net = rd.Elman([[1.0]], [[-2.0]])
    ds = rd.fixed_points(net, [0.1], starts=100, rng=0, period=2)
    low, _, high = ds.state.values.ravel()
    wanted = (1 - high**2) * (1 - 2 * (1 - low**2))
    assert ds.input_jacobian.values[2].item() == pytest.approx(wanted, rel=1e-12)


# ---- the parts -------------------------------------------------------------------------------------------------------
def test_chao():
    assert missing_estimate(np.array([5, 3, 2])) == 0
    assert missing_estimate(np.ones(10, int)) == 45
    assert missing_estimate(np.array([], int)) == 0


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"period": 0}, ValueError, "period"),
        ({"period": 1.5}, TypeError, "period"),
        ({"starts": 0}, ValueError, "starts"),
        ({"starts": np.ones((3, 2))}, ValueError, "starts"),
        ({"starts": [[np.nan]]}, ValueError, "starts"),
        ({"tol": 0.0}, ValueError, "tol"),
        ({"input": [1.0]}, ValueError, "input"),
        ({"input": np.empty((0, 0))}, ValueError, "input .* at least one"),
        ({"input": np.empty((2, 2, 0))}, ValueError, "input"),
        ({"rng": "seed"}, TypeError, "rng"),
        ({"device": "gpu"}, ValueError, "device"),
    ],
)
def test_wrong_arguments_are_named(options, error, words):
    with pytest.raises(error, match=words):
        rd.fixed_points(scalar(0.5), **options)


@pytest.mark.parametrize("kind", ["cell", "Map"])
def test_a_gpu_that_is_not_there_or_not_able(kind):
    if kind == "cell" and problem() is None:
        pytest.skip("there is a GPU")
    net = scalar(0.5) if kind == "cell" else rd.Map(lambda s, x, p: 0.5 * s, 1)
    with pytest.raises(
        rd.DeviceError, match="device='cuda'" if kind == "cell" else "search of a Map.*use device='cpu'"
    ):
        rd.fixed_points(net, device="cuda")
