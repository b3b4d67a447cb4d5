"""When things happened, network by network."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """A Markdown table, one row a network."""
    header = [
        "seed",
        "stable points at the start",
        "at the end",
        "step with the first 2",
        "with the first 4",
        "step of the largest gradient",
        "largest exponent, start",
        "most",
        "end",
        "loss, start",
        "end",
        "index sums",
    ]
    return table(header, [row(one) for one in results["trained"]])


def row(one: dict) -> list:
    """Numbers of one training."""
    stable, exponent = np.array(one["counts"])[:, 0], np.array(one["exponent"])[:, 0]
    return [
        one["seed"],
        int(stable[0]),
        int(stable[-1]),
        first(one["watched"], stable >= 2),
        first(one["watched"], stable >= 4),
        int(np.argmax(one["gradient_norm"])),
        exponent[0],
        exponent.max(),
        exponent[-1],
        one["loss"][0],
        one["loss"][-1],
        ", ".join(str(s) for s in sorted(set(index_sums(one["counts"])))),
    ]


def first(steps: list, happened: np.ndarray) -> int | str:
    """First step at which it was seen."""
    return steps[int(np.argmax(happened))] if happened.any() else "-"


def index_sums(counts: list) -> list[int]:
    """Fixed points with an even number of unstable directions less those with an odd one, look by look."""
    return [sum(n * (-1) ** k for k, n in enumerate(row)) for row in counts]
