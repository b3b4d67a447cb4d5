"""The figure: the rule of the spectral radius beside its counterexamples, bounds beside a norm, verdicts."""

from collections import Counter

import numpy as np
from matplotlib.figure import Figure

from studies.claims.claim import CONDITION, FALSE, HOLDS


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.4), layout="constrained")
    rule, bound, verdicts = figure.subplots(1, 3)
    rule_panel(rule, results["curves"]["rule"])
    bound_panel(bound, results["curves"]["bound"])
    counted = Counter(row["verdict"] for row in results["claims"])
    names = [HOLDS, CONDITION, FALSE]
    bars = verdicts.barh(names, [counted[name] for name in names], color=["C0", "C2", "C1"])
    verdicts.bar_label(bars, padding=2)
    verdicts.invert_yaxis()
    verdicts.set(xlabel="claims", ylabel="verdict", title=f"{sum(counted.values())} claims")
    return figure


def rule_panel(ax, curves):
    steps = np.arange(1, len(curves["tanh"]) + 1)
    ax.plot(steps, curves["nilpotent"], color="C0", label=r"ReLU, $\rho(W) = 0$")
    ax.plot(steps, np.log(1.2) * steps, ":", color="C0", label=r"$1.2^t$")
    ax.plot(steps, curves["tanh"], color="C1", label=r"tanh, $w = 1.5$")
    ax.plot(steps, np.log(1.5) * steps, "--", color="C1", label=r"what the rule says: $1.5^t$")
    ax.set(xlabel="steps", ylabel=r"$\log \|J_t \ldots J_1\|$ (nat)", title="spectral radius", ylim=(-40, 55))
    ax.legend(loc="upper left")


def bound_panel(ax, curves):
    steps = np.arange(1, len(curves["norm"]) + 1)
    ax.plot(steps, curves["weights"], "--", color="C1", label=r"$\|W_{hh}\|^t$")
    ax.plot(steps, curves["bound"], ":", color="C2", label=r"$\prod \|J\|$")
    ax.plot(steps, curves["norm"], color="C0", label="norm of the product")
    ax.set(xlabel="steps", ylabel=r"$\log \|J_t \ldots J_1\|$ (nat)", title="bounds of a tanh network", ylim=(-8, 20))
    ax.legend(loc="upper left")
