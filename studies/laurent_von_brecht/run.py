"""The measurements of the study."""

import numpy as np

import rnndyn as rd

W_i = [[-1, -4], [-3, -2]]
W_f = [[-2, 6], [0, -6]]
W_g = [[-1, -6], [6, -9]]
W_o = [[4, 1], [-9, -7]]
NET = rd.LSTM(None, np.concatenate([W_i, W_f, W_g, W_o]).astype(float))
START = np.full(4, 0.5)  # h and c
SEED = 0
APART = 1e-9  # first distance of two orbits
GATES = {"GRU": ("b_r", "b_z", "b_n"), "LSTM": ("b_i", "b_f", "b_g", "b_o")}
THRESHOLDS = (
    ("GRU", {"b_r": 0.0}),
    ("GRU", {"b_r": 1.0}),
    ("LSTM", {"b_f": 0.0}),
    ("LSTM", {"b_f": 1.0}),
    ("LSTM", {"b_f": 2.0}),
)


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    trajectories, steps = (16, 400) if quick else (64, 20_000)
    return {
        "spectrum": spectrum(trajectories, steps),
        "hidden_alone": hidden_alone(1000 if quick else 50_000),
        "attractor": attractor(1000 if quick else 8000),
        "parting": parting(50 if quick else 1000, 150),
        "thresholds": [threshold(cell, biases, 30 if quick else 400) for cell, biases in THRESHOLDS],
    }


def starts(n: int, rng: np.random.Generator) -> np.ndarray:
    """States about (1/2, 1/2, 1/2, 1/2)."""
    return START + rng.uniform(-0.4, 0.4, (n, 4))


def spectrum(trajectories: int, steps: int) -> dict:
    """Exponents and dimension, with the largest defect of the sum rule."""
    initial = starts(trajectories, np.random.default_rng(SEED))
    found = rd.lyapunov_spectrum(NET, steps=steps, initial_state=initial, rng=SEED)
    return {
        "trajectories": trajectories,
        "steps": steps,
        "exponent": over_starts(found.exponent.values, found.stderr.values),
        "dimension": over_starts(found.dimension.values, found.dimension_stderr.values),
        "sum_rule_defect": float(found.sum_rule_defect.max()),
        "all_fine": bool((found.status == 0).all()),
    }


def over_starts(values: np.ndarray, errors: np.ndarray) -> dict:
    """Mean over the starts, its standard error from their scatter, and the one that each run gives for itself."""
    root = np.sqrt(len(values))
    return {
        "mean": values.mean(axis=0).tolist(),
        "stderr": (values.std(axis=0, ddof=1) / root).tolist(),
        "stderr_of_blocks": (np.sqrt((errors**2).mean(axis=0)) / root).tolist(),
    }


def hidden_alone(steps: int) -> dict:
    """Exponents of the blocks dh'/dh along the true orbit: of their transposes in forward order, and of themselves."""
    states = rd.run(NET, steps=steps, initial_state=START).state.values
    blocks = rd.jacobian(NET, states)[:, :2, :2]
    cases = {"transposed": blocks.transpose(0, 2, 1), "plain": blocks}
    return {name: rd.lyapunov_from_jacobians(J).exponent.values.tolist() for name, J in cases.items()}


def attractor(steps: int) -> list:
    """States h of one orbit once it has settled."""
    return rd.run(NET, steps=steps + 1000, initial_state=START).hidden.values[1000:].tolist()


def parting(pairs: int, steps: int) -> list:
    """Mean log distance of pairs of neighbouring orbits, from the first step on."""
    rng = np.random.default_rng(SEED)
    settled = rd.run(NET, steps=1000, initial_state=starts(pairs, rng)).state.values[:, -1]
    step = rng.standard_normal(settled.shape)
    near = settled + APART * step / np.linalg.norm(step, axis=1, keepdims=True)
    one, other = (rd.run(NET, steps=steps, initial_state=s).state.values for s in (settled, near))
    return np.log(np.linalg.norm(one - other, axis=-1)).mean(axis=0).tolist()


def threshold(cell: str, biases: dict, units: int) -> dict:
    """Critical gain in theory, and the gain at which the Jacobian at 0 of one network has spectral radius 1."""
    theory = {"GRU": rd.theory.gru_at_rest, "LSTM": rd.theory.lstm_at_rest}[cell](**biases).critical_gain
    make = getattr(rd, cell)
    net = make.random(units, rng=SEED)
    b_h = np.repeat([biases.get(gate, 0.0) for gate in GATES[cell]], units)

    def excess(gain: float) -> float:
        scaled = net.replace(W_hh=gain * net.W_hh, b_h=b_h)
        return np.abs(np.linalg.eigvals(rd.jacobian(scaled, np.zeros(scaled.state_size)))).max() - 1

    return {
        "cell": cell,
        "biases": biases,
        "units": units,
        "theory": theory,
        "measured": crossing(excess, 0.5 * theory, 2 * theory),
    }


def crossing(f, low: float, high: float) -> float:
    """Where a function that is negative at the lower end passes zero, by bisection to 1/8000 of the interval."""
    for _ in range(13):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return 0.5 * (low + high)
