"""Results made up by hand, for the tests of what shows and stores results; no kernel is needed."""

import numpy as np

from rnndyn import schema


def run(batch=3, time=20, unit=4, outputs=2):
    rng = np.random.default_rng(0)
    state = rng.standard_normal((batch, time, unit)).cumsum(axis=1)
    variables = {"state": state, "hidden": state}
    if outputs:
        variables["output"] = state[..., :outputs]
    return schema.build("run", variables)


def fixed_points(n=3, size=4, stability=("stable", "unstable", "undecided"), vectors=False, **attrs):
    rng = np.random.default_rng(1)
    variables = {
        "state": rng.standard_normal((n, size)),
        "residual": np.zeros(n),
        "status": np.full(n, "certified"),
        "error_bound": np.full(n, 1e-12),
        "eigenvalue": np.full((n, size), 0.5 + 0.5j),
        "n_unstable": np.zeros(n, int),
        "stability": np.array([stability[k % len(stability)] for k in range(n)], dtype="U9"),
        "index": np.ones(n, int),
    }
    if vectors:
        variables["eigenvalue"][:, 0] = 2
        variables["right_eigenvector"] = np.broadcast_to(np.eye(size), (n, size, size)).astype(complex)
    counts = {
        "n_starts": 64,
        "n_converged": 60,
        "index_sum": n,
        "expected_index_sum": "unknown",
        "estimated_missing": 0.0,
    }
    return schema.build("fixed_points", variables, attrs=counts | attrs)


def slow_points(manifolds=2, samples=16, size=4):
    """Two stable points, and circles with a drift that turns twice."""
    angle = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    circle, tangent = (np.zeros((manifolds, samples, size)) for _ in range(2))
    for m in range(manifolds):
        circle[m, :, :2] = (m + 1) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        tangent[m, :, :2] = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    variables = {"state": circle[:, 0], "kind": np.full(manifolds, "fixed"), "on_manifold": np.arange(manifolds)}
    variables |= {name: np.zeros(manifolds) for name in ("speed", "gradient_norm", "position")}
    variables |= {name: np.full(manifolds, 1e-12) for name in ("speed_error", "error_bound")}
    variables |= {"eigenvalue": np.full((manifolds, size), 0.5), "n_unstable": np.zeros(manifolds, int)}
    variables |= {"stability": np.full(manifolds, "stable"), "status": np.zeros(manifolds, int)}
    radius = np.arange(1, manifolds + 1)
    variables |= {"dimension": np.ones(manifolds, int), "topology": np.full(manifolds, "ring")}
    variables |= {"length": 2 * np.pi * radius, "length_error": np.full(manifolds, 1e-6)}
    variables |= {"max_drift": np.full(manifolds, 0.1), "manifold_status": np.zeros(manifolds, int)}
    variables |= {name: np.full(manifolds, "closed") for name in ("first_end", "last_end")}
    variables |= {"arc_length": radius[:, None] * angle, "sample_state": circle, "tangent": tangent}
    ones = np.ones((manifolds, 1))
    variables |= {"drift": -0.1 * ones * np.sin(angle), "drift_error": np.full((manifolds, samples), 1e-14)}
    variables |= {"multiplier_along": 1 - 0.1 * ones * np.cos(angle), "modulus_across": 0.5 * ones * np.ones(samples)}
    return schema.build("slow_points", variables)


def transitions(n=3, size=4):
    """Of n corners in a ring, a saddle between each two neighbours; at the last, one branch arrives nowhere."""
    saddle = np.repeat(np.arange(n, 2 * n), 2)
    target = np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1).ravel()
    target[-1:] = -1
    variables = {
        "saddle": saddle,
        "branch": np.tile([-1, 1], n),
        "target": target,
        "period": (target >= 0).astype(int),
        "share": np.ones(2 * n),
        "steps": np.full(2 * n, 50),
        "path_length": np.ones(2 * n),
        "displacement": np.full(2 * n, 1e-6),
        "status": (target < 0).astype(int),
        "state": np.random.default_rng(1).standard_normal((2 * n, size)),
        "stability": np.repeat(["stable", "unstable"], n),
        "n_unstable": np.repeat([0, 1], n),
    }
    return schema.build("transitions", variables, attrs={"n_saddles": n, "n_not_followed": 0})


def lyapunov_spectrum(batch=None, k=4, status=0):
    shape = () if batch is None else (batch,)
    exponent = np.tile(0.1 - 0.2 * np.arange(k), (*shape, 1))
    variables = {"exponent": exponent, "stderr": np.full((*shape, k), 0.01), "status": np.full(shape, status)}
    variables |= {name: np.full(shape, 0.5) for name in ("dimension", "entropy_rate", "sum_rule_defect")}
    return schema.build("lyapunov_spectrum", variables)


def covariant_lyapunov_vectors(time=20, k=3, size=4):
    rng = np.random.default_rng(2)
    V = rng.standard_normal((time, size, k))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    local = 0.1 - 0.2 * np.arange(k) + 0.05 * rng.standard_normal((time, k))
    variables = {"vector": V, "state": np.zeros((time, size)), "error": np.full((time, k), 1e-14)}
    variables |= {"exponent": local.mean(axis=0), "stderr": np.full(k, 0.01), "local_exponent": local}
    variables |= {name: rng.uniform(0, np.pi / 2, time) for name in ("min_angle", "splitting_angle")}
    return schema.build(
        "covariant_lyapunov_vectors", variables | {"participation": 1 / (V**4).sum(axis=1), "status": 0}
    )


def finite_time_exponents(blocks=50, k=2):
    local = 0.1 - 0.2 * np.arange(k) + 0.05 * np.random.default_rng(3).standard_normal((blocks, k))
    variables = {"local_exponent": local, "exponent": local.mean(axis=0), "stderr": np.full(k, 0.01)}
    variables |= {"variance": local.var(axis=0), "skewness": np.zeros(k), "diffusion": 10 * local.var(axis=0)}
    return schema.build("finite_time_exponents", variables | {"status": 0})


def echo_state_test(batch=None, time=40):
    shape = () if batch is None else (batch,)
    variables = {"exponent": -0.5, "low": -0.6, "high": -0.4, "decay_rate": -0.5, "status": 0}
    variables = {name: np.full(shape, value) for name, value in variables.items()}
    distance = np.broadcast_to(np.exp(-0.5 * np.arange(time)), (*shape, time))
    variables |= {"verdict": np.full(shape, "contracting"), "distance": distance.copy()}
    return schema.build("echo_state_test", variables)


def jacobian_products(time=20, k=3):
    t = np.arange(1.0, time + 1)
    values = -0.1 * t[:, None] * np.arange(1, k + 1)
    variables = {"log_singular_value": values, "log_norm": values[:, 0], "bound": 0.1 * t}
    variables |= {"log_direct_norm": -0.2 * t, "log_recurrent_norm": values[:, 0] - 0.1}
    return schema.build("jacobian_products", variables)


def gradient_flow(batch=2, time=20, gated=True):
    logs = -0.3 * np.arange(time)[::-1] * np.ones((batch, 1))
    variables = {"gradient_norm": np.exp(logs), "log_gradient_norm": logs, "bound": np.exp(-0.1 * logs)}
    variables["rate"] = np.full(batch, -0.3)
    if gated:
        variables |= {"gradient_norm_hidden": np.exp(logs - 1), "gradient_norm_cell": np.exp(logs - 0.1)}
    return schema.build("gradient_flow", variables)


def gate_paths(batch=2, time=20, paths=("direct", "i", "f", "g", "o")):
    ds = gradient_flow(batch, time)
    parts = ds.log_gradient_norm.values[..., None] - np.arange(len(paths))
    parts[:, -1] = -np.inf
    variables = {name: v.values for name, v in ds.data_vars.items()} | {"log_path_norm": parts}
    return schema.build(
        "gradient_flow", variables, coords={"path": ("path", list(paths), {"long_name": "p", "units": "1"})}
    )


def gradient_paths(steps=6):
    shape = (steps + 1,)
    k = np.arange(steps + 1)
    variables = {"log_sum": -1.0 * k, "log_mass": 0.5 - k, "sign": (-1) ** k, "log_count": np.zeros(shape)}
    variables |= {
        "relative_error": np.zeros(shape),
        "log_product": -1.0,
        "product_sign": 1,
        "n_active": steps,
        "status": 0,
    }
    length = ("length", k, {"long_name": "recurrent factors", "units": "1"})
    return schema.build("gradient_paths", variables, coords={"length": length})


def ode_stability(time=5, size=2):
    eigenvalue = np.full((time, size), -1 + 3j) * np.linspace(0.5, 1, time)[:, None]
    variables = {"eigenvalue": eigenvalue, "amplification": np.abs(1 + 0.2 * eigenvalue), "status": 0}
    variables |= {name: np.ones(time) for name in ("critical_step", "logarithmic_norm", "step_norm")}
    return schema.build("ode_stability", variables, call={"method": "euler", "dt": 0.2})


def error_ledger(time=20, size=2):
    parts = np.exp(-0.1 * np.arange(time))[:, None] * np.ones(size)
    variables = {name: parts for name in ("error", "local_error", "contribution", "bptt_contribution")}
    variables |= {name: np.zeros(time) for name in ("log_product", "log_bptt_product", "product_gap")}
    variables |= {"defect": 1e-15, "rounding": 1e-14, "bptt_defect": 1e-3, "status": 0}
    return schema.build("error_ledger", variables)


def spurious_dynamics(n=3, refinements=3):
    variables = {"state": np.arange(2.0 * n).reshape(n, 2), "period": np.ones(n, int), "drift": np.zeros(n)}
    variables |= {"origin": np.array(["shared", "invented"])[np.arange(n) % 2], "stability": np.full(n, "stable")}
    variables |= {"ode_stability": np.full(n, "unstable"), "step_size": 2.0 ** -np.arange(refinements)}
    variables |= {"exponent": np.linspace(0.5, -1, refinements), "stderr": np.full(refinements, 0.1)}
    return schema.build("spurious_dynamics", variables | {"status": np.zeros(refinements, int)})


def kalman_filter(kind="kalman_filter", time=20, size=2):
    mean, cov = np.zeros((time, size)), np.broadcast_to(np.eye(size), (time, size, size))
    variables = {"innovation": np.zeros((time, 1)), "innovation_cov": np.ones((time, 1, 1)), "status": 0}
    variables |= {"loglik": -1.0 * time, "loglik_t": -np.ones(time)}
    for name in ("predicted", "filtered") + (("smoothed",) if kind == "rts_smoother" else ()):
        variables |= {f"{name}_mean": mean, f"{name}_cov": cov}
    return schema.build(kind, variables)


def rts_smoother():
    return kalman_filter("rts_smoother")


def steady_filter(size=3):
    variables = {"filter_gain": np.ones((size, 1)), "predictor_gain": np.ones((size, 1))}
    variables |= {
        f"{name}_cov": v * np.eye(size) for name, v in (("predicted", 1), ("filtered", 0.6), ("smoothed", 0.4))
    }
    variables |= {"innovation_cov": np.ones((1, 1)), "eigenvalue": np.full(size, 0.5), "exponent": np.full(size, -0.7)}
    return schema.build("steady_filter", variables)


def standard_errors(lags=5, outputs=1):
    shapes = {"psi": (lags + 1, outputs, outputs), "innovation_cov": (outputs, outputs)}
    shapes |= {"output_mean": (outputs,), "modulus": (1,)}
    variables = {name: np.ones(shape) for name, shape in shapes.items()}
    variables |= {f"{name}_stderr": 0.1 * value for name, value in variables.items()}
    lag = ("lag", np.arange(lags + 1), {"long_name": "lag", "units": "step"})
    return schema.build(
        "standard_errors", variables | {"loglik": -9.0, "score_norm": 1e-6, "status": 0}, coords={"lag": lag}
    )


def training(steps=10, validation=False, exponents=0):
    loss = 2.0 ** -np.arange(steps)
    more = {"validation_loss": np.where(np.arange(steps) % 2, loss + 0.1, np.nan)} if validation else {}
    coords = {}
    if exponents:
        more["exponent"] = -np.ones((3, exponents)) * np.arange(1, exponents + 1)
        more["exponent"][0, -1] = -np.inf
        coords = {"watched_step": ("watched_step", [0, steps // 2, steps], {"long_name": "step", "units": "1"})}
    return schema.build("training", {"loss": loss, "gradient_norm": loss / 2} | more, coords=coords)


def results():
    """One of each, as `rnndyn.analyze.analyze` gives them."""
    makers = (run, fixed_points, transitions, lyapunov_spectrum, jacobian_products, gradient_flow)
    return {make.__name__: make() for make in makers}


def hmm_filter(batch=None, time=20, states=3, **further):
    shape = () if batch is None else (batch,)
    belief = np.random.default_rng(4).dirichlet(np.ones(states), (*shape, time))
    variables = {"predicted_belief": belief, "filtered_belief": belief, "loglik_t": np.full((*shape, time), -1.0)}
    variables |= {"loglik": np.full(shape, -float(time)), "status": np.zeros(shape, int)}
    return schema.build("hmm_smoother" if further else "hmm_filter", variables | further)


def hmm_smoother(batch=None, time=20, states=3):
    shape = (time, states) if batch is None else (batch, time, states)
    return hmm_filter(batch, time, states, smoothed_belief=np.full(shape, 1 / states))


def markov_chain(cells=3, size=2):
    count = np.ones((cells, cells), int)
    variables = {"transition": count / cells, "count": count, "occupation": np.full(cells, 1 / cells)}
    variables |= {"lumpability_residual": np.full(cells, 0.1), "lumpability_floor": np.full(cells, 0.05)}
    scalars = ("entropy_rate", "entropy_rate_gap", "loglik", "loglik_gap", "loglik_gap_stderr")
    variables |= {name: 0.0 for name in scalars} | {"center": np.zeros((cells, size))}
    return schema.build("markov_chain", variables | {"status": np.zeros(cells, int)})
