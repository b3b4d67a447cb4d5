"""The figure: perplexity over the order of the n-grams, networks as lines, and their losses as they learn."""

import numpy as np
from matplotlib.figure import Figure

from studies.language_model.compare import of_kind

COLOURS = {"GRU": "C0", "LSTM": "C1"}
LINES = {"GRU": "-", "LSTM": "--"}


def plot(results: dict) -> Figure:
    """Draw the two panels."""
    figure = Figure(figsize=(3.4, 5.2), layout="constrained")
    orders, losses = figure.subplots(2, 1)
    for kind, colour in (("backoff", "0.6"), ("Kneser-Ney", "0.2")):
        for name, style in (("validation", "o:"), ("test", "s-")):
            values = [one[name] for one in of_kind(results, kind)]
            orders.plot(
                range(len(values)), values, style, color=colour, markersize=3, label=f"{kind}, {name}", zorder=3
            )
    shown = set()
    for one in results["networks"]:
        kind = one["kind"]
        style = {"color": COLOURS[kind], "linestyle": LINES[kind], "linewidth": 0.8}
        orders.axhline(one["test"], **style, label=None if kind in shown else f"{kind}, test")
        orders.axhline(one["mixed"], **(style | {"color": "C2"}), label=None if kind in shown else f"{kind} and n-gram")
        steps = one["every"] * np.arange(1, len(one["loss"]) + 1)
        losses.plot(steps, one["validation_loss"], **style, label=None if kind in shown else f"{kind}, validation")
        losses.plot(steps, one["loss"], **(style | {"linewidth": 0.4}), label=None if kind in shown else "  training")
        shown.add(kind)
    best = min(one["validation"] for one in results["ngrams"])
    losses.axhline(np.log(best), color="0.3", linestyle=":", linewidth=0.8, label="best n-gram, validation")
    losses.set_ylim(1.1, 2.6)
    orders.set(yscale="log", xlabel="order of the n-gram (characters)", ylabel="perplexity", title="what they reach")
    orders.set_yticks([4, 5, 6, 8, 10, 15, 20], labels=["4", "5", "6", "8", "10", "15", "20"], minor=False)
    orders.minorticks_off()
    losses.set(xlabel="training step", ylabel="loss (nats a character)", title="as they learn")
    for ax in (orders, losses):
        ax.legend()
    return figure
