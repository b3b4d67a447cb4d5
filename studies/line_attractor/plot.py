"""The figure: counts and lengths against the tolerance, and the drift along each manifold."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the panels."""
    figure = Figure(figsize=(6.8, 5.2), layout="constrained")
    panels = figure.subplots(2, 2)
    counts(panels[0, 0], results)
    lengths(panels[0, 1], results)
    for ax, name in zip(panels[1], ("trained integrator", "ring of 16"), strict=True):
        drift(ax, name, results[name])
    return figure


def counts(ax, results):
    for k, (name, result) in enumerate(results.items()):
        x = [row["tolerance"] for row in result["rows"]]
        ax.loglog(x, [max(row["unique points"], 0.5) for row in result["rows"]], "o-", color=f"C{k}", label=name)
    ax.set(xlabel="tolerance of the speed (1/step)", ylabel="unique points", title="Counting points")
    ax.legend()


def lengths(ax, results):
    for k, (name, result) in enumerate(results.items()):
        x = [row["tolerance"] for row in result["rows"] if row["length"]]
        ax.loglog(x, [sum(row["length"]) for row in result["rows"] if row["length"]], "o-", color=f"C{k}", label=name)
        if result["expected length"]:
            ax.axhline(result["expected length"], color="0.5", linestyle=":", linewidth=1)
    ax.set(
        xlabel="max_speed (1/step)", ylabel="length", title="Following the manifold; dotted: theory", ylim=(0.5, 200)
    )


def drift(ax, name, result):
    for s, speed in zip(result["curve"]["arc_length"], result["curve"]["drift"], strict=True):
        ax.plot(s, speed, color="C0")
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    positions, kinds = np.array(result["points"]["position"], float), np.array(result["points"]["stability"])
    for kind, marker, face in (("stable", "o", "C0"), ("unstable", "D", "white")):
        at = positions[(kinds == kind) & np.isfinite(positions)]
        ax.plot(
            at, np.zeros(len(at)), marker, color="C1" if kind == "unstable" else "C0", markerfacecolor=face, label=kind
        )
    ax.set(xlabel="arc length", ylabel="drift (1/step)", title=f"Drift along the {name}")
    ax.ticklabel_format(axis="y", scilimits=(-2, 2))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.2 * (high - low))
    ax.legend(ncols=2, loc="upper right")
