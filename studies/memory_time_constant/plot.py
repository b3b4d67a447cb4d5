"""The figure: a written value, the time constant of a held gate, what recurrence and input do to it."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 5.0), layout="constrained")
    panels = figure.subplots(2, 2)
    written_panel(panels[0, 0], results["written"], results["tau"])
    forget_panel(panels[0, 1], results)
    gain_panel(panels[1, 0], results)
    drive_panel(panels[1, 1], results)
    return figure


def written_panel(ax, case, tau):
    ax.plot(case["time"], case["c"], label="c, measured")
    ax.plot(case["time"], case["expected"], "k:", label=r"$\exp(-t/\tau)$")
    ax.axvline(tau, color="0.6", linewidth=0.8, label=rf"$\tau$ = {tau:.3f} s")
    ax.set(xlabel="time (s)", ylabel="cell state c", title="a written value, f = 0.95")
    ax.legend()


def forget_panel(ax, results):
    f = np.array([case["forget"] for case in results["by_forget"]])
    fine = np.linspace(f[0], f[-1], 400)
    ax.semilogy(fine, -results["dt"] / np.log(fine), "k:", label=r"$-\Delta t / \ln f$")
    ax.semilogy(f, [case["measured"] for case in results["by_forget"]], "o", color="C0", label="measured")
    ax.set(xlabel="forget gate f", ylabel=r"time constant $\tau$ (s)", title="gate held, no recurrence")
    ax.legend()


def gain_panel(ax, results):
    gain = [case["gain"] for case in results["by_gain"]]
    ax.semilogy(
        gain, [case["expected"] for case in results["by_gain"]], "k:", label=r"$-\Delta t / \ln\max|f + i\,o\,\mu|$"
    )
    ax.semilogy(gain, [case["measured"] for case in results["by_gain"]], "o", color="C0", label="measured")
    ax.axhline(results["tau"], color="C1", linestyle="--", label="gate alone")
    ax.axvline(results["critical_gain"], color="0.6", linewidth=0.8, label="no decay from here on")
    ax.set(xlabel="gain of the recurrent weights", ylabel=r"time constant $\tau$ (s)", title="at rest")
    ax.set_xticks([0, 0.05, 0.1, 0.15, 0.2])
    ax.legend()


def drive_panel(ax, results):
    drive = [case["drive"] for case in results["by_drive"]]
    for k, (name, label) in enumerate((("whole", "all paths"), ("direct", r"direct path $\prod f_t$"))):
        ax.plot(drive, [case[name] for case in results["by_drive"]], "o-", color=f"C{2 * k}", label=label)
    ax.axhline(results["tau"], color="C1", linestyle="--", label="gate alone")
    ax.set(xlabel="strength of the input", ylabel=r"time constant $\tau$ (s)", title="under noise, gain 0.12")
    ax.set_ylim(bottom=0)
    ax.legend()
