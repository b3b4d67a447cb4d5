"""The measured beside the expected."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("Sum of the listed paths against dh_T/dh_0 by a complex step", short_rows(results["short"])),
        ("A long recurrence, in nats: the sum over lengths, the product, a complex step", long_rows(results["long"])),
        ("A GRU unit by the bias of its update gate: log |dh_T/dh_0|", gru_rows(results["gru"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def short_rows(cases):
    header = [
        "case",
        "active gates",
        "paths",
        "sum of paths",
        "by length",
        "expected",
        "relative error",
        "largest path",
    ]
    rows = []
    for case in cases:
        error = abs(case["sum_of_terms"] / case["expected"] - 1)
        sums = [case["sum_of_terms"], case["sum_by_length"], case["expected"]]
        rows.append([case["name"], case["n_active"], case["paths"], *sums, error, case["largest"]])
    return header, rows


def long_rows(case):
    lengths = np.arange(case["steps"] + 1)
    means = (float(np.dot(lengths, case[f"share_of_{what}"])) for what in ("paths", "gradient"))
    header = ["steps", "sum", "product", "expected", "mean length of the paths", "of the gradient"]
    return header, [[case["steps"], case["log_sum"], case["log_product"], case["expected"], *means]]


def gru_rows(cases):
    header = ["bias", "sum of paths", "Jacobian product", "direct path alone", "mean number of recurrent factors"]
    keys = ("bias", "log_product", "expected", "log_direct", "mean_length")
    return header, [[case[key] for key in keys] for case in cases]
