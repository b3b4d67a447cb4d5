"""The measured beside the published."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    a, b = results["fit"]
    return "\n\n".join(
        [
            "### Cycles of period k: found and published, largest multiplier of each",
            table(["k", "found", "published", "largest multiplier", "error bound"], map(cycle_row, results["cases"])),
            "### Linear problems solved until the first cycle of period k, median over searches (how many found one)",
            table(
                ["k", "random codes", "codes of runs", f"published fit {a} + {b} k, k <= 50", "drawing from all, mean"],
                (effort_row(case, a, b) for case in results["cases"]),
            ),
        ]
    )


def moduli(case: dict) -> list[float]:
    """Largest modulus of the multipliers of each cycle."""
    return [float(np.hypot(*cycle["multipliers"][0])) for cycle in case["cycles"]]


def cycle_row(case: dict) -> list:
    largest = ", ".join(f"{m:.4f}" for m in sorted(moduli(case)))
    bound = max((cycle["error_bound"] for cycle in case["cycles"]), default=float("nan"))
    return [case["k"], len(case["cycles"]), case["published"], largest, bound]


def effort_row(case: dict, a: float, b: float) -> list:
    shown = [f"{median(case['first'][kind]):.3g} ({found(case['first'][kind])})" for kind in ("random", "runs")]
    return [case["k"], *shown, a + b * case["k"] if case["k"] <= 50 else "-", drawing(case)]


def median(counts: list) -> float:
    """Median over all searches; one that found nothing took longer than any other."""
    return float(np.median([np.inf if n is None else n for n in counts]))


def found(counts: list) -> str:
    """How many searches found one, of how many."""
    return f"{sum(n is not None for n in counts)} of {len(counts)}"


def drawing(case: dict) -> float:
    """Mean number of draws, without replacement, from all 4^k sequences until one of the cycles' rotations is met."""
    return (4.0 ** case["k"] + 1) / (case["k"] * case["published"] + 1)
