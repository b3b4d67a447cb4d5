"""Errors, gradients and times, by task and network."""

from collections.abc import Callable

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, a row a task and a column a network."""
    made = results["machine"]
    parts = [
        ("Error on fresh sequences: median of the seeds (largest)", by_network(results, error, judged(results))),
        ("Norm of the gradient: median over training and seeds", by_network(results, gradient)),
        (f"Milliseconds of processor time a training step, one thread, {made['processor']}", by_network(results, cost)),
        ("Weights", by_network(results, weights)),
    ]
    return "\n\n".join(f"### {title}\n\n{rows}" for title, rows in parts)


def by_network(results: dict, cell: Callable, judged: dict | None = None) -> str:
    """One table; what is known of the tasks stands in front."""
    networks = list(dict.fromkeys(one["network"] for one in results["runs"]))
    judged = judged or {}
    rows = [
        [task, *judged.get(task, {}).values(), *(cell(of(results, task, network)) for network in networks)]
        for task in results["tasks"]
    ]
    return table(["task", *next(iter(judged.values()), {}), *networks], rows)


def judged(results: dict) -> dict[str, dict]:
    """What the error of each task is, and that of a constant answer."""
    return {
        task: {"error": one["measure"], "of a constant answer": f"{one['guess']:.2g}"}
        for task, one in results["tasks"].items()
    }


def of(results: dict, task: str, network: str) -> list[dict]:
    """Runs of one network on one task."""
    return [one for one in results["runs"] if (one["task"], one["network"]) == (task, network)]


def error(runs: list[dict]) -> str:
    """Median and largest error."""
    errors = [one["error"] for one in runs]
    return f"{np.median(errors):.2g} ({max(errors):.2g})"


def gradient(runs: list[dict]) -> str:
    """Median norm of the gradient."""
    return f"{np.median([one['gradient_norm'] for one in runs]):.2g}"


def cost(runs: list[dict]) -> str:
    """Median time of a step."""
    return f"{np.median([one['milliseconds'] for one in runs]):.2g}"


def weights(runs: list[dict]) -> int:
    """Number of weights."""
    return runs[0]["weights"]
