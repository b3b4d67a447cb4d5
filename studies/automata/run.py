"""The measurements of the study."""

import numpy as np

import rnndyn as rd

STATES, SYMBOLS = 5, 3
SEED = 0
ROUNDED = 1e-12  # difference of saturated units, which are differences of rectified ones, by rounding
HENON = 0.41922  # largest exponent, known to some four digits
BRACKETS = [[[0, 0], [1, 0]], [[1, 1], [1, 1]]]  # state 1: one was closed that was not open
BRACKET_COUNTS = [[[1, 1], [0, -1]], [[0, 0], [0, 0]]]


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    symbols = 20_000 if quick else 1_000_000
    return {
        "machines": [automaton(symbols), brackets(symbols)],
        "disturbed": [disturbed(size, 2_000 if quick else 20_000) for size in (0.1, 0.2, 0.24, 0.3, 0.4)],
        "logistic": [logistic(n, quick) for n in (4, 8, 16, 32, 64, 128)[: 4 if quick else 6]],
        "henon": [henon(n, quick) for n in (5, 10, 20, 40, 80, 160)[: 4 if quick else 6]],
    }


# ---- 1. machines -------------------------------------------------------------------------------------------------
def compared(name: str, machine: rd.Automaton, symbols: np.ndarray) -> dict:
    """Network and machine on the same word."""
    states, counts = machine.run(symbols)
    net = machine.to_rnn()
    outputs = rd.run(net, machine.encode(symbols), initial_state=machine.initial_state()).output.values
    decoded = machine.decode(outputs)
    wrong = (decoded[0] != states) | (decoded[1] != counts)
    part = np.eye(machine.n_states)[states]
    return {
        "machine": name,
        "units": net.hidden_size,
        "symbols": len(symbols),
        "wrong": int(wrong.sum()),
        "error": float(np.abs(outputs[:, :-1] - part).max()),
        "largest_count": int(counts.max()),
        "count": counts[:: max(len(counts) // 500, 1)].tolist(),
        "read": outputs[:: max(len(counts) // 500, 1), -1].tolist(),
    }


def random_machine() -> rd.Automaton:
    """Five states, three symbols, random tables."""
    return rd.Automaton(np.random.default_rng(SEED).integers(0, STATES, (STATES, SYMBOLS)))


def automaton(symbols: int) -> dict:
    """The random machine on random symbols."""
    word = np.random.default_rng(SEED + 1).integers(0, SYMBOLS, symbols)
    return compared("random automaton", random_machine(), word)


def brackets(symbols: int) -> dict:
    """A balanced word: a random walk that ends where it began, turned so that it is never below."""
    walk = np.random.default_rng(SEED).permutation(np.repeat([0, 1], symbols // 2))
    word = np.roll(walk, -(int(np.argmin(np.cumsum(1 - 2 * walk))) + 1))
    return compared("brackets, a counter", rd.Automaton(BRACKETS, BRACKET_COUNTS), word)


def disturbed(size: float, steps: int) -> dict:
    """Share of wrong states where at each step the one-hot state is shifted by `size`, in a random direction."""
    machine = random_machine()
    rng = np.random.default_rng(SEED)
    net, inputs = machine.to_rnn(), machine.encode(rng.integers(0, SYMBOLS, steps))
    states, _ = machine.run(inputs.argmax(axis=1))
    before = np.concatenate([[machine.initial], states[:-1]])
    start = np.zeros((steps, net.state_size))  # every step at once, each from its own true state, shifted
    start[:, 2 * STATES * SYMBOLS :: 2] = np.eye(STATES)[before] + size * rng.choice([-1, 1], (steps, STATES))
    outputs = rd.run(net, inputs[:, None], initial_state=start).output.values[:, 0, :-1]
    return {"size": size, "wrong": float((np.abs(outputs - np.eye(STATES)[states]).max(axis=1) > ROUNDED).mean())}


# ---- 2. maps -----------------------------------------------------------------------------------------------------
def iterated(net, start, quick: bool) -> tuple[float, float]:
    """Exponent of the closed loop and its error."""
    first = np.linalg.pinv(net.W_hy) @ (start - net.b_y)
    steps = 1_000 if quick else 8_000
    found = rd.lyapunov_spectrum(rd.ClosedLoop(net), k=1, steps=steps, initial_state=first, rng=0)
    return found.exponent[0].item(), found.stderr[0].item()


def logistic(units: int, quick: bool) -> dict:
    """4 x (1 - x) by straight pieces: its error is 1 / n^2 in the middle of each."""
    net = rd.interpolating_network(lambda x: 4 * x * (1 - x), 0.0, 1.0, units)
    x = np.linspace(0, 1, 20_001)[:, None]
    error = np.abs(rd.run(net, x).output.values - 4 * x * (1 - x)).max()
    exponent, stderr = iterated(net, np.array([0.3]), quick)
    known = float(np.log(2))
    return {"units": units, "error": float(error), "bound": units**-2.0} | numbers(exponent, stderr, known)


def henon(units: int, quick: bool) -> dict:
    """The Henon map by least squares over a box around its attractor, and the error on fresh states of the box."""
    rng = np.random.default_rng(SEED)
    states, fresh = rng.uniform([-1.5, -0.5], [1.5, 0.5], (2, 1000 if quick else 5000, 2))
    net = rd.fitted_network(states, henon_step(states), units, rng=SEED)
    error = np.abs(rd.run(net, fresh).output.values - henon_step(fresh)).max()
    exponent, stderr = iterated(net, np.array([0.1, 0.1]), quick)
    return {"units": units, "error": float(error)} | numbers(exponent, stderr, HENON)


def henon_step(s: np.ndarray) -> np.ndarray:
    """One step of each state."""
    return np.stack([1 - 1.4 * s[:, 0] ** 2 + s[:, 1], 0.3 * s[:, 0]], axis=1)


def numbers(exponent: float, stderr: float, known: float) -> dict:
    """An exponent beside the known one."""
    return {"exponent": exponent, "stderr": stderr, "known": known}
