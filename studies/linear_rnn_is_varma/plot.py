"""The figure: one spectrum in both views, and the error of both forms by the number of slow units."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the two panels."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    spectrum_panel(left, results["spectrum"])
    slow_panel(right, results["slow"])
    return figure


def spectrum_panel(ax, case):
    ax.plot(case["frequency"], case["network"], color="C0", linewidth=3, alpha=0.4, label="network")
    ax.plot(case["frequency"], case["varma"], color="C1", linestyle="--", label="VARMA(3, 3)")
    level = np.exp(case["log_noise"])
    ax.axhline(level, color="black", linewidth=0.7, linestyle=":", label="geometric mean = innovations' variance")
    ax.set(xlabel="frequency (rad / step)", ylabel="spectral density", title="three units, one output", ylim=(0, 2.6))
    ax.legend()


def slow_panel(ax, cases):
    top = 1e8  # what is larger is drawn there
    for outputs, mark in ((1, "o"), (4, "s")):
        rows = [case for case in cases if case["outputs"] == outputs]
        n = [case["n"] for case in rows]
        name = f"{outputs} output{'s' if outputs > 1 else ''}"
        own = [max(case["observability"], 1e-17) for case in rows]
        ax.semilogy(n, own, mark + "-", color="C0", label=f"observability, {name}")
        other = [min(case["cayley_hamilton"], top) for case in rows]
        ax.semilogy(n, other, mark + "--", color="C1", fillstyle="none", label=f"Cayley-Hamilton, {name}")
    ax.axhline(1e-7, color="black", linewidth=0.7, linestyle=":")
    ax.text(1, 1.6e-7, "refused above", ha="left", va="bottom", fontsize=6)
    ax.set(xlabel="slow units", ylabel=r"largest error of $\psi$", title="conditioning", ylim=(1e-17, 30 * top))
    ax.legend(fontsize=5.5, loc="center right")
