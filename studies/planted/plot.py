"""The figure: share of all points, and of the planted ones, that each method finds; and the price of the proof."""

import numpy as np
from matplotlib.figure import Figure

from studies.planted.compare import METHODS, mean


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.4), layout="constrained")
    every, seeded, proof = figure.subplots(1, 3)
    cases = results["cases"]
    for name, label in METHODS.items():
        known = [case for case in cases if case["all"] is not None]
        lines(every, known, lambda case, name=name: case["found"][name] / case["all"], label)
        lines(seeded, cases, lambda case, name=name: case["planted"][name], label)
    every.set(xlabel="units N", ylabel="share found", title="all points", ylim=(0, 1.05))
    seeded.set(xlabel="units N", ylabel="share found", title="planted points", ylim=(0, 1.05))
    figure.legend(*every.get_legend_handles_labels(), loc="outside lower left", ncols=4)
    for name, color in (("boxes", "C0"), ("all", "C1")):
        known = [case for case in cases if case["all"] is not None]
        proof.semilogy([case["N"] for case in known], [case[name] for case in known], ".", color=color, alpha=0.6)
    proof.set(xlabel="units N", title="complete search")
    proof.plot([], [], ".", color="C0", label="boxes")
    proof.plot([], [], ".", color="C1", label="fixed points")
    proof.legend()
    for ax in (every, seeded, proof):
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def lines(ax, cases: list[dict], share, label: str) -> None:
    sizes = sorted({case["N"] for case in cases})
    ax.plot(sizes, [mean(share(case) for case in cases if case["N"] == N) for N in sizes], ".-", label=label)
    for N in sizes:  # each network, faintly
        values = np.array([share(case) for case in cases if case["N"] == N])
        ax.vlines(N, values.min(), values.max(), color=ax.lines[-1].get_color(), alpha=0.25, linewidth=0.8)
