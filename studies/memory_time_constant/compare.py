"""The measured beside the expected."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    written = results["written"]
    defect = np.abs(np.array(written["c"]) / written["expected"] - 1).max()
    header = (
        f"tau = -dt / ln f = {results['tau']:.6f} s for dt = {results['dt']} s and f = {results['forget']}; a written "
        f"value follows exp(-t / tau) to {defect:.1e}."
    )
    pair = ("measured", "expected")
    parts = [
        ("A gate held at f: tau in seconds", *columns(results["by_forget"], "forget", *pair)),
        ("At rest, by the gain of the recurrent weights: tau in seconds", *columns(results["by_gain"], "gain", *pair)),
        ("Under noise: tau in seconds", *columns(results["by_drive"], "drive", "direct", "whole")),
    ]
    tables = [f"### {title}\n\n{table(*rows)}" for title, *rows in parts]
    ends = f"From the gain {results['critical_gain']:.2g} on, perturbations of a large network do not decay at all."
    return "\n\n".join([header, *tables, ends])


def columns(cases, *keys):
    return list(keys), [[case[key] for key in keys] for case in cases]
