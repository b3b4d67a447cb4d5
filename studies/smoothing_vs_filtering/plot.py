"""The figure: the ratio by slope and noise, towards the end, and the errors of trained networks."""

from matplotlib.figure import Figure

from studies.smoothing_vs_filtering.compare import NAMES


def plot(results: dict) -> Figure:
    """Draw the three panels."""
    figure = Figure(figsize=(6.8, 2.5), layout="constrained")
    ratios, end, networks = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    ratio_panel(ratios, results["curve"], results["ratios"])
    end_panel(end, results["end"])
    network_panel(networks, results["networks"])
    return figure


def ratio_panel(ax, curve, cases):
    for k, (r, values) in enumerate(curve["ratio"].items()):
        ax.plot(curve["a"], values, color=f"C{k}", label=f"r / q = {float(r):g}")
        points = [(case["a"], case["measured"]) for case in cases if case["r"] == float(r)]
        ax.plot(*zip(*points, strict=True), "osv"[k], color=f"C{k}", markersize=3)
    ax.set(xlabel="a", ylabel="error of smoother / filter", title="lines: theory, marks: measured", ylim=(0.5, 1.02))
    ax.legend(loc="lower center")


def end_panel(ax, shares):
    ax.plot(range(len(shares)), shares, "o-", markersize=3)
    ax.set(xlabel="steps before the end", ylabel="variance of smoother / filter", title="the future runs out")


def network_panel(ax, case):
    for k, name in enumerate(("filtered", "smoothed")):
        ax.axhline(case["optimum"][name], color=f"C{k}", label=f"{'filter' if k == 0 else 'smoother'}, the optimum")
    for x, row in enumerate(case["networks"]):
        k = int(row["direction"] == "both")
        ax.plot(
            x,
            row["error"],
            "os"[k],
            color=f"C{k}",
            markersize=5,
            fillstyle="full" if row["kind"] == "Linear" else "none",
        )
    names = [f"{NAMES[row['kind']]}\n{'both' if row['direction'] == 'both' else 'forward'}" for row in case["networks"]]
    ax.set_xticks(range(len(names)), names, fontsize=6)
    ax.set(ylabel="mean square error", title="trained networks", xlim=(-0.5, len(names) - 0.5))
    low, high = case["optimum"]["smoothed"], case["optimum"]["filtered"]
    ax.set_ylim(low - 0.3 * (high - low), high + 0.9 * (high - low))
    ax.legend(loc="upper right")
