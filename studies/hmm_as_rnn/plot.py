"""The figure: readings, exponents, chains, a long memory."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """Draw the four panels."""
    figure = Figure(figsize=(6.8, 4.8), layout="constrained")
    panels = figure.subplots(2, 2)
    reading_panel(panels[0, 0], results["readings"])
    bit_panel(panels[0, 1], results["bits"])
    tent_panel(panels[1, 0], results["tents"])
    long_panel(panels[1, 1], results["long_memory"])
    return figure


def reading_panel(ax, cases):
    T = [c["T"] for c in cases]
    for key, name in (
        ("pooled", "belief through the softmax"),
        ("unheard", "observations unheard"),
        ("network", "belief network"),
    ):
        errors = [max(abs(c[key] - c["exact"]), 1e-16) for c in cases]
        ax.loglog(T, errors, "o-", label=name)
    eps = np.finfo(float).eps
    ax.loglog(T, [eps * abs(c["exact"]) for c in cases], "--", color="C6", label="one rounding of the whole")
    ax.set(xlabel="symbols T", ylabel="error of the log-likelihood (nat)", title="one model, three readings")
    ax.set_ylim(5e-17, 1e12)  # an error of zero is drawn at 1e-16
    ax.legend(loc="upper left")


def bit_panel(ax, cases):
    p = [c["p"] for c in cases]
    rate = np.array([c["likelihood_rate"] for c in cases])
    bounds = np.array([c["entropy_bounds"] for c in cases])
    sums = np.array([c["sum_rule"] for c in cases])
    exponents = np.array([c["exponents"] for c in cases])
    ax.plot(p, bounds.mean(axis=1), "-", color="C0", label="entropy rate")
    ax.plot(p, -exponents[:, 0], "o", color="C0", label="minus the first exponent")
    ax.plot(p, 2 * rate - sums, "-", color="C1", label="sum rule")
    ax.plot(p, exponents[:, 0] - exponents[:, 1], "o", color="C1", label="gap of the exponents")
    ax.plot(p, [c["decay"] for c in cases], "x", color="C2", label="decay of distances")
    ax.set(xlabel="probability p to flip", ylabel="rate (nat/step)", title="a bit seen through noise")
    ax.set_ylim(bottom=0)
    ax.legend(loc="upper left")


def tent_panel(ax, cases):
    slope = np.array([c["slope"] for c in cases])
    line = np.linspace(slope.min(), slope.max(), 100)
    ax.plot(line, np.log(line), "-", color="C6", label="Lyapunov exponent")
    ax.plot(slope, [c["entropy_rate"] for c in cases], "o", color="C0", label="chain of two cells")
    ax.plot(slope, [c["with_memory"] for c in cases], "x", color="C1", label="with memory")
    ax.axvline((1 + 5**0.5) / 2, color="C6", linestyle=":", linewidth=0.8, label="Markov partition")
    ax.set(xlabel="slope of the tent", ylabel="entropy rate (nat/step)", title="a Markov chain out of a network")
    ax.legend(loc="lower right")


def long_panel(ax, case):
    order = [c["order"] for c in case["ngrams"]]
    ax.plot(order, [c["mean"] for c in case["ngrams"]], "o-", color="C0", label="n-gram")
    ax.axhline(case["network"]["mean"], color="C1", linestyle="--", label="GRU")
    ax.axhline(case["exact"]["mean"], color="C6", linewidth=0.9, label="the model itself")
    ax.set(xlabel="symbols remembered", ylabel="nats a symbol, fresh data", title="a long memory")
    ax.legend(loc="upper center")
