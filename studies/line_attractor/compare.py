"""The measured beside the expected."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a network."""
    return "\n\n".join(f"### {name}\n\n{table(*rows(result))}" for name, result in results.items())


def rows(result: dict):
    """Header and rows: one a tolerance; the largest drift and the theory stand in the header."""
    drift = np.abs(result["curve"]["drift"]).max() if result["curve"]["drift"] else np.nan
    error = np.max(result["curve"]["drift_error"]) if result["curve"]["drift_error"] else np.nan
    size = f"drift up to {drift:.1e}" if drift > error else f"drift below {error:.1e}"
    theory = f" (theory for many units {result['expected length']:.5f})" if result["expected length"] else ""
    header = ["tolerance", "unique points by tolerance", f"manifolds, {size}", "length" + theory, "fixed points on it"]
    lines = []
    for row in result["rows"]:
        lengths = ", ".join(
            f"{length:.5f} ± {error:.0e}" for length, error in zip(row["length"], row["length error"], strict=True)
        )
        found = ", ".join(row["topology"]) or "none"
        lines.append([f"{row['tolerance']:.0e}", row["unique points"], found, lengths, row["fixed points on it"]])
    return header, lines
