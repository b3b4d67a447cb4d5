"""The figure: forecasts with their intervals, the losses of all, and the networks as they learn."""

import numpy as np
from matplotlib.figure import Figure

from studies.forecasting.compare import groups

COLOURS = {"linear": "C1", "GRU": "C0"}


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 4.6), layout="constrained")
    ahead = figure.subplots(2, 2)
    for k, months in enumerate(results["horizons"]):
        fan(ahead[0, k], results, k, months)
    gains(ahead[1, 0], results)
    learning(ahead[1, 1], results)
    return figure


def fan(ax, results, k, months):
    """Months that came, and the intervals foreseen."""
    for name, colour in COLOURS.items():
        low, _, middle, _, high = np.array(results["shown"][name][k])
        t = months + np.arange(len(middle))
        ax.fill_between(t, low, high, color=colour, alpha=0.25, linewidth=0, label=f"{name}, 90 %")
        ax.plot(t, middle, color=colour, linewidth=0.8)
    came = np.array(results["shown"]["came"])
    ax.plot(came, ".", color="0.2", markersize=2, label="came")
    ax.set(xlabel="month of the test part", ylabel="sunspot number", title=f"{months} month{'s' * (months > 1)} ahead")
    ax.legend()


def gains(ax, results):
    """Quantile losses over that of the linear network, by horizon, with standard errors of the difference."""
    found = groups(results)
    linear = next(group[0]["quantile_loss"] for name, group in found.items() if name.startswith("linear"))
    names = [name for name in found if not name.startswith("linear")]
    for k, months in enumerate(results["horizons"]):
        marks = [np.mean([one["quantile_gain"][k] for one in found[name]], axis=0) / linear[k] for name in names]
        mean, error = np.array(marks).T
        place = np.arange(len(names)) + 0.2 * (k - 0.5)
        label = f"{months} month{'s' * (months > 1)} ahead"
        ax.errorbar(1 - mean, place, xerr=2 * error, fmt="os"[k], color=f"C{2 + k}", markersize=3, label=label)
    ax.axvline(1, color="C1", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xticks([0.8, 1, 1.2, 1.5, 2, 3, 4], labels=["0.8", "1", "1.2", "1.5", "2", "3", "4"])
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), labels=[name.replace(": mean of the seeds", ", pooled") for name in names])
    ax.set(xlabel="quantile loss / that of the linear network", ylabel="forecast", title="± 2 standard errors")
    ax.invert_yaxis()
    ax.legend()


def learning(ax, results):
    """Validation losses of the Gaussian networks."""
    for one in results["learning"]:
        if one["kind"] == "GRU, Gaussian":
            steps = results["every"] * np.arange(1, len(one["loss"]) + 1)
            first = one["seed"] == 0
            ax.plot(steps, one["validation_loss"], color="C0", linewidth=0.7, label="validation" if first else None)
            ax.plot(steps, one["loss"], color="C0", linewidth=0.3, label="training" if first else None)
    ax.set(xlabel="training step", ylabel="-log density, scaled change", title="GRU, Gaussian")
    ax.legend()
