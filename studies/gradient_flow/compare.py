"""The measured beside the expected."""

import numpy as np

from studies.tools import table

PATHS = {"gradient_norm": "state", "gradient_norm_hidden": "h alone", "gradient_norm_cell": "c alone"}


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("Random tanh network: nats a step, and the bound log(gamma rho)", tanh_rows(results["tanh"])),
        ("ReLU, W_hh = s I: largest relative departure from the closed forms", irnn_rows(results["irnn"])),
        (
            "Linear, W_hh = gain Q: largest departure of a log singular value from t log(gain)",
            orthogonal_rows(results["orthogonal"]),
        ),
        ("Spectral radius below or above 1 decides nothing: nats a step", radius_rows(results["spectral_radius"])),
        (
            "Trained flip-flop networks: |dL/ds_t| of a loss at the end, median, at some lags",
            trained_rows(results["trained"]),
        ),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def tanh_rows(cases):
    header = ["gain", "measured", "bound", "largest excess over the bound, nats", "verdict"]
    rows = []
    for case in cases:
        measured, bound = np.array(case["log_norm"]), np.array(case["log_bound"])
        excess = float((measured - bound).max())
        half = len(measured) // 2
        rate = float((measured[-1] - measured[half]) / (len(measured) - 1 - half))
        verdict = "vanishes" if rate < -1e-3 else "explodes" if rate > 1e-3 else "neutral"
        rows.append([case["gain"], rate, float(bound[0]), excess, verdict if excess <= 1e-9 else "BOUND BROKEN"])
    return header, rows


def irnn_rows(cases):
    rows = []
    for case in cases:
        norm, expected = np.array(case["norm"]), np.array(case["expected_norm"])
        log_defect = np.abs(np.array(case["log_norm"]) - case["expected_log_norm"]).max()
        growth = "converges" if case["scale"] < 1 else "grows linearly" if case["scale"] == 1 else "grows exponentially"
        rows.append([case["scale"], growth, float(np.abs(norm / expected - 1).max()), float(log_defect)])
    return ["s", "state", "norm of h_t, relative", "log norm of dh_t/dh_0"], rows


def orthogonal_rows(cases):
    return ["gain", "defect, nats"], [[case["gain"], case["defect"]] for case in cases]


def radius_rows(cases):
    header = ["network", "rho(W) max f'", "measured", "expected"]
    return header, [[case["network"], case["radius"], case["rate"], case["expected"]] for case in cases]


def trained_rows(cases):
    lags = (0, 1, 5, 20, 50, 90)
    rows = [
        [case["cell"], PATHS[path], *(norm[case["lag"].index(lag)] for lag in lags)]
        for case in cases
        for path, norm in case["norms"].items()
    ]
    return ["network", "path", *(f"lag {lag}" for lag in lags)], rows
