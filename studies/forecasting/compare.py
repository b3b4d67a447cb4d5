"""Measures of the forecasts, by horizon."""

import numpy as np

from studies.tools import table

HEADER = (
    "forecast",
    "-log density",
    "linear's less this one's",
    "CRPS",
    "quantile loss",
    "linear's less this one's",
    "mean absolute error",
    "in 90 % intervals",
)
ALL_SEEDS = "seeds, mean ± deviation"


def compare(results: dict) -> str:
    """Markdown tables: one a horizon, then the choice of the linear network."""
    parts = []
    for k, months in enumerate(results["horizons"]):
        rows = [row(name, group, k) for name, group in groups(results).items()]
        parts.append(f"### {months} month{'s' * (months > 1)} ahead\n\n{table(HEADER, rows)}")
    sizes = table(["units", "-log density, validation"], [[n, value] for n, value in results["sizes"].items()])
    best = table(
        ["network", "seed", "best step"], [[c["kind"], c["seed"], c["best_step"]] for c in results["learning"]]
    )
    return "\n\n".join([*parts, f"### Linear networks, all horizons\n\n{sizes}", f"### Training\n\n{best}"])


def groups(results: dict) -> dict[str, list[dict]]:
    """Forecasts by name; those of several seeds together."""
    found: dict[str, list[dict]] = {}
    for one in results["forecasts"]:
        found.setdefault(one["name"], []).append(one)
    return found


def row(name: str, group: list[dict], k: int) -> list:
    """Cells of one horizon."""
    return [
        f"{name}, {len(group)} {ALL_SEEDS}" if len(group) > 1 else name,
        scatter(group, "nll", k),
        gained(group, "nll_gain", k),
        scatter(group, "crps", k),
        scatter(group, "quantile_loss", k),
        gained(group, "quantile_gain", k),
        scatter(group, "mae", k),
        scatter(group, "coverage", k),
    ]


def scatter(group: list[dict], key: str, k: int) -> str:
    """Mean over the seeds, with their standard deviation."""
    if key not in group[0]:
        return "-"
    values = [one[key][k] for one in group]
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def gained(group: list[dict], key: str, k: int) -> str:
    """Difference and its standard error over blocks of time; that of several seeds is their mean's."""
    if key not in group[0]:
        return "-"
    mean, error = np.mean([one[key][k] for one in group], axis=0)
    return "0" if not error else f"{mean:.3f} ± {error:.3f}"
