"""The measured beside the proved."""

import numpy as np

from studies.tools import table

METHODS = {"newton": "Newton", "fibres": "fibres", "trust-ncg": "trust-ncg", "hybr": "hybr"}


def compare(results: dict) -> str:
    """Markdown tables: points found, planted points found, and the proofs."""
    sizes = sorted({case["N"] for case in results["cases"]})
    groups = {N: [case for case in results["cases"] if case["N"] == N] for N in sizes}
    number = len(groups[sizes[0]])
    parts = [
        (
            f"Distinct points found in {results['seconds']:g} s each: mean over {number} networks",
            ["N", *METHODS.values(), "union", "only fibres", "only trust-ncg", "all (proved)"],
            [found_row(N, cases) for N, cases in groups.items()],
        ),
        (
            "Share of the planted points that was found",
            ["N", *METHODS.values()],
            [[N, *(mean(case["planted"][name] for case in cases) for name in METHODS)] for N, cases in groups.items()],
        ),
        (
            "Branch and bound",
            ["N", "proved complete", "boxes, mean", "seconds, mean", "found elsewhere, but not by it"],
            [proof_row(N, cases) for N, cases in groups.items() if cases[0]["boxes"]],
        ),
    ]
    return "\n\n".join(f"### {title}\n\n{table(header, rows)}" for title, header, rows in parts)


def found_row(N: int, cases: list[dict]) -> list:
    proved = [case["all"] for case in cases if case["all"] is not None]
    shared = [mean(case[name] for case in cases) for name in ("union", "only_fibres", "only_trust")]
    whole = mean(proved) if len(proved) == len(cases) else "-"
    return [N, *(mean(case["found"][name] for case in cases) for name in METHODS), *shared, whole]


def proof_row(N: int, cases: list[dict]) -> list:
    proved = [case for case in cases if case["all"] is not None]
    beyond = sum(max(0, case["union"] - case["all"]) for case in proved)
    times = [mean(case[name] for case in cases) for name in ("boxes", "proof_seconds")]
    return [N, f"{len(proved)} of {len(cases)}", *times, beyond]


def mean(values) -> float:
    return float(np.mean(list(values)))
