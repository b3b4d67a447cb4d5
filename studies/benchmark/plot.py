"""The figure: how many times faster than each peer, against H."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from studies.benchmark.compare import MODES

MARKS = {1: "o", 32: "s", 64: "D", 256: "^", 1024: "v"}


def plot(results: dict) -> Figure:
    """The passes, or what else was measured."""
    if results["rows"]:
        return passes(results)
    if results.get("ensembles"):
        return by_size(results["ensembles"], "runs of an ensemble", 5)
    if results.get("searches"):
        return searches(results["searches"])
    if results["spectra"]:
        return spectra(results["spectra"])
    if results["training"]:
        return by_size(results["training"], "a step of training", 3)
    return filters(results["filters"]) if results["filters"] else markov(results["markov"])


def by_size(rows: list[dict], work: str, goal: int) -> Figure:
    """How many times faster than each peer, by size; one line a cell and peer."""
    figure = Figure(figsize=(3.4, 2.4), layout="constrained")
    ax = figure.subplots()
    for k, cell in enumerate(dict.fromkeys(row["cell"] for row in rows)):
        for peer in rows[0]["times_faster"]:
            points = [(row["H"], row["times_faster"][peer]) for row in rows if row["cell"] == cell]
            ax.loglog(*zip(*points, strict=True), "os^"[k] + "-", label=f"{cell}, {peer}")
    ax.axhline(1, color="black", linewidth=1)
    ax.axhline(goal, color="black", linewidth=0.5, linestyle=":", label="goal")
    ax.set(xlabel="units H", ylabel=f"times faster, {work}")
    ax.set_xticks(sorted({row["H"] for row in rows}), minor=False)
    highest = max(10, *(ratio for row in rows for ratio in row["times_faster"].values()))
    ax.set_yticks([tick for tick in (1, 2, 3, 5, 10, 20, 50, 100, 200) if tick <= highest], minor=False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    ax.legend(fontsize=6)
    return figure


def filters(rows: list[dict]) -> Figure:
    """How many times faster than each peer, by setting."""
    figure = Figure(figsize=(3.4, 2.6), layout="constrained")
    ax = figure.subplots()
    names = [f"{r['series']} x {r['steps']}, H {r['n']}{', gaps' if r['missing'] else ''}" for r in rows]
    for k, mode in enumerate(("filter", "smoother")):
        for peer in rows[0]["differences"]:
            ax.semilogx([r[mode]["times_faster"][peer] for r in rows], names, "os"[k], label=f"{mode}, {peer}")
    ax.axvline(1, color="black", linewidth=1)
    ax.set(xlabel="times faster", ylabel="series x steps, units")
    ax.tick_params(axis="y", labelsize=5)
    ax.legend(fontsize=5)
    return figure


def spectra(rows: list[dict]) -> Figure:
    """How many times faster than each peer, by size."""
    figure = Figure(figsize=(3.4, 2.6), layout="constrained")
    ax = figure.subplots()
    for k, peer in enumerate(rows[0]["times_faster"]):
        for mark, label, some in (
            ("o-", "all exponents", [r for r in rows if r["k"] == r["N"] and r["networks"] == 1]),
            ("s", "leading", [r for r in rows if r["k"] < r["N"]]),
            ("^", "ensembles", [r for r in rows if r["networks"] > 1]),
        ):
            points = [(r["N"], r["times_faster"][peer]) for r in some]
            if points:
                ax.loglog(*zip(*points, strict=True), mark, color=f"C{k}", label=f"{peer}, {label}")
    ax.axhline(1, color="black", linewidth=1)
    ax.set(xlabel="units N", ylabel="times faster")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.legend(fontsize=5)
    return figure


def markov(rows: list[dict]) -> Figure:
    """How many times faster than the peer, by number of states."""
    figure = Figure(figsize=(3.4, 2.6), layout="constrained")
    ax = figure.subplots()
    for k, call in enumerate(dict.fromkeys(row["call"] for row in rows)):
        for mark, label, some in (
            ("o-", "one long", [r for r in rows if r["call"] == call and r["sequences"] == 1]),
            ("^--", "many short", [r for r in rows if r["call"] == call and r["sequences"] > 1]),
        ):
            points = [(r["states"], ratio) for r in some for ratio in r["times_faster"].values()]
            if points:
                ax.loglog(*zip(*points, strict=True), mark, color=f"C{k}", label=f"{call}, {label}")
    ax.axhline(1, color="black", linewidth=1)
    ax.set(xlabel="states", ylabel="times faster than hmmlearn")
    ax.set_xticks(sorted({row["states"] for row in rows}), minor=False)
    ax.set_yticks([1, 2, 5, 10, 20], minor=False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    ax.legend(fontsize=5, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def searches(rows: list[dict]) -> Figure:
    """How many times faster than each peer, by network."""
    figure = Figure(figsize=(3.4, 2.6), layout="constrained")
    ax = figure.subplots()
    for k, peer in enumerate(peer for peer in ("adam", "scipy", "torch") if peer in rows[0]["times_faster"]):
        ax.semilogy([row["network"] for row in rows], [row["times_faster"][peer] for row in rows], "os"[k], label=peer)
    ax.axhline(20, color="black", linewidth=1)
    ax.set(ylabel="times faster", xlabel="network and number of units")
    ax.tick_params(axis="x", rotation=45)
    ax.legend()
    return figure


def passes(results: dict) -> Figure:
    """One panel a cell and mode; colour: peer, mark: batch; above the line at 1 rnndyn is faster."""
    rows = [row for row in results["rows"] if row.get("dtype", "float32") == "float32"]
    peers = [peer for peer in results["programs"][1:] if peer != "run"]
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    figure = Figure(figsize=(2.3 * len(cells), 4.6), layout="constrained")
    panels = figure.subplots(len(MODES), len(cells), squeeze=False, sharex=True)
    for line, mode in zip(panels, MODES, strict=True):
        for ax, cell in zip(line, cells, strict=True):
            for k, peer in enumerate(peers):
                for batch in dict.fromkeys(row["B"] for row in rows):
                    some = [r for r in rows if (r["cell"], r["mode"], r["B"]) == (cell, mode, batch)]
                    points = [(r["H"], r["times_faster"][peer]) for r in some if peer in r["times_faster"]]
                    if points:
                        label = f"{peer}, B = {batch}"
                        ax.loglog(*zip(*points, strict=True), f"{MARKS.get(batch, 'x')}-", color=f"C{k}", label=label)
            ax.axhline(1, color="black", linewidth=1)
            ax.set(title=f"{cell}, {MODES[mode]}", xlabel="H", ylabel="times faster")
            ax.set_xticks(sorted({row["H"] for row in rows}), minor=False)
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.minorticks_off()
    panels[0, 0].legend(fontsize=5)
    return figure
