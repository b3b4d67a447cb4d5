"""The measurements of the study."""

import itertools
from pathlib import Path

import numpy as np

import rnndyn as rd

MODEL = rd.HMM(
    [0.5, 0.3, 0.2],
    [[0.7, 0.25, 0.05], [0.1, 0.6, 0.3], [0.4, 0.15, 0.45]],
    [[0.5, 0.35, 0.1, 0.05], [0.1, 0.2, 0.3, 0.4], [0.05, 0.2, 0.25, 0.5]],
)
NOISE = 0.1  # of the bit in part 2
FLIPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45)
GOLDEN = (1 + 5**0.5) / 2
# No slope of few binary digits, such as 3/2: floats run out of digits, and the map comes to rest.
SLOPES = (1.45, 1.51, 1.55, 1.6, GOLDEN, 1.65, 1.7, 1.75, 1.8, 1.85, 1.9, 1.95)
MEMORY = 8
EARLY, LATE = 4, 8  # steps between which distances are compared: beliefs have settled, rounding is far
LONG_FLIP, LONG_NOISE = 0.01, 0.3  # of the bit in part 4
ORDERS = tuple(range(15))
NETWORKS = Path(__file__).parents[2] / "data" / "networks"


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    steps = 2_000 if quick else 100_000
    return {
        "readings": [readings(T) for T in ((10, 100) if quick else (10, 30, 100, 300, 1000, 3000))],
        "marginal": marginal(),
        "gradient": gradient(),
        "bits": [bit(p, steps) for p in (FLIPS[::3] if quick else FLIPS)],
        "tents": [tent(slope, steps) for slope in (SLOPES[::4] if quick else SLOPES)],
        "memories": memories(500 if quick else 10_000),
        "long_memory": long_memory(quick),
    }


def softmax(a: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---- 1: the same likelihood, and two that are not ------------------------------------------------------------------


def readings(T: int) -> dict:
    """Log-likelihoods of T symbols of the model: its own, of its network, and of the wrong readings."""
    x, _ = MODEL.sample(T, rng=1)
    network = rd.run(MODEL.to_rnn("belief"), MODEL.one_hot(x)).state.values[:, -1].sum()
    logits = MODEL.to_rnn("one_hot").W_hh
    pooled, unheard = MODEL.initial, MODEL.initial
    logs = np.zeros(2)
    for symbol in x:
        joint = pooled * MODEL.emission[:, symbol]
        logs += np.log([joint.sum(), unheard @ MODEL.emission[:, symbol]])
        pooled, unheard = softmax(logits @ (joint / joint.sum())), MODEL.transition.T @ unheard
    return {
        "T": T,
        "exact": MODEL.loglik(x),
        "network": float(network),
        "pooled": float(logs[0]),
        "unheard": float(logs[1]),
    }


def marginal() -> dict:
    """Likelihood of five symbols by the sampled network, over all paths that its state could take."""
    x, net = MODEL.sample(5, rng=2)[0], MODEL.to_rnn("one_hot")
    K, pulses = MODEL.n_states, np.zeros((len(x), 1, 1))
    pulses[0] = 1
    logs = []
    for path in itertools.product(range(K), repeat=len(x)):
        before = np.vstack([np.zeros(K), np.eye(K)[list(path[:-1])]])
        hidden = rd.run(net, pulses, initial_state=before).state.values[:, 0]
        laws, seen = softmax(hidden), softmax(np.eye(K)[list(path)] @ net.W_hy.T)
        steps = np.arange(len(x))
        logs.append(np.log(laws[steps, path]).sum() + np.log(seen[steps, x]).sum())
    return {"exact": MODEL.loglik(x), "paths": float(np.logaddexp.reduce(logs)), "number": len(logs)}


def gradient() -> dict:
    """Derivatives of the log-likelihood by the logits of the transition: from counts, and by central differences."""
    x, _ = MODEL.sample(100, rng=3)
    counts, logits, h = MODEL.expected_counts(x).transition, np.log(MODEL.transition), 1e-5
    from_counts = counts - counts.sum(axis=1, keepdims=True) * MODEL.transition
    differences = np.zeros_like(logits)
    for at in np.ndindex(logits.shape):
        for sign in (1, -1):
            moved = logits.copy()
            moved[at] += sign * h
            differences[at] += sign * MODEL.replace(transition=softmax(moved)).loglik(x) / (2 * h)
    return {"largest": float(np.abs(from_counts).max()), "error": float(np.abs(from_counts - differences).max())}


# ---- 2: exponents --------------------------------------------------------------------------------------------------


def noisy_bit(p: float, noise: float) -> rd.HMM:
    """A bit that flips with probability p, seen wrong with probability noise."""
    return rd.HMM([0.5, 0.5], [[1 - p, p], [p, 1 - p]], [[1 - noise, noise], [noise, 1 - noise]])


def entropy_bounds(hmm: rd.HMM, n: int = 12) -> tuple[float, float]:
    """Entropies of symbol n given those before it, with and without the first state: the entropy rate is between."""
    strings = np.array(list(itertools.product(range(2), repeat=n)))
    shorter = np.array(list(itertools.product(range(2), repeat=n - 1)))

    def entropy(x, model):
        logs = model.loglik(x)
        return -(np.exp(logs) * logs).sum()

    upper = entropy(strings, hmm) - entropy(shorter, hmm)
    known = [hmm.replace(initial=row) for row in np.eye(2)]
    lower = np.mean([entropy(strings, model) - entropy(shorter, model) for model in known])
    return float(lower), float(upper)


def bit(p: float, steps: int) -> dict:
    """Exponents of the beliefs about the noisy bit, and what they should be."""
    hmm = noisy_bit(p, NOISE)
    x, _ = hmm.sample(steps, rng=0)
    ds = hmm.exponents(x)
    rate = hmm.loglik(x) / steps
    lower, upper = entropy_bounds(hmm)
    return {
        "p": p,
        "exponents": ds.exponent.values.tolist(),
        "stderr": ds.stderr.values.tolist(),
        "likelihood_rate": rate,
        "entropy_bounds": [lower, upper],
        "sum_rule": float(np.log((1 - 2 * p) * NOISE * (1 - NOISE))),
        "decay": decay(hmm, x),
    }


def decay(hmm: rd.HMM, x: np.ndarray) -> float:
    """Mean rate at which two beliefs come together, over many stretches."""
    stretches = x[: len(x) // LATE * LATE].reshape(-1, LATE)
    beliefs = [
        hmm.replace(initial=law).filter(stretches).filtered_belief.values[:, :, 0] for law in ([0.9, 0.1], [0.1, 0.9])
    ]
    distance = np.log(np.abs(beliefs[0] - beliefs[1]))
    return float((distance[:, EARLY - 1] - distance[:, LATE - 1]).mean() / (LATE - EARLY))


# ---- 3: Markov chains out of networks ------------------------------------------------------------------------------


def right_of_peak(states: np.ndarray) -> np.ndarray:
    """Two cells, left and right of the peak at 0."""
    return (states[:, 0] > 0).astype(int)


def tent(slope: float, steps: int) -> dict:
    """Chain of two cells of the tent ``u' = (slope - 1) / 2 - slope |u|``."""
    net = rd.PiecewiseLinear([slope], [[-2 * slope]], [(slope - 1) / 2])
    ds = rd.to_markov_chain(net, labels=right_of_peak, steps=steps, initial_state=[0.1], memory=MEMORY, rng=0)
    spectrum = rd.lyapunov_spectrum(net, steps=1000, initial_state=[0.1])
    return {
        "slope": slope,
        "lyapunov": spectrum.entropy_rate.item(),
        "entropy_rate": ds.entropy_rate.item(),
        "with_memory": ds.entropy_rate.item() - ds.entropy_rate_gap.item(),
        "residual": float(ds.lumpability_residual.max()),
        "floor": float(ds.lumpability_floor.max()),
        "loglik": ds.loglik.item(),
        "loglik_gap": ds.loglik_gap.item(),
        "loglik_gap_stderr": ds.loglik_gap_stderr.item(),
    }


def memories(steps: int) -> dict:
    """Chain of eight cells of the trained network of three bits, under pulses of known rate."""
    net = rd.load(NETWORKS / "flip_flop_tanh.safetensors")
    rng, p = np.random.default_rng(0), 0.05
    pulses = (rng.random((8, 2 * steps, 3)) < p) * rng.choice([-1.0, 1.0], (8, 2 * steps, 3))
    pulses[:, 0] = 1
    ds = rd.to_markov_chain(net, pulses, cells=8, warmup=10, initial_state=np.zeros(64), rng=0)
    bits = np.sign(ds.center.values @ net.W_hy.T + net.b_y)
    flips = (bits[:, None] != bits).sum(axis=2)
    q = p / 2  # of one bit to flip
    wanted = q**flips * (1 - q) ** (3 - flips)
    return {
        "memories": len(np.unique(bits, axis=0)),
        "difference": float(np.abs(ds.transition.values - wanted).max()),
        "entropy_rate": ds.entropy_rate.item(),
        "expected": float(-3 * (q * np.log(q) + (1 - q) * np.log(1 - q))),
        "residual": float(ds.lumpability_residual.max()),
        "floor": float(ds.lumpability_floor.max()),
        "loglik_gap": ds.loglik_gap.item(),
        "loglik_gap_stderr": ds.loglik_gap_stderr.item(),
    }


# ---- 4: a long memory ----------------------------------------------------------------------------------------------


def long_memory(quick: bool) -> dict:
    """Nats a symbol on fresh data: n-grams by order, a GRU, and the model that the symbols come from."""
    hmm = noisy_bit(LONG_FLIP, LONG_NOISE)
    sequences, steps = (16, 100) if quick else (256, 200)
    x, _ = hmm.sample(steps, rng=0, sequences=sequences)
    fresh, _ = hmm.sample(steps, rng=1, sequences=1000)
    skip = max(ORDERS)  # all are judged on the same symbols
    grams = [rd.NGram.fit(x, order, n_symbols=2, smoothing=0.5).log_probabilities(fresh)[:, skip:] for order in ORDERS]
    found = [np.mean(values, axis=1) for values in grams]
    exact = hmm.filter(fresh).loglik_t.values[:, skip:].mean(axis=1)
    net = rd.GRU.random(16, 2, 2, rng=0)
    net, record = rd.train(
        net, hmm.one_hot(x)[:, :-1], x[:, 1:], loss="cross_entropy", optimizer=rd.Adam(1e-2), clip_norm=1.0,
        steps=20 if quick else 1500, batch_size=64, rng=0,
    )  # fmt: skip
    law = softmax(rd.run(net, hmm.one_hot(fresh)[:, :-1]).output.values)
    network = np.log(np.take_along_axis(law, fresh[:, 1:, None], axis=2))[:, skip - 1 :, 0].mean(axis=1)

    def share(values):
        return {"mean": float(-values.mean()), "stderr": float((values - exact).std() / np.sqrt(len(values)))}

    return {
        "symbols": x.size,
        "ngrams": [{"order": order} | share(values) for order, values in zip(ORDERS, found, strict=True)],
        "network": share(network),
        "exact": share(exact),
        "training_loss": float(record.loss[-1]),
    }
