"""All, or very many, fixed points and cycles of piecewise-linear networks, exactly, by their codes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnndyn.analysis.pieces import EPS, Pieces, Proof, continuum, orbits, pieces, prove, realised

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
    first : (n,) int
        How many linear problems of one length were solved until the cycle was found.
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
    first: np.ndarray
    tried: int
    complete: bool


def search(
    net,
    x: np.ndarray | None,
    period: int,
    *,
    rng: np.random.Generator,
    budget: int = 4096,
    limit: int = EXHAUSTIVE,
    batch: int = BATCH,
    runs: int = RUNS,
) -> Found:
    """Cycles of a piecewise-linear network whose period divides a number.

    Where there are few sequences of codes (up to rotation at most 2^17: 17 units for fixed points, 9 for cycles of
    period 2), each is looked at, and the answer is complete. Else sequences are drawn, by turns from runs of the
    network and at random. An orbit that is not one of the network (a virtual one) passes on to the codes that a run
    from its first point visits ([eisenmann2023]_, algorithm 1). Around a cycle that is found all sequences with one
    unit switched at one time are tried too: where a cycle is born on a boundary, its partner is there.

    Parameters
    ----------
    net
        A network that `pieces` knows, or its Pieces.
    x : (I,) or None
        The constant input.
    period
        All cycles of this period and of its divisors, so fixed points too.
    rng
        The generator of the starts; the complete search draws nothing.
    budget
        Linear problems to solve for each divisor, where not all are; up to a batch more are.
    limit
        Most sequences of codes, up to rotation, that are all looked at.
    batch
        Starts that are followed side by side.
    runs
        Runs of the network whose codes are starts; 0 for random starts alone.

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
    cycles, complete = _Cycles(system), True
    for k in (k for k in range(1, period + 1) if period % k == 0):
        cycles.before = cycles.tried
        with np.errstate(over="ignore", invalid="ignore"):  # an orbit that is not one of the network may lie anywhere
            if sequences(len(system.r), k) <= limit:
                _exhaust(system, k, cycles)
            else:
                _explore(system, k, budget, rng, cycles, batch, runs)
                complete = False
    return cycles.found(complete)


def sequences(units: int, period: int) -> float:
    """How many sequences of codes there are, up to rotation, in round numbers: ``2^(U k) / k``.

    Parameters
    ----------
    units, period
        U, k.

    Returns
    -------
    float
        Infinite where it is more than a float holds.
    """
    return 2.0 ** (units * period) / period if units * period < 1000 else np.inf


class _Cycles:
    """The cycles so far, by their codes."""

    def __init__(self, system: Pieces) -> None:
        self.system, self.tried, self.before = system, 0, 0
        self.proofs: dict[tuple[int, bytes], Proof] = {}
        self.hits: Counter[tuple[int, bytes]] = Counter()
        self.first: dict[tuple[int, bytes], int] = {}

    def add(self, codes: np.ndarray, states: np.ndarray, doubt: float) -> tuple[int, bytes] | None:
        """Prove a cycle, unless it is known, and keep it; its key, or None where there is none."""
        k, singular = primitive(codes), not np.isfinite(doubt)
        codes, states = codes[:k], states[:k]
        if not singular and (known := self._known(codes & (self.system.drive(states) > doubt), states)) is not None:
            return known
        proof = (continuum if singular else prove)(self.system, codes)
        if proof is None:
            return None
        shorter = primitive(proof.codes)  # on a boundary several codes hold, and some are less regular than the orbit
        same = 2 * proof.error_bound + 1e3 * EPS * np.abs(proof.states).max()
        if np.abs(proof.states - np.roll(proof.states, shorter, axis=0)).max() <= same:
            proof = proof._replace(states=proof.states[:shorter], codes=proof.codes[:shorter])
        turn, key = canonical(proof.codes)
        name = (len(proof.codes), key)
        if name not in self.proofs:
            states, codes = (np.roll(part, -turn, axis=0) for part in (proof.states, proof.codes))
            self.proofs[name] = proof._replace(states=states, codes=codes)
            self.first[name] = self.tried - self.before
        return name

    def _known(self, codes: np.ndarray, states: np.ndarray) -> tuple[int, bytes] | None:
        """Key of the cycle of these codes, if it is among the proven ones, and these are its states."""
        k = primitive(codes)
        turn, key = canonical(codes[:k])
        proof = self.proofs.get((k, key))
        if proof is None:
            return None
        gap = np.abs(np.roll(states, -turn, axis=0).reshape(-1, *proof.states.shape) - proof.states).max()
        return (k, key) if gap <= 1e3 * proof.error_bound else None

    def found(self, complete: bool) -> Found:
        """All of them, in the order of period and codes."""
        names = sorted(self.proofs)
        proofs = [self.proofs[name] for name in names]
        lengths = np.array([k for k, _ in names], int)
        size, units = len(self.system.c), len(self.system.r)

        def each(values: list, kind: type) -> np.ndarray:
            return np.repeat(np.array(values, kind), lengths)

        return Found(
            states=np.concatenate([np.empty((0, size)), *(proof.states for proof in proofs)]),
            codes=np.concatenate([np.empty((0, units), bool), *(proof.codes for proof in proofs)]),
            cycle=np.repeat(np.arange(len(names)), lengths),
            position=np.concatenate([np.empty(0, int), *(np.arange(k) for k in lengths)]),
            period=np.repeat(lengths, lengths),
            error_bound=each([proof.error_bound for proof in proofs], float),
            boundary=each([proof.boundary for proof in proofs], bool),
            singular=each([proof.singular for proof in proofs], bool),
            hits=each([self.hits[name] for name in names], int),
            first=each([self.first[name] for name in names], int),
            tried=self.tried,
            complete=complete,
        )


def canonical(codes: np.ndarray) -> tuple[int, bytes]:
    r"""The rotation of codes (k, U) that comes first, and its bytes: equal for equal cycles, wherever they begin.

    Examples
    --------
    >>> canonical(np.array([[True], [False], [True]]))
    (1, b'\x00\x80\x80')
    """
    rows = [row.tobytes() for row in np.packbits(codes, axis=1)]
    turn = min(range(len(rows)), key=lambda i: rows[i:] + rows[:i])
    return turn, b"".join(rows[turn:] + rows[:turn])


def primitive(codes: np.ndarray) -> int:
    """Length of the shortest sequence that codes (k, U) repeat."""
    k = len(codes)
    return next(d for d in range(1, k + 1) if k % d == 0 and (codes == np.roll(codes, d, axis=0)).all())


# ---- all sequences ---------------------------------------------------------------------------------------------------


def _exhaust(system: Pieces, k: int, cycles: _Cycles) -> None:
    """Look at each sequence of k codes that is no rotation of another, and no repetition."""
    for codes in _sequences(len(system.r), k, max(1, BATCH_ELEMENTS // (k * len(system.c) ** 2))):
        states, doubt = orbits(system, codes)
        cycles.tried += len(codes)
        for j in np.flatnonzero(np.isinf(doubt) | realised(system, codes, states, doubt)):
            if (name := cycles.add(codes[j], states[j], doubt[j])) is not None:
                cycles.hits[name] += 1


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


def _explore(system: Pieces, k: int, budget: int, rng, cycles: _Cycles, batch: int, runs: int) -> None:
    """Follow starts until so many linear problems are solved."""
    ends: dict[bytes, tuple[int, bytes] | None] = {}  # where the codes that were visited lead to
    around: deque[np.ndarray] = deque()
    fresh = _starts(system, k, runs, rng)
    rows = int(np.clip(BATCH_ELEMENTS // (k * len(system.c) ** 2), 1, min(batch, budget)))
    active: list[_Start] = []
    begun, last = 0, cycles.tried + budget
    while cycles.tried < last and begun < 4 * budget:
        while len(active) < rows and begun < 4 * budget:
            begun += 1
            start = _Start(around.popleft(), False) if around and begun % 2 else _Start(next(fresh), True)
            if start.path[0] in ends:
                _finish(start, ends[start.path[0]], ends, cycles)
            else:
                active.append(start)
        codes = np.array([start.codes for start in active]).reshape(-1, k, len(system.r))
        states, doubt = orbits(system, codes)
        cycles.tried += len(codes)
        known = len(cycles.proofs)
        active = _advance(active, codes, states, doubt, ends, cycles)
        for proof in list(cycles.proofs.values())[known:]:
            if len(proof.codes) == k and k * len(system.r) <= NEIGHBOURS:
                around.extend(_neighbours(proof.codes))


def _advance(active, codes, states, doubt, ends, cycles) -> list[_Start]:
    """Send each start on to the codes that a run from its orbit visits; those that go on."""
    singular, real = np.isinf(doubt), realised(cycles.system, codes, states, doubt)
    visited = _visited(cycles.system, states[:, 0], codes.shape[1])
    left = []
    for j, start in enumerate(active):
        end = cycles.add(codes[j], states[j], doubt[j]) if real[j] or singular[j] else None
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
    for i in range(k):
        codes[:, i] = system.codes(states)
        states = system.step(states)
    return codes


def _starts(system: Pieces, k: int, runs: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Sequences of k codes without end: by turns a part of a run, if there are any, and random ones."""
    scale = 10 ** rng.uniform(-1, 2, (runs, 1))
    visited = _visited(system, scale * rng.standard_normal((runs, len(system.c))), STEPS + k)
    while True:
        if runs:
            run, at = rng.integers(runs), rng.integers(STEPS)
            yield visited[run, at : at + k]
        yield rng.random((k, len(system.r))) < 0.5


def _neighbours(codes: np.ndarray) -> Iterator[np.ndarray]:
    """The sequences that differ in one unit at one time."""
    for place in np.ndindex(codes.shape):
        other = codes.copy()
        other[place] ^= True
        yield other
