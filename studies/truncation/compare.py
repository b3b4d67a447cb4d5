"""The measured beside the expected."""

import numpy as np

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables: how the error falls, and what was learnt."""
    header = ["gain", "slope of ln error, k1 = 1", "largest exponent", "its standard error", "power of k, k1 = k2"]
    errors = table(header, [falls(one) for one in results["bias"]])
    delays = sorted({one["delay"] for one in results["reach"]})
    learnt = table(
        ["k1", "k2", *(f"d = {delay}" for delay in delays)],
        [[*rule, *(share(results, rule, delay) for delay in delays)] for rule in rules(results)],
    )
    return (
        "### Error of dL/dW_hh: expected are the exponent, nat/step, and -1; over the larger half of the windows\n\n"
        f"{errors}\n\n### Share of right answers by delay, least over the seeds\n\n{learnt}"
    )


def falls(one: dict) -> list:
    """Slopes over the larger half of the windows."""
    k, half = np.array(one["kept"], float), len(one["kept"]) // 2
    each, window = np.log(one["each_step"]), np.log(one["each_window"])
    far = slice(half, None) if len(k) > 2 else slice(None)
    return [
        one["gain"],
        float(np.polyfit(k[far], each[far], 1)[0]),
        one["exponent"],
        one["stderr"],
        float(np.polyfit(np.log(k[far]), window[far], 1)[0]),
    ]


def rules(results: dict) -> list[tuple]:
    """Windows in the order of the run; those of whole backpropagation in words."""
    return [tuple(rule) for rule in dict.fromkeys(name(one) for one in results["reach"])]


def name(one: dict) -> tuple:
    """Windows of one row."""
    return tuple(one["rule"]) if one["rule"] else ("whole", "whole")


def share(results: dict, rule: tuple, delay: int) -> float:
    """Least share of right answers."""
    return min(next(one["accuracy"] for one in results["reach"] if (name(one), one["delay"]) == (rule, delay)))
