"""The measured beside the ideal cube."""

from math import comb

import numpy as np

from studies.tools import table

BITS = 3
CUBE = BITS * 2 ** (BITS - 1)  # edges


def compare(results: dict) -> str:
    """Markdown tables: the fixed points by their unstable directions, and the graph of the memories."""
    ideal = [comb(BITS, k) * 2 ** (BITS - k) for k in range(BITS + 1)]
    header = ["network", *(f"{k} unstable" for k in range(BITS + 1)), "more", "undecided", "all", "sum of indices"]
    header += ["estimated missing", "largest error bound"]
    points = [["ideal", *ideal, 0, 0, sum(ideal), 1, 0, ""]]
    points += [[cell, *point_row(case)] for cell, case in results.items()]
    header_graph = ["network", "memories", "largest error of a read-out bit", "saddles followed", "sides that arrive"]
    header_graph += ["pairs joined", "that differ in one bit", "edges of the cube found", "steps, median"]
    graph = [["ideal", 2**BITS, 0, CUBE, 2 * CUBE, CUBE, CUBE, f"{CUBE} of {CUBE}", ""]]
    graph += [[cell, *graph_row(case)] for cell, case in results.items()]
    return (
        f"### Fixed points under zero input, by the number of unstable directions\n\n{table(header, points)}\n\n"
        f"### Memories that a saddle joins\n\n{table(header_graph, graph)}"
    )


def values(case: dict, kind: str, name: str) -> np.ndarray:
    """One variable of a stored Dataset."""
    return np.array(case[kind]["data_vars"][name]["data"])


def names(case: dict) -> list[str]:
    """The bits that the network reads out at each point, as in "101": 1 where the output is positive."""
    return ["".join("1" if bit > 0 else "0" for bit in row) for row in case["output"]]


def point_row(case):
    stability, unstable = values(case, "points", "stability"), values(case, "points", "n_unstable")
    counts = [int(((unstable == k) & (stability != "undecided")).sum()) for k in range(BITS + 1)]
    undecided = int((stability == "undecided").sum())
    more = len(stability) - undecided - sum(counts)
    bound = float(values(case, "points", "error_bound").max())
    return [*counts, more, undecided, len(stability), case["index_sum"], case["estimated_missing"], bound]


def graph_row(case):
    bits = names(case)
    memory = values(case, "points", "stability") == "stable"
    error = float(np.abs(np.abs(np.array(case["output"])[memory]) - 1).max(initial=0))
    pairs = [frozenset((bits[a], bits[b])) for a, _, b in case["edges"]]
    single = [pair for pair in pairs if len(pair) == 2 and sum(x != y for x, y in zip(*pair, strict=True)) == 1]
    arrive = int((values(case, "transitions", "target") >= 0).sum())
    saddles = len(set(values(case, "transitions", "saddle").tolist()))
    steps = float(np.median(values(case, "transitions", "steps")))
    found = f"{len(set(single))} of {CUBE}"
    return [int(memory.sum()), error, saddles, arrive, len(pairs), len(single), found, steps]
