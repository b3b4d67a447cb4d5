"""The search for the fixed points of one network: which methods, in which order, and when it is enough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis import codes, cycles
from rnndyn.analysis.certificate import Certificate, distinct
from rnndyn.analysis.completeness import Box, Claim, claim, is_odd
from rnndyn.analysis.newton import Equation, solve
from rnndyn.analysis.pieces import pieces
from rnndyn.analysis.search import branch_and_bound, drive, search_on

PROVABLE = 8  # units up to which a complete search is tried
BOXES = 50_000  # that it may take: some 0.5 s
FURTHER = 2_000_000_000  # operations of the search that goes on: some seconds
LINEAR = 2_000_000_000  # operations on the codes of a piecewise-linear network


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


def find(equation: Equation, box: Box | None, starts: np.ndarray, tol: float | None, rng: np.random.Generator) -> Found:
    """All the fixed points that can be found.

    Newton steps from the starts come first. A piecewise-linear network is searched by its codes too, and a small network
    of tanh or sigmoid units by branch and bound: these may prove that nothing is missing. Where nothing is proved and
    what topology demands is not met, or points were found but once, the search goes on.

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

    Returns
    -------
    Found
        Points in a fixed order.
    """
    pool = Pool(equation, box)
    states, converged = solve(equation, starts, tol)
    count = pool.add(states[converged])
    if equation.period > 1:
        pool.add(_cycles(equation, starts, tol, rng))
    proved = _proved(pool, rng)
    points, certificate, hits = pool.distinct()
    expected = None if box is None else 1
    odd = is_odd(equation.net, equation.x)
    settled = proved or _consistent(equation, points, certificate, hits, expected, odd)
    if not settled and box is not None and tol is None:
        further = search_on(
            equation, box, points, expected=expected, odd=odd, work=_work(FURTHER, points.shape[1]), rng=rng
        )
        pool.add(np.repeat(further.states, further.hits + 1, axis=0))
        settled = further.settled
        points, certificate, hits = pool.distinct()
    total = None if certificate.singular.any() else _index_sum(certificate)
    mirrored = not odd or _mirrored(equation, points)
    return Found(
        points, certificate, count, claim(hits, total, expected, proved=proved, settled=settled, mirrored=mirrored)
    )


def _cycles(equation: Equation, starts: np.ndarray, tol: float | None, rng: np.random.Generator) -> np.ndarray:
    """Points of cycles, by multiple shooting from pieces of runs."""
    if not len(starts):
        return starts
    orbits = cycles.segments(
        equation.net, equation.x, starts, equation.period, max(len(starts) // equation.period, 1), rng
    )
    orbits, converged = cycles.shoot(equation.net, equation.x, orbits, tol=tol)
    return orbits[converged].reshape(-1, starts.shape[1])


def _proved(pool: Pool, rng: np.random.Generator) -> bool:
    """Run the searches that may prove that nothing is missing; whether one did."""
    equation = pool.equation
    net, x, period = equation.net, equation.x, equation.period
    system = pieces(net, x)
    if system is not None:
        found = codes.search(system, None, period, rng=rng, budget=_work(LINEAR, net.state_size))
        pool.add(np.repeat(found.states, 2, axis=0))
        return found.complete
    flow = drive(net, x) if period == 1 and net.state_size <= PROVABLE else None
    if flow is None:
        return False
    found = branch_and_bound(flow, BOXES)
    states, converged = solve(equation, found.states, None)
    pool.add(np.repeat(states[converged], 2, axis=0))
    return found.complete and bool(converged.all())


def _work(operations: int, size: int) -> int:
    """How many Jacobians or linear problems of this size are worth so many operations."""
    return int(np.clip(operations / max(size, 8) ** 3, 64, 4096))


def _consistent(equation: Equation, points, certificate: Certificate, hits, expected: int | None, odd: bool) -> bool:
    """Whether nothing speaks for points that are missing."""
    return (
        len(points) > 0
        and bool((hits >= 2).all())
        and (expected is None or certificate.singular.any() or _index_sum(certificate) == expected)
        and (not odd or _mirrored(equation, points))
    )


def _index_sum(certificate: Certificate) -> int:
    return int(np.linalg.slogdet(np.eye(certificate.J.shape[-1]) - certificate.J)[0].sum())


def _mirrored(equation: Equation, points: np.ndarray) -> bool:
    """Whether the mirror image of each point is one."""
    gap = np.abs(points[:, None] + points[None]).max(axis=2).min(axis=1, initial=np.inf)
    return bool((gap <= 1e-7 * equation.scale).all())
