"""The figure: regions, loss of stability, the ledger, what Euler invents, and frozen eigenvalues."""

import numpy as np
from matplotlib.figure import Figure

from rnndyn.plot.style import BLACK, BLUE, GREY, LIGHT, VERMILLION


def plot(results: dict) -> Figure:
    """Draw the six panels."""
    figure = Figure(figsize=(6.8, 4.6), layout="constrained")
    axes = figure.subplots(2, 3)
    region_panel(axes[0, 0], results)
    growth_panel(axes[0, 1], results["stability"])
    ledger_panel(axes[0, 2], next(case for case in results["ledger"] if case["field"] == "tanh"))
    cycle_panel(axes[1, 0], results["cycle"])
    exponent_panel(axes[1, 1], results["spurious"])
    frozen_panel(axes[1, 2], results["frozen"])
    return figure


def region_panel(ax, results):
    names = {case["method"]: k for k, case in enumerate(results["regions"])}
    for case in results["regions"]:
        k = names[case["method"]]
        ax.contour(case["real"], case["imaginary"], case["modulus"], levels=[1.0], colors=[f"C{k}"], linewidths=1.2)
        where = " (outside)" if "implicit" in case["method"] else ""
        ax.plot([], [], color=f"C{k}", label=case["method"].replace("_", " ") + where)
    euler = results["stability"][0]
    z = euler["critical"] * np.array(euler["eigenvalues"])
    ax.plot(*z.T, "o", color=BLACK, markersize=2, label="modes at Euler's critical step")
    ax.axhline(0, color=LIGHT, linewidth=0.5, zorder=0)
    ax.axvline(0, color=LIGHT, linewidth=0.5, zorder=0)
    ax.set(xlabel="Re(eigenvalue) · dt", ylabel="Im(eigenvalue) · dt", title="where |R| = 1")
    ax.set_ylim(-3.2, 8.5)
    ax.legend(loc="upper left", fontsize=6)


def growth_panel(ax, cases):
    for k, case in enumerate(cases):
        x = np.array(case["step"])
        ax.plot(x, case["theory"], color=f"C{k}")
        ax.plot(x, case["growth"], "o", color=f"C{k}", markersize=3, markerfacecolor="none")
        if np.isfinite(case["critical"]):
            ax.axvline(case["critical"], color=f"C{k}", linewidth=0.6, linestyle=":")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set(xlabel="step (time constants)", ylabel="growth (nat/step)", title="lines theory, circles measured")
    ax.text(0.99, 0.86, "colours as at left;\ndotted: critical steps", transform=ax.transAxes, ha="right", fontsize=6)


def ledger_panel(ax, case):
    t = np.arange(1, len(case["local"]) + 1)
    ax.plot(t, case["contribution"], color=BLUE, label="mean Jacobians")
    ax.plot(t, case["bptt"], "--", color=VERMILLION, label="backpropagation")
    ax.plot(t, case["local"], ":", color=BLACK, label="local error")
    sums = [sum(case[name]) for name in ("contribution", "bptt")]
    ax.set(xlabel="time (step)", ylabel="part of the last error")
    ax.set_title(f"sum {sums[0]:.3f}, backprop. {sums[1]:.3f}")
    ax.set_ylim(top=2.4 * max(case["local"]))
    ax.legend(fontsize=6, title=f"last error {case['last_error']:.3f}", title_fontsize=6, loc="upper left")


def cycle_panel(ax, case):
    for step, states in zip(case["step"], case["states"], strict=True):
        ax.plot([step] * len(states), states, ",", color=BLUE)
    h = np.linspace(1, np.sqrt(1.5), 100)  # where the cycle attracts
    for sign in (-1, 1):
        ax.plot(h, (1 + h + sign * np.sqrt(h * h - 1)) / (2 * h), color=VERMILLION, linewidth=0.9)
    ax.axhline(1, color=GREY, linewidth=0.6)
    ax.set(xlabel="Euler's step dt", ylabel="states visited", title="invented: 2-cycle (line: theory)")


def exponent_panel(ax, cases):
    finite = [case for case in cases if np.isfinite(case["expected"])]
    x = np.arange(len(finite))
    ax.plot(x, [case["expected"] for case in finite], "_", color=VERMILLION, markersize=14, label="expected")
    ax.plot(x, [case["exponent_per_step"] for case in finite], "o", color=BLUE, markersize=4, label="measured")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_xticks(x, [f"{case['method']}\ndt = {case['step']:g}" for case in finite], fontsize=6)
    ax.set_xlim(-0.5, len(finite) - 0.5)
    ax.set(ylabel="exponent (nat/step)", title="ln 2 at dt = 1.5")
    ax.legend(fontsize=6, loc="lower center")


def frozen_panel(ax, case):
    t = np.array(case["time"])
    ax.semilogy(t, case["size"], color=BLUE, label="size of the state")
    ax.semilogy(t, np.exp(t / 2), ":", color=BLACK, label=r"$e^{t/2}$")
    ax.semilogy(t, np.exp(-t / 4), "--", color=VERMILLION, label=r"$e^{-t/4}$, by eigenvalues")
    ax.set(xlabel="time", ylabel="|y(t)|", title="Markus and Yamabe")
    ax.set_ylim(bottom=1e-4)
    ax.legend(fontsize=6, loc="lower left")
