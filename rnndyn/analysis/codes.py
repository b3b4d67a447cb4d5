"""All, or very many, fixed points and cycles of piecewise-linear networks, exactly, by their codes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnndyn.analysis.pieces import Pieces, Proof, continuum, orbits, pieces, prove, realised

EXHAUSTIVE = 2**17  # sequences of codes, up to rotation, that are all looked at
BATCH_ELEMENTS = 1_000_000  # of the Jacobians that are held at once
BATCH = 256  # starts that are followed side by side
FOLLOWED = 64  # codes that a start may visit before it is given up
RUNS, STEPS = 64, 512  # of the network, whose codes are starts
NEIGHBOURS = 4096  # most codes, one unit off at one time, that are tried around a cycle


class Found(NamedTuple):
    """Points of cycles, cycle by cycle, each in the order of time.

    Attributes
    ----------
    states : (n, S)
        The points.
    codes : (n, U) bool
        Which units are on there; those on a boundary between pieces are off.
    cycle : (n,) int
        Number of the cycle that the point is on, by rising period.
    position : (n,) int
        Place on its cycle, 0 first.
    period : (n,) int
        Minimal period of its cycle.
    error_bound : (n,)
        How far the true point may be, 2-norm.
    boundary : (n,) bool
        Whether a unit of the cycle is at zero, to rounding: its Jacobian has several values.
    singular : (n,) bool
        Whether the cycle is one of a continuum; one is listed for each sequence of codes.
    hits : (n,) int
        How many starts ended on the cycle.
    tried : int
        How many linear problems were solved.
    complete : bool
        Whether there are no other cycles of these periods.
    """

    states: np.ndarray
    codes: np.ndarray
    cycle: np.ndarray
    position: np.ndarray
    period: np.ndarray
    error_bound: np.ndarray
    boundary: np.ndarray
    singular: np.ndarray
    hits: np.ndarray
    tried: int
    complete: bool


def search(net, x: np.ndarray | None, period: int, *, budget: int = 4096, rng: np.random.Generator) -> Found:
    """Cycles of a piecewise-linear network whose period divides a number.

    Where there are few sequences of codes (up to rotation at most 2^17: 17 units for fixed points, 9 for cycles of
    period 2), each is looked at, and the answer is complete. Else sequences are drawn, by turns from runs of the
    network and at random; an orbit that is not one of the network (a virtual one) passes on to the codes that a run from
    its first point visits ([eisenmann2023]_, algorithm 1), and around a cycle that is found all sequences with one unit
    switched at one time are tried: where a cycle is born on a boundary, its partner is there.

    Parameters
    ----------
    net
        A network that `pieces` knows, or its Pieces.
    x : (I,) or None
        The constant input.
    period
        All cycles of this period and of its divisors, so fixed points too.
    budget
        Linear problems to solve for each divisor, where not all can be. A tenth is kept for exploring around cycles.
    rng
        The generator of the starts; the complete search draws nothing.

    Returns
    -------
    Found
        Cycles in a fixed order, each proven by its error bound, or marked as on a boundary or in a continuum.

    Raises
    ------
    TypeError
        Where the network is not piecewise linear.

    Notes
    -----
    Cost O(k S^3) a linear problem, many side by side. Cycles are told apart by their codes, not by their distance.

    Examples
    --------
    >>> from rnndyn.networks import PiecewiseLinear
    >>> found = search(PiecewiseLinear([0.5], [[-2.5]], [1.0]), None, 2, rng=np.random.default_rng(0))
    >>> found.states.ravel().round(4).tolist(), found.period.tolist(), found.complete
    ([0.3333, -0.5, 0.75], [1, 2, 2], True)
    """
    system = net if isinstance(net, Pieces) else pieces(net, x)
    if system is None:
        raise TypeError(f"net is {net!r}, which is not piecewise linear: pass a PiecewiseLinear or a network with relu")
    cycles, tried, complete = _Cycles(system), 0, True
    for k in (k for k in range(1, period + 1) if period % k == 0):
        if exhaustible(len(system.r), k):
            tried += _exhaust(system, k, cycles)
        else:
            tried += _explore(system, k, budget, rng, cycles)
            complete = False
    return cycles.found(tried, complete and cycles.decided)


def exhaustible(units: int, period: int) -> bool:
    """Whether the sequences of codes, up to rotation, are few enough to look at each.

    Parameters
    ----------
    units
        U.
    period
        k: there are some 2^(U k) / k.

    Returns
    -------
    bool
        True for at most 2^17.
    """
    return units * period < 64 and 2 ** (units * period) <= EXHAUSTIVE * period


class _Cycles:
    """The cycles so far, by their codes."""

    def __init__(self, system: Pieces) -> None:
        self.system, self.decided = system, True
        self.proofs: dict[tuple[int, bytes], Proof] = {}
        self.hits: Counter[tuple[int, bytes]] = Counter()

    def add(self, codes: np.ndarray, singular: bool) -> tuple[int, bytes] | None:
        """Prove a cycle and keep it; its key, or None where there is none."""
        codes = codes[: primitive(codes)]
        proof = (continuum if singular else prove)(self.system, codes)
        if proof is None:
            return None
        turn, key = canonical(proof.codes)
        name = (len(codes), key)
        if name not in self.proofs:
            turned = (np.roll(part, -turn, axis=0) for part in (proof.states, proof.codes))
            self.proofs[name] = Proof(*turned, *proof[2:])
        return name

    def found(self, tried: int, complete: bool) -> Found:
        """All of them, in the order of period and codes."""
        names = sorted(self.proofs)
        proofs = [self.proofs[name] for name in names]
        lengths = np.array([k for k, _ in names], int)
        size, units = len(self.system.c), len(self.system.r)
        return Found(
            np.concatenate([np.empty((0, size)), *(proof.states for proof in proofs)]),
            np.concatenate([np.empty((0, units), bool), *(proof.codes for proof in proofs)]),
            np.repeat(np.arange(len(names)), lengths),
            np.concatenate([np.empty(0, int), *(np.arange(k) for k in lengths)]),
            np.repeat(lengths, lengths),
            *(
                np.repeat(np.array([getattr(proof, name) for proof in proofs], kind), lengths)
                for name, kind in (("error_bound", float), ("boundary", bool), ("singular", bool))
            ),
            np.repeat(np.array([self.hits[name] for name in names], int), lengths),
            tried,
            complete,
        )


def canonical(codes: np.ndarray) -> tuple[int, bytes]:
    """The rotation of codes (k, U) that comes first, and its bytes: equal for equal cycles, wherever they begin.

    Examples
    --------
    >>> canonical(np.array([[True], [False], [True]]))
    (1, b'\\x00\\x80\\x80')
    """
    rows = [row.tobytes() for row in np.packbits(codes, axis=1)]
    turn = min(range(len(rows)), key=lambda i: rows[i:] + rows[:i])
    return turn, b"".join(rows[turn:] + rows[:turn])


def primitive(codes: np.ndarray) -> int:
    """Length of the shortest sequence that codes (k, U) repeat."""
    k = len(codes)
    return next(d for d in range(1, k + 1) if k % d == 0 and (codes == np.roll(codes, d, axis=0)).all())


# ---- all sequences ---------------------------------------------------------------------------------------------------


def _exhaust(system: Pieces, k: int, cycles: _Cycles) -> int:
    """Look at each sequence of k codes that is no rotation of another, and no repetition; how many there were."""
    tried = 0
    for codes in _sequences(len(system.r), k, max(1, BATCH_ELEMENTS // (k * len(system.c) ** 2))):
        states, singular = orbits(system, codes)
        tried += len(codes)
        for j in np.flatnonzero(singular | realised(system, codes, states)):
            if (name := cycles.add(codes[j], bool(singular[j]))) is not None:
                cycles.hits[name] += 1
    return tried


def _sequences(units: int, k: int, rows: int) -> Iterator[np.ndarray]:
    """Batches of sequences (n, k, U), as numbers in the base 2^U that are less than all their rotations."""
    base, top = 2**units, 2 ** (units * (k - 1))
    for start in range(0, base**k, rows):
        words = np.arange(start, min(start + rows, base**k))
        least, turned = np.ones(len(words), bool), words
        for _ in range(k - 1):
            turned = turned % top * base + turned // top
            least &= words < turned
        bits = words[least, None] >> np.arange(units * k) & 1
        yield bits.astype(bool).reshape(-1, k, units)


# ---- some sequences --------------------------------------------------------------------------------------------------


class _Start:
    """What a start has visited, and whether it counts as a hit: those around a cycle that was found do not."""

    def __init__(self, codes: np.ndarray, counts: bool) -> None:
        self.codes, self.counts = codes, counts
        self.path: list[bytes] = [canonical(codes)[1]]


def _explore(system: Pieces, k: int, budget: int, rng: np.random.Generator, cycles: _Cycles) -> int:
    """Follow starts until so many linear problems are solved; how many were."""
    ends: dict[bytes, tuple[int, bytes] | None] = {}  # where the codes that were visited lead to
    around: deque[np.ndarray] = deque()
    fresh = _starts(system, k, rng)
    rows = int(np.clip(BATCH_ELEMENTS // (k * len(system.c) ** 2), 1, min(BATCH, budget)))
    active: list[_Start] = []
    tried = begun = 0
    while tried < budget and begun < 4 * budget:
        while len(active) < rows and begun < 4 * budget:
            begun += 1
            start = _Start(around.popleft(), False) if around and begun % 2 else _Start(next(fresh), True)
            if start.path[0] in ends:
                _finish(start, ends[start.path[0]], ends, cycles)
            else:
                active.append(start)
        codes = np.array([start.codes for start in active]).reshape(-1, k, len(system.r))
        states, singular = orbits(system, codes)
        tried += len(codes)
        known = len(cycles.proofs)
        active = _advance(active, codes, system, states, singular, ends, cycles)
        for proof in list(cycles.proofs.values())[known:]:
            if len(proof.codes) == k and k * len(system.r) <= NEIGHBOURS:
                around.extend(_neighbours(proof.codes))
    return tried


def _advance(active, codes, system, states, singular, ends, cycles) -> list[_Start]:
    """Send each start on to the codes that a run from its orbit visits; those that go on."""
    real = realised(system, codes, states) & ~singular
    visited = _visited(system, states[:, 0], codes.shape[1])
    left = []
    for j, start in enumerate(active):
        end = cycles.add(codes[j], bool(singular[j])) if real[j] or singular[j] else None
        key = canonical(visited[j])[1]
        if end is not None or singular[j] or key in start.path or len(start.path) >= FOLLOWED:
            _finish(start, end, ends, cycles)
        elif key in ends:
            _finish(start, ends[key], ends, cycles)
        else:
            start.codes = visited[j]
            start.path.append(key)
            left.append(start)
    return left


def _finish(start: _Start, end: tuple[int, bytes] | None, ends: dict, cycles: _Cycles) -> None:
    ends.update(dict.fromkeys(start.path, end))
    if end is not None and start.counts:
        cycles.hits[end] += 1


def _visited(system: Pieces, states: np.ndarray, k: int) -> np.ndarray:
    """Codes (n, k, U) that runs of k steps visit."""
    codes = np.empty((len(states), k, len(system.r)), bool)
    with np.errstate(all="ignore"):  # an orbit that is not one of the network may lead anywhere
        for i in range(k):
            codes[:, i] = system.codes(states)
            states = system.step(states)
    return codes


def _starts(system: Pieces, k: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Sequences of k codes without end: by turns a part of a run, and random ones."""
    scale = 10 ** rng.uniform(-1, 2, (RUNS, 1))
    runs = _visited(system, scale * rng.standard_normal((RUNS, len(system.c))), STEPS + k)
    while True:
        run, at = rng.integers(RUNS), rng.integers(STEPS)
        yield runs[run, at : at + k]
        yield rng.random((k, len(system.r))) < 0.5


def _neighbours(codes: np.ndarray) -> Iterator[np.ndarray]:
    """The sequences that differ in one unit at one time."""
    for place in np.ndindex(codes.shape):
        other = codes.copy()
        other[place] ^= True
        yield other
