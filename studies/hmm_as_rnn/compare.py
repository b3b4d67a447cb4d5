"""The measured beside the expected."""

from studies.tools import table


def compare(results: dict) -> str:
    """Markdown tables, one a part."""
    parts = [
        ("The log-likelihood of T symbols, and by how much other readings miss it (nat)", reading_rows(results)),
        ("Paths of the sampled network, and the gradient", path_rows(results)),
        ("A noisy bit: exponents of the belief recursion (nat/step)", bit_rows(results["bits"])),
        ("Chains of two cells of a tent map (nat/step)", tent_rows(results["tents"])),
        ("The chain of a trained network that holds three bits", memory_rows(results["memories"])),
        ("A long memory: nats a symbol on fresh data", long_rows(results["long_memory"])),
    ]
    return "\n\n".join(f"### {title}\n\n{table(*rows)}" for title, rows in parts)


def reading_rows(results):
    header = ["T", "exact", "belief network", "belief through the softmax", "observations unheard"]
    keys = ("network", "pooled", "unheard")
    return header, [[r["T"], r["exact"], *(r[key] - r["exact"] for key in keys)] for r in results["readings"]]


def path_rows(results):
    m, g = results["marginal"], results["gradient"]
    return ["what", "value", "error"], [
        [f"log-likelihood, {m['number']} paths of one-hot states", m["paths"], m["paths"] - m["exact"]],
        ["largest derivative by a logit, from expected counts", g["largest"], g["error"]],
    ]


def bit_rows(cases):
    header = ["p", "first exponent", "minus entropy rate, between", "and", "gap to the second", "by the sum rule",
              "decay of distances"]  # fmt: skip
    rows = []
    for c in cases:
        first, second = c["exponents"]
        lower, upper = c["entropy_bounds"]
        rows.append([c["p"], f"{first:.5f} +- {c['stderr'][0]:.5f}", f"{-upper:.5f}", f"{-lower:.5f}"])
        rows[-1] += [first - second, 2 * c["likelihood_rate"] - c["sum_rule"], c["decay"]]
    return header, rows


def tent_rows(cases):
    header = ["slope", "Lyapunov exponent", "chain's entropy rate", "with memory", "lumpability residual", "its floor",
              "gain of memory on fresh data"]  # fmt: skip
    rows = []
    for c in cases:
        rates = [f"{c[key]:.4f}" for key in ("slope", "lyapunov", "entropy_rate", "with_memory")]
        rows.append([*rates, c["residual"], c["floor"], f"{c['loglik_gap']:.5f} +- {c['loglik_gap_stderr']:.5f}"])
    return header, rows


def memory_rows(case):
    header = ["memories found", "largest difference of a transition from theory", "entropy rate", "theory",
              "lumpability residual", "its floor", "gain of memory on fresh data"]  # fmt: skip
    keys = ("memories", "difference", "entropy_rate", "expected", "residual", "floor")
    gain = f"{case['loglik_gap']:.5f} +- {case['loglik_gap_stderr']:.5f}"
    return header, [[*(case[key] for key in keys), gain]]


def long_rows(case):
    best = min(case["ngrams"], key=lambda c: c["mean"])
    rows = [
        ["independent symbols", case["ngrams"][0]],
        ["order 1", case["ngrams"][1]],
        [f"best n-gram, order {best['order']}", best],
        [f"order {case['ngrams'][-1]['order']}", case["ngrams"][-1]],
        ["GRU, 16 units", case["network"]],
        ["the model itself", case["exact"]],
    ]
    exact = case["exact"]["mean"]
    header = ["model", "nats a symbol", "above the model itself"]
    return header, [[name, f"{c['mean']:.4f}", f"{c['mean'] - exact:.4f} +- {c['stderr']:.4f}"] for name, c in rows]
