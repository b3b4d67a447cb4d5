"""Lyapunov spectra against exact laws, published values, and each other."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import digamma, polygamma

import rnndyn as rd
from rnndyn.analysis import measure
from rnndyn.analysis.growth import Tally, dimension_weights, entropy_rate, kaplan_yorke


def log_eigenvalues(*matrices):
    """Ln |eig| of the product, per matrix, the first of which acts first; from the largest."""
    product = np.linalg.multi_dot(matrices[::-1]) if len(matrices) > 1 else matrices[0]
    return np.sort(np.log(np.abs(np.linalg.eigvals(product))))[::-1] / len(matrices)


MEANS = {"exponent_mean": "exponent", "dimension_mean": "dimension", "entropy_mean": "entropy_rate"}
CHAOTIC = [[-1, -4], [-3, -2], [-2, 6], [0, -6], [-1, -6], [6, -9], [4, 1], [-9, -7]]  # W_hh, two units
henon = rd.Map(lambda s, x, p: (1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]), 2)
logistic = rd.Map(lambda s, x, p: 4 * s * (1 - s), 1)


# ---- known maps ------------------------------------------------------------------------------------------------------
def test_logistic_map():
    ds = rd.lyapunov_spectrum(logistic, steps=20_000, rng=1)
    assert abs(ds.exponent.item() - np.log(2)) < 4 * ds.stderr.item() < 0.01
    assert ds.status == 0 and ds.dimension == 1 and ds.entropy_rate == ds.exponent.item()


def test_henon_map():
    ds = rd.lyapunov_spectrum(henon, steps=20_000, rng=0)
    assert (np.abs(ds.exponent - [0.41919, -1.62316]) < 4 * ds.stderr).all()
    assert abs(ds.exponent.sum() - np.log(0.3)) < 1e-12
    assert ds.sum_rule_defect < 1e-9 and ds.status == 0
    assert abs(ds.dimension - 1.2583) < 0.01


def test_cat_map_with_its_jacobian_given():
    cat = np.array([[2.0, 1.0], [1.0, 1.0]])
    net = rd.Map(lambda s, x, p: p @ s % 1.0, 2, parameters=cat, jacobian=lambda s, x, p: p)
    ds = rd.lyapunov_spectrum(net, steps=300, warmup=100, rng=0)
    wanted = np.log((3 + np.sqrt(5)) / 2)
    assert np.abs(ds.exponent - [wanted, -wanted]).max() < 1e-13
    assert ds.dimension == 2 or abs(ds.dimension - 2) < 1e-12


def lorenz_step(s, x, p):
    def f(v):
        return np.array([10 * (v[1] - v[0]), v[0] * (28 - v[2]) - v[1], v[0] * v[1] - 8 / 3 * v[2]])

    k1 = f(s)
    k2 = f(s + p / 2 * k1)
    k3 = f(s + p / 2 * k2)
    return s + p / 6 * (k1 + 2 * k2 + 2 * k3 + f(s + p * k3))


@pytest.mark.slow
def test_lorenz_flow_by_runge_kutta_steps():
    net = rd.Map(lorenz_step, 3, parameters=0.01)
    ds = rd.lyapunov_spectrum(net, steps=20_000, warmup=2000, time_step=0.01, initial_state=[1.0, 1.0, 20.0])
    assert (np.abs(ds.exponent - [0.9056, 0.0, -14.5723]) < [0.1, 0.02, 0.12]).all()
    assert abs(ds.exponent.sum() + 41 / 3) < 0.01
    assert ds.sum_rule_defect < 1e-9 and abs(ds.dimension - 2.062) < 0.01
    assert ds.exponent.units == "nat/time"


# ---- networks --------------------------------------------------------------------------------------------------------
def test_linear_networks_have_the_logarithms_of_their_eigenvalues(rng):
    for gain in (0.7, 1.8):
        net = rd.Linear.random(8, gain=gain, rng=rng)
        ds = rd.lyapunov_spectrum(net, steps=100)
        assert np.abs(ds.exponent - log_eigenvalues(net.W_hh)).max() < 1e-12
        assert ds.sum_rule_defect < 1e-12
        elman = rd.Elman(None, net.W_hh, activation="identity")
        assert np.array_equal(rd.lyapunov_spectrum(elman, k=3).exponent, ds.exponent[:3])


def test_a_singular_linear_network():
    ds = rd.lyapunov_spectrum(rd.Linear(None, [[2.0, 1.0], [0.0, 0.0]]))
    assert ds.exponent.values.tolist() == [np.log(2), -np.inf]
    assert ds.dimension == 1 and np.isnan(ds.sum_rule_defect) and ds.status == 0


@pytest.mark.compiled
def test_lstm_at_rest_has_infinite_exponents(rng):
    net = rd.LSTM.random(4, gain=1.5, rng=rng).replace(b_h=None)
    ds = rd.lyapunov_spectrum(net, steps=4000, warmup=500, initial_state=np.zeros(8))
    W_g = net.W_hh[8:12]
    wanted = np.sort(np.log(np.abs(0.5 + 0.25 * np.linalg.eigvals(W_g))))[::-1]
    assert np.abs(ds.exponent[:4] - wanted).max() < 2e-3
    assert np.isneginf(ds.exponent[4:]).all() and (ds.stderr[4:] == 0).all()
    assert ds.status == 0 and np.isnan(ds.sum_rule_defect)


@pytest.mark.compiled
def test_gru_with_zero_gates_is_a_leaky_network_at_rest(rng):
    H, b_r, b_z = 5, 0.4, -0.3
    U = rng.standard_normal((H, H))
    b_h = np.concatenate([np.full(H, b_r), np.full(H, b_z), np.zeros(H)])
    net = rd.GRU(None, np.concatenate([np.zeros((2 * H, H)), U]), b_h)
    r, z = 1 / (1 + np.exp(-b_r)), 1 / (1 + np.exp(-b_z))
    wanted = np.sort(np.log(np.abs(z + (1 - z) * r * np.linalg.eigvals(U))))[::-1]
    ds = rd.lyapunov_spectrum(net, steps=4000, warmup=500, initial_state=np.zeros(H))
    assert np.abs(ds.exponent - wanted).max() < 2e-3


@pytest.mark.compiled
def test_the_chaotic_lstm_of_laurent_and_von_brecht():
    net = rd.LSTM(None, np.array(CHAOTIC, float))
    ds = rd.lyapunov_spectrum(net, steps=20_000, initial_state=np.full(4, 0.5))
    wanted = np.array([0.1695, -0.3852, -1.6765, -4.6216])
    assert (np.abs(ds.exponent - wanted) < 4 * ds.stderr + 0.0015).all()
    assert ds.sum_rule_defect < 1e-9 and ds.status == 0


NETWORKS = [rd.Elman, rd.Leaky, rd.LSTM, rd.GRU]


@pytest.mark.parametrize("cls", NETWORKS)
def test_sum_rule_leading_part_and_reproducibility(cls):
    net = cls.random(6, 2, gain=3.0, rng=1)
    inputs = np.random.default_rng(2).standard_normal((600, 2))
    ds = rd.lyapunov_spectrum(net, inputs, steps=500, warmup=100, rng=3)
    assert ds.sum_rule_defect < 1e-9 and ds.status == 0
    again = rd.lyapunov_spectrum(net, inputs, steps=500, warmup=100, rng=3)
    assert again.identical(ds)
    leading = rd.lyapunov_spectrum(net, inputs, steps=500, warmup=100, rng=3, k=2)
    assert np.abs(leading.exponent - ds.exponent[:2]).max() < 0.03  # another frame, another path towards the limit


def test_batches_and_ensembles_are_the_single_results():
    nets = [rd.Elman.random(5, gain=2.5, rng=seed) for seed in (1, 2)]
    start = np.random.default_rng(0).standard_normal((3, 5))
    options = {"steps": 200, "warmup": 50, "k": 2, "rng": 0}
    both = rd.lyapunov_spectrum(nets, initial_state=start, **options)
    assert both.exponent.dims == ("network", "batch", "index") and both.status.dims == ("network", "batch")
    assert both.sizes == {"network": 2, "batch": 3, "index": 2}
    frames = np.random.default_rng(0)
    for n, net in enumerate(nets):
        batch = rd.lyapunov_spectrum(net, initial_state=start, **options | {"rng": frames})
        assert np.abs(batch.exponent - both.exponent[n]).max() < 1e-12
    assert rd.lyapunov_spectrum(nets[0], trajectories=4, **options).exponent.dims == ("batch", "index")
    assert rd.lyapunov_spectrum(nets[:1], **options).exponent.dims == ("network", "index")


def test_driven_networks(rng):
    net = rd.Elman.random(6, 2, gain=2.0, rng=0)
    inputs = rng.standard_normal((3, 300, 2))
    ds = rd.lyapunov_spectrum(net, inputs, steps=200, warmup=100, initial_state=np.zeros(6), rng=0)
    assert ds.exponent.dims == ("batch", "index")
    one = rd.lyapunov_spectrum(net, inputs[1], steps=200, warmup=100, initial_state=np.zeros(6), rng=0)
    assert np.abs(one.exponent - ds.exponent[1]).max() < 1e-10
    assert (ds.exponent[:, 0] < rd.lyapunov_spectrum(net, steps=2000, rng=0).exponent[0] + 0.2).all()
    short = rd.lyapunov_spectrum(net, inputs[0, :250], rng=0)
    assert (short.attrs["warmup_used"], short.attrs["steps_used"]) == (25, 225)


def test_float32_networks_agree_to_their_precision():
    net = rd.Elman.random(6, gain=0.8, rng=0)
    exact = rd.lyapunov_spectrum(net, steps=500, warmup=100, initial_state=np.zeros(6), rng=0)
    single = rd.lyapunov_spectrum(net.astype("float32"), steps=500, warmup=100, initial_state=np.zeros(6), rng=0)
    assert np.abs(exact.exponent - single.exponent).max() < 1e-4
    assert single.attrs["dtype"] == "float32" and single.status == 0


def test_divergence_is_a_status_of_its_row_only():
    ds = rd.lyapunov_spectrum(henon, initial_state=[[0.0, 0.0], [10.0, 10.0]], steps=200, warmup=20, rng=0)
    alone = rd.lyapunov_spectrum(henon, initial_state=[[0.0, 0.0]], steps=200, warmup=20, rng=0)
    assert ds.status.values.tolist() == [0, 2]
    assert np.abs(ds.exponent[0] - alone.exponent[0]).max() < 1e-12
    assert np.isnan(ds.exponent[1]).all() and np.isnan(ds.dimension[1]) and np.isnan(ds.sum_rule_defect[1])


def test_several_trajectories_have_a_mean_between_them():
    ds = rd.lyapunov_spectrum(henon, steps=500, trajectories=4, time_step=0.5, rng=0)
    assert ds.agreement == "agree" and ds.dof == 3
    assert ds.exponent_mean.dims == ("index",) and ds.exponent_mean.units == "nat/time"
    assert (np.abs(ds.exponent_mean - np.array([0.41919, -1.62316]) / 0.5) < 5 * ds.exponent_mean_stderr).all()
    assert "agreement" not in rd.lyapunov_spectrum(henon, steps=50, initial_state=[[0.0, 0.0]])


def test_no_mean_is_taken_over_different_attractors():
    bistable = rd.Elman(None, [[2.0]], [0.3])
    options = {"steps": 300, "warmup": 100}
    apart = rd.lyapunov_spectrum(bistable, initial_state=[[1.0], [-1.0]], **options)
    assert apart.agreement == "differ" and np.isnan(apart.exponent_mean).all() and np.isnan(apart.dimension_mean)
    together = rd.lyapunov_spectrum(bistable, initial_state=[[1.0], [0.5]], **options)
    assert together.agreement == "agree" and abs(together.exponent_mean - together.exponent[0]) < 1e-9
    lost = rd.lyapunov_spectrum(henon, initial_state=[[0.0, 0.0], [10.0, 10.0]], steps=200, warmup=20)
    assert lost.agreement == "differ"
    brief = rd.lyapunov_spectrum(henon, trajectories=2, steps=1, rng=0)
    assert brief.agreement == "unknown" and np.isfinite(brief.exponent_mean).all()


def test_a_drifting_exponent_is_not_called_converged():
    # The slope falls with time, which is the second component.
    net = rd.Map(lambda s, x, p: (s[0] * np.exp(-s[1] / 1000), s[1] + 1), 2)
    assert rd.lyapunov_spectrum(net, steps=1000, warmup=0, initial_state=[1.0, 0.0], rng=0).status == 1


# ---- the compiled mover ----------------------------------------------------------------------------------------------
@pytest.fixture(params=[0, np.inf], ids=["compiled", "numpy"])
def mover(request, monkeypatch):
    """Each of the two movers, whatever the size of the work."""
    monkeypatch.setattr(measure, "WORTH_COMPILING", request.param)


def each_way(monkeypatch, *args, **options):
    """Results of both movers."""
    results = []
    for worth in (0, np.inf):
        monkeypatch.setattr(measure, "WORTH_COMPILING", worth)
        results.append(rd.lyapunov_spectrum(*args, **options))
    return results


COMPARED = {
    "elman": rd.Elman.random(17, 2, gain=2.0, rng=0),
    "leaky": rd.Leaky.random(9, 2, gain=2.0, rng=0, alpha=0.4, form="voltage"),
    "gru": rd.GRU.random(9, 2, gain=2.0, rng=0),
    "gru before": rd.GRU.random(9, 2, gain=2.0, rng=0, reset="before"),
    "lstm": rd.LSTM.random(5, 2, gain=2.0, rng=0),
    "stack": rd.Stack([rd.Elman.random(5, 2, gain=2.0, rng=0), rd.GRU.random(4, 5, gain=2.0, rng=1)]),
}


@pytest.mark.compiled
@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("k", [None, 3])
def test_compiled_and_plain_movers_agree(name, k, monkeypatch, rng):
    inputs = 0.3 * rng.standard_normal((2, 150, 2))
    ours, plain = each_way(monkeypatch, COMPARED[name], inputs, steps=120, warmup=30, k=k, rng=0)
    # Chaos amplifies rounding: 150 steps at less than 0.15 nats, from eps times conditions up to 1e6.
    assert np.abs(ours.exponent - plain.exponent).max() < 1e-7
    assert (ours.status == plain.status).all()
    if k is None:
        assert ours.sum_rule_defect.max() < 1e-11


@pytest.mark.compiled
def test_compiled_ensembles_are_their_members(monkeypatch):
    monkeypatch.setattr(measure, "WORTH_COMPILING", 0)
    nets = [rd.GRU.random(10, 2, gain=2.5, rng=seed, reset="before") for seed in range(3)]
    inputs, start = (np.random.default_rng(0).standard_normal(shape) for shape in ((2, 100, 2), (2, 10)))
    how = {"initial_state": start, "steps": 80, "warmup": 20, "qr_interval": 1}  # else one interval serves all
    both = rd.lyapunov_spectrum(nets, inputs, **how, rng=0)
    frames = np.random.default_rng(0)
    for n, net in enumerate(nets):
        alone = rd.lyapunov_spectrum(net, inputs, **how, rng=frames)
        assert np.array_equal(alone.exponent, both.exponent[n])


def test_ranks_that_are_lost_and_runs_that_diverge(mover):
    once = np.tile(np.eye(3) + 0.1, (20, 1, 1))
    once[7, 2] = 0
    ds = rd.lyapunov_from_jacobians(once)
    assert np.isfinite(ds.exponent[:2]).all() and np.isneginf(ds.exponent[2]) and ds.status == 0
    net = rd.Elman(None, 2 * np.eye(3), activation="relu")
    ds = rd.lyapunov_spectrum(net, steps=2000, warmup=0, initial_state=[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], rng=0)
    assert ds.status.values.tolist() == [2, 0] and np.isnan(ds.exponent[0]).all()


@pytest.mark.parametrize("k", [None, "dimension"])
def test_progress_is_told_and_changes_no_bit(k, mover, capsys):
    told, options = [], {"steps": 150, "warmup": 50, "rng": 0, "k": k, "trajectories": 2}
    net = rd.Elman.random(17, gain=2.0, rng=0)
    silent = rd.lyapunov_spectrum(net, **options)
    assert rd.lyapunov_spectrum(net, **options, progress=lambda *now: told.append(now)).identical(silent)
    done, totals = np.array(told).T
    assert done[-1] == 200 and (totals == 200).all()
    assert k == "dimension" or (np.diff(done) > 0).all()
    assert capsys.readouterr() == ("", "")
    assert rd.lyapunov_spectrum(net, **options, progress=True).identical(silent)
    assert "Lyapunov spectrum: 100%" in capsys.readouterr().err


@pytest.mark.compiled
def test_the_intervals_cover():
    """95 % intervals of exponents, dimension and entropy rate: 200 runs of the chaotic LSTM against their mean."""
    net = rd.LSTM(None, np.array(CHAOTIC, float))
    ds = rd.lyapunov_spectrum(net, steps=4000, warmup=500, trajectories=200, rng=0)
    for name, error in (("exponent", "stderr"), ("dimension", "dimension_stderr"), ("entropy_rate", "entropy_stderr")):
        truth = ds[name].mean("batch")  # its own error is a fourteenth of one run's
        covered = (np.abs(ds[name] - truth) < 1.96 * ds[error]).mean("batch")
        assert (0.90 <= covered).all() and (covered <= 0.99).all(), (name, covered.values)


@pytest.mark.compiled
def test_the_intervals_between_trajectories_cover():
    """95 % intervals from five short runs each: 200 times, against the mean of all runs."""
    net = rd.LSTM(None, np.array(CHAOTIC, float))
    ds = rd.lyapunov_spectrum([net] * 200, steps=300, warmup=500, trajectories=5, rng=0)
    assert (ds.agreement == "agree").all()  # 0.2 false alarms are expected
    for name, part in MEANS.items():
        truth = ds[part].mean(("network", "batch"))  # its own error is a fourteenth of five runs'
        covered = np.abs(ds[name] - truth) < ds.interval_factor * ds[f"{name}_stderr"]
        assert (0.90 <= covered.mean("network")).all() and (covered.mean("network") <= 0.99).all(), name


@pytest.mark.compiled
def test_as_many_directions_as_the_dimension_takes():
    net = rd.Elman.random(64, gain=2.0, rng=0)
    options = {"steps": 1500, "warmup": 300, "rng": 0}
    found, whole = (rd.lyapunov_spectrum(net, k=k, **options) for k in ("dimension", None))
    assert 16 <= found.sizes["index"] < 64
    assert abs(found.dimension - whole.dimension) < 3 * np.hypot(found.dimension_stderr, whole.dimension_stderr)
    assert found.exponent.values[: int(found.dimension)].sum() > 0 > found.exponent.sum()


def test_a_run_ends_when_its_error_is_small_enough():
    ds = rd.lyapunov_spectrum(henon, steps=20_000, until=0.02, rng=0)
    assert ds.stderr.max() <= 0.02 and ds.attrs["steps_used"] < 20_000
    never = rd.lyapunov_spectrum(henon, steps=600, until=1e-9, rng=0)
    assert never.attrs["steps_used"] == 600 and never.stderr.max() > 1e-9


# ---- matrices --------------------------------------------------------------------------------------------------------
def test_gaussian_matrices_follow_newmans_law(rng):
    N, T, repeats = 8, 2000, 8
    rank = (N - np.arange(N)) / 2
    exact, spread = 0.5 * (np.log(2) + digamma(rank)), np.sqrt(polygamma(1, rank) / (4 * T))
    z, ratio = [], []
    for _ in range(repeats):
        ds = rd.lyapunov_from_jacobians(rng.standard_normal((N, N)) for _ in range(T))
        z.append((ds.exponent - exact) / spread)
        ratio.append(ds.stderr / spread)
        assert ds.sum_rule_defect < 1e-11 and ds.status == 0
    z = np.array(z)
    assert np.abs(z).max() < 4.2 and 0.6 < (z**2).mean() < 1.5  # 64 of them
    assert 0.95 < np.mean(ratio) < 1.2


def test_a_period_three_product_tells_the_order(rng):
    matrices = rng.standard_normal((3, 4, 4))
    forward = log_eigenvalues(*matrices)
    ds = rd.lyapunov_from_jacobians(np.tile(matrices, (3000, 1, 1)))
    assert np.abs(ds.exponent - forward).max() < 2e-3


def test_orthogonal_matrices_times_a_gain(rng):
    Q = np.linalg.qr(rng.standard_normal((200, 5, 5)))[0]
    ds = rd.lyapunov_from_jacobians(1.3 * Q)
    assert np.abs(ds.exponent - np.log(1.3)).max() < 1e-14 and (ds.stderr < 1e-15).all()


def test_triangular_matrices_have_the_mean_logarithms_of_their_diagonals(rng):
    d = np.exp(np.array([0.5, -0.3, -2.0]) + 0.1 * rng.standard_normal((1000, 3)))
    J = np.triu(rng.standard_normal((1000, 3, 3)), 1) + np.eye(3) * d[:, None, :]
    assert np.abs(rd.lyapunov_from_jacobians(J).exponent - np.log(d).mean(axis=0)).max() < 1e-13


def test_scaling_and_change_of_basis(rng):
    J = rng.standard_normal((300, 4, 4))
    O = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    exponent = rd.lyapunov_from_jacobians(J).exponent
    assert np.abs(rd.lyapunov_from_jacobians(100 * J).exponent - exponent - np.log(100)).max() < 1e-11
    turned = rd.lyapunov_from_jacobians(O @ J @ O.T).exponent
    assert abs((turned - exponent).sum()) < 1e-12


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("qr_interval", ["auto", 1, 2])
def test_no_vector_of_the_first_frame_is_lost_to_a_singular_matrix(k, qr_interval):
    """[[0, 2], [0, 0]] and its transpose in turn stretch the second axis by 4 and destroy the first."""
    shift = np.array([[0.0, 2.0], [0.0, 0.0]])
    ds = rd.lyapunov_from_jacobians(np.tile([shift, shift.T], (2000, 1, 1)), k=k, qr_interval=qr_interval)
    assert abs(ds.exponent[0] - np.log(2)) < 1e-3  # a general vector has a part of it in its first step: O(1/T)
    assert np.isneginf(ds.exponent[1:]).all()
    exact = rd.lyapunov_from_jacobians(np.tile(np.diag([2.0, 0.0]), (50, 1, 1)), k=k, qr_interval=qr_interval)
    assert abs(exact.exponent[0] - np.log(2)) < 1e-14 and np.isneginf(exact.exponent[1:]).all()


def test_tiny_but_exact_factors_are_kept_and_lost_rank_is_minus_infinity(rng):
    graded = rd.lyapunov_from_jacobians(np.tile(np.diag([2.0, 1e-30]), (50, 1, 1)))
    assert np.abs(graded.exponent - np.log([2.0, 1e-30])).max() < 1e-12
    assert np.isneginf(rd.lyapunov_from_jacobians(np.zeros((5, 3, 3))).exponent).all()
    low = rng.standard_normal((3, 5, 2)) @ rng.standard_normal((3, 2, 5))
    ds = rd.lyapunov_from_jacobians(np.tile(low, (20, 1, 1)))
    assert np.isfinite(ds.exponent[:2]).all() and np.isneginf(ds.exponent[2:]).all() and ds.status == 0
    once = np.tile(np.eye(3), (20, 1, 1))
    once[7, 2] = 0  # one row of one matrix, as of a dead unit
    assert rd.lyapunov_from_jacobians(once @ np.triu(rng.random((20, 3, 3)) + 1)).exponent[2] == -np.inf


@pytest.mark.parametrize("exponents", [(200, -200), (160, 0), (-170, -171)])
def test_squares_of_factors_may_leave_the_range_of_numbers(exponents):
    ds = rd.lyapunov_from_jacobians(np.tile(np.diag(10.0 ** np.array(exponents)), (20, 1, 1)))
    assert np.allclose(ds.exponent, np.log(10) * np.array(exponents), rtol=1e-14) and ds.status == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("gain", [1e-4, 1e-2])
def test_growth_that_is_alike_in_all_directions_does_not_leave_the_range_of_numbers(gain, dtype, mover):
    """At rest the Jacobian is the orthogonal matrix times the gain; its exponents are one, to rounding of the weights.

    Single precision ends after some ten steps, and its last digits go before.
    """
    net = rd.Elman.random(4, gain=gain, recurrent="orthogonal", rng=0, dtype=dtype)
    ds = rd.lyapunov_spectrum(net, k=3, steps=400, warmup=20, rng=0)
    assert np.abs(ds.exponent - np.log(gain)).max() < 100 * np.finfo(dtype).eps and ds.status == 0


@pytest.mark.parametrize("scale", [1e-10, 1e10])
def test_matrices_of_any_scale(scale, rng):
    J = scale * np.linalg.qr(rng.standard_normal((300, 3, 3)))[0]
    ds = rd.lyapunov_from_jacobians(J)
    assert np.allclose(ds.exponent, np.log(scale), rtol=1e-14) and ds.status == 0


@pytest.mark.parametrize("analysis", [rd.lyapunov_spectrum, rd.covariant_lyapunov_vectors, rd.finite_time_exponents])
def test_initial_states_are_matched_by_the_names_of_their_dimensions(analysis, rng):
    s = rng.standard_normal((2, 3))
    options = {"steps": 12, "warmup": 4, "rng": 0} | ({"window": 4} if analysis is rd.finite_time_exponents else {})
    named = xr.DataArray(s, dims=("batch", "state")).T
    found, wanted = (analysis(rd.GRU.random(3, rng=0), initial_state=given, **options) for given in (named, s))
    assert found.exponent.equals(wanted.exponent)


def test_too_rare_a_qr_is_reported(rng):
    J = rng.standard_normal((400, 8, 8)) * np.exp(-2 * np.arange(8))[:, None]
    good, rare = (rd.lyapunov_from_jacobians(J, qr_interval=n) for n in ("auto", 20))
    assert good.status == 0 and good.sum_rule_defect < 1e-9
    assert rare.status != 0


def test_the_automatic_interval_keeps_the_digits(rng):
    J = np.eye(6) + 0.05 * rng.standard_normal((3000, 6, 6))
    each, auto = (rd.lyapunov_from_jacobians(J, qr_interval=n) for n in (1, "auto"))
    assert np.abs(each.exponent - auto.exponent).max() < 1e-10 and auto.sum_rule_defect < 1e-10


def test_iterators_arrays_and_lists_are_equal(rng):
    J = rng.standard_normal((50, 3, 3))
    results = [rd.lyapunov_from_jacobians(form) for form in (J, list(J), iter(J), J[:, ::-1][:, ::-1])]
    assert all(np.array_equal(r.exponent, results[0].exponent) for r in results)


# ---- the parts -------------------------------------------------------------------------------------------------------
def test_kaplan_yorke_and_entropy():
    assert kaplan_yorke(np.array([-0.1, -2.0]), True) == 0
    assert kaplan_yorke(np.array([0.5, 0.3]), True) == 2
    assert np.isnan(kaplan_yorke(np.array([0.5, 0.3]), False))
    assert kaplan_yorke(np.array([0.5, -np.inf]), True) == 1
    assert entropy_rate(np.array([0.5, 0.25, -1.0]), False) == 0.75
    assert np.isnan(entropy_rate(np.array([0.5, 0.25]), False))


def test_the_weights_of_the_dimension_are_its_derivatives():
    exponents, step = np.array([0.7, 0.1, -0.5, -1.5, -3.0]), 1e-6
    for complete, last in ((False, 4), (True, 5)):
        row = exponents[:last]
        numbers = [
            (kaplan_yorke(row + e, complete) - kaplan_yorke(row - e, complete)) / (2 * step)
            for e in step * np.eye(last)
        ]
        assert np.abs(dimension_weights(row, complete) - numbers).max() < 1e-8
    assert not dimension_weights(np.array([-0.1, -1.0]), True).any()


def test_windows_added_together_fill_the_same_blocks(rng):
    values = rng.standard_normal((1000, 3))
    one, many = Tally((3,)), Tally((3,))
    for value in values:
        one.add(value, 2)
    for part in np.split(values, [7, 8, 300, 911]):
        many.add_many(part, np.full(len(part), 2))
    assert np.abs(one.sums - many.sums).max() < 1e-12 and np.array_equal(one.steps, many.steps)


def test_the_tally_is_a_mean_with_an_error_that_knows_correlation(rng):
    z = []
    for _ in range(60):
        x = np.zeros(3000)
        noise = rng.standard_normal(3000)
        for t in range(1, 3000):
            x[t] = 0.9 * x[t - 1] + noise[t]
        tally = Tally((1,))
        for value in x:
            tally.add(np.array([value]), 1)
        assert tally.mean()[0] == pytest.approx(x.mean(), abs=1e-12)
        z.append(x.mean() / tally.stderr()[0])
    assert 0.7 < np.std(z) < 1.35  # of independent values it would be 4


# ---- arguments -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"k": 0}, ValueError, "k"),
        ({"k": 3}, ValueError, "k"),
        ({"steps": 0}, ValueError, "steps"),
        ({"warmup": -1}, ValueError, "warmup"),
        ({"trajectories": 0}, ValueError, "trajectories"),
        ({"k": "all"}, TypeError, "k"),
        ({"until": 0.0}, ValueError, "until"),
        ({"qr_interval": 0}, ValueError, "qr_interval"),
        ({"qr_interval": "often"}, TypeError, "qr_interval"),
        ({"time_step": 0.0}, ValueError, "time_step"),
        ({"initial_state": [1.0]}, ValueError, "initial_state"),
        ({"initial_state": [np.nan, 0.0]}, ValueError, "initial_state"),
        ({"inputs": np.ones((10, 3))}, ValueError, "inputs"),
        ({"inputs": np.ones((0, 10, 0))}, ValueError, "inputs has no sequences"),
        ({"initial_state": np.ones((0, 2))}, ValueError, "initial_state has no rows"),
        ({"device": "tpu"}, ValueError, "device"),
        ({"device": "cuda"}, rd.DeviceError, "cuda"),
    ],
)
def test_wrong_arguments_are_named(options, error, words):
    with pytest.raises(error, match=words):
        rd.lyapunov_spectrum(henon, **options)


def test_what_is_no_dynamical_system_is_refused():
    layer = rd.Elman.random(2, 1, rng=0)
    with pytest.raises(TypeError, match="both directions"):
        rd.lyapunov_spectrum(rd.Bidirectional(layer, layer))
    with pytest.raises(TypeError, match="both directions.*analyse its layers"):
        rd.lyapunov_spectrum(rd.Stack([rd.Bidirectional(layer, layer), rd.Elman.random(2, 4, rng=0)]))
    with pytest.raises(TypeError, match="a network is wanted"):
        rd.lyapunov_spectrum(np.eye(2))
    with pytest.raises(ValueError, match="empty"):
        rd.lyapunov_spectrum([])
    with pytest.raises(ValueError, match="one class"):
        rd.lyapunov_spectrum([layer, rd.GRU.random(2, 1, rng=0)])


@pytest.mark.parametrize("bad", [[], np.ones((3, 2, 3)), iter([np.eye(2), np.eye(3)]), np.full((2, 2, 2), np.nan), 3.0])
def test_wrong_matrices_are_refused(bad):
    with pytest.raises((ValueError, TypeError), match="jacobians"):
        rd.lyapunov_from_jacobians(bad)
