"""The measured beside the expected."""

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("Linear, W_hh = gain Q: largest departure from t ln(gain), nats", linear_rows(results["linear"])),
        ("tanh: exponents beside mean-field theory, nats a step", tanh_rows(results["tanh"])),
        ("Largest over median singular value of the product, nats a step", spread_rows(results["spread"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def linear_rows(cases):
    keys = ("gain", "steps", "singular_values", "state")
    return list(keys), [[case[key] for key in keys] for case in cases]


def tanh_rows(cases):
    header = ["weights", "gain", "largest", "its standard error", "theory", "mean", "theory"]
    keys = ("kind", "gain", "largest", "stderr", "expected", "mean", "expected_mean")
    return header, [[case[key] for key in keys] for case in cases]


def spread_rows(cases):
    keys = ("kind", "gain", "rate")
    return list(keys), [[case[key] for key in keys] for case in cases]
