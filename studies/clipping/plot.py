"""The figure: one training with each clipping, and the losses over the learning rate."""

import numpy as np
from matplotlib.figure import Figure

from studies.clipping.compare import of

COLOURS = {"none": "C1", "norm 10": "C0", "value 0.1": "C2"}
MARKERS = {"none": "s", "norm 10": "o", "value 0.1": "^"}
CEILING = 1e3  # where runs that diverged are drawn


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(3.4, 6.0), layout="constrained")
    losses, gradients, rates = figure.subplots(3, 1)
    for one in results["curves"]:
        style = {"color": COLOURS[one["clipping"]], "linewidth": 0.8}
        for ax, name in ((losses, "loss"), (gradients, "gradient_norm")):
            # A run that diverges leaves the frame.
            ax.semilogy(np.minimum(one[name], 1e9), label=one["clipping"], **style)
    rate = results["curves"][0]["rate"]
    losses.set(xlabel="training step", ylabel="loss", title=f"learning rate {rate:g}", ylim=(0.1, 1e4))
    gradients.set(xlabel="training step", ylabel="norm of the gradient", ylim=(1, 1e5))
    gradients.axhline(10, color="0.6", linewidth=0.6)
    gradients.text(1, 0.19, "norm 10", ha="right", va="top", color="0.4", fontsize=6, transform=gradients.transAxes)
    for kind in COLOURS:
        rate_line(rates, results, kind)
    rates.axhline(CEILING, color="0.6", linewidth=0.6)
    rates.text(1, 0.99, "diverged", ha="right", va="top", color="0.4", fontsize=6, transform=rates.transAxes)
    rates.set(xscale="log", yscale="log", ylim=(None, 2 * CEILING))
    rates.set(xlabel="learning rate", ylabel="loss after training", title="all seeds, and their median")
    figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=3, title="clipping")
    return figure


def rate_line(ax, results, kind):
    """Losses of the seeds as marks, their median as a line."""
    rates = sorted({one["rate"] for one in results["runs"]})
    finals = [[CEILING if one["diverged"] else one["final"] for one in of(results, kind, rate)] for rate in rates]
    ax.plot(rates, np.median(finals, axis=1), color=COLOURS[kind])
    ax.plot(rates, finals, MARKERS[kind], color=COLOURS[kind], markersize=2.5)
