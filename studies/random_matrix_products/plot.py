"""The figure: exponents on the exact law, their z-scores, the error bars, and the product that tells J Q from J' Q."""

import numpy as np
from matplotlib.figure import Figure

from studies.random_matrix_products.compare import ratios, z_scores

MARKERS = "osD^"


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 5.0), layout="constrained")
    (law, scores), (bars, periodic) = figure.subplots(2, 2)
    law_panel(law, results["gaussian"])
    score_panel(scores, results["gaussian"])
    stderr_panel(bars, results["gaussian"])
    periodic_panel(periodic, results["periodic"])
    return figure


def fractions(case):
    return (np.arange(case["size"]) + 0.5) / case["size"]


def law_panel(ax, cases):
    for k, case in enumerate(cases):
        shift = 0.5 * np.log(case["size"])
        at = fractions(case)
        ax.plot(at, np.array(case["exact"]) - shift, color="0.6", linewidth=0.8)
        ax.errorbar(
            at,
            np.array(case["measured"]) - shift,
            2 * np.array(case["stderr"]),
            fmt=MARKERS[k],
            markersize=3,
            color=f"C{k}",
            label=f"N = {case['size']}",
        )
    ax.set(xlabel="(i - 1/2) / N", ylabel=r"$\lambda_i - \frac{1}{2}\ln N$ (nats a factor)")
    ax.set_title("Gaussian matrices; lines: exact law")
    ax.legend()


def score_panel(ax, cases):
    for k, case in enumerate(cases):
        ax.plot(fractions(case), z_scores(case), MARKERS[k], markersize=3, color=f"C{k}")
    ax.axhspan(-1.96, 1.96, color="0.92", zorder=0)
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xlabel="(i - 1/2) / N", ylabel="z", ylim=(-4, 4), title="measured - exact, in exact std. errors; band: 95 %")


def stderr_panel(ax, cases):
    low = min(min(case["exact_stderr"]) for case in cases) / 1.3
    high = max(max(case["exact_stderr"]) for case in cases) * 1.3
    ax.plot([low, high], [low, high], color="0.6", linewidth=0.8)
    for k, case in enumerate(cases):
        ax.loglog(
            case["exact_stderr"], case["stderr"], MARKERS[k], markersize=3, color=f"C{k}", label=f"N = {case['size']}"
        )
    spread = np.concatenate([ratios(case) for case in cases]).std()
    ax.set(
        xlabel="exact standard error (nats a factor)",
        ylabel="measured (nats a factor)",
        title=f"error bars; scatter about the line {100 * spread:.0f} %",
    )


def periodic_panel(ax, cases):
    names = {"J Q": "J Q, as it should be", "J' Q": "J' Q, the transposed matrices"}
    for k, (name, case) in enumerate(cases.items()):
        index = np.arange(1, len(case["measured"]) + 1)
        ax.plot(index, case["expected"], "_", markersize=18, markeredgewidth=0.8, color=f"C{k}")
        ax.plot(index, case["measured"], MARKERS[k], color=f"C{k}", label=names[name])
    ax.set(xlabel="index i", ylabel=r"$\lambda_i$ (nats a factor)", xticks=index)
    ax.set_title("three matrices in turn; dashes: from eigenvalues")
    ax.legend()
