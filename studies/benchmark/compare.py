"""The tables: throughput, ratios, geometric means beside the goals, worst cases."""

import math

from studies.tools import table

MODES = {"forward": "forward", "both": "forward and gradient"}
GOALS = {  # geometric mean of the ratio to a peer, by cell and mode
    ("RNN", "forward"): {"torch": 4.0, "jax": 2.0},
    ("GRU", "forward"): {"torch": 4.0, "jax": 3.5},
    ("LSTM", "forward"): {"torch": 1.6, "jax": 4.0},
    ("RNN", "both"): {"torch": 3.0, "jax": 2.0},
    ("GRU", "both"): {"torch": 3.0, "jax": 2.0},
    ("LSTM", "both"): {"torch": 1.5, "jax": 2.5},
}


def compare(results: dict) -> str:
    """Markdown: the passes, then the searches for fixed points, then the machine; or what a GPU did."""
    if "card" in results:
        from studies.benchmark.cuda import compare as of_gpu

        return of_gpu(results)
    parts = passes(results) if results["rows"] else []
    if results["searches"]:
        parts += searches(results["searches"])
    if results.get("spectra"):
        parts += spectra(results["spectra"])
    if results.get("markov"):
        parts += markov(results["markov"])
    if results.get("filters"):
        parts += filters(results["filters"])
    if results.get("training"):
        parts += training(results["training"])
    made = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    parts.append(
        f"{made['threads']} threads of {made['processor']}; {made['system']}, Python {made['python']}, {versions}. "
        "Medians of interleaved samples, each program in a process of its own; above 1 rnndyn is faster."
    )
    return "\n\n".join(parts)


def spectra(rows: list[dict]) -> list[str]:
    """Tables of the Lyapunov spectra."""
    peers = list(rows[0]["times_faster"])
    lines = [
        [row["N"], row["k"], row["networks"], f"{1e6 * row['seconds']['rnndyn'] / row['steps'] / row['networks']:.3g}"]
        + [f"{row['gflops']:.0f}", f"{100 * row['gflops'] / row['limit_gflops']:.0f} %"]
        + [row["times_faster"][peer] for peer in peers]
        + [f"{max(row['differences'].values(), default=0):.0e}"]
        for row in rows
    ]
    groups = [
        (
            "all exponents, N = 64 to 512",
            "geometric mean",
            [r for r in rows if r["k"] == r["N"] >= 64 and r["networks"] == 1],
        ),
        ("ensembles", "least", [r for r in rows if r["networks"] > 1]),
        ("all settings", "least", rows),
    ]
    goals = {"geometric mean": {"jax": 3, "numpy": 5}, "ensembles": {"jax": 6}, "all settings": {"jax": 1}}
    summary = []
    for group, how, members in groups:
        for peer in peers:
            ratios = [row["times_faster"][peer] for row in members]
            if ratios:
                value = math.exp(sum(map(math.log, ratios)) / len(ratios)) if how == "geometric mean" else min(ratios)
                summary.append([group, peer, how, value, goals.get(group, goals.get(how, {})).get(peer, "")])
    header = ["N", "k", "networks", "us a step and network", "GF/s", "of the limit", *(f"vs {peer}" for peer in peers)]
    return [
        "### Lyapunov spectra, times faster",
        table(["of", "than", "", "times", "goal"], summary),
        table([*header, "largest difference of exponents"], lines),
        "float64, tanh networks of gain 1.5, the same steps, states and frames. rnndyn: the measurement of "
        "`rd.lyapunov_spectrum` with its statistics and its sum rule. jax: a jitted scan with a QR at each step, by "
        "`vmap` for ensembles; numpy: a loop. GF/s count 2 N^2 k + 2 N k^2 operations a step; the limit is the forward "
        "pass of 64 sequences through 256 units, timed in the same turns.",
    ]


def markov(rows: list[dict]) -> list[str]:
    """Tables of the hidden Markov models."""
    peers = list(rows[0]["times_faster"])
    lines, summary = [], []
    for row in rows:
        symbols = row["sequences"] * row["steps"]
        lines.append([row["call"], row["states"], f"{row['sequences']} of {row['steps']}"])
        lines[-1] += [f"{1e9 * row['seconds']['rnndyn'] / symbols:.3g}"]
        lines[-1] += [*(row["times_faster"][peer] for peer in peers), f"{row['difference']:.0e}"]
    for name, goal, some in (
        ("one long sequence", 1, [r for r in rows if r["sequences"] == 1]),
        ("many short ones", 5, [r for r in rows if r["sequences"] > 1]),
    ):
        for peer in peers:
            ratios = [
                (row["times_faster"][peer], f"{row['call']}, {row['states']} states")
                for row in some
                if row["call"] != "dataset"
            ]
            summary.append([name, peer, *min(ratios), goal])
    return [
        "### Hidden Markov models, times faster",
        table(["of", "than", "least", "at", "goal"], summary),
        table(["call", "states", "sequences", "ns a symbol", *(f"vs {peer}" for peer in peers), "difference"], lines),
        "float64, twice as many symbols as states, by the public calls, but for the smoother, which is that on plain "
        "arrays; dataset: the same with the Dataset made of it. em: one step of Baum and Welch. The difference is the "
        "largest relative one of log-likelihoods, of best paths, and of transitions after that step.",
    ]


def filters(rows: list[dict]) -> list[str]:
    """Tables of the Kalman filters."""
    peers, modes = list(rows[0]["differences"]), ("filter", "smoother")
    lines = [
        [row["n"], row["outputs"], row["steps"], row["series"], f"{100 * row['missing']:.0f} %"]
        + [f"{1e3 * row[mode]['seconds']['rnndyn']:.3g}" for mode in modes]
        + [row[mode]["times_faster"][peer] for peer in peers for mode in modes]
        + [f"{max(row['differences'].values(), default=0):.0e}"]
        for row in rows
    ]
    goals = [
        ("one series", [r for r in rows if r["series"] == 1], 1),
        ("many", [r for r in rows if r["series"] > 1 and not r["missing"]], 5),
        ("many, each with its own gaps", [r for r in rows if r["series"] > 1 and r["missing"]], 5),
    ]
    summary = [
        [name, peer, mode, min(row[mode]["times_faster"][peer] for row in members), goal]
        for name, members, goal in goals
        for peer in peers
        for mode in modes
        if members
    ]
    header = ["units", "outputs", "steps", "series", "missing", "filter, ms", "smoother, ms"]
    header += [f"{mode}, vs {peer}" for peer in peers for mode in modes]
    return [
        "### Kalman filter and smoother, times faster: least",
        table(["series", "than", "", "times", "goal"], summary),
        table([*header, "largest difference"], lines),
        "float64, all series of a setting together, from the stationary start: means, covariances and likelihoods of "
        "every step. rnndyn: `rd.kalman_filter` and `rd.rts_smoother`, in square-root form, with checks and Datasets. "
        "statsmodels: `KalmanSmoother`, its usual form with its shortcut to a steady state, one series after another.",
    ]


def training(rows: list[dict]) -> list[str]:
    """Tables of the trainings."""
    peers = list(rows[0]["times_faster"])
    lines = [
        [row["cell"], row["H"], row["T"], row["B"], f"{1e3 * row['seconds']['rnndyn']:.3g}"]
        + [row["times_faster"][peer] for peer in peers]
        + [f"{max(row['differences'].values(), default=0):.0e}"]
        for row in rows
    ]
    header = ["cell", "H", "T", "B", "ms a step", *(f"vs {peer}" for peer in peers), "largest difference of the losses"]
    return [
        "### Training, times faster (goal: 3)",
        table(header, lines),
        "float32, three bits to remember, all sequences at every step, Adam, gradients clipped by norm: `rd.train` "
        "with its checks and its history; torch: layer, read-out, `clip_grad_norm_` and fused Adam in a loop.",
    ]


def searches(rows: list[dict]) -> list[str]:
    """Tables of the searches for fixed points."""
    peers = [peer for peer in ("adam", "scipy") if peer in rows[0]["times_faster"]]
    lines = [
        [row["network"], *(f"{1e3 * row['seconds'][ours]:.3g}" for ours in ("rnndyn", "certified", "fixed_points"))]
        + [row["times_faster"][peer] for peer in peers]
        + [row["points"]["rnndyn"], row["points"]["fixed_points"], row["points"].get("adam", "")]
        + [row.get("lacking", {}).get("fixed_points", ""), f"{row['worst_q']['rnndyn']:.1e}"]
        for row in rows
    ]
    header = ["network", "search, ms", "certified, ms", "rd.fixed_points, ms", *(f"vs {peer}" for peer in peers)]
    header += ["points", "rd.fixed_points", "adam", "of these lacking", "worst q"]
    return [
        "### Fixed points of trained flip-flop networks, from 1024 starts",
        table(header, lines),
        "Ratios are of the search alone on both sides: a converged state for each start. Certified: merged into "
        "distinct points, each with its proof. `rd.fixed_points` adds eigenvectors and their errors, and goes on until "
        "the set is consistent. adam: FixedPointFinder's method and defaults, the optimisation alone; its points are "
        "those of its states with q < 1e-10, polished. scipy: `root` with the Jacobian, from 32 of the starts, "
        "times 32.",
    ]


def passes(results: dict) -> list[str]:
    """Markdown: a summary, then one table a cell and mode."""
    rows, peers = results["rows"], results["programs"][1:]
    groups = list(dict.fromkeys((row["cell"], row["mode"]) for row in rows))
    parts = [
        "### Times faster than the peers: geometric mean over H and B, goal, worst case",
        summary(rows, groups, peers),
    ]
    for cell, mode in groups:
        parts += [
            f"### {cell}, {MODES[mode]}",
            detail([r for r in rows if (r["cell"], r["mode"]) == (cell, mode)], peers),
        ]
    parts.append(
        f"float32, T = {results['steps']}, I = H. `run` is rnndyn through its front door, with checks and an xarray "
        "result."
    )
    return parts


def summary(rows, groups, peers) -> str:
    """One line a cell, mode and peer."""
    lines = []
    for cell, mode in groups:
        for peer in peers:
            ratios = [
                (row["times_faster"][peer], row)
                for row in rows
                if (row["cell"], row["mode"]) == (cell, mode) and peer in row["times_faster"]
            ]
            if not ratios or peer == "run":
                continue
            mean = math.exp(sum(math.log(ratio) for ratio, _ in ratios) / len(ratios))
            worst, where = min(ratios, key=lambda pair: pair[0])
            goal = GOALS.get((cell, mode), {}).get(peer, "")
            reached = "" if goal == "" else "yes" if mean >= goal and worst >= 1 else "no"
            lines.append([cell, MODES[mode], peer, mean, goal, worst, f"H {where['H']}, B {where['B']}", reached])
    return table(["cell", "work", "peer", "mean", "goal", "worst", "at", "goal reached, never slower"], lines)


def detail(rows, peers) -> str:
    """One line a size and batch: time, throughput, ratio to each peer."""
    peers = [peer for peer in peers if any(peer in row["times_faster"] for row in rows)]
    lines = [
        [row["H"], row["B"], f"{1e3 * row['seconds']['rnndyn']:.3g}", f"{row['gflops']:.0f}"]
        + [row["times_faster"].get(peer, "") for peer in peers]
        for row in rows
    ]
    return table(["H", "B", "ms", "GF/s", *(f"vs {peer}" for peer in peers)], lines)
