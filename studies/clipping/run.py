"""The measurements of the study."""

import re

import numpy as np

import rnndyn as rd
from studies.tools import one_thread

BITS, UNITS, GAIN = 2, 24, 1.5
SEQUENCES, LENGTH, STEPS, LAST = 64, 80, 400, 20
RATES = (5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
CLIPPING: dict[str, dict] = {"none": {}, "norm 10": {"clip_norm": 10.0}, "value 0.1": {"clip_value": 0.1}}
SEEDS, SHOWN = 4, (1, 1e-2)  # seed and rate of the runs that are kept whole


def run(quick: bool) -> dict:
    """Train all; see the package's docstring."""
    seeds, rates, steps = (2, (2e-3, 1e-2), 40) if quick else (SEEDS, RATES, STEPS)
    with one_thread():
        runs = [trained(n, rate, seed, steps) for n in CLIPPING for rate in rates for seed in range(seeds)]
    shown = [one for one in runs if (one["seed"], one["rate"]) == SHOWN]
    curves = ("loss", "gradient_norm")
    return {"curves": shown, "runs": [{k: v for k, v in one.items() if k not in curves} for one in runs]}


def trained(clipping: str, rate: float, seed: int, steps: int) -> dict:
    """Curves of one training, up to the step at which it left the range of numbers."""
    x, y, _ = rd.tasks.flip_flop(seed, batch=SEQUENCES, steps=LENGTH, bits=BITS)
    net = rd.Elman.random(UNITS, BITS, BITS, gain=GAIN, rng=seed)
    options = {"optimizer": rd.SGD(rate), **CLIPPING[clipping]}
    try:
        history, whole = rd.train(net, x, y, steps=steps, **options)[1], True
    except FloatingPointError as error:
        done = int(re.search(r"step (\d+)", str(error))[1]) - 1
        history, whole = rd.train(net, x, y, steps=done, **options)[1], False
    loss = history.loss.values
    return {
        "clipping": clipping,
        "rate": rate,
        "seed": seed,
        "final": float(np.mean(loss[-LAST:])),
        "diverged": not whole or bool(np.mean(loss[-LAST:]) > loss[0]),
        "largest_gradient": float(history.gradient_norm.max()),
        "loss": loss.tolist(),
        "gradient_norm": history.gradient_norm.values.tolist(),
    }
