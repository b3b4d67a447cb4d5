"""The search goes on, until the points found are consistent, or the budget is spent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis.completeness import Box
from rnndyn.analysis.equation import Equation, Point
from rnndyn.analysis.newton import solve
from rnndyn.analysis.search.deflation import deflated
from rnndyn.analysis.search.fibres import on_fibres
from rnndyn.analysis.search.homotopy import on_homotopies

FIBRES, DEFLATED, HOMOTOPIES = 16, 64, 4  # a round: by experiment fibres find most, the others what fibres may miss
SAME = 1e-7  # distance of copies of a root, in sizes of the equation
HITS = 2  # how often each root is to be found
PATIENCE = 2.0  # the work is to be so many times that up to the last new root


class Found(NamedTuple):
    """What a search has found.

    ``states`` (n, S), each root once, the known ones first; ``hits`` (n,), how often this search found each; ``work``,
    the number of Jacobians it took; ``settled``, whether its rule to stop was met before the budget was spent.
    """

    states: np.ndarray
    hits: np.ndarray
    work: int
    settled: bool


class Metered(Equation):
    """An equation that counts how many Jacobians are asked of it."""

    def __init__(self, equation: Equation) -> None:
        self.__dict__.update(vars(equation))
        self.work = 0

    def at(self, states: np.ndarray) -> Point:
        """Value, Jacobian and rounding error."""
        self.work += len(states)
        return super().at(states)


def search_on(
    equation: Equation,
    box: Box,
    known: np.ndarray,
    *,
    expected: int | None = None,
    odd: bool = False,
    work: int = 100_000,
    rng: np.random.Generator,
) -> Found:
    """Roots that are not yet known: by directional fibres from known roots, by deflation, and by homotopies, in turn.

    The search stops when the index sum is the expected one, it has found each root twice, and the last new one in the
    first half of its work; otherwise when the budget is spent.

    Parameters
    ----------
    equation
        ``F^p(x) - x = 0``.
    box
        Where roots are looked for; those outside do not count.
    known : (m, S)
        Roots, each once; none will do.
    expected
        The index sum that topology demands, if it does.
    odd
        Whether ``F(-x) = -F(x)``: then the mirror image of each root is one.
    work
        Budget: number of Jacobians, which is overrun by one round at most.
    rng
        The generator to draw from: equal calls give equal results, whatever the machine's speed.

    Returns
    -------
    Found
        The roots.
    """
    metered = Metered(equation)
    states, hits = _with_mirrored(np.zeros((0, known.shape[1])), np.zeros(0, int), known, odd, equation.scale)
    hits[:] = 0
    last_new = 0
    methods = (
        lambda: on_fibres(metered, box, states, FIBRES, rng) if len(states) else np.empty((0, known.shape[1])),
        lambda: deflated(metered, box, states, DEFLATED, rng),
        lambda: on_homotopies(metered, box, HOMOTOPIES, rng),
    )
    while True:
        before = len(states)
        for method in methods:
            roots, converged = solve(metered, method(), None)
            roots = roots[converged]
            states, hits = _with_mirrored(states, hits, roots[box.holds(roots)], odd, equation.scale)
        last_new = metered.work if len(states) > before else last_new
        settled = metered.work >= PATIENCE * last_new and bool((hits >= HITS).all()) and len(states) > 0
        settled = settled and (expected is None or index_sum(equation, states) == expected)
        if settled or metered.work >= work:
            return Found(states, hits, metered.work, settled)


def index_sum(equation: Equation, states: np.ndarray) -> int:
    """Sum of ``sign det(I - J)`` over roots.

    Parameters
    ----------
    equation
        What they solve.
    states : (n, S)
        Each root once.

    Returns
    -------
    int
        Of no meaning where a root is degenerate.
    """
    return int(np.linalg.slogdet(-equation.at(states).A)[0].sum()) if len(states) else 0


def _with_mirrored(states, hits, roots, odd: bool, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Roots that were known and roots just found, with their mirror images if odd: each once, and how often found."""
    if odd:
        roots = np.concatenate([roots, -roots])
    return _merged(states, hits, roots, SAME * scale)


def _merged(states, hits, roots, distance: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(roots):
        return states, hits.copy()
    everything = np.concatenate([states, roots])
    counts = np.concatenate([hits, np.ones(len(roots), int)])
    pairs = cKDTree(everything).query_pairs(distance, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(everything),) * 2)
    number, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    order = np.argsort(first)  # in the order in which they were found
    return everything[first[order]], np.bincount(label, counts, number).astype(int)[order]
