"""The measurements of the study."""

import time
from collections.abc import Callable

import numpy as np
from scipy.special import xlogy

import rnndyn as rd
from studies.tools import machine, one_thread

SEEDS, STEPS, BATCH, RATE, CLIP = 3, 2000, 32, 0.01, 1.0
LEARNT_FROM, TESTED_ON, TEST_SEED = 6400, 500, 99  # sequences
BLOCKS = 50  # equal parts of a training; curves are means over each


def bidirectional(units: int, inputs: int, outputs: int, rng: np.random.Generator) -> rd.Bidirectional:
    """Tanh units, half of them in each direction."""
    forward, backward = (rd.Elman.random(units // 2, inputs, rng=rng) for _ in range(2))
    readout = rng.standard_normal((outputs, units)) / np.sqrt(units)
    return rd.Bidirectional(forward, backward, W_hy=readout, b_y=np.zeros(outputs))


def backward_in_time(rng: int, **sizes: int) -> rd.tasks.Task:
    """The flip-flop task with the ends exchanged: wanted is the sign of each channel's next pulse."""
    return rd.tasks.Task(*(part[:, ::-1] for part in rd.tasks.flip_flop(rng, **sizes)))


NETWORKS: dict[str, tuple[Callable, int]] = {
    "Elman": (rd.Elman.random, 32),
    "Elman, 64 units": (rd.Elman.random, 64),
    "Bidirectional": (bidirectional, 32),
    "Highway": (rd.Highway.random, 32),
    "SRU": (rd.SRU.random, 32),
    "GRU": (rd.GRU.random, 32),
    "LSTM": (rd.LSTM.random, 32),
}
QUICK = ("Elman", "Bidirectional", "GRU")
TASKS: dict[str, tuple[Callable, dict]] = {
    "flip-flop": (rd.tasks.flip_flop, {"steps": 50}),
    "flip-flop, next pulse": (backward_in_time, {"steps": 50}),
    "sine generator": (rd.tasks.sine_generator, {"steps": 50}),
    "adding": (rd.tasks.adding, {"steps": 100}),
    "copy memory": (rd.tasks.copy_memory, {"length": 5, "delay": 20, "symbols": 4}),
    "parentheses": (rd.tasks.parentheses, {"steps": 50, "kinds": 3, "depth": 8}),
}


def run(quick: bool) -> dict:
    """Train all; see the package's docstring."""
    networks, seeds, steps = (QUICK, 1, BLOCKS) if quick else (tuple(NETWORKS), SEEDS, STEPS)
    with one_thread():
        runs = [trained(task, name, seed, steps) for task in TASKS for name in networks for seed in range(seeds)]
    return {
        "steps": steps,
        "tasks": {task: judged(*drawn(task, TEST_SEED, TESTED_ON)[1:]) for task in TASKS},
        "runs": runs,
        "machine": machine(("rnndyn", "numba", "numpy"), 1),
    }


def drawn(task: str, seed: int, batch: int):
    """Sequences of a task, as arrays: inputs, targets, mask."""
    draw, sizes = TASKS[task]
    return [part.values for part in draw(seed, batch=batch, **sizes)]


def trained(task: str, name: str, seed: int, steps: int) -> dict:
    """Curves of one training, its error on fresh sequences, and the processor time of a step."""
    x, y, mask = drawn(task, seed, LEARNT_FROM)
    outputs = y.shape[2] if y.ndim == 3 else int(y.max()) + 1
    make, units = NETWORKS[name]
    net = make(units, x.shape[2], outputs, rng=np.random.default_rng(seed))
    options = {"loss": "mse" if y.ndim == 3 else "cross_entropy", "mask": mask, "batch_size": BATCH, "rng": seed}
    options |= {"optimizer": rd.Adam(RATE), "clip_norm": CLIP}
    rd.train(net, x, y, steps=1, **options)  # compiles
    start = time.process_time()
    net, history = rd.train(net, x, y, steps=steps, **options)
    seconds = time.process_time() - start
    x, y, mask = drawn(task, TEST_SEED, TESTED_ON)
    return {
        "task": task,
        "network": name,
        "seed": seed,
        "weights": sum(array.size for array in net.arrays().values()),
        "error": rounded(error(rd.run(net, x).output.values, y, mask)),
        "milliseconds": rounded(1e3 * seconds / steps),
        "loss": in_blocks(history.loss.values / mask.sum(axis=1).mean()),
        "gradient_norm": in_blocks(history.gradient_norm.values),
    }


def error(outputs: np.ndarray, y: np.ndarray, mask: np.ndarray) -> float:
    """Mean squared error, or the share of wrong labels, where an answer is wanted."""
    if y.ndim == 3:
        return float(((outputs - y) ** 2)[mask].mean())
    return 1.0 - rd.metrics.accuracy(outputs, y, mask=mask)


def judged(y: np.ndarray, mask: np.ndarray) -> dict:
    """What `error` measures in a task, and the error and the loss of the best answer that is always the same."""
    wanted = y[mask]
    if y.ndim == 3:
        variance = wanted.var(axis=0)
        guess, loss = variance.mean(), 0.5 * variance.sum()
        return {"measure": "mean squared error", "guess": float(guess), "guess_loss": float(loss)}
    share = np.bincount(wanted) / wanted.size
    guess, loss = 1 - share.max(), -xlogy(share, share).sum()
    return {"measure": "share of wrong labels", "guess": float(guess), "guess_loss": float(loss)}


def in_blocks(values: np.ndarray) -> list[float]:
    """Means of equal parts."""
    return [rounded(part.mean()) for part in np.split(values, BLOCKS)]


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")
