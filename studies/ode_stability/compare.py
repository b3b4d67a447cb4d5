"""The measured beside the expected."""

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("The step at which a driven network of 20 units loses stability, in time constants", stability_rows(results)),
        ("The ledger of Euler's errors", ledger_rows(results)),
        ("Backpropagation's products off by the order of the error (tanh field)", scaling_rows(results)),
        ("dy/dt = 2 y (1 - y): what the step invents, and nats per step", spurious_rows(results)),
        ("Markus and Yamabe: frozen eigenvalues and what happens", frozen_rows(results["frozen"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def stability_rows(results):
    header = ["method", "critical step, theory", "measured", "relative difference", "largest misfit of the growth"]
    rows = []
    for case in results["stability"]:
        theory, measured = case["critical"], case["measured_critical"]
        difference = abs(measured / theory - 1) if theory < float("inf") else "none is critical"
        misfit = max(abs(a - b) for a, b in zip(case["growth"], case["theory"], strict=True))
        rows.append([case["method"], f"{theory:.5g}", f"{measured:.5g}", difference, misfit])
    return header, rows


def ledger_rows(results):
    header = ["field", "global error", "sum minus error", "its rounding bound", "with backpropagation's products"]
    keys = ("field", "size", "defect", "rounding", "bptt_defect")
    return header, [[case[key] for key in keys] for case in results["ledger"]]


def scaling_rows(results):
    header = ["step", "largest error", "gap between the products", "gap over error"]
    return header, [[row["step"], row["error"], row["gap"], row["gap"] / row["error"]] for row in results["scaling"]]


def spurious_rows(results):
    header = ["method", "step", "shared points", "invented points (period)", "exponent", "stderr", "expected"]
    rows = []
    for case in results["spurious"]:
        found = list(zip(case["points"], case["period"], case["origin"], strict=True))
        shared = ", ".join(f"{round(p, 4) + 0.0:g}" for p, _, origin in found if origin == "shared")
        invented = ", ".join(f"{p:.4f} ({n})" for p, n, origin in found if origin == "invented")
        numbers = [case["exponent_per_step"], case["stderr_per_step"], case["expected"]]
        shown = [f"{number:.4f}" for number in numbers]
        rows.append([case["method"], case["step"], shared, invented or "none", *shown])
    return header, rows


def frozen_rows(case):
    header = ["largest real part, at all times", "logarithmic norm", "exponents measured", "expected"]
    exponents = ", ".join(f"{value:.8f}" for value in case["exponents"])
    return header, [[case["largest_real_part"], case["logarithmic_norm"], exponents, "-1, 1/2"]]
