"""Figures: every result has one, with named axes, in the axes given, and nothing left behind."""

import io

import matplotlib
import numpy as np
import pytest
import synthetic
from matplotlib import pyplot
from matplotlib.figure import Figure

from rnndyn import plot, schema

PLOTS = {
    "run": (plot.run, synthetic.run),
    "training": (plot.training, synthetic.training),
    "fixed_points": (plot.fixed_points, synthetic.fixed_points),
    "eigenvalues": (plot.eigenvalues, synthetic.fixed_points),
    "slow_points": (plot.slow_points, synthetic.slow_points),
    "transitions": (plot.transitions, synthetic.transitions),
    "lyapunov_spectrum": (plot.lyapunov_spectrum, synthetic.lyapunov_spectrum),
    "covariant_lyapunov_vectors": (plot.covariant_lyapunov_vectors, synthetic.covariant_lyapunov_vectors),
    "finite_time_exponents": (plot.finite_time_exponents, synthetic.finite_time_exponents),
    "echo_state_test": (plot.echo_state_test, synthetic.echo_state_test),
    "jacobian_products": (plot.jacobian_products, synthetic.jacobian_products),
    "gradient_flow": (plot.gradient_flow, synthetic.gradient_flow),
    "gate_paths": (plot.gate_paths, synthetic.gate_paths),
    "gradient_paths": (plot.gradient_paths, synthetic.gradient_paths),
    "hmm_filter": (plot.hmm_filter, synthetic.hmm_filter),
    "hmm_smoother": (plot.hmm_smoother, synthetic.hmm_smoother),
    "markov_chain": (plot.markov_chain, synthetic.markov_chain),
    "ode_stability": (plot.ode_stability, synthetic.ode_stability),
    "error_ledger": (plot.error_ledger, synthetic.error_ledger),
    "spurious_dynamics": (plot.spurious_dynamics, synthetic.spurious_dynamics),
    "kalman_filter": (plot.kalman_filter, synthetic.kalman_filter),
    "standard_errors": (plot.standard_errors, synthetic.standard_errors),
    "steady_filter": (plot.steady_filter, synthetic.steady_filter),
    "rts_smoother": (plot.rts_smoother, synthetic.rts_smoother),
}
every_plot = pytest.mark.parametrize("name", PLOTS)


def labels(ax):
    return [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]


def test_every_kind_of_result_has_its_plot():
    assert set(schema.RESULTS) <= set(plot.__all__) == set(PLOTS)


@every_plot
def test_a_figure_of_its_own_is_named_and_forgotten(name):
    draw, make = PLOTS[name]
    ax = draw(make())
    ax.figure.savefig(io.BytesIO(), format="svg")
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert tuple(ax.figure.get_size_inches()) == (3.4, 2.5)
    assert not pyplot.get_fignums()


@every_plot
def test_axes_given_are_axes_used(name):
    draw, make = PLOTS[name]
    ax = Figure().add_subplot()
    assert draw(make(), ax) is ax
    assert draw(make(), ax=ax) is ax


@every_plot
def test_the_settings_of_matplotlib_stay(name):
    before = dict(matplotlib.rcParams)
    draw, make = PLOTS[name]
    draw(make())
    assert dict(matplotlib.rcParams) == before


@every_plot
def test_a_wrong_result_is_refused(name):
    draw, _ = PLOTS[name]
    wrong = synthetic.run() if name == "training" else synthetic.training()
    with pytest.raises(ValueError, match=r"ds: got '\w+' without"):
        draw(wrong)


def test_units_stand_on_the_axes():
    assert plot.lyapunov_spectrum(synthetic.lyapunov_spectrum()).get_ylabel() == "Lyapunov exponent (nat/step)"
    assert plot.gradient_flow(synthetic.gradient_flow()).get_ylabel() == "Log norm of the gradient (nat)"
    assert plot.run(synthetic.run()).get_xlabel() == "Time (step)"


def test_run_draws_outputs_if_there_are_any_and_no_more_than_six():
    assert len(plot.run(synthetic.run(outputs=2)).lines) == 2
    ax = plot.run(synthetic.run(unit=9, outputs=0))
    assert len(ax.lines) == 6
    assert ax.get_ylabel() == "Hidden activity, 6 of 9"
    assert len(plot.run(synthetic.run(unit=3), variable="state").lines) == 3
    assert len(plot.run(synthetic.run().isel(batch=0)).lines) == 2


def test_run_says_when_values_are_not_finite():
    ds = synthetic.run()
    ds.output[0, 3, 0] = np.inf
    assert plot.run(ds).get_title("right") == "not finite at some times"


def test_stability_is_shown_by_colour_and_shape():
    ax = plot.fixed_points(synthetic.fixed_points(7))
    assert labels(ax) == ["stable (3)", "unstable (2)", "undecided (2)"]
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == len({color for color, _ in looks}) == len({marker for _, marker in looks}) == 3


def test_no_point_is_dropped_for_an_unknown_word():
    assert labels(plot.fixed_points(synthetic.fixed_points(2, stability=("centre",)))) == ["centre (2)"]


def test_unstable_directions_are_drawn_where_they_are_known():
    n = 3
    ax = plot.fixed_points(synthetic.fixed_points(n, stability=("unstable",), vectors=True))
    assert len(ax.lines) == n + 1


def test_directions_do_not_depend_on_the_phase_of_the_vectors():
    ds = synthetic.fixed_points(1, 2, stability=("unstable",), vectors=True)
    turned = ds.set_coords("state").assign(right_eigenvector=ds.right_eigenvector * np.exp(0.7j))
    line, again = (plot.fixed_points(one).lines[0].get_xydata() for one in (ds, turned))
    np.testing.assert_allclose(np.ptp(line, axis=0), np.ptp(again, axis=0), atol=1e-3)  # sampled every 5 degrees
    assert np.ptp(line[:, 0]) > 0 and np.ptp(line[:, 1]) == 0


def test_a_complex_pair_is_one_ellipse():
    ds = synthetic.fixed_points(1, 2, stability=("unstable",))
    vectors = np.array([[[1, 0.5j], [1, -0.5j]]])  # of each mode
    ds["eigenvalue"][:] = [[1.2 + 1j, 1.2 - 1j]]
    ds = ds.set_coords("state").assign(right_eigenvector=(("point", "mode", "state"), vectors))
    (ellipse, _) = plot.fixed_points(ds).lines
    wide, high = np.ptp(ellipse.get_xydata(), axis=0)
    assert wide == pytest.approx(2 * high)


@pytest.mark.parametrize(("name", "word"), [("input_index", "input"), ("network", "network")])
@pytest.mark.parametrize("draw", [plot.fixed_points, plot.eigenvalues])
def test_of_several_inputs_or_networks_one_is_drawn(draw, name, word):
    ds = synthetic.fixed_points(7)
    rows = np.array([1, 1, 1, 1, 1, 3, 3])
    several = ds.assign_coords({name: ("point", rows)})
    for chosen, k in ((None, 1), (1, 1), (3, 3)):
        ax, alone = draw(several, **{name: chosen}), draw(ds.isel(point=rows == k))
        assert ax.get_legend().get_title().get_text() == f"{word} {k}"
        for line, other in zip(ax.lines, alone.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())
    with pytest.raises(ValueError, match=rf"{name}: got 0; there are points of \[1, 3\]"):
        draw(several, **{name: 0})
    with pytest.raises(ValueError, match="leave it out"):
        draw(ds, **{name: 0})


def test_of_an_ensemble_under_several_inputs_one_of_each_is_drawn():
    ds = synthetic.fixed_points(4).assign_coords(network=("point", [0, 0, 1, 1]), input_index=("point", [0, 1, 0, 1]))
    ax = plot.fixed_points(ds, network=1)
    assert labels(ax) == ["undecided (1)"] and ax.get_legend().get_title().get_text() == "network 1, input 0"


@pytest.mark.parametrize("draw", [plot.fixed_points, plot.eigenvalues])
def test_no_fixed_point_is_said(draw):
    assert draw(synthetic.fixed_points(0)).get_title("left") == "no fixed point was found"


def test_trajectories_lie_under_the_points():
    ax = plot.fixed_points(synthetic.fixed_points(), run=synthetic.run(batch=5))
    assert len(ax.lines) == 5 + 3
    assert ax.get_xlabel().startswith("PC 1 (")


def test_a_run_of_another_size_is_refused():
    with pytest.raises(ValueError, match="run: got a state size of 5; the fixed points have 4"):
        plot.fixed_points(synthetic.fixed_points(size=4), run=synthetic.run(unit=5))


@pytest.mark.parametrize(("n", "size"), [(0, 3), (1, 3), (1, 1), (4, 1), (2, 2)])
def test_few_points_and_small_states_are_drawn(n, size):
    ds = synthetic.fixed_points(n, size)
    assert len(plot.fixed_points(ds).lines) == len(plot.eigenvalues(ds).lines) - 1 == min(n, 3)
    plot.fixed_points(ds, run=synthetic.run(unit=size, outputs=0)).figure.canvas.draw()


def test_the_projection_has_one_sign():
    ds = synthetic.fixed_points(9)
    first = plot.fixed_points(ds).lines[0].get_xydata()
    np.testing.assert_array_equal(plot.fixed_points(ds).lines[0].get_xydata(), first)
    again = plot.fixed_points(ds.isel(point=slice(None, None, -1)))
    points = np.concatenate([line.get_xydata() for line in again.lines])
    assert np.isclose(points, first[0]).all(axis=1).any()


def test_manifolds_are_named_and_closed_and_their_known_drift_is_an_arrow():
    ds = synthetic.slow_points(2, samples=50)
    ax = plot.slow_points(ds)
    assert labels(ax) == ["ring, length 6.28, max drift 0.1", "ring, length 12.6, max drift 0.1", "stable (2)"]
    ring = ax.lines[0].get_xydata()
    np.testing.assert_allclose(ring[0], ring[-1], atol=1e-12)
    assert len(ax.texts) == 2 * 12
    ds.drift_error.values[:] = 1.0  # rounded up in the name
    ax = plot.slow_points(ds)
    assert not ax.texts and labels(ax)[0] == "ring, length 6.28, drift < 1.1"


def test_nothing_slow_is_said():
    assert plot.slow_points(synthetic.slow_points(0)).get_title(loc="left") == "no slow point was found"


def test_eigenvalues_stand_against_the_unit_circle():
    ax = plot.eigenvalues(synthetic.fixed_points())
    circle = ax.lines[0].get_xydata()
    np.testing.assert_allclose(np.hypot(*circle.T), 1)
    assert ax.get_aspect() == 1


def test_each_trajectory_has_its_error_bars():
    ax = plot.lyapunov_spectrum(synthetic.lyapunov_spectrum(batch=3))
    assert len(ax.containers) == 3
    assert ax.get_title("left") == "dimension 0.5, entropy rate 0.5 nat/step"
    ds = synthetic.lyapunov_spectrum()
    ds.dimension[...] = np.nan  # the first exponents do not tell it
    assert plot.lyapunov_spectrum(ds).get_title("left") == "entropy rate 0.5 nat/step"


@pytest.mark.parametrize("agreement", ["agree", "differ"])
def test_means_over_trajectories_have_the_bars_where_they_agree(agreement):
    ds = synthetic.lyapunov_spectrum(batch=3)
    ds = ds.assign(agreement=agreement, interval_factor=4.3, exponent_mean=ds.exponent.mean("batch"))
    ds = ds.assign(exponent_mean_stderr=0 * ds.exponent_mean + 0.01)
    ax = plot.lyapunov_spectrum(ds)
    assert len(ax.containers) == (1 if agreement == "agree" else 3)
    assert ax.get_title("left").startswith("trajectories differ") == (agreement == "differ")
    if agreement == "agree":
        (bars,) = ax.containers[0].lines[2]
        assert np.ptp(bars.get_segments()[0][:, 1]) == pytest.approx(2 * 4.3 * 0.01)


def test_minus_infinity_is_drawn_and_named():
    ds = synthetic.lyapunov_spectrum()
    ds.exponent[2:] = -np.inf
    ds.stderr[2:] = np.nan
    ax = plot.lyapunov_spectrum(ds)
    assert "−∞" in labels(ax)
    assert len(ax.containers[0].lines[0].get_xdata()) == 2


def test_the_bound_stands_beside_the_norm():
    assert labels(plot.jacobian_products(synthetic.jacobian_products())) == ["bound", "recurrent", "direct", "norm"]
    assert labels(plot.gradient_flow(synthetic.gradient_flow())) == ["gradient", "through h", "through c", "bound"]
    assert labels(plot.gradient_flow(synthetic.gradient_flow(gated=False))) == ["gradient", "bound"]


def test_a_batch_is_a_median_and_a_band():
    assert len(plot.gradient_flow(synthetic.gradient_flow(batch=4)).collections) == 4
    assert not plot.jacobian_products(synthetic.jacobian_products()).collections


def test_each_path_is_a_line():
    assert labels(plot.gate_paths(synthetic.gate_paths())) == ["direct", "i", "f", "g", "o"]
    ds = synthetic.gate_paths(paths=("direct", "h"))
    ds.log_path_norm[..., 0] = -np.inf  # an Elman network has no direct path
    ds.log_path_norm[..., 1] = ds.log_gradient_norm * (1 + 1e-15)  # so all of the gradient, to rounding
    ax = plot.gate_paths(ds)
    assert labels(ax) == ["h"] and np.ptp(ax.get_ylim()) > 1


def test_signs_of_the_paths_are_told_apart():
    assert labels(plot.gradient_paths(synthetic.gradient_paths())) == ["mass", "sum > 0", "sum < 0", "all paths"]
    ds = synthetic.gradient_paths()
    ds.sign[:], ds.log_product[...] = 1, -np.inf
    assert labels(plot.gradient_paths(ds)) == ["mass", "sum > 0"]


def test_sequences_that_end_sooner_are_moved_to_a_common_end():
    """Without that, medians were NaN wherever one sequence had ended, and times those to the longest one's end."""
    ds = synthetic.gate_paths(batch=3, time=4, paths=("direct",))
    ds.log_gradient_norm[:] = [[0, 1, 2, 3], [5, 6, -np.inf, -np.inf], [7, -np.inf, -np.inf, -np.inf]]
    ds.log_path_norm[..., 0] = ds.log_gradient_norm - [[1], [2], [3]]
    ds = ds.drop_vars(["gradient_norm_hidden", "gradient_norm_cell"]).assign(bound=np.exp(ds.log_gradient_norm + 1))
    for line, more in zip(plot.gradient_flow(ds).lines, (0, 1), strict=True):
        assert line.get_xdata().tolist() == [3, 2, 1, 0]
        # The logarithm of the bound has the rounding of the exponential, and its own.
        np.testing.assert_allclose(line.get_ydata(), np.add([0, 1, 3.5, 6], more), rtol=1e-15)
    np.testing.assert_array_equal(plot.gate_paths(ds).lines[0].get_ydata(), [-1, -1, -1.5, -2])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot.run(synthetic.run(time=1)),
        lambda: plot.training(synthetic.training(1)),
        lambda: plot.jacobian_products(synthetic.jacobian_products(time=1)),
        lambda: plot.gradient_flow(synthetic.gradient_flow(time=1)),
        lambda: plot.echo_state_test(synthetic.echo_state_test(time=1)),
        lambda: plot.hmm_filter(synthetic.hmm_filter(time=1)),
        lambda: plot.kalman_filter(synthetic.kalman_filter(time=1)),
        lambda: plot.error_ledger(synthetic.error_ledger(time=1)),
    ],
)
def test_what_has_one_step_is_seen(draw):
    """A line of one point shows nothing but its marker."""
    line = next(line for line in draw().lines if not line.get_label().startswith("_"))
    assert line.get_marker() == "." and line.get_markevery().tolist() == [True]


def test_a_value_between_two_gaps_is_a_dot():
    ds = synthetic.run(batch=1, time=6)
    ds.output[0, :, 0] = [np.nan, 1, np.nan, 2, 3, np.inf]
    alone, whole = plot.run(ds).lines
    assert alone.get_markevery().tolist() == [False, True, False, False, False, False]
    assert whole.get_marker() == "None"


def test_a_single_step_has_no_path():
    ds = synthetic.gate_paths(time=1)
    ds.log_path_norm[:] = -np.inf
    ax = plot.gate_paths(ds)
    assert not labels(ax) and ax.get_legend() is None


def test_a_median_counts_what_is_infinite_and_leaves_out_what_is_unknown():
    ds = synthetic.jacobian_products(time=3).drop_vars("log_singular_value")
    logs = [[0.0, np.nan, 1.0], [2.0, 4.0, -np.inf], [7.0, 6.0, -np.inf]]
    ds = ds.drop_vars(["log_norm", "bound"]).assign({name: (("batch", "time"), logs) for name in ("log_norm", "bound")})
    line = plot.jacobian_products(ds).lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [2, 5, np.nan])


def test_gradients_run_from_the_end():
    line = plot.gradient_flow(synthetic.gradient_flow(time=5)).lines[0]
    assert line.get_xdata().tolist() == [4, 3, 2, 1, 0]


def test_underflow_and_overflow_leave_gaps():
    ds = synthetic.gradient_flow()
    ds.gradient_norm_cell[:, :5] = 0
    ds.bound[:, :5] = np.inf
    plot.gradient_flow(ds).figure.canvas.draw()


# ---- transitions -----------------------------------------------------------------------------------------------------
def test_each_way_is_a_line_from_a_saddle_to_an_attractor():
    ds = synthetic.transitions(3)
    ax = plot.transitions(ds)
    assert labels(ax) == ["attractor (3)", "saddle (2)", "saddle, one side open (1)"]
    *ways, attractors, saddles, lost = [line.get_xydata() for line in ax.lines]
    assert len(ways) == 5
    ends = {tuple(end) for way in ways for end in way}
    assert ends == {tuple(place) for marks in (attractors, saddles, lost) for place in marks}
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]


def test_attractors_have_the_names_that_they_are_given():
    ax = plot.transitions(synthetic.transitions(3), names=list("abcdef"))
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]


@pytest.mark.parametrize(("n", "size"), [(0, 3), (1, 1), (1, 4), (2, 2)])
def test_few_transitions_and_small_states_are_drawn(n, size):
    plot.transitions(synthetic.transitions(n, size)).figure.canvas.draw()


def test_the_corners_of_a_cube_are_seen_apart():
    """However the cube stands, no two of its 8 corners and 12 saddles hide one another."""
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    pairs = [(a, b) for a in range(8) for b in range(a) if np.abs(corners[a] - corners[b]).sum() == 2]
    saddles = np.array([(corners[a] + corners[b]) / 2 for a, b in pairs])
    ways = synthetic.transitions(12, 3).isel(point=slice(20))
    ways["saddle"][:] = 8 + np.arange(24) // 2
    ways["target"][:] = np.ravel(pairs)
    ways["stability"][:] = np.repeat(["stable", "unstable"], [8, 12])
    for k in range(10):
        Q = np.linalg.qr(np.random.default_rng(k).standard_normal((3, 3)))[0]
        ways["state"][:] = np.concatenate([corners, saddles]) * [1.0, 0.99, 0.98] @ Q
        places = np.concatenate([line.get_xydata() for line in plot.transitions(ways).lines[-2:]])
        assert len(places) == 20
        apart = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(20, 1)]
        assert apart.min() > 0.05 * np.ptp(places)


# ---- tangent vectors -------------------------------------------------------------------------------------------------
def test_the_angle_is_that_of_the_closest_vectors_where_nothing_grows():
    ds = synthetic.covariant_lyapunov_vectors()
    assert plot.covariant_lyapunov_vectors(ds).get_xlabel() == "Angle between growing and shrinking vectors (rad)"
    ds.splitting_angle[:] = np.nan
    assert plot.covariant_lyapunov_vectors(ds).get_xlabel() == "Angle between the closest vectors (rad)"
    ds.min_angle[:] = np.nan
    assert plot.covariant_lyapunov_vectors(ds).get_title("left") == "no angle is known, 0 times"


def test_exponents_of_minus_infinity_have_no_distribution():
    ds = synthetic.finite_time_exponents(k=3)
    ds.local_exponent[:, 2] = -np.inf
    ax = plot.finite_time_exponents(ds)
    assert labels(ax) == ["1", "2"] and ax.get_ylabel() == "Density (step/nat)"


def test_distances_stand_beside_the_exponent_and_the_verdict():
    ax = plot.echo_state_test(synthetic.echo_state_test(batch=3))
    assert labels(ax) == ["distance", "exponent"] and ax.get_yscale() == "log" and len(ax.collections) == 1
    assert ax.get_title("left") == "contracting, exponent -0.5 [-0.6, -0.4]"
    distance, slope = (line.get_xydata() for line in ax.lines)
    np.testing.assert_allclose(slope, distance[: len(slope)], rtol=1e-12)
    ds = synthetic.echo_state_test()
    ds.distance[:] = 0  # all met at once
    plot.echo_state_test(ds).figure.canvas.draw()
    ds = synthetic.echo_state_test()
    ds.exponent[...] = -np.inf
    assert plot.echo_state_test(ds).get_title("left") == "contracting, exponent -inf [-0.6, -0.4]"
    ds = synthetic.echo_state_test(batch=3)
    ds.distance[1:, 5:] = 0  # two of three have met
    assert np.isfinite(plot.echo_state_test(ds).lines[0].get_ydata()).tolist() == [True] * 5 + [False] * 35


def test_beliefs_are_drawn_for_six_states_at_the_most_and_gaps_are_named():
    assert labels(plot.hmm_filter(synthetic.hmm_filter())) == ["0", "1", "2"]
    ax = plot.hmm_smoother(synthetic.hmm_smoother(batch=2, states=9), sequence=1)
    assert len(ax.lines) == 6 and ax.get_ylabel() == "Probability of the state, 6 of 9"
    ds = synthetic.hmm_filter()
    ds.filtered_belief[5:] = np.nan
    assert plot.hmm_filter(ds).get_title("right") == "not known at some times"


def test_the_residual_of_each_cell_stands_over_its_floor():
    ax = plot.markov_chain(synthetic.markov_chain(4))
    assert len(ax.patches) == 4 and ax.lines[0].get_ydata().tolist() == [0.1] * 4


def test_the_validation_loss_is_drawn_where_it_was_looked_at():
    ax = plot.training(synthetic.training(10, validation=True))
    assert labels(ax) == ["gradient norm", "loss", "validation loss"]
    assert ax.lines[2].get_xdata().tolist() == [2, 4, 6, 8, 10]


def test_watched_exponents_have_an_axis_of_their_own():
    """The first three of five; what is not finite leaves a gap."""
    ax = plot.training(synthetic.training(10, exponents=5))
    (other,) = (one for one in ax.figure.axes if one is not ax)
    assert labels(ax) == ["gradient norm", "loss"] and other.get_ylabel() == "Lyapunov exponent (nat/step)"
    curves = [line.get_ydata().tolist() for line in other.lines[1:]]
    assert curves == [[-1.0] * 3, [-2.0] * 3, [-3.0] * 3] and other.lines[1].get_xdata().tolist() == [0, 5, 10]
    (alone,) = plot.training(synthetic.training(10, exponents=1)).figure.axes[1].lines[1:]
    assert np.isnan(alone.get_ydata()).tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["loss", "validation_loss"])
def test_a_loss_below_zero_is_seen(name):
    """Densities above 1 and rewards make one; on a logarithmic axis it is nowhere."""
    ds = synthetic.training(10, validation=True)
    assert plot.training(ds).get_yscale() == "log"
    ds[name][:] = np.linspace(1, -30, 10)
    ax = plot.training(ds)
    ax.figure.draw_without_rendering()
    (line,) = (line for line in ax.lines if line.get_label() == name.replace("_", " "))
    low, high = ax.get_ylim()
    assert low < -30 < high and np.isfinite(ax.transData.transform(line.get_xydata())).all()


# ---- what is chosen --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("draw", "ds", "name", "most"),
    [
        (plot.run, synthetic.run(batch=3), "sequence", 2),
        (plot.run, synthetic.run().isel(batch=0), "sequence", 0),
        (plot.hmm_filter, synthetic.hmm_filter(batch=2), "sequence", 1),
        (plot.hmm_smoother, synthetic.hmm_smoother(), "sequence", 0),
        (plot.kalman_filter, synthetic.kalman_filter(size=2), "state", 1),
        (plot.rts_smoother, synthetic.rts_smoother(), "sequence", 0),
        (plot.standard_errors, synthetic.standard_errors(outputs=2), "output", 1),
        (plot.standard_errors, synthetic.standard_errors(outputs=2), "innovation", 1),
    ],
)
def test_what_there_is_not_is_named(draw, ds, name, most):
    draw(ds, **{name: most})
    with pytest.raises(ValueError, match=f"{name} is {most + 1}: at most {most} is wanted"):
        draw(ds, **{name: most + 1})
    with pytest.raises(TypeError, match=name):
        draw(ds, **{name: "first"})
