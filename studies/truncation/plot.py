"""The figure: errors against the window, and accuracies against the delay."""

import numpy as np
from matplotlib.figure import Figure

from studies.truncation.compare import rules, share

MARKERS = "os^Dv"


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(3.4, 6.4), layout="constrained")
    each, window, reach = figure.subplots(3, 1)
    for c, one in enumerate(results["bias"]):
        k, style = np.array(one["kept"]), {"color": f"C{c}", "marker": MARKERS[c], "markersize": 3, "linestyle": ""}
        each.semilogy(k, one["each_step"], label=f"gain {one['gain']}", **style)
        line = one["each_step"][-1] * np.exp(one["exponent"] * (k - k[-1]))
        each.semilogy(k, line, color=f"C{c}", linewidth=0.8)
        window.loglog(k, one["each_window"], **style)
        window.loglog(k, np.median(one["each_window"] * k) / k, color=f"C{c}", linewidth=0.8)
    each.legend()
    each.set(
        xlabel=r"$k_2$ (steps)", ylabel=r"relative error of $dL/dW_{hh}$", title=r"$k_1=1$; lines: $e^{\lambda k}$"
    )
    window.set(
        xlabel=r"$k$ (steps)", ylabel=r"relative error of $dL/dW_{hh}$", title=r"$k_1=k_2=k$; lines: $\propto 1/k$"
    )
    curves(reach, results)
    figure.legend(*reach.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def curves(ax, results):
    """Accuracies of one kind of windows, k1 = k2."""
    delays = sorted({one["delay"] for one in results["reach"]})
    shown = [rule for rule in rules(results) if rule[0] == rule[1]]
    for c, rule in enumerate(shown):
        look = {"color": "0.3", "linestyle": "--"} if rule[0] == "whole" else {"color": f"C{c}"}
        accuracies = [share(results, rule, delay) for delay in delays]
        label = "whole" if rule[0] == "whole" else f"$k={rule[1]}$"
        ax.plot(delays, accuracies, marker=MARKERS[c], markersize=3, linewidth=0.8, label=label, **look)
    ax.axhline(0.5, color="0.6", linewidth=0.6)
    ax.set(xlabel="delay (steps)", ylabel="share of right answers", title=r"after training, $k_1=k_2=k$")
