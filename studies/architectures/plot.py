"""The figure: losses and gradient norms while each task is learnt."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from studies.architectures.compare import of

STYLES = {
    "Elman": ("C0", "-"),
    "Elman, 64 units": ("C0", ":"),
    "Bidirectional": ("C6", "-"),
    "Highway": ("C2", "-"),
    "SRU": ("C3", "-"),
    "GRU": ("C1", "-"),
    "LSTM": ("C5", "-"),
}


def plot(results: dict) -> Figure:
    """Draw two panels a task, side by side."""
    figure = Figure(figsize=(3.4, 7.6), layout="constrained")
    panels = figure.subplots(len(results["tasks"]), 2, sharex=True)
    for task, (loss, gradient) in zip(results["tasks"], panels, strict=True):
        for network in dict.fromkeys(one["network"] for one in results["runs"]):
            curve(loss, results, task, network, "loss")
            curve(gradient, results, task, network, "gradient_norm")
        guess = results["tasks"][task]["guess_loss"]
        loss.axhline(guess, color="0.5", linestyle="--", linewidth=0.7, label="constant answer", zorder=1)
        loss.set(title=task, xlabel="training step", ylabel="loss")
        gradient.set(xlabel="training step", ylabel="gradient norm")
        for ax in (loss, gradient):
            ax.set_yscale("log")
            ax.yaxis.set_minor_formatter(NullFormatter())
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def curve(ax, results: dict, task: str, network: str, name: str) -> None:
    """Median over the seeds."""
    lines = np.array([one[name] for one in of(results, task, network)])
    steps = results["steps"] * (np.arange(lines.shape[1]) + 0.5) / lines.shape[1]
    colour, dashes = STYLES[network]
    ax.plot(steps, np.median(lines, axis=0), color=colour, linestyle=dashes, linewidth=0.9, label=network)
