"""The figure: a counter over a million symbols, disturbances, and errors of approximation over units."""

import numpy as np
from matplotlib.figure import Figure

from rnndyn.plot.style import BLACK, BLUE, GREY, VERMILLION


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 4.4), layout="constrained")
    axes = figure.subplots(2, 2)
    counter_panel(axes[0, 0], results["machines"][1])
    disturbed_panel(axes[0, 1], results["disturbed"])
    error_panel(axes[1, 0], results)
    exponent_panel(axes[1, 1], results)
    return figure


def counter_panel(ax, case):
    t = np.linspace(0, case["symbols"] / 1e6, len(case["count"]))
    ax.plot(t, case["count"], color=BLUE, label="machine")
    ax.plot(t[::12], case["read"][::12], "o", color=VERMILLION, markersize=3, markerfacecolor="none", label="network")
    ax.set(xlabel="symbols read (million)", ylabel="open brackets")
    ax.set_title(f"wrong at {case['wrong']} of {case['symbols']:,} symbols")
    ax.set_ylim(top=1.35 * max(case["count"]))
    ax.legend(ncols=2, loc="upper left")


def disturbed_panel(ax, cases):
    ax.plot([c["size"] for c in cases], [c["wrong"] for c in cases], "o-", color=BLUE, label="measured")
    ax.axvline(0.25, color=VERMILLION, linestyle="--", linewidth=0.9, label="theory: none below 1/4")
    ax.set(xlabel="disturbance of the state", ylabel="share of wrong next states", title="noise is taken away")
    ax.set_xlim(left=0)
    ax.legend(loc="upper left")


def error_panel(ax, results):
    for name, color, label in (("logistic", BLUE, "logistic, straight pieces"), ("henon", VERMILLION, "Henon, tanh")):
        cases = results[name]
        ax.loglog([c["units"] for c in cases], [c["error"] for c in cases], "o", color=color, label=label)
    cases = results["logistic"]
    units = [c["units"] for c in cases]
    ax.loglog(units, [c["bound"] for c in cases], color=BLACK, linewidth=0.8, label=r"bound $1/n^2$")
    ax.set(xlabel="units", ylabel="largest error of a step", title="approximation")
    ax.legend()


def exponent_panel(ax, results):
    for name, color in (("logistic", BLUE), ("henon", VERMILLION)):
        cases = results[name]
        x, y = [c["units"] for c in cases], [c["exponent"] for c in cases]
        ax.errorbar(x, y, [2 * c["stderr"] for c in cases], fmt="o", color=color, markersize=3, capsize=2)
        ax.axhline(cases[0]["known"], color=color, linestyle="--", linewidth=0.9)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_xscale("log")
    ax.set(xlabel="units", ylabel="Lyapunov exponent (nat/step)", title="fed back: lines are the known exponents")
