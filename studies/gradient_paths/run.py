"""The measurements of the study."""

import numpy as np

import rnndyn as rd

DIRECT, RECURRENT = 0.5, 0.8  # a and b
STEPS, LONG = 16, 1000
BIASES = (-2.0, 0.0, 2.0, 4.0)
SEED = 0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    steps, long = (8, 100) if quick else (STEPS, LONG)
    every, other = np.ones(steps), np.arange(steps) % 2.0
    return {
        "short": [
            scalar("all gates open", every, np.zeros(steps), 0.3),
            scalar("every other gate open", other, np.zeros(steps), 0.3),
            scalar("all open, saturated", every, np.full(steps, 1.5), 3.0),
        ],
        "long": long_recurrence(long),
        "gru": [gru_unit(bias, 20 if quick else 60) for bias in BIASES],
    }


def derivative(gates: np.ndarray, inputs: np.ndarray, h: float) -> tuple[float, np.ndarray]:
    """dh_T/dh_0 by a complex step through the recurrence, and the recurrent term of each step."""
    state, terms = h + 1e-30j, []
    for gate, x in zip(gates, inputs, strict=True):
        terms.append(gate * RECURRENT * (1 - np.tanh(state.real) ** 2))
        state = DIRECT * state + gate * RECURRENT * np.tanh(state) + x
    return state.imag / 1e-30, np.array(terms)


def scalar(name: str, gates: np.ndarray, inputs: np.ndarray, h: float) -> dict:
    """The recurrence of document 001, with an input added to drive it into saturation."""
    expected, recurrent = derivative(gates, inputs, h)
    paths = rd.gradient_paths_from_terms(np.full(len(gates), DIRECT), recurrent, terms=True)
    terms = paths.term_sign.values * np.exp(paths.log_term.values)
    return {
        "name": name,
        "n_active": paths.n_active.item(),
        "paths": len(terms),
        "sum_of_terms": float(terms.sum()),
        "sum_by_length": float((paths.sign * np.exp(paths.log_sum)).sum()),
        "expected": expected,
        "largest": float(terms.max()),
        "by_length": np.exp(paths.log_sum).values.tolist(),
        "count": np.exp(paths.log_count).values.round().tolist(),
    }


def long_recurrence(steps: int) -> dict:
    """All gates open, far too many paths to list: share of the paths and of the gradient by length."""
    expected, recurrent = derivative(np.ones(steps), np.zeros(steps), 0.3)
    paths = rd.gradient_paths_from_terms(np.full(steps, DIRECT), recurrent)
    return {
        "steps": steps,
        "log_product": paths.log_product.item(),
        "log_sum": float(np.logaddexp.reduce(paths.log_sum.values)),
        "expected": float(np.log(expected)),
        "share_of_paths": np.exp(paths.log_count.values - steps * np.log(2)).tolist(),
        "share_of_gradient": np.exp(paths.log_sum.values - paths.log_product.item()).tolist(),
    }


def gru_unit(bias: float, steps: int) -> dict:
    """One GRU unit under noise: shares of the paths' mass by length, for one bias of the update gate."""
    rng = np.random.default_rng(SEED)
    net = rd.GRU(np.ones((3, 1)), [[0.5], [0.5], [1.2]], [1.0, bias, 0.0])
    inputs = rng.standard_normal((steps, 1))
    paths = rd.gradient_paths(net, inputs)
    product = rd.jacobian_products(net, inputs)
    share = np.exp(paths.log_mass.values - np.logaddexp.reduce(paths.log_mass.values))
    return {
        "bias": bias,
        "share": share.tolist(),
        "mean_length": float(share @ paths.length.values),
        "log_product": paths.log_product.item(),
        "expected": product.log_norm[-1].item(),
        "log_direct": product.log_direct_norm[-1].item(),
    }
