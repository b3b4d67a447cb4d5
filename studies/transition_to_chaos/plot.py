"""The figure: three quantities over the gain, and whole spectra, beside theory; departures from it against 1 / N."""

import numpy as np
from matplotlib.figure import Figure

from studies.transition_to_chaos.compare import NAMES, PUBLISHED, same, shift
from studies.transition_to_chaos.run import CHECKED, KINDS

MARKERS = dict(zip(KINDS, "os", strict=True))
COLORS = dict(zip(KINDS, ("C0", "C1"), strict=True))
UNITS = {"exponent": "nats a step", "entropy_rate": "nats a step", "dimension": None}


def plot(results: dict) -> Figure:
    """Draw the six panels."""
    figure = Figure(figsize=(6.8, 4.8), layout="constrained")
    upper, (spectrum, *shifts) = figure.subplots(2, 3)
    for ax, name in zip(upper, UNITS, strict=True):
        gain_panel(ax, results, name)
    upper[0].legend(fontsize=6)
    spectrum_panel(spectrum, results["spectrum"])
    for ax, name in zip(shifts, ("exponent", "dimension"), strict=True):
        size_panel(ax, results, name)
    shifts[0].legend(fontsize=6)
    return figure


def gain_panel(ax, results, name):
    for kind in KINDS:
        curve, points, large = (
            [c for c in results[part] if c["kind"] == kind] for part in ("theory", "sweep", "large")
        )
        ax.plot([c["gain"] for c in curve], [c["value"][name] for c in curve], color=COLORS[kind], linewidth=0.9)
        label = f"{kind}, N = {points[0]['units']}"
        bars(ax, [c["gain"] for c in points], points, name, kind, label=label, markersize=3)
        label = f"N = {large[0]['units']}"
        bars(ax, [c["gain"] for c in large], large, name, kind, label=label, mfc="white", markersize=5)
    known = {gain: values[name] for gain, values in PUBLISHED.items()}
    ax.plot(known.keys(), known.values(), "kx", markersize=4, zorder=4, label="published, N = 4096")
    gains = (1, 2, 3, 5, 10)
    ax.set_xscale("log")
    ax.set_xticks(gains, [str(g) for g in gains])
    ax.minorticks_off()
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    ax.set(xlabel="gain", ylabel=UNITS[name], title=NAMES[name])


def bars(ax, x, cases, name, kind, **look):
    y, error = ([c[part][name] for c in cases] for part in ("value", "stderr"))
    ax.errorbar(x, y, 2 * np.array(error), fmt=MARKERS[kind], color=COLORS[kind], **look)


def spectrum_panel(ax, cases):
    for case in cases:
        kind = case["kind"]
        ax.plot(case["fraction"], case["measured"], color=COLORS[kind], label=f"{kind}, N = {case['units']}")
        (dots,) = ax.plot(case["fraction"], case["theory"], "k:", linewidth=1)
    dots.set_label("theory")
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    ax.set(xlabel="(i - 1/2) / N", ylabel=r"$\lambda_i$ (nats a step)", ylim=(-7, 0.7))
    ax.set_title(f"whole spectrum, gain {cases[0]['gain']:g}")
    ax.legend(loc="lower left")


def size_panel(ax, results, name):
    for limit in results["limit"]:
        kind, gain = limit["kind"], limit["gain"]
        sizes, large = ([c for c in results[part] if same(c, limit)] for part in ("sizes", "large"))
        a, _ = shift(sizes, limit, name)
        x = np.array([1000 / c["units"] for c in sizes + large])
        y = np.array([c["value"][name] for c in sizes + large]) - limit["value"][name]
        error = 2 * np.array([c["stderr"][name] for c in sizes + large])
        fill = COLORS[kind] if gain == CHECKED[0] else "white"
        ax.errorbar(x, y, error, fmt=MARKERS[kind], color=COLORS[kind], mfc=fill, label=f"{kind}, gain {gain:g}")
        end = np.array([0, 1.1 * x.max()])
        ax.plot(end, a * end / 1000, "-" if gain == CHECKED[0] else "--", color=COLORS[kind], linewidth=0.8)
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    ax.set(xlabel="1000 / N", ylabel=UNITS[name], title=f"{NAMES[name]},\ndeparture from theory")
