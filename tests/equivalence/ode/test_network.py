"""Networks of Runge-Kutta methods: against the printed equations, SciPy's DOP853, and leaky networks."""

import naive
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.equivalence.ode.methods import METHODS

every_method = pytest.mark.parametrize("method", METHODS)
W = np.array([[0.5, -1.2], [1.4, 0.3]])
NAIVE = {
    "euler": naive.euler_step,
    "heun": naive.heun_step,
    "midpoint": naive.midpoint_step,
    "rk4": naive.rk4_step,
}


def pendulum(y, x, p):
    return np.array([y[1], -np.sin(y[0]) - p[0] * y[1]])


def rates(y, x, p):
    return -y + np.tanh(p["W"] @ y + p["b"] + p["U"] @ x)


def rates_jacobian(y, x, p):
    return -np.eye(2) + (1 - np.tanh(p["W"] @ y + p["b"] + p["U"] @ x) ** 2)[:, None] * p["W"]


PARAMETERS = {"W": W, "b": np.array([0.1, -0.2]), "U": np.array([[1.0], [-0.5]])}
DRIVEN = rd.ode.VectorField(rates, 2, input_size=1, parameters=PARAMETERS)
GIVEN = rd.ode.VectorField(rates, 2, input_size=1, parameters=PARAMETERS, jacobian=rates_jacobian)
SWING = rd.ode.VectorField(pendulum, 2, parameters=(0.3,))


@pytest.mark.parametrize("method", NAIVE)
def test_a_step_is_the_printed_one(method):
    net = rd.ode.network(SWING, method, dt=0.3)
    y = np.array([1.0, -0.4])
    for state in rd.run(net, initial_state=y, steps=5).state.values:
        y = NAIVE[method](lambda s: pendulum(s, None, (0.3,)), y, 0.3)
        assert np.abs(state - y).max() < 4e-16


@pytest.mark.parametrize("method", ["implicit_euler", "trapezoid"])
@pytest.mark.parametrize("field", [DRIVEN, GIVEN], ids=["derived", "given"])
def test_an_implicit_step_solves_its_equation(method, field, rng):
    y, x, h = 3 * rng.standard_normal(2), rng.standard_normal(1), 2.5
    after = dynamics.step(rd.ode.network(field, method, dt=h), y[None], x[None])[0]
    ends = field.rates(np.array([y, after]), x)
    right = y + h * (ends[1] if method == "implicit_euler" else ends.mean(axis=0))
    assert np.abs(after - right).max() < 2e-15


@every_method
def test_the_error_falls_at_the_method_s_order(method):
    tight = {"method": "DOP853", "rtol": 3e-14, "atol": 1e-15}
    exact = solve_ivp(lambda t, y: pendulum(y, None, (0.3,)), (0, 2), [1.0, 0.0], **tight).y[:, -1]
    errors = []
    for steps in (20, 40, 80):
        net = rd.ode.network(SWING, method, dt=2 / steps)
        errors.append(np.abs(rd.run(net, initial_state=[1.0, 0.0], steps=steps).state[-1] - exact).max().item())
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx(METHODS[method].order, abs=0.15)


@every_method
def test_the_jacobian_is_that_of_the_step(method, rng):
    """With the field's own Jacobian, by the chain rule; without, by the complex step; and central differences."""
    s, x, h = rng.standard_normal((3, 2)), rng.standard_normal((3, 1)), 0.7
    given, derived = (rd.ode.network(field, method, dt=h) for field in (GIVEN, DRIVEN))
    J = dynamics.jacobian(given, s, x)
    assert np.abs(dynamics.jacobian(derived, s, x) - J).max() < 2e-15
    assert (given.derivative, derived.derivative) == ("given", "complex step")
    d = 1e-5
    ends = [[dynamics.step(given, s + sign * d * e, x) for sign in (1, -1)] for e in np.eye(2)]
    assert np.abs(np.stack([(a - b) / (2 * d) for a, b in ends], axis=-1) - J).max() < 1e-9


@every_method
def test_parameters_can_be_replaced(method):
    """Newton's method and the Jacobian follow the parameters that the network has, not those it was made with."""
    net = rd.ode.network(GIVEN, method, dt=2.0)
    other = PARAMETERS | {"W": 2 * W}
    field = rd.ode.VectorField(rates, 2, input_size=1, parameters=other, jacobian=rates_jacobian)
    changed, made = net.replace(parameters=other), rd.ode.network(field, method, dt=2.0)
    assert changed == made != net
    s, x = np.array([[0.3, -0.8]]), np.ones((1, 1))
    assert np.array_equal(dynamics.jacobian(changed, s, x), dynamics.jacobian(made, s, x))


def test_networks_of_other_steps_and_methods_differ():
    nets = [rd.ode.network(SWING, method, dt=dt) for method in ("heun", "rk4") for dt in (0.1, 0.2)]
    assert len({net.content_hash() for net in nets}) == 4
    assert rd.ode.network(SWING, "heun", dt=0.1) == nets[0]


@pytest.mark.parametrize(
    "f, at",
    [
        (lambda y, x, p: -np.abs(y) * y, [2.0]),
        (lambda y, x, p: [-max(float(y[0]), 0.0)], [3.0]),
        (lambda y, x, p: np.array([-np.sinh(y.real[0])]), [2.0]),
    ],
    ids=["lies", "refuses", "drops"],
)
def test_implicit_steps_of_fields_without_complex_numbers(f, at):
    net = rd.ode.network(rd.ode.VectorField(f, 1), "implicit_euler", dt=0.5)
    after = rd.run(net, initial_state=at, steps=1).state.values[0]
    assert np.abs(after - at - 0.5 * np.asarray(f(after, None, None))).max() < 1e-15


def test_a_step_that_cannot_be_solved_is_nan():
    """Y = 1 + Y^2 has no real solution, and Newton's method wanders."""
    net = rd.ode.network(rd.ode.VectorField(lambda y, x, p: y**2, 1), "implicit_euler", dt=1.0)
    assert np.isnan(rd.run(net, initial_state=[1.0], steps=3).state).all()
    singular = rd.ode.network(rd.ode.VectorField(lambda y, x, p: y + 1, 1), "implicit_euler", dt=1.0)
    assert np.isnan(rd.run(singular, initial_state=[1.0], steps=1).state).all()


def test_implicit_euler_holds_a_stiff_field():
    """Prothero and Robinson's: dy/dt = -1e6 (y - cos t) - sin t; the solution is cos t."""

    def stiff(y, x, p):
        return np.array([-1e6 * (y[0] - np.cos(y[1])) - np.sin(y[1]), 1.0])

    run = rd.run(rd.ode.network(rd.ode.VectorField(stiff, 2), "implicit_euler", dt=0.1), initial_state=[1, 0], steps=20)
    assert np.abs(run.state[:, 0] - np.cos(run.state[:, 1])).max() < 1e-7


def clipped(y, x, p):
    return np.array([-min(y[0], 2.0)])


@pytest.mark.compiled
def test_compiled_fields_that_cannot_be_typed_for_complex_numbers():
    numba = pytest.importorskip("numba")
    for f, at in ((numba.njit(clipped), 1.5), (numba.njit(lambda y, x, p: np.sin(y)), 3.0)):
        net = rd.ode.network(rd.ode.VectorField(f, 1), "implicit_euler", dt=0.5)
        after = rd.run(net, initial_state=[at], steps=1).state.values[0]
        assert np.abs(after - at - 0.5 * f(after, None, None)).max() < 1e-15
        J = dynamics.jacobian(net, np.array([[at]]), None)[0, 0, 0]
        slope = -1.0 if f.py_func is clipped else np.cos(after[0])
        assert J == pytest.approx(1 / (1 - 0.5 * slope), rel=1e-9)


@every_method
def test_fields_of_the_wrong_shape_are_refused(method):
    """NumPy would broadcast them."""
    for function in (lambda y, x, p: y[:1], lambda y, x, p: 1.0, lambda y, x, p: None):
        with pytest.raises(ValueError, match="function of the field returned the shape"):
            rd.run(rd.ode.network(rd.ode.VectorField(function, 2), method, dt=0.1), steps=1)
    wrong = rd.ode.VectorField(lambda y, x, p: -y, 2, jacobian=lambda y, x, p: -np.ones(2))
    with pytest.raises(ValueError, match="jacobian"):
        rd.jacobian(rd.ode.network(wrong, method, dt=0.1), [1.0, 2.0])


def test_a_singular_implicit_step_has_no_jacobian():
    growing = rd.ode.VectorField(lambda y, x, p: y, 1, jacobian=lambda y, x, p: np.eye(1))
    assert np.isnan(rd.jacobian(rd.ode.network(growing, "implicit_euler", dt=1.0), [0.0])).all()


# ---- leaky networks ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["rate", "voltage"])
@pytest.mark.parametrize("alpha", [0.3, [0.1, 0.5, 0.4]], ids=["one", "each"])
def test_a_leaky_network_is_euler_s_method(form, alpha, rng):
    net = rd.Leaky.random(3, 2, alpha=np.array(alpha), form=form, gain=2.0, rng=rng)
    field = rd.ode.vector_field(net, dt=0.01)
    x, s0 = rng.standard_normal((20, 2)), rng.standard_normal(3)
    whole, again = (rd.run(n, x, initial_state=s0).state for n in (net, rd.ode.network(field, dt=0.01)))
    assert np.abs(whole - again).max() < 1e-14
    J = rd.jacobian(net, s0, x[0])
    assert np.abs(np.eye(3) + 0.01 * field.jacobians(s0, x[0]) - J).max() < 1e-15
    J_x = rd.jacobian(rd.ode.network(field, dt=0.01), s0, x[0], wrt="input")
    assert np.abs(J_x - rd.jacobian(net, s0, x[0], wrt="input")).max() < 1e-15


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_every_step_shares_the_fixed_points_of_the_ode(form):
    net = rd.Leaky(None, [[1.5, -0.1], [0.2, 1.8]], alpha=0.2, form=form)
    points = rd.fixed_points(net, starts=48, rng=0)
    assert len(points.point) == 9
    assert np.abs(rd.ode.vector_field(net).rates(points.state)).max() < 1e-14
    for method in ("heun", "rk4", "implicit_euler"):
        step = rd.ode.network(net, method, dt=0.2)
        assert np.abs(dynamics.step(step, points.state.values, None) - points.state.values).max() < 1e-14


def test_a_float32_network_has_a_float64_field():
    net = rd.Leaky.random(3, alpha=0.3, rng=0, dtype="float32")
    assert rd.ode.vector_field(net).rates(np.zeros(3, np.float32)).dtype == np.float64


# ---- backpropagation ---------------------------------------------------------------------------------------------
def scalar(z, x, p):
    """dy/dt = -y + 1.3 tanh y - 0.2 y^3 for y = p + z: the initial value is a parameter."""
    y = p[0] + z
    return -y + 1.3 * np.tanh(y) - 0.2 * y**3


def gradient(method, steps):
    """dL/dy0 of L = y(3)^2 / 2 by backpropagation through the network."""
    net = rd.ode.network(rd.ode.VectorField(scalar, 1, parameters=(0.7,)), method, dt=3 / steps)

    def loss(outputs):
        y = outputs[0, -1, 0] + 0.7
        g = np.zeros(outputs.shape)
        g[0, -1, 0] = y
        return y**2 / 2, g

    value, gradients = rd.value_and_grad(net, steps, None, loss=loss)
    return np.sqrt(2 * value) + gradients.parameters[0]  # y(3) = p + z(3) has a part of p itself


def continuous_gradient():
    def both(t, s):
        y, v = s
        return [-y + 1.3 * np.tanh(y) - 0.2 * y**3, (-1 + 1.3 / np.cosh(y) ** 2 - 0.6 * y**2) * v]

    y, v = solve_ivp(both, (0, 3), [0.7, 1.0], method="DOP853", rtol=3e-14, atol=1e-16).y[:, -1]
    return y * v


@every_method
def test_backpropagation_tends_to_the_continuous_adjoint(method):
    exact = continuous_gradient()
    assert exact == pytest.approx(0.16236829786449944, rel=1e-12)
    errors = np.array([gradient(method, steps) for steps in (30, 60, 120)]) - exact
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx(METHODS[method].order, abs=0.1)


def test_backpropagation_through_euler_in_forty_digits():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        for steps in (30, 120):
            h, y, product = mpmath.mpf(3) / steps, mpmath.mpf("0.7"), mpmath.mpf(1)
            for _ in range(steps):
                product *= 1 + h * (-1 + 1.3 * mpmath.sech(y) ** 2 - mpmath.mpf("0.6") * y**2)
                y += h * (-y + mpmath.mpf("1.3") * mpmath.tanh(y) - mpmath.mpf("0.2") * y**3)
            assert gradient("euler", steps) == pytest.approx(float(y * product), rel=1e-14)
    ratio = (gradient("euler", 60) - continuous_gradient()) / (gradient("euler", 120) - continuous_gradient())
    assert ratio == pytest.approx(2.007400711119424, rel=1e-9)


# ---- what is refused ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: rd.ode.network(pendulum, dt=0.1), TypeError, "field is a function: pass rnndyn.ode.VectorField"),
        (lambda: rd.ode.network(rd.Elman(None, [[1.0]]), dt=0.1), TypeError, "field is a Elman"),
        (lambda: rd.ode.network(SWING, dt=0.0), ValueError, "dt is 0.0"),
        (lambda: rd.ode.network(SWING, "rk5", dt=0.1), ValueError, "method is 'rk5'"),
        (lambda: rd.ode.vector_field(rd.Elman(None, [[1.0]])), TypeError, "net is a Elman: an rnndyn.Leaky"),
        (lambda: rd.ode.VectorField(3, 2), TypeError, "function is a int"),
        (lambda: rd.ode.VectorField(pendulum, 0), ValueError, "state_size is 0"),
        (lambda: SWING.rates([1.0]), ValueError, "state has shape"),
        (lambda: DRIVEN.rates([1.0, 2.0]), ValueError, "input is missing"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
