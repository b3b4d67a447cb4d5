"""The figure: cycles in the plane, and what it takes to find one."""

import numpy as np
from matplotlib.figure import Figure

from studies.piecewise_linear_cycles.compare import drawing, median, moduli
from studies.piecewise_linear_cycles.run import DRAWN


def plot(results: dict) -> Figure:
    """Draw a panel for each cycle shown, and one for the effort."""
    shown = [case for case in results["cases"] if case["k"] in DRAWN]
    figure = Figure(figsize=(3.4 * (len(shown) + 1), 2.8), layout="constrained")
    panels = figure.subplots(1, len(shown) + 1)
    for ax, case in zip(panels, shown, strict=False):
        cycle_panel(ax, case)
    effort_panel(panels[-1], results)
    return figure


def cycle_panel(ax, case):
    for cycle, modulus in sorted(zip(case["cycles"], moduli(case), strict=True), key=lambda pair: pair[1]):
        points = np.array(cycle["states"])
        stable = modulus < 1
        around = np.vstack([points, points[:1]])
        (line,) = ax.plot(*around.T, linewidth=0.4, alpha=0.5)
        kind = "stable" if stable else "unstable"
        face = line.get_color() if stable else "white"
        ax.plot(
            *points.T,
            "o",
            color=line.get_color(),
            markerfacecolor=face,
            label=f"{kind}, largest |multiplier| {modulus:.4f}",
        )
    ax.set(xlabel="$h_1$", ylabel="$h_2$", title=f"both cycles of period {case['k']}; grey: where pieces meet")
    low, high = ax.get_ylim()
    ax.set(xlim=ax.get_xlim(), ylim=(low, high + 0.28 * (high - low)))  # fixed: the lines at 0 may lie outside
    ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
    ax.legend(loc="upper left")


def effort_panel(ax, results):
    cases = results["cases"]
    k = np.array([case["k"] for case in cases])
    for color, kind, name in (("C0", "random", "random codes"), ("C2", "runs", "codes of runs")):
        for case in cases:
            counts = [n for n in case["first"][kind] if n is not None]
            ax.plot([case["k"]] * len(counts), counts, "o", color=color, alpha=0.25, markersize=3, markeredgewidth=0)
        medians = np.array([median(case["first"][kind]) for case in cases])
        ax.plot(k, np.where(np.isfinite(medians), medians, np.nan), "-", color=color, label=f"{name}, median")
    a, b = results["fit"]
    orders = np.arange(1, 51)
    ax.plot(orders, a + b * orders, color="C1", label=f"published fit {a} + {b} k")
    ax.plot(k, [drawing(case) for case in cases], "k:", label="drawing from all $4^k$ sequences")
    ax.set(xlabel="period k", ylabel="linear problems until found", title="effort; dots: single searches")
    ax.set(yscale="log", ylim=(0.7, 1e5))
    ax.legend(loc="upper right")
