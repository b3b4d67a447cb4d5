"""The measurements of the study."""

import numpy as np

import rnndyn as rd

METHODS = ("euler", "heun", "rk4", "implicit_euler")
UNITS, GAIN, SEED = 20, 0.9, 3
DISTURBANCE, TOGETHER = 1e-7, 4


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    return {
        "stability": [loss_of_stability(method, 40 if quick else 400) for method in METHODS],
        "regions": [region(method, 40 if quick else 160) for method in METHODS],
        "ledger": [ledger(name, field, quick) for name, field in fields().items()],
        "scaling": scaling(3 if quick else 6),
        "spurious": [spurious(dt, "euler", quick) for dt in (0.5, 1.1, 1.5)] + [spurious(1.25, "midpoint", quick)],
        "cycle": bifurcation(60 if quick else 240),
        "frozen": frozen(200 if quick else 2000),
    }


# ---- 1. loss of stability ----------------------------------------------------------------------------------------
def driven_network():
    """A leaky network at rest under a constant input, its field and its rest state."""
    net = rd.Leaky.random(UNITS, 1, alpha=0.1, gain=GAIN, rng=SEED)
    points = rd.fixed_points(net, [0.5], rng=0)
    return net, rd.ode.vector_field(net), points.state.values[0]


def growth(field, method: str, dt: float, rest: np.ndarray, steps: int) -> float:
    """Growth rate of a small disturbance of the rest state, in nats per step, over the later half of a run.

    The disturbance is set back to its size every few steps, so that it stays small.
    """
    net, inputs = rd.ode.network(field, method, dt=dt), np.full((TOGETHER, 1), 0.5)
    disturbance = np.random.default_rng(SEED).standard_normal(len(rest))
    logs = []
    for _ in range(steps // TOGETHER):
        start = rest + DISTURBANCE * disturbance / np.linalg.norm(disturbance)
        disturbance = rd.run(net, inputs, initial_state=start).state.values[-1] - rest
        logs.append(np.log(np.linalg.norm(disturbance) / DISTURBANCE))
    return float(np.mean(logs[len(logs) // 2 :]) / TOGETHER)


def loss_of_stability(method: str, steps: int) -> dict:
    """Measured growth over the step size, and where it passes zero, beside the critical step."""
    _, field, rest = driven_network()
    J = field.jacobians(rest, [0.5])
    critical = rd.ode.critical_step(J, method)
    widest = 1.5 * critical if np.isfinite(critical) else 5.0
    sizes = np.linspace(0.1, 1, 12) * widest
    theory = np.abs(rd.ode.stability_function(method, sizes[:, None] * np.linalg.eigvals(J))).max(axis=1)
    measured = [growth(field, method, h, rest, steps) for h in sizes]
    return {
        "method": method,
        "critical": critical,
        "measured_critical": crossing(field, method, rest, critical, steps) if np.isfinite(critical) else np.inf,
        "step": sizes.tolist(),
        "growth": measured,
        "theory": np.log(theory).tolist(),
        "eigenvalues": [[e.real, e.imag] for e in np.linalg.eigvals(J)],
    }


def crossing(field, method: str, rest: np.ndarray, critical: float, steps: int) -> float:
    """Step at which the measured growth passes zero, by bisection between two unlike shares of the theory's."""
    low, high = 0.71 * critical, 1.17 * critical
    for _ in range(20):
        middle = (low + high) / 2
        if growth(field, method, middle, rest, steps) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def region(method: str, points: int) -> dict:
    """Where |R(z)| is at most one."""
    x, y = np.linspace(-3.5, 2.5, points), np.linspace(-3.2, 3.2, points)
    R = np.abs(rd.ode.stability_function(method, x + 1j * y[:, None]))
    return {"method": method, "real": x.tolist(), "imaginary": y.tolist(), "modulus": np.minimum(R, 4.0).tolist()}


# ---- 2. the ledger -----------------------------------------------------------------------------------------------
def fields() -> dict:
    """A linear and a nonlinear rotation."""
    W = np.array([[1.5, -2.0], [2.0, 1.5]])
    return {
        "linear": rd.ode.VectorField(lambda y, x, p: -y + 0.6 * (W @ y), 2),
        "tanh": rd.ode.VectorField(lambda y, x, p: -y + np.tanh(W @ y), 2),
    }


def ledger(name: str, field, quick: bool) -> dict:
    """Contributions of the local errors to the last error, by the mean Jacobians and by backpropagation's."""
    ds = rd.ode.error_ledger(field, dt=0.1, steps=20 if quick else 60, initial_state=[0.3, 0.0])
    k = int(np.argmax(np.abs(ds.error.values[-1])))
    return {
        "field": name,
        "contribution": ds.contribution.values[:, k].tolist(),
        "bptt": ds.bptt_contribution.values[:, k].tolist(),
        "local": ds.local_error.values[:, k].tolist(),
        "last_error": ds.error.values[-1, k].item(),
        "size": float(np.linalg.norm(ds.error.values[-1])),
        "defect": ds.defect.item(),
        "rounding": ds.rounding.item(),
        "bptt_defect": ds.bptt_defect.item(),
    }


def scaling(count: int) -> list[dict]:
    """Global error and the gap between the products over the step size, of the nonlinear field."""
    rows = []
    for k in range(count):
        ds = rd.ode.error_ledger(fields()["tanh"], dt=0.1 / 2**k, steps=30 * 2**k, initial_state=[0.3, 0.0])
        rows.append({"step": 0.1 / 2**k, "error": float(np.abs(ds.error).max()), "gap": ds.product_gap[0].item()})
    return rows


# ---- 3. spurious dynamics ----------------------------------------------------------------------------------------
def logistic():
    """dy/dt = 2 y (1 - y): 0 repels, 1 attracts, and nothing else happens."""
    return rd.ode.VectorField(lambda y, x, p: 2 * y * (1 - y), 1)


def spurious(dt: float, method: str, quick: bool) -> dict:
    """What the detector finds at one step size."""
    starts = np.linspace(-0.5, 2.2, 40)[:, None]
    duration = 200 if quick else 20_000 * dt
    own = {"starts": starts, "duration": duration, "initial_state": [0.3], "refinements": 2, "rng": 0}
    ds = rd.ode.spurious_dynamics(logistic(), method=method, dt=dt, **own)
    return {
        "method": method,
        "step": dt,
        "points": ds.state.values[:, 0].tolist(),
        "period": ds.period.values.tolist(),
        "origin": ds.origin.values.tolist(),
        "exponent_per_step": (ds.exponent[0] * dt).item(),
        "stderr_per_step": (ds.stderr[0] * dt).item(),
        "expected": expected_exponent(dt, method),
    }


def expected_exponent(dt: float, method: str) -> float:
    """Nats a step on the attractor: at the rest state 1, on the cycle of two, or in chaos conjugate to r = 4."""
    if method == "midpoint":  # attracted by its own fixed point 1/h, where the derivative is by hand
        y, h = 1 / dt, dt
        middle = y + h * y * (1 - y)
        return float(np.log(abs(1 + 2 * h * (1 - 2 * middle) * (1 + h * (1 - 2 * y)))))
    if dt == 1.5:
        return float(np.log(2))
    if dt < 1:
        return float(np.log(abs(1 - 2 * dt))) if dt != 0.5 else -np.inf
    return float(np.log(abs(5 - 4 * dt**2)) / 2)  # the multiplier of the cycle: 1 + 2r - r^2 + 3 with r = 1 + 2h


def bifurcation(count: int) -> dict:
    """States that Euler's network visits after a transient, over the step size."""
    steps, states = np.linspace(0.8, 1.5, count), []
    for dt in steps:
        net = rd.ode.network(logistic(), dt=dt)
        states.append(rd.run(net, initial_state=[0.3], steps=400).state.values[-40:, 0].tolist())
    return {"step": steps.tolist(), "states": states}


# ---- 4. frozen eigenvalues ---------------------------------------------------------------------------------------
def markus_yamabe(y, x, p):
    """A(t) y; the time is the third state variable."""
    c, s = np.cos(y[2]), np.sin(y[2])
    first = (-1 + 1.5 * c * c) * y[0] + (1 - 1.5 * s * c) * y[1]
    second = (-1 - 1.5 * s * c) * y[0] + (-1 + 1.5 * s * s) * y[1]
    return np.array([first, second, 1.0 + 0 * c])


def frozen(steps: int) -> dict:
    """Two periods: real parts of the eigenvalues at each time, the size of the state, and Floquet's exponents."""
    dt = 4 * np.pi / steps
    field = rd.ode.VectorField(markus_yamabe, 3)
    net = rd.ode.network(field, "rk4", dt=dt)
    start = np.array([-1.0, 0.0, 0.0])
    states = np.vstack([start, rd.run(net, initial_state=start, steps=steps).state.values])
    planes = states * [0, 0, 1]  # the origin at the same times: there the column of the time vanishes
    ds = rd.ode.stability(field, planes, method="rk4", dt=dt)
    product = np.eye(3)
    for J in rd.jacobian(net, planes[:-1]):
        product = J @ product
    multipliers = np.abs(np.linalg.eigvals(product[:2, :2]))
    growing = np.abs(ds.eigenvalue.values) > 0.1  # all but that of the time
    return {
        "time": states[:, 2].tolist(),
        "size": np.linalg.norm(states[:, :2], axis=1).tolist(),
        "largest_real_part": float(ds.eigenvalue.values[growing].real.max()),
        "logarithmic_norm": float(ds.logarithmic_norm.values.max()),
        "exponents": np.sort(np.log(multipliers) / states[-1, 2]).tolist(),
    }
