"""The figure: sums by length, the long recurrence, the GRU unit."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.4), layout="constrained")
    short, long, gru = figure.subplots(1, 3)
    short_panel(short, results["short"])
    long_panel(long, results["long"])
    gru_panel(gru, results["gru"])
    return figure


def short_panel(ax, cases):
    for k, case in enumerate(cases):
        sums = np.array(case["by_length"])
        sums[sums == 0] = np.nan
        name = case["name"].replace(" gates", "").replace(" gate", "")
        ax.semilogy(sums, "o-", color=f"C{k}", markersize=3, label=f"{name}: $2^{{{case['n_active']}}}$")
    ax.set(xlabel="recurrent factors of a path", ylabel=r"their part of $\partial h_T / \partial h_0$", title="paths")
    ax.set_ylim(1e-12, 1e3)  # below are parts of a saturated unit that count for nothing
    ax.legend(loc="upper right")


def long_panel(ax, case):
    for name, label in (("share_of_paths", "share of the paths"), ("share_of_gradient", "share of the gradient")):
        ax.plot(case[name], label=label)
    ax.set(xlabel="recurrent factors of a path", ylabel="share", title=f"T = {case['steps']}, all gates open")
    ax.set_ylim(top=1.5 * max(max(case["share_of_paths"]), max(case["share_of_gradient"])))
    ax.legend(loc="upper left")


def gru_panel(ax, cases):
    for k, case in enumerate(cases):
        ax.plot(case["share"], color=f"C{k}", label=f"$b_z$ = {case['bias']:g}")
    ax.set(xlabel="recurrent factors of a path", ylabel="share of the paths' mass", title="a GRU unit")
    ax.legend(title="update bias")
