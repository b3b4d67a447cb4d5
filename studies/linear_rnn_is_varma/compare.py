"""The measured beside the expected."""

from studies.linear_rnn_is_varma.run import OVERFLOW
from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    spectrum = results["spectrum"]
    parts = [
        ("Largest differences between network and VARMA model", system_rows(results["systems"])),
        ("Slow units, eigenvalues 0.8 to 0.99: largest error of the weights", slow_rows(results["slow"])),
        ("Lyapunov exponents of the steady filter, and log of the MA eigenvalues", filter_rows(results["filter"])),
    ]
    law = (
        f"Mean over frequency of the log spectrum: {spectrum['mean_log']:.12f}; log of the innovations' variance: "
        f"{spectrum['log_noise']:.12f}."
    )
    return "\n\n".join([*(f"### {title}\n\n{table(*rows)}" for title, rows in parts), law])


def system_rows(cases):
    keys = ("psi", "autocovariance", "spectrum", "response")
    header = ["network", "p, q", "McMillan degree", *keys, "log-likelihood", "difference"]
    rows = []
    for case in cases:
        p, q, degree = case["orders"]
        differences = [f"{case[f'{key}_difference']:.0e}" for key in keys]
        gap = case["varma_loglik"] - case["loglik"]
        rows.append([case["name"], f"{p}, {q}", degree, *differences, f"{case['loglik']:.6f}", f"{gap:.0e}"])
    return header, rows


def slow_rows(cases):
    header = ["units", "outputs", "order", "observability form", "Cayley-Hamilton", "its verdict"]
    header.append("log-likelihood, difference")
    rows = []
    for case in cases:
        error = case["cayley_hamilton"]
        verdict = "kept" if error <= 1e-7 else "refused"
        form = f"{error:.0e}" if error < OVERFLOW else "overflow"
        gap = f"{case['loglik_difference']:.0e}"
        rows.append([case["n"], case["outputs"], case["order"], f"{case['observability']:.0e}", form, verdict, gap])
    return header, rows


def filter_rows(case):
    rows = zip(case["measured"], case["stderr"], case["roots"], strict=True)
    return ["measured", "standard error", "log of the modulus"], [list(row) for row in rows]
