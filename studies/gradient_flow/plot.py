"""The figure: Jacobian products against their bounds, the three regimes of the IRNN, the trained networks."""

import numpy as np
from matplotlib.figure import Figure

from studies.gradient_flow.compare import PATHS


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 5.2), layout="constrained")
    panels = figure.subplots(2, 2)
    tanh_panel(panels[0, 0], results["tanh"])
    irnn_panel(panels[0, 1], results["irnn"])
    orthogonal_panel(panels[1, 0], results["orthogonal"])
    trained_panel(panels[1, 1], results["trained"])
    return figure


def tanh_panel(ax, cases):
    for k, case in enumerate(cases):
        t = np.arange(1, len(case["log_norm"]) + 1)
        ax.plot(t, case["log_norm"], color=f"C{k}", label=f"gain {case['gain']}")
        ax.plot(t, case["log_bound"], color=f"C{k}", linestyle=":", linewidth=1)
    low = min(min(case["log_norm"]) for case in cases)
    high = max(max(case["log_norm"]) for case in cases)
    ax.set_ylim(1.1 * low - 1, 3 * max(high, 1))
    ax.set(xlabel="lag t - i (steps)", ylabel=r"$\log \|J_t \cdots J_{i+1}\|$ (nats)", title="tanh; dotted: the bound")
    ax.legend()


def irnn_panel(ax, cases):
    for k, case in enumerate(cases):
        t = np.arange(1, len(case["norm"]) + 1)
        ax.semilogy(t, case["norm"], color=f"C{k}", label=f"s = {case['scale']}")
        ax.semilogy(t, case["expected_norm"], "k:", linewidth=1)
    ax.set(xlabel="step t", ylabel=r"$\|h_t\|$", title="ReLU, $W_{hh} = sI$; dotted: closed form")
    ax.legend()


def orthogonal_panel(ax, cases):
    for k, case in enumerate(cases):
        t = np.arange(1, len(case["log_norm"]) + 1)
        ax.plot(t, case["log_norm"], color=f"C{k}", label=f"gain {case['gain']}")
        ax.plot(t, t * np.log(case["gain"]), "k:", linewidth=1)
    ax.set(xlabel="step t", ylabel="log norm (nats)", title="linear, orthogonal; dotted: t log(gain)")
    ax.legend()


def trained_panel(ax, cases):
    for k, case in enumerate(cases):
        for (path, norm), line in zip(case["norms"].items(), ("-", ":", "--"), strict=False):
            label = case["cell"] if len(case["norms"]) == 1 else f"{case['cell']}, {PATHS[path]}"
            norm = np.where(np.equal(norm, 0), np.nan, norm)  # a logarithm has no zero
            ax.semilogy(case["lag"], norm, line, color=f"C{k}", label=label)
    ax.set(xlabel="lag T - t (steps)", ylabel=r"$\|\partial L_T / \partial s_t\|$", title="trained flip-flops")
    ax.legend()
