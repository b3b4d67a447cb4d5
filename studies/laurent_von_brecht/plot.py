"""The figure: the attractor, the exponents beside the known ones, the parting of orbits, where rest ends."""

import numpy as np
from matplotlib.figure import Figure

from studies.laurent_von_brecht.compare import HIDDEN_ALONE, KNOWN


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 5.4), layout="constrained")
    (attractor, exponents), (parting, thresholds) = figure.subplots(2, 2)
    attractor_panel(attractor, np.array(results["attractor"]))
    exponent_panel(exponents, results)
    parting_panel(parting, results)
    threshold_panel(thresholds, results["thresholds"])
    return figure


def attractor_panel(ax, h):
    ax.plot(h[:, 0], h[:, 1], ".", markersize=1.5, markeredgewidth=0, color="C0", rasterized=True)
    ax.set(xlabel="$h_1$", ylabel="$h_2$", title="attractor of two LSTM units, no input")


def exponent_panel(ax, results):
    found, index = results["spectrum"]["exponent"], np.arange(1, 5)
    ax.plot(index, [value for value, _ in KNOWN], "_", markersize=20, color="C6", label="independent program")
    ax.errorbar(index, found["mean"], 2 * np.array(found["stderr"]), fmt="o", color="C0", label="whole state")
    for k, (name, mark) in enumerate(zip(HIDDEN_ALONE, "s^", strict=True), 1):
        ax.plot(index[:2] + 0.2 * k, results["hidden_alone"][name], mark, color=f"C{k}", label=HIDDEN_ALONE[name])
    for i, value, error in zip(index, found["mean"], found["stderr"], strict=True):
        text = f"{value:.4f}({1e4 * error:.0f})"
        ax.annotate(text, (i, value), (0, -13), textcoords="offset points", fontsize=6, ha="center")
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set(xlabel="index i", ylabel=r"$\lambda_i$ (nats a step)", title="exponents", xticks=index)
    ax.set(xlim=(0.5, 4.6), ylim=(-5.4, 0.6))
    ax.legend(loc="lower left")


def parting_panel(ax, results):
    log_distance, first = np.array(results["parting"]), 10
    slopes = {"whole state": results["spectrum"]["exponent"]["mean"][0]}
    slopes |= {HIDDEN_ALONE[name]: values[0] for name, values in results["hidden_alone"].items()}
    t = np.arange(1, len(log_distance) + 1)
    ax.plot(t, log_distance, color="C0", label="measured, mean of pairs")
    for (name, slope), line, color in zip(slopes.items(), (":", "--", "-."), ("C6", "C1", "C2"), strict=True):
        label = rf"{name}: $\lambda_1$ = {slope:.3f}"
        ax.plot(t, log_distance[first - 1] + slope * (t - first), line, color=color, label=label)
    ax.set(xlabel="step", ylabel="ln distance (nats)", title="neighbouring orbits", ylim=(-34, 18))
    ax.legend(loc="upper left")


def threshold_panel(ax, cases):
    at = np.arange(len(cases))
    ax.plot(at, [case["theory"] for case in cases], "_", markersize=20, color="C6", label="theory, many units")
    ax.plot(at, [case["measured"] for case in cases], "o", color="C0", label=f"one network, {cases[0]['units']} units")
    biases = [", ".join(f"${name}$ = {value:g}" for name, value in case["biases"].items()) for case in cases]
    ax.set_xticks(at, [f"{case['cell']}\n{own}" for case, own in zip(cases, biases, strict=True)])
    ax.set(
        xlabel="cell and biases", ylabel="critical gain", title="where the rest of a random network ends", ylim=(0, 2.6)
    )
    ax.legend(loc="lower left")
