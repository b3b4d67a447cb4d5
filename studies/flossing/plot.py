"""The figure: exponents, gradients, accuracies."""

import numpy as np
from matplotlib.figure import Figure

from studies.flossing.compare import kinds, of

COLOURS = {"as drawn": "C1", "flossed": "C0"}
LINES = {"gaussian": "-", "orthogonal": "--"}


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    exponents, gradients, accuracies = figure.subplots(1, 3)
    for init, weights in kinds(results):
        rows = of(results["networks"], init, weights)
        style = {"color": COLOURS[weights], "linestyle": LINES[init], "label": f"{init}, {weights}"}
        spectrum = np.mean([row["exponent"] for row in rows], axis=0)
        exponents.plot(np.arange(1, len(spectrum) + 1), spectrum, **style)
        log_norm = np.mean([row["log_gradient_norm"] for row in rows], axis=0)
        gradients.plot(log_norm / np.log(10), **style)
        delays, shares = accuracy_by_delay(results, init, weights)
        accuracies.plot(delays, np.mean(shares, axis=1), marker="o", markersize=3, **style)
        accuracies.plot(delays, shares, ".", color=COLOURS[weights], markersize=2)
    exponents.axhline(0, color="0.6", linewidth=0.8)
    exponents.set(xlabel="index", ylabel="Lyapunov exponent (nat/step)", title="before training")
    gradients.set(
        xlabel="lag (steps)", ylabel=r"$\log_{10}\, |dL/dh_{T-\mathrm{lag}}|\, /\, |dL/dh_T|$", title="before training"
    )
    accuracies.axhline(0.5, color="0.6", linewidth=0.8)
    accuracies.text(4, 0.505, "guessing", va="bottom", color="0.4", fontsize=6)
    accuracies.set(xlabel="delay (steps)", ylabel="share of right answers", title="after training")
    figure.legend(*exponents.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def accuracy_by_delay(results: dict, init: str, weights: str) -> tuple[list[int], np.ndarray]:
    """Delays, and the accuracies of the seeds at each, (delays, seeds)."""
    rows = of(results["trained"], init, weights)
    delays = sorted({row["delay"] for row in rows})
    return delays, np.array([[row["accuracy"] for row in rows if row["delay"] == delay] for delay in delays])
