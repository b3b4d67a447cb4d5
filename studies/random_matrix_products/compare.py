"""The measured beside the exact."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    coverage = results["coverage"]
    parts = [
        ("Gaussian matrices: exponents against Newman's law", gaussian_rows(results["gaussian"])),
        ("The first exponents of each, nats a factor", exponent_rows(results["gaussian"])),
        (
            f"Share of {coverage['repeats']} products of {coverage['steps']} matrices whose 95 % interval holds the "
            f"exact exponent, N = {coverage['size']}",
            (["exponent", "share"], [[i, share] for i, share in enumerate(coverage["share"], 1)]),
        ),
        ("Orthogonal matrices times g: largest departure from ln g", orthogonal_rows(results["orthogonal"])),
        ("Three matrices over and over: largest departure, nats", periodic_rows(results["periodic"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def z_scores(case: dict) -> np.ndarray:
    """Departures of the exponents in units of their exact standard error: standard normal if all is right."""
    return (np.array(case["measured"]) - case["exact"]) / case["exact_stderr"]


def ratios(case: dict) -> np.ndarray:
    """Given over exact standard errors."""
    return np.array(case["stderr"]) / case["exact_stderr"]


def gaussian_rows(cases):
    header = [
        "N",
        "T",
        "mean z^2",
        "expected",
        "largest abs(z)",
        "stderr over exact: mean",
        "lowest",
        "highest",
        "sum rule",
    ]
    rows = []
    for case in cases:
        z, ratio, n = z_scores(case), ratios(case), case["size"]
        rows.append([
            n,
            case["steps"],
            float((z**2).mean()),
            f"1 ± {np.sqrt(2 / n):.2g}",
            float(np.abs(z).max()),
            float(ratio.mean()),
            float(ratio.min()),
            float(ratio.max()),
            f"{case['sum_rule_defect']:.1e}",
        ])  # fmt: skip
    return header, rows


def exponent_rows(cases):
    rows = [
        [case["size"], i + 1, f"{m:.4f}({1e4 * s:.0f})", f"{e:.7f}"]
        for case in cases
        for i, (m, s, e) in enumerate(zip(case["measured"][:4], case["stderr"], case["exact"], strict=False))
    ]
    return ["N", "i", "measured (standard error of the last digits)", "exact"], rows


def orthogonal_rows(cases):
    return ["g", "N", "ln g", "departure"], [[c["gain"], c["size"], c["expected"], f"{c['defect']:.1e}"] for c in cases]


def periodic_rows(cases):
    header = ["multiplied by", "from the eigenvalues of its own product", "from those of the other"]
    expected = {name: np.array(case["expected"]) for name, case in cases.items()}
    rows = []
    for name, case in cases.items():
        (other,) = set(cases) - {name}
        apart = (np.abs(case["measured"] - values).max() for values in (expected[name], expected[other]))
        rows.append([name, *(float(distance) for distance in apart)])
    return header, rows
