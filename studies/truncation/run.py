"""The measurements of the study."""

import numpy as np

import rnndyn as rd
from studies.tools import one_thread

GAINS, UNITS, SEQUENCES, LENGTH, NOISE = (0.7, 0.9, 1.1), 32, 32, 128, 0.3
KEPT = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
DELAYS, WINDOWS, SEEDS = (1, 2, 3, 4, 6, 8, 12, 16), (2, 4, 8, 16), 2
LEARNERS, EPISODES, EPISODE, BATCH, STEPS, RATE = 12, 64, 40, 16, 400, 0.01


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    kept, delays, windows, steps = ((2, 8), (1, 6), (4,), 60) if quick else (KEPT, DELAYS, WINDOWS, STEPS)
    rules = [(k, k) for k in windows] + [(k // 2, k) for k in windows] + [None]
    with one_thread():
        return {
            "bias": [bias(gain, kept) for gain in GAINS],
            "reach": [reach(rule, delay, steps, 1 if quick else SEEDS) for rule in rules for delay in delays],
        }


def bias(gain: float, kept: tuple[int, ...]) -> dict:
    """Relative errors of the gradient with k1 = 1 and with k1 = k2, and the largest exponent."""
    rng = np.random.default_rng(0)
    net = rd.Elman.random(UNITS, 1, 1, gain=gain, rng=0)
    x, y = NOISE * rng.standard_normal((SEQUENCES, LENGTH, 1)), rng.standard_normal((SEQUENCES, LENGTH, 1))
    spectrum = rd.lyapunov_spectrum(net, NOISE * rng.standard_normal((5500, 1)), k=1, steps=5000, warmup=500, rng=0)
    whole = rd.value_and_grad(net, x, y)[1].W_hh

    def error(every: int, back: int) -> float:
        cut = rd.value_and_grad(net, x, y, truncate=(every, back))[1].W_hh
        return float(np.linalg.norm(cut - whole) / np.linalg.norm(whole))

    return {
        "gain": gain,
        "exponent": spectrum.exponent[0].item(),
        "stderr": spectrum.stderr[0].item(),
        "kept": list(kept),
        "each_step": [error(1, k) for k in kept],
        "each_window": [error(k, k) for k in kept],
    }


def reach(rule: tuple[int, int] | None, delay: int, steps: int, seeds: int) -> dict:
    """Share of right answers after training with windows, for each seed."""
    return {"rule": rule, "delay": delay, "accuracy": [accuracy(rule, delay, steps, seed) for seed in range(seeds)]}


def accuracy(rule: tuple[int, int] | None, delay: int, steps: int, seed: int) -> float:
    """Share of right answers after one training."""
    rng = np.random.default_rng(seed)
    x, y, mask = delayed(rng, delay)
    net = rd.Elman.random(LEARNERS, 1, 1, gain=0.5, rng=seed)
    options = {"mask": mask, "truncate": rule, "batch_size": BATCH, "clip_norm": 10.0, "rng": rng}
    net, _ = rd.train(net, x, y, steps=steps, optimizer=rd.Adam(RATE), **options)
    x, y, mask = delayed(rng, delay)
    return float((rd.run(net, x).output.values * y > 0)[mask].mean())


def delayed(rng: np.random.Generator, delay: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols -1 and +1, those of `delay` steps ago, and the steps at which these are asked for."""
    x = rng.choice([-1.0, 1.0], (EPISODES, EPISODE, 1))
    y = np.zeros_like(x)
    y[:, delay:] = x[:, : EPISODE - delay]
    return x, y, np.tile(np.arange(EPISODE) >= delay, (EPISODES, 1))
