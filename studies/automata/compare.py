"""The measured beside the expected."""

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("Machines in saturated-linear networks: nothing may differ", machine_rows(results["machines"])),
        ("One step from a disturbed state: no next state may be wrong below 1/4", disturbed_rows(results["disturbed"])),
        ("The logistic map in straight pieces: largest error, and nats per step", map_rows(results["logistic"])),
        ("The Henon map by random tanh units: largest error, and nats per step", map_rows(results["henon"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def machine_rows(cases):
    header = ["machine", "rectified units", "symbols", "times at which it is wrong", "largest error", "largest count"]
    keys = ("machine", "units", "symbols", "wrong", "error", "largest_count")
    return header, [[case[key] for key in keys] for case in cases]


def disturbed_rows(cases):
    return ["disturbance", "share of wrong next states"], [[c["size"], c["wrong"]] for c in cases]


def map_rows(cases):
    header = ["units", "error", "bound", "exponent", "stderr", "known"]
    numbers = ("exponent", "stderr", "known")
    return header, [
        [c["units"], c["error"], c.get("bound", "none"), *(f"{c[key]:.4f}" for key in numbers)] for c in cases
    ]
