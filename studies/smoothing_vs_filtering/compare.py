"""The measured beside the expected."""

from studies.tools import table

NAMES = {"Linear": "linear", "Elman": "tanh"}


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("Mean square error of the smoother over that of the filter", ratio_rows(results["ratios"])),
        ("The same towards the end of a sequence", end_rows(results["end"])),
        ("Trained networks: mean square error on fresh sequences", network_rows(results["networks"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def ratio_rows(cases):
    keys = ("a", "r", "closed_form", "computed", "measured")
    header = ["a", "noise ratio r / q", "closed form", "rd.steady_filter", "measured"]
    return header, [[f"{case[key]:.5f}" if k > 1 else case[key] for k, key in enumerate(keys)] for case in cases]


def end_rows(shares):
    return ["steps before the end", "ratio"], [[k, f"{share:.5f}"] for k, share in enumerate(shares) if k < 6]


def network_rows(case):
    best, exact = case["optimum"], case["closed_form"]
    rows = []
    for row in case["networks"]:
        goal = "filtered" if row["direction"] == "forward" else "smoothed"
        kind = f"{NAMES[row['kind']]}, {'forward' if row['direction'] == 'forward' else 'both directions'}"
        rows.append([kind, row["error"], best[goal], exact[goal], row["error"] / best[goal]])
    return ["network", "error", "optimum on the same sequences", "in theory", "error over optimum"], rows
