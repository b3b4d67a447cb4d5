"""The measurements of the study."""

import numpy as np

import rnndyn as rd

GAINS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
LINEAR_GAINS = (0.95, 1.0, 1.05)
KINDS = ("orthogonal", "gaussian")
SEED = 0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    units, steps, long = (12, 60, 100) if quick else (100, 400, 1000)
    gains = GAINS[::3] if quick else GAINS
    return {
        "linear": [linear(gain, units, long) for gain in LINEAR_GAINS],
        "tanh": [tanh_network(kind, gain, units, steps) for kind in KINDS for gain in gains],
        "spread": [spread(kind, gain, units, steps // 10) for kind in KINDS for gain in (0.9, 1.5)],
    }


def linear(gain: float, units: int, steps: int) -> dict:
    """Largest departure of any log singular value from t ln(gain), and of the log norm of the state."""
    net = rd.Linear(None, rd.Elman.random(units, gain=gain, recurrent="orthogonal", rng=SEED).W_hh)
    start = np.ones(units) / np.sqrt(units)
    every = steps // 10
    products = rd.jacobian_products(net, steps=steps, initial_state=start, every=every)
    states = rd.run(net, steps=steps, initial_state=start).state.values[every - 1 :: every]
    expected = products.time.values * np.log(gain)
    return {
        "gain": gain,
        "steps": steps,
        "singular_values": float(np.abs(products.log_singular_value.values - expected[:, None]).max()),
        "state": float(np.abs(np.log(np.linalg.norm(states, axis=1)) - expected).max()),
    }


def tanh_network(kind: str, gain: float, units: int, steps: int) -> dict:
    """Full spectrum of a random tanh network."""
    net = rd.Elman.random(units, gain=gain, recurrent=kind, rng=SEED)
    spectrum = rd.lyapunov_spectrum(net, steps=steps, warmup=steps, rng=SEED)
    theory = rd.theory.mean_field(gain, connectivity=kind)
    return {
        "kind": kind,
        "gain": gain,
        "largest": spectrum.exponent[0].item(),
        "stderr": spectrum.stderr[0].item(),
        "mean": float(spectrum.exponent.mean()),
        "expected": theory.exponent,
        "expected_mean": theory.mean_exponent,
    }


def spread(kind: str, gain: float, units: int, steps: int) -> dict:
    """Log of the largest and of the median singular value of the product, over time, from a settled state."""
    net = rd.Elman.random(units, gain=gain, recurrent=kind, rng=SEED)
    start = np.random.default_rng(SEED).uniform(-1, 1, units)
    settled = rd.run(net, steps=500, initial_state=start).state.values[-1]
    products = rd.jacobian_products(net, steps=steps, initial_state=settled)
    values = products.log_singular_value.values
    return {
        "kind": kind,
        "gain": gain,
        "largest": values[:, 0].tolist(),
        "median": values[:, units // 2].tolist(),
        "rate": (values[-1, 0] - values[-1, units // 2]) / steps,
    }
