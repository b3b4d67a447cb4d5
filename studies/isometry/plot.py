"""The figure: exponents over the gain beside theory, and how singular values part."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    largest, mean, parting = figure.subplots(1, 3)
    exponent_panel(largest, results["tanh"], "largest", "expected", "largest exponent")
    exponent_panel(mean, results["tanh"], "mean", "expected_mean", "mean of all exponents")
    largest.legend()
    spread_panel(parting, results["spread"])
    return figure


def exponent_panel(ax, cases, measured, expected, title):
    for k, (kind, marker) in enumerate((("orthogonal", "o"), ("gaussian", "s"))):
        own = [case for case in cases if case["kind"] == kind]
        gain = [case["gain"] for case in own]
        ax.plot(gain, [case[measured] for case in own], marker, color=f"C{k}", label=kind)
        ax.plot(gain, [case[expected] for case in own], ":", color=f"C{k}", label="mean field")
    fine = np.linspace(min(gain), max(gain), 100)
    ax.plot(fine, np.log(fine), color="0.6", linewidth=0.8, label="ln(gain)")
    ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    ax.set(xlabel="gain", ylabel="nats a step", title=title)


def spread_panel(ax, cases):
    for case in cases:
        color = "C0" if case["kind"] == "orthogonal" else "C1"
        line = "-" if case["gain"] > 1 else "--"
        gap = np.array(case["largest"]) - case["median"]
        ax.semilogy(np.arange(1, len(gap) + 1), gap, line, color=color, label=f"{case['kind']}, gain {case['gain']}")
    ax.set(xlabel="steps", ylabel="nats", title=r"$\ln(\sigma_1 / \sigma_{N/2})$ of the product")
    ax.legend()
