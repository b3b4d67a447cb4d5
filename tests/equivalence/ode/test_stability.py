"""Stability functions, critical steps and margins: closed forms, nodepy's numbers, and networks that lose stability."""

from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from cases import examples
from hypothesis import given

import rnndyn as rd
from rnndyn.equivalence.ode.methods import METHODS
from rnndyn.equivalence.ode.stability import rational

every_method = pytest.mark.parametrize("method", METHODS)
LONG = 60  # steps in which a disturbance shows whether it grows
OSCILLATION = [[0.0, -1.0], [1.0, 0.0]]
# The first terms of the exponential; SSP33 and RK4 as nodepy 1.1.1 has them too.
SERIES = [Fraction(1), Fraction(1), Fraction(1, 2), Fraction(1, 6), Fraction(1, 24)]


@pytest.mark.parametrize("method", ["euler", "heun", "midpoint", "ssp33", "rk4"])
def test_explicit_methods_have_the_first_terms_of_the_exponential(method):
    order = METHODS[method].order
    P, Q = rational(METHODS[method])
    assert P == SERIES[: order + 1] and Q[0] == 1 and not any(Q[1:])


def test_implicit_methods_have_their_rational_functions():
    z = np.array([-3.0, -0.5 + 2j, 1j, 0.7])
    assert np.abs(rd.ode.stability_function("implicit_euler", z) - 1 / (1 - z)).max() < 1e-15
    assert np.abs(rd.ode.stability_function("trapezoid", z) - (2 + z) / (2 - z)).max() < 1e-15
    assert rd.ode.stability_function("implicit_euler", 1.0) == np.inf


@every_method
def test_a_mode_is_multiplied_by_the_stability_function(method, rng):
    z = complex(*rng.standard_normal(2))
    A = np.array([[z.real, -z.imag], [z.imag, z.real]])  # the plane of complex numbers
    field = rd.ode.VectorField(lambda y, x, p: A @ y, 2)
    y = rd.run(rd.ode.network(field, method, dt=1.0), initial_state=[1.0, 0.0], steps=1).state.values[0]
    R = rd.ode.stability_function(method, z)
    assert complex(*y) == pytest.approx(R, rel=1e-14)
    assert rd.ode.stability_function(method, np.conj(z)) == pytest.approx(np.conj(R), rel=1e-15)


def test_kinds_of_numbers():
    assert isinstance(rd.ode.stability_function("rk4", -1), float)
    assert isinstance(rd.ode.stability_function("rk4", -1j), complex)
    assert rd.ode.stability_function("rk4", np.zeros((2, 3))).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    "method, real, imaginary",
    [
        ("euler", 2.0, 0.0),
        ("heun", 2.0, 0.0),
        ("midpoint", 2.0, 0.0),
        ("ssp33", 2.5127453266183273, np.sqrt(3)),  # roots of 1 + R(-x), to all digits
        ("rk4", 2.785293563405281, np.sqrt(8)),
        ("implicit_euler", np.inf, np.inf),
        ("trapezoid", np.inf, np.inf),
    ],
)
def test_stability_intervals(method, real, imaginary):
    assert rd.ode.critical_step([[-1.0]], method) == pytest.approx(real, rel=1e-13)
    assert rd.ode.critical_step(OSCILLATION, method) == pytest.approx(imaginary, rel=1e-13)
    assert rd.ode.critical_step(1e-3 * np.array(OSCILLATION), method) == pytest.approx(1e3 * imaginary, rel=1e-13)


@given(st.floats(-3, -1e-3), st.floats(0, 5))
@examples(60)
def test_euler_s_critical_step_is_the_closed_form(a, w):
    step = rd.ode.critical_step([[a, -w], [w, a]])
    assert step == pytest.approx(-2 * a / (a * a + w * w), rel=1e-12)


@given(st.sampled_from(sorted(METHODS)), st.floats(-3, 0.5), st.floats(0, 5))
@examples(100)
def test_the_critical_step_ends_the_first_stable_stretch(method, a, w):
    """Against the definition, by the modulus on a fine grid."""
    step = rd.ode.critical_step([[a, -w], [w, a]], method)
    z = complex(a, w)
    stable = np.linspace(0.02, 1, 50) * min(step, 1e3) * (1 - 1e-6)
    if step > 0:
        assert (np.abs(rd.ode.stability_function(method, stable * z)) <= 1 + 1e-13).all()
    if np.isfinite(step):
        beyond = abs(rd.ode.stability_function(method, (step * (1 + 1e-3) + (step == 0) * 1e-3) * z))
        assert beyond > 1 or abs(a) < 1e-5 or abs(z) < 1e-5


@every_method
def test_the_network_loses_stability_at_the_critical_step(method, rng):
    """Spectral radius of the network's Jacobian at a fixed point of a leaky network, and what it then does."""
    net, rest = rd.Leaky.random(4, alpha=0.1, gain=0.5, rng=5), rng.uniform(-0.5, 0.5, 4)
    net = net.replace(b_h=np.arctanh(rest) - net.W_hh @ rest)  # so that it rests there
    field = rd.ode.vector_field(net)
    step = rd.ode.critical_step(field.jacobians(rest), method)
    if not np.isfinite(step):
        step, factors = 50.0, (1.0,)  # an A-stable method never does
    else:
        factors = (1 - 1e-6, 1 + 1e-6)
    radii = []
    for factor in factors:
        J = rd.jacobian(rd.ode.network(field, method, dt=factor * step), rest)
        radii.append(np.abs(np.linalg.eigvals(J)).max() - 1)
    assert radii[0] < 0 and (len(radii) == 1 or radii[1] > 0)
    growth = []
    for factor in (0.95, 1.05)[: len(radii)]:
        run = rd.run(rd.ode.network(field, method, dt=factor * step), initial_state=rest + 1e-7, steps=LONG).state
        growth.append(np.linalg.norm(run[-1] - rest) / np.linalg.norm(run[0] - rest))
    assert growth[0] < 0.1 and (len(growth) == 1 or growth[1] > 10)


def test_a_leaky_network_loses_stability_at_the_critical_alpha():
    net = rd.Leaky(None, [[0.0, -3.0], [3.0, 0.0]], alpha=0.1)
    alpha = rd.ode.critical_step(rd.ode.vector_field(net).jacobians([0.0, 0.0]))
    assert alpha == pytest.approx(0.2, rel=1e-14)  # 2 / (1 + 3^2)
    radius = [
        np.abs(np.linalg.eigvals(rd.jacobian(net.replace(alpha=a * alpha), [0, 0]))).max() for a in (0.999, 1.001)
    ]
    assert radius[0] < 1 < radius[1]


def test_the_antisymmetric_network_s_limit():
    """Eps <= 2 gamma / (gamma^2 + w_max^2) at tanh' = 1, and none without damping."""
    W = np.array([[0.2, -0.7, 0.4, 0.1], [0.5, 0.3, -0.6, 0.8], [-0.3, 0.9, 0.1, -0.2], [0.6, -0.4, 0.7, 0.5]])
    J = W - W.T - 0.05 * np.eye(4)
    omega = np.abs(np.linalg.eigvals(W - W.T)).max()
    assert rd.ode.critical_step(J) == pytest.approx(2 * 0.05 / (0.05**2 + omega**2), rel=1e-13)
    assert rd.ode.critical_step(J) == pytest.approx(0.015308295395763718, rel=1e-12)
    assert rd.ode.critical_step(W - W.T) == 0.0
    assert rd.ode.critical_step(W - W.T, "rk4") == pytest.approx(np.sqrt(8) / omega, rel=1e-12)


def test_edges_of_the_critical_step():
    assert rd.ode.critical_step(np.zeros((2, 2))) == np.inf
    assert rd.ode.critical_step([[1.0]], "rk4") == 0.0 == rd.ode.critical_step([[1.0]], "implicit_euler")
    many = rd.ode.critical_step(-np.array([1.0, 2.0])[:, None, None] * np.eye(3))
    assert many.tolist() == [2.0, 1.0]
    with pytest.raises(ValueError, match="jacobian has the shape"):
        rd.ode.critical_step([1.0, 2.0])
    with pytest.raises(ValueError, match="jacobian holds nan"):
        rd.ode.critical_step([[np.nan]])
    with pytest.raises(ValueError, match="z holds"):
        rd.ode.stability_function("rk4", np.inf)
    with pytest.raises(TypeError, match="z has the type"):
        rd.ode.stability_function("rk4", "a")


# ---- along trajectories ------------------------------------------------------------------------------------------
def markus_yamabe(y, x, p):
    """A(t) of Markus and Yamabe: eigenvalues (-1 +- i sqrt 7) / 4 at all times; y[2] is the time."""
    c, s = np.cos(y[2]), np.sin(y[2])
    return np.array([
        (-1 + 1.5 * c * c) * y[0] + (1 - 1.5 * s * c) * y[1],
        (-1 - 1.5 * s * c) * y[0] + (-1 + 1.5 * s * s) * y[1],
        1.0 + 0 * c,
    ])  # fmt: skip


def test_eigenvalues_along_a_trajectory_mislead():
    """All modes decay at every step, and the state grows as e^(t/2): y = e^(t/2) (-cos t, sin t) is a solution."""
    field = rd.ode.VectorField(markus_yamabe, 3)
    steps = 1000
    net = rd.ode.network(field, "rk4", dt=2 * np.pi / steps)
    run = rd.run(net, initial_state=[-1e-3, 0.0, 0.0], steps=steps).state.values
    assert np.abs(run[-1, :2] - 1e-3 * np.exp(np.pi) * np.array([-1, 0])).max() < 1e-11
    planes = np.zeros_like(run)
    planes[:, 2] = run[:, 2]  # at the origin the time's column of the Jacobian vanishes
    ds = rd.ode.stability(field, planes, method="rk4", dt=2 * np.pi / steps)
    frozen = ds.eigenvalue.values[np.abs(ds.eigenvalue.values) > 0.1].reshape(-1, 2)
    assert np.abs(frozen.real + 0.25).max() < 1e-12
    assert np.abs(np.abs(frozen.imag) - np.sqrt(7) / 4).max() < 1e-12
    assert (ds.logarithmic_norm > 0.49).all()  # 1/2 at all times: the bound that does not mislead
    product = np.eye(3)
    for J in rd.jacobian(net, np.vstack([np.zeros(3), planes[:-1]])):
        product = J @ product
    exponents = np.log(np.sort(np.abs(np.linalg.eigvals(product[:2, :2])))) / (2 * np.pi)
    assert exponents == pytest.approx([-1.0, 0.5], abs=1e-9)  # of the order h^4


def test_the_discrete_twin():
    """J1 = [[0, 2], [0, 0]] and its transpose in turn: spectral radius 0, growth ln 2 a step."""
    J = np.array([[[0.0, 0.0], [2.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]])
    assert not np.linalg.eigvals(J).any()
    exponents = rd.lyapunov_from_jacobians(np.tile(J, (500, 1, 1))).exponent.values
    assert exponents[0] == pytest.approx(np.log(2), rel=1e-12) and np.isneginf(exponents[1])


def test_margins_at_fixed_points_are_the_network_s_own():
    net = rd.Leaky.random(4, 2, alpha=0.3, gain=2.0, rng=1)
    x = np.full((3, 5, 2), 0.1)
    s = rd.run(net, x).state.values
    for method in ("euler", "rk4", "implicit_euler"):
        ds = rd.ode.stability(net, s, x, method=method, dt=0.3)
        own = rd.ode.network(net, method, dt=0.3)
        J = rd.jacobian(own, s, x)
        assert np.abs(ds.step_norm - np.linalg.norm(J, 2, axis=(-2, -1))).max() < 1e-14
        assert ds.critical_step.dims == ("batch", "time") and not ds.status.any()
        assert (np.diff(ds.amplification, axis=-1) <= 0).all()
        each = rd.ode.critical_step(rd.ode.vector_field(net).jacobians(s, x), method)
        assert np.array_equal(ds.critical_step, each)
    rest = rd.fixed_points(net, [0.1, 0.1], starts=16, rng=0)
    ds = rd.ode.stability(net, rest.state, np.full(2, 0.1), dt=0.3)
    assert np.abs(ds.amplification - np.abs(rest.eigenvalue.values)).max() < 1e-12


def test_margins_of_what_cannot_be_stepped():
    field = rd.ode.VectorField(lambda y, x, p: y**2, 1)
    ds = rd.ode.stability(field, [[1.0], [0.1]], method="implicit_euler", dt=1.0)
    assert ds.status == 2 and np.isnan(ds.critical_step[0]) and np.isfinite(ds.critical_step[1])


def test_wrong_states_are_named():
    net = rd.Leaky.random(2, 1, alpha=0.1, rng=0)
    with pytest.raises(ValueError, match="states has"):
        rd.ode.stability(net, [[1.0]], dt=0.1)
    with pytest.raises(ValueError, match="input is missing"):
        rd.ode.stability(net, [[1.0, 2.0]], dt=0.1)
