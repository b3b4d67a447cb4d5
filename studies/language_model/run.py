"""The measurements of the study."""

from pathlib import Path

import numpy as np

import rnndyn as rd
from studies.tools import one_thread

TEXT = Path(__file__).parents[2] / "data" / "texts" / "alice.txt"
LEARNT, CHOSEN = 0.8, 0.9  # where the parts end, as shares of the text
ORDERS = 8  # highest order of the n-grams
SMOOTHING, DISCOUNT = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), (0.0, 0.25, 0.5, 0.75)
RATES = {"GRU": 0.01, "LSTM": 0.02}  # learning rates at the start, halved six times
UNITS, SEEDS, STEPS, BATCH, PASSAGE, LOOKS = 64, 3, 3000, 16, 100, 60
LONG = 500  # characters of a passage of the validation part
BLOCK = 200  # characters of a block, for standard errors
SAMPLE, TEMPERATURE = 400, 0.7


def run(quick: bool) -> dict:
    """Count and train; see the package's docstring."""
    symbols, parts = text()
    orders, seeds, steps, rates = (2, 1, 60, {"GRU": RATES["GRU"]}) if quick else (ORDERS, SEEDS, STEPS, RATES)
    grams, predicted = ngrams(parts, len(symbols), orders)
    best = predicted[min(range(len(grams)), key=lambda k: grams[k]["validation"])]
    with one_thread():
        each = [(kind, seed) for kind in rates for seed in range(seeds)]
        trained = [network(kind, seed, steps, rates[kind], parts, symbols, best) for kind, seed in each]
    return {"characters": list(map(len, parts)), "symbols": len(symbols), "ngrams": grams, "networks": trained}


def text() -> tuple[str, list[np.ndarray]]:
    """Its alphabet, and its three parts as labels."""
    characters = " ".join(TEXT.read_text(encoding="ascii").split())
    codes, labels = np.unique([ord(character) for character in characters], return_inverse=True)
    return "".join(map(chr, codes)), np.split(labels, [int(share * len(labels)) for share in (LEARNT, CHOSEN)])


# --- n-grams ----------------------------------------------------------------------------------------------------------


def ngrams(parts: list[np.ndarray], n_symbols: int, highest: int) -> tuple[list[dict], list[np.ndarray]]:
    """What each order reaches with each smoothing, and the log-probabilities of the test part that it gives."""
    learnt, chosen, test = parts
    model, found, predicted = None, [], []
    for order in range(highest + 1):
        options = [{"smoothing": a, "discount": d, "backoff": model} for a in SMOOTHING for d in DISCOUNT]
        models = [rd.NGram.fit(learnt, order, n_symbols=n_symbols, **one) for one in options]
        model = min(models, key=lambda one: one.perplexity(chosen))
        kinds = {"backoff": model, "Kneser-Ney": rd.NGram.kneser_ney(learnt, order, n_symbols=n_symbols)}
        for kind, one in kinds.items():
            logp = one.log_probabilities(test)[ORDERS:]
            predicted.append(logp)
            own = {"kind": kind, "order": order, "smoothing": one.smoothing, "discount": one.discount}
            found.append(own | {"validation": one.perplexity(chosen), "test": float(np.exp(-logp.mean()))})
    return found, predicted


# --- networks ---------------------------------------------------------------------------------------------------------


def network(kind: str, seed: int, steps: int, rate: float, parts: list[np.ndarray], symbols: str, rival) -> dict:
    """Train one, and compare it with the n-gram whose log-probabilities are given."""
    learnt, chosen, test = parts
    size, looks = len(symbols), steps // LOOKS
    net = getattr(rd, kind).random(UNITS, size, size, recurrent="orthogonal", rng=seed, dtype="float32")
    net, history = rd.train(
        net,
        *passages(learnt, PASSAGE, PASSAGE // 2, size),
        loss="cross_entropy",
        optimizer=rd.Adam(rd.schedules.Exponential(rate, 0.5, every=steps // 6)),
        clip_norm=float(PASSAGE),  # one a character, since losses are sums over the passage
        steps=steps,
        batch_size=BATCH,
        rng=seed,
        validation=passages(chosen, LONG, LONG, size),
        validate_every=looks,
    )
    logp = log_probabilities(net, test)[ORDERS - 1 :]
    both = np.logaddexp(logp, rival) - np.log(2)
    return {
        "kind": kind,
        "seed": seed,
        "parameters": sum(array.size for array in net.arrays().values()),
        "loss": (history.loss.values.reshape(-1, looks).mean(axis=1) / PASSAGE).tolist(),
        "validation_loss": (history.validation_loss.values[looks - 1 :: looks] / LONG).tolist(),
        "every": looks,
        "best_step": history.attrs["best_step"],
        "test": float(np.exp(-logp.mean())),
        "gain": gain(logp, rival),
        "mixed": float(np.exp(-both.mean())),
        "mixed_gain": gain(both, rival),
        "sample": written(net, symbols, seed),
    }


def passages(labels: np.ndarray, length: int, stride: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Passages as inputs (passage, time, symbol), and the character after each."""
    cut = np.lib.stride_tricks.sliding_window_view(labels, length + 1)[::stride]
    return one_hot(cut[:, :-1], size), cut[:, 1:]


def one_hot(labels: np.ndarray, size: int) -> np.ndarray:
    """Rows of zeros with a one at each label."""
    return np.eye(size, dtype="float32")[labels]


def log_probabilities(net, labels: np.ndarray) -> np.ndarray:
    """Log probability of each character but the first, given all those before."""
    from scipy.special import log_softmax

    logits = rd.run(net, one_hot(labels[:-1], net.input_size)).output.values.astype("float64")
    return np.take_along_axis(log_softmax(logits, axis=1), labels[1:, None], axis=1)[:, 0]


def gain(logp: np.ndarray, rival: np.ndarray) -> list[float]:
    """Mean of the difference, in nats a character, and its standard error."""
    difference = logp - rival
    blocks = difference[: len(difference) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1)
    return [float(difference.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks)))]


def written(net, symbols: str, seed: int) -> str:
    """What the network writes after "Alice "."""
    start = [symbols.index(character) for character in "Alice "]
    drawn = rd.generate(net, start, SAMPLE, temperature=TEMPERATURE, rng=seed)
    return "Alice " + "".join(symbols[k] for k in drawn)
