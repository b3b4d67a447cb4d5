"""Losses after training, by clipping and learning rate."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables: losses, and the gradients on the way."""
    kinds = list(dict.fromkeys(one["clipping"] for one in results["runs"]))
    rates = sorted({one["rate"] for one in results["runs"]})
    header = ["clipping", *(f"rate {rate:g}" for rate in rates)]
    losses, norms = (
        table(header, [[kind, *(cell(of(results, kind, rate)) for rate in rates)] for kind in kinds])
        for cell in (loss, gradient)
    )
    return (
        f"### Loss after training: median over the seeds of those that did not diverge\n\n{losses}\n\n"
        f"### Largest norm of the gradient, before clipping, of all seeds\n\n{norms}"
    )


def of(results: dict, kind: str, rate: float) -> list[dict]:
    """Runs of one kind and rate."""
    return [one for one in results["runs"] if (one["clipping"], one["rate"]) == (kind, rate)]


def loss(runs: list[dict]) -> str:
    """Median loss, and how many diverged."""
    good = [one["final"] for one in runs if not one["diverged"]]
    bad = len(runs) - len(good)
    words = [f"{np.median(good):.3g}"] if good else []
    return ", ".join([*words, f"{bad} of {len(runs)} diverged"] if bad else words)


def gradient(runs: list[dict]) -> float:
    """Largest norm of the gradient."""
    return max(one["largest_gradient"] for one in runs)
