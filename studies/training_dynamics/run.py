"""The measurements of the study."""

import numpy as np

import rnndyn as rd
from studies.tools import one_thread

BITS, UNITS, GAIN = 2, 12, 0.5
SEEDS, STEPS, EVERY, RATE = 3, 120, 2, 0.01
SEQUENCES, LENGTH, WARMUP = 128, 40, 5


def run(quick: bool) -> dict:
    """Train and watch; see the package's docstring."""
    seeds, steps, every = (1, 60, 30) if quick else (SEEDS, STEPS, EVERY)
    with one_thread():
        return {"trained": [watched(seed, steps, every) for seed in range(seeds)]}


def watched(seed: int, steps: int, every: int) -> dict:
    """History of one training."""
    x, y, _ = rd.tasks.flip_flop(seed, batch=SEQUENCES, steps=LENGTH, bits=BITS)
    net = rd.Elman.random(UNITS, BITS, BITS, recurrent="orthogonal", gain=GAIN, rng=seed)
    spectrum = rd.probes.Spectrum(x.values[:8], k=3, steps=LENGTH - WARMUP, warmup=WARMUP)
    watch = rd.Watch([spectrum, rd.probes.FixedPoints(starts=128)], every=every)
    _, history = rd.train(net, x, y, steps=steps, optimizer=rd.Adam(RATE), clip_norm=1.0, watch=watch)
    counts = history.n_fixed_points.values
    return {
        "seed": seed,
        "loss": history.loss.values.tolist(),
        "gradient_norm": history.gradient_norm.values.tolist(),
        "watched": history.watched_step.values.tolist(),
        "exponent": history.exponent.values.tolist(),
        "counts": counts[:, : np.flatnonzero(counts.any(axis=0)).max() + 1].tolist(),
        "missing": history.missing_fixed_points.values.tolist(),
    }
