"""Dynamics that the step size invents: in the logistic ODE, and not in fields that are innocent."""

import numpy as np
import pytest
from cases import UNCOMPILED

import rnndyn as rd

GROWTH = rd.ode.VectorField(lambda y, x, p: 2 * y * (1 - y), 1)
STARTS = np.linspace(-0.5, 2.2, 24)[:, None]


def search(field=GROWTH, **options):
    given = {"starts": STARTS, "duration": 300.0, "initial_state": [0.3], "refinements": 2, "rng": 0}
    return rd.ode.spurious_dynamics(field, **(given | options))


def test_euler_invents_a_cycle():
    """Past h = 1; its points are a = (1 + h +- sqrt(h^2 - 1)) / 2h, the logistic map's at r = 1 + 2h."""
    ds = search(dt=1.1)
    points = dict(zip(ds.period.values.tolist(), ds.state.values.tolist(), strict=False))
    cycle = (1 + 1.1 + np.array([-1, 1]) * np.sqrt(1.1**2 - 1)) / 2.2
    assert ds.state[:, 0].values == pytest.approx([0, 1, *cycle], abs=1e-9)
    assert cycle == pytest.approx([0.7462465593201886, 1.1628443497707206], rel=1e-14)
    assert ds.origin.values.tolist() == ["shared", "shared", "invented", "invented"] and len(points) == 2
    assert ds.stability.values.tolist() == ["unstable", "unstable", "stable", "stable"]
    assert ds.ode_stability.values.tolist() == ["unstable", "stable", "none", "none"]
    # The exact flow: y(t) / (1 - y(t)) = e^(2t) y(0) / (1 - y(0)).
    odds = np.exp(2 * 2.2) * cycle / (1 - cycle)
    assert ds.drift.values[2:] == pytest.approx(np.abs(odds / (1 + odds) - cycle), rel=1e-10)
    assert (ds.attrs["invented"], ds.attrs["stability_changed"], ds.attrs["chaos_invented"]) == (1, 1, 0)


@pytest.mark.parametrize("dt, invented, cycles", [(0.95, 0, 0), (1.05, 1, 2)])
def test_the_cycle_sets_in_at_one(dt, invented, cycles):
    ds = search(dt=dt, refinements=1, duration=20)
    assert ds.attrs["invented"] == invented and (ds.period == 2).sum() == cycles


@pytest.mark.slow
def test_the_second_doubling():
    """At h = sqrt(6)/2 = 1.2247...: cycles of four."""
    assert [(search(dt=dt, max_period=4, refinements=1, duration=20).period == 4).sum() for dt in (1.21, 1.24)] == [
        0,
        4,
    ]


def test_euler_invents_chaos():
    """At h = 1.5 its map is conjugate to the logistic one at r = 4: ln 2 nats a step; the ODE's exponent is -2."""
    duration = 750.0 if UNCOMPILED else 3000.0
    ds = search(dt=1.5, refinements=4, duration=duration, max_period=1)
    assert ds.attrs["chaos_invented"] == 1
    error = 4 * ds.stderr[0] * 1.5
    assert abs(ds.exponent[0] * 1.5 - np.log(2)) < max(error, 2e-3)
    # Where the step is short enough, the rest state 1 - and there |1 - 2h| a step.
    assert ds.exponent.values[2:] == pytest.approx(
        np.log(np.abs(1 - 2 * ds.step_size[2:])) / ds.step_size[2:], rel=0.01
    )
    assert ds.step_size.values.tolist() == [1.5, 0.75, 0.375, 0.1875]


def test_a_short_step_has_the_exponent_of_the_ode():
    """Ln|R(-2h)| / h tends to -2, at fourth order for RK4."""
    ds = search(dt=0.1, method="rk4", max_period=1, refinements=1, duration=50)
    assert ds.exponent[0] == pytest.approx(-2, abs=2e-4)
    assert ds.attrs["invented"] == ds.attrs["stability_changed"] == ds.attrs["chaos_invented"] == 0


def test_the_midpoint_method_invents_fixed_points():
    """1/h and 1 + 1/h, Griffiths and Higham, section 12.2."""
    ds = search(method="midpoint", dt=1.25, max_period=1, refinements=1, duration=20)
    assert np.sort(ds.state[:, 0]) == pytest.approx([0, 0.8, 1, 1.8], abs=1e-9)
    by_state = dict(zip(ds.state[:, 0].values.round(6).tolist(), ds.origin.values.tolist(), strict=True))
    assert by_state == {0.0: "shared", 1.0: "shared", 0.8: "invented", 1.8: "invented"}


def test_implicit_euler_can_hide_instability():
    """It makes the repelling rest state 0 of dy/dt = 2 y (1 - y) attracting for h > 1."""
    ds = search(method="implicit_euler", dt=1.5, max_period=1, refinements=1, starts=[[0.01], [1.0]], duration=15)
    origin = ds.isel(point=int(np.argmin(np.abs(ds.state[:, 0].values))))
    assert abs(origin.state.item()) < 1e-9
    assert (origin.stability, origin.ode_stability) == ("stable", "unstable")
    assert ds.attrs["stability_changed"] == 1


def test_a_limit_cycle_of_the_ode_is_not_blamed():
    """A step of a quarter of the period of a pure rotation: every point comes back after four, as in the ODE."""
    turn = rd.ode.VectorField(lambda y, x, p: np.array([-y[1], y[0]]) * np.pi / 2 + y * (1 - y @ y), 2)
    point = rd.ode.spurious_dynamics(
        turn, dt=0.05, method="rk4", max_period=1, starts=8, refinements=1, duration=5, rng=0
    )
    assert point.origin.values.tolist() == ["shared"] and point.ode_stability.values.tolist() == ["unstable"]
    assert point.attrs["invented"] == 0


def test_a_rest_state_without_a_linear_rate_is_undecided():
    cubic = rd.ode.VectorField(lambda y, x, p: -(y**3), 1)
    ds = search(cubic, dt=0.1, starts=[[0.1], [-0.2]], max_period=1, duration=10)
    assert len(ds.point) and set(ds.ode_stability.values) == {"undecided"} and ds.attrs["stability_changed"] == 0


def test_a_strongly_repelling_rest_state_is_shared():
    """The exact flow leaves y = 1 by e^40 rounding units within a step."""
    repelling = rd.ode.VectorField(lambda y, x, p: 40 * (y - 1), 1)
    ds = search(repelling, dt=1.0, method="implicit_euler", max_period=1, duration=10, starts=[[0.9]])
    assert ds.origin.values.tolist() == ["shared"] and ds.stability.values.tolist() == ["stable"]


def test_inputs_and_leaky_networks():
    net = rd.Leaky([[1.0]], [[-6.0]], alpha=0.5)  # a step of 1/2 is beyond the critical one
    ds = rd.ode.spurious_dynamics(net, dt=0.5, input=[0.0], starts=32, duration=50, refinements=2, rng=0)
    assert ds.attrs["stability_changed"] == 1 and ds.attrs["invented"] == 1
    assert (ds.origin[ds.period == 2] == "invented").all()
    assert ds.attrs["network"] == "Map"


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="max_period is 0"):
        search(dt=0.1, max_period=0)
    with pytest.raises(ValueError, match="input has shape"):
        search(dt=0.1, input=[1.0])
    with pytest.raises(ValueError, match="duration is 0"):
        search(dt=0.1, duration=0)
