"""The measurements of the study."""

import numpy as np

import rnndyn as rd

DT, FORGET = 0.02, 0.95  # seconds; the gate of the documents' example
FORGETS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
GAINS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15)
DRIVES = (0.0, 0.25, 0.5, 1.0, 2.0)
DRIVEN_GAIN = 0.12
SEED = 0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    units, steps = (8, 200) if quick else (64, 1000)
    drives = [driven(drive, units, steps) for drive in (DRIVES[::2] if quick else DRIVES)]
    return {
        "dt": DT,
        "forget": FORGET,
        "tau": time_constant(np.log(FORGET)),
        "written": written(100),
        "by_forget": [held(f, 200) for f in FORGETS],
        "by_gain": [at_rest(gain, units, steps) for gain in GAINS],
        "critical_gain": 4 * (1 - FORGET),  # (1 - f) / (i o), with i = o = 1/2 at rest
        "by_drive": drives,
    }


def time_constant(rate: float) -> float:
    """-dt / rate, in seconds, from nats a step; infinite where nothing decays."""
    return float(-DT / rate) if rate < 0 else float("inf")


def lstm(units: int, forget: float, gain: float, drive: float = 0.0) -> rd.LSTM:
    """Random weights of this gain; the forget gate sees no input, and its bias alone gives `forget`."""
    net = rd.LSTM.random(units, 1, gain=gain, rng=SEED)
    b_h = np.zeros(4 * units)
    b_h[units : 2 * units] = np.log(forget / (1 - forget))
    return net.replace(W_xh=drive * net.W_xh, b_h=b_h)


def written(steps: int) -> dict:
    """A value written into c by one input pulse, in a cell without recurrent weights, and its decay."""
    net = lstm(1, FORGET, 0.0).replace(W_xh=[[5.0], [0.0], [5.0], [0.0]])
    inputs = np.zeros((steps, 1))
    inputs[0] = 1
    c = rd.run(net, inputs).state.values[:, 1]
    t = DT * np.arange(steps)
    return {
        "time": t.tolist(),
        "c": c.tolist(),
        "expected": (c[0] * np.exp(-t / time_constant(np.log(FORGET)))).tolist(),
    }


def held(forget: float, steps: int) -> dict:
    """Time constant of a gate held at `forget`, by a fit of ln c, beside the formula."""
    net = lstm(1, forget, 0.0)
    c = rd.run(net, np.zeros((steps, 1)), initial_state=[0.0, 1.0]).state.values[:, 1]
    slope = np.polyfit(np.arange(steps), np.log(c), 1)[0]
    return {"forget": forget, "measured": time_constant(slope), "expected": time_constant(np.log(forget))}


def at_rest(gain: float, units: int, steps: int) -> dict:
    """Slowest decay of a perturbation of the resting network, over the second half of the run."""
    net = lstm(units, FORGET, gain).replace(W_xh=None)
    norms = rd.jacobian_products(net, steps=steps, every=steps // 2).log_norm.values
    mu = np.linalg.eigvals(net.W_hh[2 * units : 3 * units])
    return {
        "gain": gain,
        "measured": time_constant((norms[1] - norms[0]) / (steps - steps // 2)),
        "expected": time_constant(np.log(np.abs(FORGET + 0.25 * mu).max())),
        "radius": float(np.abs(mu).max()),
    }


def driven(drive: float, units: int, steps: int) -> dict:
    """Time constants under noise into all gates but the forget gate: of the whole product, and of its direct path."""
    net = lstm(units, FORGET, DRIVEN_GAIN, drive)
    W_xh = np.array(net.W_xh)
    W_xh[units : 2 * units] = 0
    inputs = np.random.default_rng(SEED).standard_normal((steps, 1))
    products = rd.jacobian_products(net.replace(W_xh=W_xh), inputs, every=steps // 2)
    rates = {
        name: float(np.diff(products[name].values[:2])[0] / (steps - steps // 2))
        for name in ("log_norm", "log_direct_norm")
    }
    return {
        "drive": drive,
        "whole": time_constant(rates["log_norm"]),
        "direct": time_constant(rates["log_direct_norm"]),
    }
