"""The measured beside the expected."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables: exponents and gradients before training, accuracies after it."""
    first = table(
        ["recurrent weights", "", "largest exponent", "exponent 16", "slope of the gradient, nat/step"],
        [
            [init, weights, *(spread(of(results["networks"], init, weights), f) for f in (largest, last, slope))]
            for init, weights in kinds(results)
        ],
    )
    delays = sorted({row["delay"] for row in results["trained"]})
    second = table(
        ["recurrent weights", "", *(f"d = {d}" for d in delays)],
        [
            [
                init,
                weights,
                *(spread(of(results["trained"], init, weights, delay=d), lambda row: row["accuracy"]) for d in delays),
            ]
            for init, weights in kinds(results)
        ],
    )
    return (
        f"### Before training: least to largest over the seeds\n\n{first}\n\n"
        f"### Share of right answers after training, by delay; 0.5 by guessing\n\n{second}"
    )


def kinds(results: dict) -> list[tuple[str, str]]:
    """Pairs of initialisation and treatment, in the order of the run."""
    return list(dict.fromkeys((row["init"], row["weights"]) for row in results["networks"]))


def of(rows: list[dict], init: str, weights: str, **wanted) -> list[dict]:
    """The rows of one kind."""
    wanted |= {"init": init, "weights": weights}
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def spread(rows: list[dict], value) -> str:
    """Least and largest value over rows."""
    values = [value(row) for row in rows]
    return f"{min(values):.3f} to {max(values):.3f}"


def largest(row: dict) -> float:
    """The largest exponent."""
    return row["exponent"][0]


def last(row: dict) -> float:
    """The last of the exponents that were flossed."""
    return row["exponent"][-1]


def slope(row: dict) -> float:
    """Growth of the gradient per step back, over the larger half of the lags."""
    log_norm = row["log_gradient_norm"]
    lag = np.arange(len(log_norm))
    half = len(log_norm) // 2
    return float(np.polyfit(lag[half:], log_norm[half:], 1)[0])
