"""The measurements of the study."""

import numpy as np

import rnndyn as rd

GAINS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
LINEAR_GAINS = (0.95, 1.0, 1.05)
KINDS = ("orthogonal", "gaussian")
NODES = 200  # of the Gauss-Hermite rule
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


def average(f, q: float) -> float:
    """<f(x)> over a Gaussian of variance q."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return float(weights @ f(np.sqrt(q) * nodes) / np.sqrt(2 * np.pi))


def variance(gain: float) -> float:
    """The stable solution of q = gain^2 <tanh^2>; the iteration creeps near gain 1, so bisection."""
    if gain <= 1:
        return 0.0
    low, high = 1e-9, gain**2
    for _ in range(100):
        q = 0.5 * (low + high)
        low, high = (q, high) if gain**2 * average(lambda x: np.tanh(x) ** 2, q) > q else (low, q)
    return q


def mean_field(kind: str, gain: float) -> dict:
    """Largest and mean exponent of a large network, nats a step."""
    q = variance(gain)
    slopes = average(lambda x: np.cosh(x) ** -4.0, q)
    logs = average(lambda x: -2 * np.log(np.cosh(x)), q)
    return {
        "expected": 0.5 * np.log(gain**2 * slopes),
        "expected_mean": np.log(gain) + logs - (0.5 if kind == "gaussian" else 0.0),
    }


def tanh_network(kind: str, gain: float, units: int, steps: int) -> dict:
    """Full spectrum of a random tanh network."""
    net = rd.Elman.random(units, gain=gain, recurrent=kind, rng=SEED)
    spectrum = rd.lyapunov_spectrum(net, steps=steps, warmup=steps, rng=SEED)
    return {
        "kind": kind,
        "gain": gain,
        "largest": spectrum.exponent[0].item(),
        "stderr": spectrum.stderr[0].item(),
        "mean": float(spectrum.exponent.mean()),
    } | mean_field(kind, gain)


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
