"""The measured beside theory and the published."""

import math

import numpy as np

from studies.tools import table

# One Gaussian network with N = 4096, by gain: simulations of [clark2026]_.
PUBLISHED = {
    2.0: {"exponent": 0.154249, "dimension": 0.25659, "entropy_rate": 0.010608, "unstable": 0.13257},
    3.0: {"exponent": 0.309583, "dimension": 0.28717, "entropy_rate": 0.025106, "unstable": 0.15259},
}
NAMES = {
    "exponent": "largest exponent",
    "dimension": "dimension / N",
    "entropy_rate": "entropy rate / N",
    "unstable": "positive exponents / N",
}


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    large = results["large"][0]
    title = f"One network of {large['units']} units, {large['steps']} steps, beside theory + a / N"
    parts = [(title, large_rows(results)), ("Over the gain", sweep_rows(results["sweep"]))]
    full = [case for case in results["sweep"] if not math.isnan(case["sum_rule_defect"])]
    defect = max(case["sum_rule_defect"] for case in full)
    spectra = sum(case["networks"] for case in full)
    odd = [case for case in results["sweep"] + results["sizes"] + results["large"] if case["not_fine"]]
    ending = f"Sum of the exponents less the mean of log abs det J, over {spectra} full spectra, at most: {defect:.1e}."
    ending += "".join(f" {c['not_fine']} {c['kind']} at gain {c['gain']:g}: status other than 0." for c in odd)
    return "\n\n".join([*(f"### {title}\n\n{table(*rows)}" for title, rows in parts), ending])


def same(case: dict, other: dict) -> bool:
    """Whether two cases have the same kind and gain."""
    return (case["kind"], case["gain"]) == (other["kind"], other["gain"])


def shift(cases: list, limit: dict, name: str) -> tuple[float, float]:
    """The a of theory + a / N, fitted to several sizes by least squares with their standard errors; and its error."""
    x = np.array([1 / case["units"] for case in cases])
    y = np.array([case["value"][name] for case in cases]) - limit["value"][name]
    weight = np.array([case["stderr"][name] for case in cases]) ** -2.0
    variance = 1 / (weight @ x**2)
    a = variance * (weight @ (x * y))
    return float(a), float(np.sqrt(variance * max(1, weight @ (y - a * x) ** 2 / max(1, len(x) - 1))))


def large_rows(results):
    header = ["weights", "gain", "", "measured", "stderr", "theory", "a", "theory + a/N", "apart, stderrs", "N = 4096"]
    rows = []
    for case, limit in zip(results["large"], results["limit"], strict=True):
        sizes = [size for size in results["sizes"] if same(size, case)]
        for name, title in NAMES.items():
            published = PUBLISHED[case["gain"]][name] if case["kind"] == "gaussian" else ""
            value, theory = case["value"][name], limit["value"][name]
            rest = apart(case, limit, shift(sizes, limit, name), name) if name in case["stderr"] else [""] * 3
            stderr = f"{case['stderr'][name]:.5f}" if name in case["stderr"] else ""
            head = [case["kind"], f"{case['gain']:g}", title, f"{value:.5f}", stderr, f"{theory:.5f}"]
            rows.append([*head, *rest, f"{published:.5f}" if published else ""])
    return header, rows


def apart(case: dict, limit: dict, shift: tuple[float, float], name: str) -> list[str]:
    """The shift, the value expected of this size, and the distance from it in standard errors."""
    (a, error), n = shift, case["units"]
    expected = limit["value"][name] + a / n
    distance = (case["value"][name] - expected) / np.hypot(case["stderr"][name], error / n)
    return [f"{a:.2f} ± {error:.2f}", f"{expected:.5f}", f"{distance:.1f}"]


def sweep_rows(cases):
    rows = []
    for case in cases:
        bars = {name: f" ± {error:.4f}" for name, error in case["stderr"].items()}
        values = (f"{value:.4f}{bars.get(name, '')}" for name, value in case["value"].items())
        rows.append([case["kind"], f"{case['gain']:g}", *values])
    return ["weights", "gain", *NAMES.values()], rows
