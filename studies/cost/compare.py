"""Fitted exponents beside those of T (H^2 + H I)."""

import numpy as np

from studies.tools import table


def exponent(values, costs) -> float:
    """Slope of log cost against log value, by least squares."""
    return float(np.polyfit(np.log(values), np.log(costs), 1)[0])


def compare(results: dict) -> str:
    """One table: cell, varied size, fitted exponents of run and gradient, expected exponent."""
    rows = []
    for series in results["series"]:
        values = series["values"]
        others = ", ".join(f"{k} = {v}" for k, v in series["fixed"].items())
        fits = [exponent(values, series[which]) for which in ("forward", "gradient", "expected")]
        rows.append([series["cell"], f"{series['size']} = {values[0]} .. {values[-1]}", others, *fits])
    made = results["machine"]
    return "\n\n".join(
        [
            "### Exponents of the cost, float32",
            table(["cell", "varied", "fixed", "run", "run and gradient", "T (H² + H I)"], rows),
            f"Batch {results['batch']}, {made['threads']} threads, {made['processor']}.",
        ]
    )
