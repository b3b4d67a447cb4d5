"""The tables of what was measured on a GPU."""

from studies.benchmark.compare import MODES
from studies.tools import table


def compare(results: dict) -> str:
    """Markdown: passes, ensembles, searches, spectra, the machine."""
    parts = passes(results["rows"], results["steps"]) if results["rows"] else []
    parts += ensembles(results["ensembles"]) if results["ensembles"] else []
    parts += searches(results["searches"]) if results["searches"] else []
    parts += spectra(results["spectra"]) if results["spectra"] else []
    made = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    parts.append(
        f"{results['card']}, {made['threads']} threads of {made['processor']}; {made['system']}, Python "
        f"{made['python']}, {versions}; commit {made['commit']}, {made['date']}. Medians of interleaved samples, each "
        "program in a process of its own; above 1 rnndyn is faster. Of the limit: the least time by the operations and "
        "bytes that any program needs and the card's units and clocks, over the time taken."
    )
    return "\n\n".join(parts)


def percent(share: float | None) -> str:
    """A share of the limit; nothing for a card whose limits are not known."""
    return "" if share is None else f"{100 * share:.2g} %"


def passes(rows: list[dict], steps: int) -> list[str]:
    """One table of all settings."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["times_faster"]))
    lines = [
        [row["cell"], MODES[row["mode"]], row["H"], row["B"], row["dtype"]]
        + [f"{1e3 * row['seconds']['rnndyn']:.3g}", f"{row['gflops']:.0f}", percent(row["roofline"])]
        + [row["times_faster"].get(peer, "") for peer in peers]
        for row in rows
    ]
    header = ["cell", "work", "H", "B", "dtype", "ms", "GF/s", "of the limit", *(f"vs {peer}" for peer in peers)]
    return [
        "### Passes, times faster",
        table(header, lines),
        f"T = {steps}, I = H, data on the GPU before and after; products in full precision. torch: its layers, that "
        "is cuDNN. run: rnndyn through its front door, from the processor's arrays to an xarray result.",
    ]


def ensembles(rows: list[dict]) -> list[str]:
    """One table of all settings."""
    peers = list(rows[0]["times_faster"])
    lines = [
        [row["cell"], row["H"], row["networks"], row["B"], f"{1e3 * row['seconds']['rnndyn']:.3g}"]
        + [percent(row["roofline"]), *(row["times_faster"][peer] for peer in peers)]
        for row in rows
    ]
    header = ["cell", "H", "networks", "B", "ms", "of the limit", *(f"vs {peer}" for peer in peers)]
    return [
        "### Runs of ensembles, times faster",
        table(header, lines),
        f"float32, T = {rows[0]['steps']}, I = H, the same B sequences for every network, data on the GPU before and "
        "after; products in full precision. rnndyn: one launch, as the spectra of an ensemble have it. torch: a loop "
        "over steps by `torch.vmap`; jax: one compiled scan by `jax.vmap`.",
    ]


def searches(rows: list[dict]) -> list[str]:
    """One table of all networks."""
    programs = list(rows[0]["seconds"])
    lines = [
        [row["network"], *(f"{1e3 * row['seconds'][program]:.3g}" for program in programs)]
        + [
            percent(row["roofline"]),
            row["times_faster"].get("torch", ""),
            *(row["points"][program] for program in programs),
        ]
        for row in rows
    ]
    header = [f"{program}, ms" for program in programs], [f"points of {program}" for program in programs]
    return [
        "### Fixed points of trained flip-flop networks, from 1024 starts",
        table(["network", *header[0], "of the limit", "vs torch", *header[1]], lines),
        "rnndyn: Newton steps on the GPU, judged by the processor; fixed_points: all of `rd.fixed_points`, most of it "
        "on the processor. torch: damped Newton steps for all starts at once, Jacobians by `torch.func`. The limit "
        "counts a product with the recurrent weights for each state that is tried and for each direction, no solving.",
    ]


def spectra(rows: list[dict]) -> list[str]:
    """One table of all settings."""
    peers = list(rows[0]["times_faster"])
    lines = [
        [row["N"], row["k"], row["networks"], f"{1e6 * row['seconds']['rnndyn'] / row['steps'] / row['networks']:.3g}"]
        + [percent(row["roofline"]), *(row["times_faster"][peer] for peer in peers)]
        + [f"{max(row['differences'].values(), default=0):.0e}"]
        for row in rows
    ]
    header = ["N", "k", "networks", "us a step and network", "of the limit", *(f"vs {peer}" for peer in peers)]
    return [
        "### Lyapunov spectra, times faster",
        table([*header, "largest difference of exponents"], lines),
        "float64, tanh networks of gain 1.5. rnndyn: the measurement of `rd.lyapunov_spectrum` without its sum rule. "
        "torch: a loop with a QR at each step, by `torch.vmap` for ensembles; cupy: the same with stacked matrices; "
        "jax: one compiled scan, by `jax.vmap`.",
    ]
