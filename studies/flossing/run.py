"""The measurements of the study."""

import numpy as np

import rnndyn as rd

UNITS, EXPONENTS = 32, 16
DELAYS = (4, 8, 16, 24, 32, 48)
SEEDS = 4
INITS = ("gaussian", "orthogonal")
FLOSS_STEPS, FLOSS_RATE, FLOSS_SEQUENCES, FLOSS_LENGTH, FLOSS_WARMUP = 150, 1e-2, 8, 60, 20
TRAIN_STEPS, TRAIN_RATE, BATCH, SEQUENCES, SCORED = 2000, 3e-3, 32, 512, 60
FLOW_LENGTH = 60


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    seeds, delays, steps = (1, (4,), 50) if quick else (SEEDS, DELAYS, TRAIN_STEPS)
    networks, trained = [], []
    for init in INITS:
        for seed in range(seeds):
            plain = rd.Elman.random(UNITS, 1, 1, recurrent=init, rng=seed)
            flossed = floss(plain, 5 if quick else FLOSS_STEPS, seed)
            for name, net in (("as drawn", plain), ("flossed", flossed)):
                networks.append({"init": init, "weights": name, "seed": seed, **before_training(net)})
                for delay in delays:
                    share = accuracy(net, delay, steps, seed)
                    trained.append({"init": init, "weights": name, "seed": seed, "delay": delay, "accuracy": share})
    return {"networks": networks, "trained": trained}


def symbols(rng, sequences: int, steps: int) -> np.ndarray:
    """Random sequences of -1 and +1, (sequences, steps, 1)."""
    return rng.choice([-1.0, 1.0], (sequences, steps, 1))


def floss(net, steps: int, seed: int):
    """The network after so many steps of descent of the mean square of its leading exponents."""
    rng, optimizer = np.random.default_rng(seed), rd.Adam(FLOSS_RATE)
    state = optimizer.start(net.arrays())
    for _ in range(steps):
        x = symbols(rng, FLOSS_SEQUENCES, FLOSS_LENGTH)
        gradients = rd.lyapunov_value_and_grad(net, x, 0.0, k=EXPONENTS, warmup=FLOSS_WARMUP, rng=rng)[2]
        arrays, state = optimizer.step(net.arrays(), gradients.arrays(), state)
        net = net.with_arrays(arrays)
    return net


def before_training(net) -> dict:
    """Exponents with errors, and the gradient by its lag for a loss of the last output."""
    rng = np.random.default_rng(SEEDS)
    spectrum = rd.lyapunov_spectrum(net, symbols(rng, 1, 2100)[0], k=EXPONENTS, warmup=100, rng=0)
    x = symbols(rng, 32, FLOW_LENGTH)
    mask = np.zeros(x.shape[:2])
    mask[:, -1] = 1
    flow = rd.gradient_flow(net, x, np.ones_like(x), mask=mask)
    log_norm = flow.log_gradient_norm.mean("batch").values[::-1]
    return {
        "exponent": spectrum.exponent.values.tolist(),
        "stderr": spectrum.stderr.values.tolist(),
        "log_gradient_norm": (log_norm - log_norm[0]).tolist(),
    }


def exclusive_or(rng, sequences: int, delay: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols, the product of those `delay` and half of it ago, and the steps at which it is asked for."""
    x = symbols(rng, sequences, delay + SCORED)
    y, mask = np.zeros_like(x), np.zeros(x.shape[:2])
    y[:, delay:] = x[:, :SCORED] * x[:, delay - delay // 2 : delay - delay // 2 + SCORED]
    mask[:, delay:] = 1
    return x, y, mask


def accuracy(net, delay: int, steps: int, seed: int) -> float:
    """Share of right answers on fresh sequences after training."""
    rng = np.random.default_rng(1000 + seed)
    x, y, mask = exclusive_or(rng, SEQUENCES, delay)
    net, _ = rd.train(
        net,
        x,
        y,
        mask=mask,
        steps=steps,
        batch_size=BATCH,
        optimizer=rd.Adam(TRAIN_RATE),
        clip_norm=float(SCORED),
        rng=rng,
    )
    x, y, mask = exclusive_or(rng, SEQUENCES, delay)
    right = rd.run(net, x).output.values * y > 0
    return float(right[mask > 0].mean())
