"""The search for the fixed points of one network: which methods, in which order, and when it is enough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis import codes, cycles
from rnndyn.analysis.certificate import Certificate, distinct
from rnndyn.analysis.completeness import Box, Claim, claim, is_odd
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.newton import solve
from rnndyn.analysis.pieces import pieces
from rnndyn.analysis.search import branch_and_bound, drive, search_on
from rnndyn.analysis.starts import visited

PROVABLE = 8  # units up to which the complete search is always run: it takes some 0.1 s
CHEAPER = 12  # and up to which it is run before fresh starts: it takes no more than those, and may prove the set
BOXES = 500_000
AGAIN, MORE = 4, 1024  # rounds of fresh starts, and starts in each, before the costly searches
# Operations of each further search, some seconds: a box or Jacobian takes S^3, and as much as S = 12 at least.
OPERATIONS = 5_000_000_000
DOUBTFUL = 500_000_000  # of the complete search beyond 12 units, which seldom ends
FURTHER, LINEAR = 200_000, 4096  # most Jacobians, and most linear problems of a piecewise-linear network


class Found(NamedTuple):
    """Points (n, S), each once, their certificates, how many starts converged, and what is claimed of the set."""

    points: np.ndarray
    certificate: Certificate
    converged: int
    claim: Claim


class Pool:
    """Roots from all methods so far, with copies: how often each is found says how many may be missing."""

    def __init__(self, equation: Equation, box: Box | None) -> None:
        self.equation, self.box = equation, box
        self.roots = np.empty((0, 0))

    def add(self, states: np.ndarray) -> int:
        """Take in converged states; how many are in the box comes back.

        Outside the box, saturated gates can hold a state to rounding, but none is fixed.
        """
        inside = states if self.box is None else states[self.box.holds(states)]
        self.roots = np.concatenate([self.roots.reshape(-1, states.shape[1]), inside])
        return len(inside)

    def distinct(self) -> tuple[np.ndarray, Certificate, np.ndarray]:
        """Each root once, its certificate, how often it was found."""
        return distinct(self.equation, self.roots)


def find(
    equation: Equation,
    box: Box | None,
    starts: np.ndarray,
    tol: float | None,
    rng: np.random.Generator,
    begun: tuple[np.ndarray, np.ndarray] | None = None,
) -> Found:
    """All the fixed points that can be found.

    Newton steps from the starts come first. Piecewise-linear networks are searched by their codes too, small networks
    of tanh or sigmoid units by branch and bound: these may prove that nothing is missing. Where nothing is proved and
    what topology demands is not met, or points were found but once, the search goes on: with up to 12 units by branch
    and bound; from fresh starts; with more units by branch and bound; then by fibres, deflation and homotopies.

    Parameters
    ----------
    equation
        ``F^p(x) = x``.
    box
        Where all points lie, if that is known.
    starts : (n, S)
        Of Newton's iteration.
    tol
        Bound on max |G|, or None for the rounding error.
    rng
        The generator to draw from.
    begun
        What `solve` gives for the starts, where that is known.

    Returns
    -------
    Found
        Points in a fixed order.
    """
    pool = Pool(equation, box)
    states, converged = begun or solve(equation, starts, tol)
    count = pool.add(states[converged])
    if equation.period > 1:
        pool.add(_shorter(equation, box, starts, tol, rng))
        pool.add(_cycles(equation, starts, tol, rng))
        pool.add(pool.distinct()[1].orbit.reshape(-1, starts.shape[1]))
    expected, odd = None if box is None else 1, is_odd(equation.net, equation.x)
    size = starts.shape[1]
    proved = tol is None and (_by_codes(pool, rng) or (size <= PROVABLE and _by_boxes(pool)))
    points, certificate, hits = pool.distinct()
    settled = proved or _consistent(equation, points, certificate, hits, expected, odd)
    if PROVABLE < size <= CHEAPER and not settled and tol is None:
        settled = proved = _by_boxes(pool)
        points, certificate, hits = pool.distinct()
    for _ in range(AGAIN):
        if settled or box is None or tol is not None:
            break
        fresh = _fresh(equation, box, points, MORE, rng)
        if equation.period > 1:
            pool.add(_cycles(equation, fresh, None, rng))
        else:
            more, converged = solve(equation, fresh, None)
            pool.add(more[converged])
        points, certificate, hits = pool.distinct()
        settled = _consistent(equation, points, certificate, hits, expected, odd)
    if not settled and tol is None:
        proved = size > CHEAPER and _by_boxes(pool, DOUBTFUL)
        if not proved and box is not None:
            work = _within(OPERATIONS, size, FURTHER // equation.period**2)  # a Jacobian of F^p takes p times as long
            demanded = None if certificate.singular.any() else expected  # of a degenerate point the index is unknown
            further = search_on(equation, box, points, expected=demanded, odd=odd, work=work, rng=rng)
            pool.add(np.repeat(further.states, further.hits + 1, axis=0))
            settled = further.settled
        points, certificate, hits = pool.distinct()
    total = None if certificate.singular.any() else _index_sum(certificate)
    mirrored = not odd or _mirrored(equation, points)
    said = claim(hits, total, expected, proved=proved, settled=settled, mirrored=mirrored)
    return Found(points, certificate, count, said)


def _fresh(equation: Equation, box: Box, points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """New starts (count, S): by turns uniform in the box, visited, and midway between known points, with noise."""
    uniform = rng.uniform(box.low, box.high, (count, len(box.low)))
    starts = np.where((np.arange(count) % 3 == 0)[:, None], uniform, visited(equation.net, equation.x, count, rng))
    if len(points):
        pairs = points[rng.integers(0, len(points), (count, 2))].mean(axis=1)
        noise = 0.1 * equation.scale * rng.standard_normal(pairs.shape)
        starts = np.where((np.arange(count) % 3 == 1)[:, None], pairs + noise, starts)
    return box.fold(starts)


def _cycles(equation: Equation, starts: np.ndarray, tol: float | None, rng: np.random.Generator) -> np.ndarray:
    """Points of cycles, by multiple shooting from pieces of runs."""
    if not len(starts):
        return starts
    orbits = cycles.segments(
        equation.net, equation.x, starts, equation.period, max(len(starts) // equation.period, 1), rng
    )
    orbits, converged = cycles.shoot(equation.net, equation.x, orbits, tol=tol)
    return orbits[converged].reshape(-1, starts.shape[1])


def _shorter(equation: Equation, box: Box | None, starts, tol: float | None, rng: np.random.Generator) -> np.ndarray:
    """Points, each twice, of the cycles whose period is a proper divisor of p: of p / q for each prime q of p."""
    p = equation.period
    primes = [q for q in range(2, p + 1) if p % q == 0 and all(q % r for r in range(2, q))]
    parts = [
        find(Equation(equation.net, equation.x, p // q, equation.scale, equation.device), box, starts, tol, rng)
        for q in primes
    ]
    return np.repeat(np.concatenate([part.points for part in parts]), 2, axis=0)


def _by_codes(pool: Pool, rng: np.random.Generator) -> bool:
    """Search a piecewise-linear network by its codes; whether that was complete."""
    system = pieces(pool.equation.net, pool.equation.x)
    if system is None:
        return False
    budget = _within(OPERATIONS, len(system.P), LINEAR)
    found = codes.search(system, None, pool.equation.period, rng=rng, budget=budget)
    pool.add(np.repeat(found.states, 2, axis=0))
    return found.complete


def _by_boxes(pool: Pool, operations: int = OPERATIONS) -> bool:
    """Search a network of tanh or sigmoid units by branch and bound; whether that was complete."""
    equation = pool.equation
    flow = drive(equation.net, equation.x) if equation.period == 1 else None
    if flow is None:
        return False
    found = branch_and_bound(flow, _within(operations, len(flow.b), BOXES))
    states, converged = solve(equation, found.states, None)
    pool.add(np.repeat(states[converged], 2, axis=0))
    return found.complete and bool(converged.all())


def _within(operations: int, size: int, most: int) -> int:
    """How many problems of this size so many operations allow."""
    return int(np.clip(operations / max(size, 12) ** 3, 64, most))


def _consistent(
    equation: Equation,
    points: np.ndarray,
    certificate: Certificate,
    hits: np.ndarray,
    expected: int | None,
    odd: bool,
) -> bool:
    """Whether nothing speaks for points that are missing."""
    return (
        len(points) > 0
        and bool((hits >= 2).all())
        and (expected is None or certificate.singular.any() or _index_sum(certificate) == expected)
        and (not odd or _mirrored(equation, points))
    )


def _index_sum(certificate: Certificate) -> int:
    return int(certificate.sign.sum())


def _mirrored(equation: Equation, points: np.ndarray) -> bool:
    """Whether the mirror image of each point is one."""
    gap = np.abs(points[:, None] + points[None]).max(axis=2).min(axis=1, initial=np.inf)
    return bool((gap <= 1e-7 * equation.scale).all())
