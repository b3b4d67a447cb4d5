"""The measurements of the study."""

from pathlib import Path

import numpy as np

import rnndyn as rd

GAINS = (0.3, 0.7, 1.0, 1.5, 2.5)
SCALES = (0.9, 1.0, 1.1)
SEED = 0
NETWORKS = Path(__file__).parents[2] / "data" / "networks"


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    units, steps = (24, 40) if quick else (128, 200)
    return {
        "tanh": [tanh_network(gain, units, steps) for gain in GAINS],
        "irnn": [scaled_identity(scale, 8, steps) for scale in SCALES],
        "orthogonal": [orthogonal(gain, units, steps) for gain in (0.95, 1.0, 1.05)],
        "spectral_radius": [saturated_unit(steps), nilpotent(min(steps, 100))],
        "trained": [trained(cell, 8 if quick else 64) for cell in ("tanh", "gru", "lstm")],
    }


def log_norms(net, inputs=None, **options) -> np.ndarray:
    """Log ||J_t ... J_1||_2 for t = 1 .. T."""
    return rd.jacobian_products(net, inputs, **options).log_norm.values


def tanh_network(gain: float, units: int, steps: int) -> dict:
    """A random network with weak random input: norm of the Jacobian product beside its bound, both as logarithms."""
    rng = np.random.default_rng(SEED)
    net = rd.Elman.random(units, 1, gain=gain, rng=rng)
    measured = log_norms(net, 0.1 * rng.standard_normal((steps, 1)), initial_state=rng.standard_normal(units))
    rho = np.linalg.norm(net.W_hh, 2)
    return {"gain": gain, "log_norm": measured.tolist(), "log_bound": (np.arange(1, steps + 1) * np.log(rho)).tolist()}


def scaled_identity(scale: float, units: int, steps: int) -> dict:
    """W_hh = s I, ReLU, constant input x > 0, from zero: ||h_t|| = ||x|| (1 - s^t) / (1 - s), dh_t/dh_0 = s^t I."""
    x = np.random.default_rng(SEED).uniform(0.5, 1.5, units)
    net = rd.Elman(np.eye(units), scale * np.eye(units), activation="relu")
    inputs, t = np.tile(x, (steps, 1)), np.arange(1, steps + 1)
    growth = t if scale == 1 else (1 - scale**t) / (1 - scale)
    return {
        "scale": scale,
        "norm": np.linalg.norm(rd.run(net, inputs).hidden.values, axis=-1).tolist(),
        "expected_norm": (np.linalg.norm(x) * growth).tolist(),
        # From x on, so that no unit stands on the kink at zero.
        "log_norm": log_norms(net, inputs, initial_state=x).tolist(),
        "expected_log_norm": (t * np.log(scale)).tolist(),
    }


def orthogonal(gain: float, units: int, steps: int) -> dict:
    """A linear network with W_hh = gain Q: largest departure of any log singular value from t log(gain)."""
    net = rd.Linear(None, rd.Elman.random(units, gain=gain, recurrent="orthogonal", rng=SEED).W_hh)
    products = rd.jacobian_products(net, steps=steps, initial_state=np.ones(units))
    t = np.arange(1, steps + 1)
    return {
        "gain": gain,
        "log_norm": products.log_norm.values.tolist(),
        "defect": float(np.abs(products.log_singular_value.values - np.log(gain) * t[:, None]).max()),
    }


def saturated_unit(steps: int) -> dict:
    """One tanh unit with weight 1.5 at its fixed point: radius times slope bound 1.5 > 1, yet the product vanishes."""
    h = 1.0
    for _ in range(200):
        h = np.tanh(1.5 * h)
    net = rd.Elman(None, [[1.5]])
    slope = 1.5 * (1 - h**2)
    measured = log_norms(net, steps=steps, initial_state=[h])
    return {
        "network": "tanh, w = 1.5, at h*",
        "radius": 1.5,
        "rate": float(measured[-1] / steps),
        "expected": float(np.log(slope)),
    }


def nilpotent(steps: int) -> dict:
    """A nilpotent W_hh whose second ReLU unit is held off: spectral radius 0, yet the product grows as 1.2^t."""
    net = rd.Elman(None, [[1.2, -1.2], [1.2, -1.2]], [0.0, -(10.0**12)], activation="relu")
    measured = log_norms(net, steps=steps, initial_state=[1.0, 0.0])
    rate = (measured[-1] - measured[0]) / (steps - 1)
    return {"network": "ReLU, nilpotent W", "radius": 0.0, "rate": float(rate), "expected": float(np.log(1.2))}


def trained(cell: str, batch: int) -> dict:
    """A trained network: |dL/ds_t| of L = 1/2 |y_T + target_T|^2, the median over sequences, against the lag T - t.

    The wrong sign is wanted: at the right one the loss, and so its gradient, is near zero. For an LSTM, also the parts
    that flow through h and through c alone.
    """
    test = np.load(NETWORKS / "flip_flop_inputs.npz")
    net = rd.load(NETWORKS / f"flip_flop_{cell}.safetensors").astype("float64")
    inputs, targets = test["inputs"][:batch].astype(float), test["targets"][:batch].astype(float)
    last = np.arange(inputs.shape[1]) == inputs.shape[1] - 1
    flow = rd.gradient_flow(net, inputs, -targets, mask=np.tile(last, (batch, 1)))
    names = [name for name in flow.data_vars if str(name).startswith("gradient_norm")]
    norms = {str(name): (batch * flow[name].median("batch")).values.tolist() for name in names}  # L is a mean over them
    return {"cell": cell, "lag": flow.lag.values.tolist(), "norms": norms}
