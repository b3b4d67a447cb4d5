"""The measured beside the planted and the proved."""

import numpy as np

from studies.tools import table

CLAIMS = ("proved", "consistent", "incomplete")
METHODS = {"newton": "Newton", "fibres": "fibres", "trust-ncg": "trust-ncg", "hybr": "hybr"}


def compare(results: dict) -> str:
    """Markdown tables: points found, planted points found, and the proofs."""
    sizes = sorted({case["N"] for case in results["cases"]})
    groups = {N: [case for case in results["cases"] if case["N"] == N] for N in sizes}
    parts = [
        (
            "Distinct points found in equal processor time: means",
            ["N", "networks", "seconds", *METHODS.values(), "union", "only fibres", "only trust-ncg", "all (proved)"],
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
        (
            "`rd.fixed_points`: what it claims of its set, and the planted points that are missing from it",
            ["completeness", "networks", "N", "planted points", "of these missing", "networks that lack any"],
            [claim_row(name, results["claims"]) for name in CLAIMS],
        ),
        (
            "`rd.fixed_points`: by size",
            ["N", *CLAIMS, "points listed, mean", "not certified", "seconds, mean"],
            [size_row(N, results["claims"]) for N in sorted({case["N"] for case in results["claims"]})],
        ),
    ]
    return "\n\n".join(f"### {title}\n\n{table(header, rows)}" for title, header, rows in parts)


def found_row(N: int, cases: list[dict]) -> list:
    proved = [case["all"] for case in cases if case["all"] is not None]
    shared = [mean(case[name] for case in cases) for name in ("union", "only_fibres", "only_trust")]
    whole = mean(proved) if len(proved) == len(cases) else "-"
    seconds = mean(mean(case["spent"].values()) for case in cases)
    return [N, len(cases), seconds, *(mean(case["found"][name] for case in cases) for name in METHODS), *shared, whole]


def proof_row(N: int, cases: list[dict]) -> list:
    proved = [case for case in cases if case["all"] is not None]
    beyond = sum(max(0, case["union"] - case["all"]) for case in proved)
    times = [mean(case[name] for case in cases) for name in ("boxes", "proof_seconds")]
    return [N, f"{len(proved)} of {len(cases)}", *times, beyond]


def claim_row(name: str, cases: list[dict]) -> list:
    cases = [case for case in cases if case["completeness"] == name]
    sizes = sorted({case["N"] for case in cases})
    missed = [case["planted_missed"] for case in cases]
    extent = f"{sizes[0]} to {sizes[-1]}" if cases else "-"
    return [name, len(cases), extent, sum(case["planted"] for case in cases), sum(missed), sum(m > 0 for m in missed)]


def size_row(N: int, cases: list[dict]) -> list:
    cases = [case for case in cases if case["N"] == N]
    counts = [sum(case["completeness"] == name for case in cases) for name in CLAIMS]
    means = [mean(case[name] for case in cases) for name in ("points", "seconds")]
    return [N, *counts, means[0], sum(case["uncertified"] for case in cases), means[1]]


def mean(values) -> float:
    return float(np.mean(list(values)))
