"""Newton's iteration from many starts at once, for the fixed points of iterates of a map.

Starts of cell networks go most of the way without matrices, compiled (`rnndyn.roots`, `rnndyn.roots_cuda`): those of
all equations side by side. What is done with the states is written for one equation, as a generator: it yields which
Newton steps it wants, is sent what they gave, and returns its roots.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from rnndyn import roots
from rnndyn.analysis.equation import BATCH_ELEMENTS, EPS, Equation
from rnndyn.analysis.levenberg import solve_dense
from rnndyn.kernels.threads import small_matrices

ROUGH = 3e-7  # |G| times sqrt(S) at which single precision has done its part
ALMOST = 1e-9  # |G| times sqrt(S) from which on Newton steps with a matrix may reach the rounding error
ALIKE = 1e-9  # double-precision states within this, times the scale, are judged as one
NEIGHBOURS = 0.03  # single-precision states within this, times the scale, are tried as one root
TOGETHER = 1e-4  # and within this they are taken as one


class Wanted(NamedTuple):
    """Newton steps in this precision from the starts (n, S), until |G| is enough."""

    dtype: str
    starts: np.ndarray
    enough: float


Roots = tuple[np.ndarray, np.ndarray]  # last states (n, S), and which have converged (n,)
Steps = tuple[np.ndarray, np.ndarray]  # last states (n, S), and |G| there (n,)
Course = Generator[Wanted, Steps, Roots]


def solve(equation: Equation, starts: np.ndarray, tol: float | None) -> Roots:
    """Roots of the equation from many starts.

    Each start takes Newton steps; where a step does not lower |G|, it is shortened and turned towards the steepest
    descent ([levenberg1944]_, [marquardt1963]_). A start is finished when |G| is within its own rounding error and no
    full Newton step lowers it any more (or when it is within `tol`), and leaves the batch. Many starts of one cell
    network first go most of the way in single precision, without matrices (`rnndyn.roots`); of those that lead to one
    root one goes on in double precision, for all. On a GPU each goes all the way in double precision.

    Parameters
    ----------
    equation
        What to solve.
    starts : (n, S)
        Where to start.
    tol
        Bound on max |G|; None for the rounding error.

    Returns
    -------
    (n, S) array, (n,) bool array
        The last states, and which of them have converged. No start influences another.
    """
    return solve_together([equation], [starts], tol)[0]


def solve_together(equations: list[Equation], starts: list[np.ndarray], tol: float | None) -> list[Roots]:
    """Roots of several equations; the starts of all of them share the cores, or the GPU.

    Parameters
    ----------
    equations
        One or more, of networks of one class and size, of the same period and scale, for the same device.
    starts
        Of each equation, (n, S).
    tol
        As in `solve`.

    Returns
    -------
    list of pairs
        As `solve` gives them, for each equation.
    """
    first = equations[0]
    with small_matrices(starts[0].shape[1]):
        if first.period == 1 and first.device == "cuda":
            return _side_by_side(equations, [_on_gpu(*one, tol) for one in zip(equations, starts, strict=True)])
        if first.period == 1 and roots.applies(first.net, sum(some.size for some in starts)):
            return _side_by_side(equations, [_on_cpu(*one, tol) for one in zip(equations, starts, strict=True)])
        return [solve_dense(*one, tol) for one in zip(equations, starts, strict=True)]


def _side_by_side(equations: list[Equation], courses: list[Course]) -> list[Roots]:
    """Results of courses that want steps equally often."""
    found: list[Roots] = []
    wanted = [next(course) for course in courses]
    while not found:
        taken, wanted = _take(equations, wanted), []
        for course, steps in zip(courses, taken, strict=True):
            try:
                wanted.append(course.send(steps))
            except StopIteration as end:
                found.append(end.value)
    return found


def _take(equations: list[Equation], wanted: list[Wanted]) -> list[Steps]:
    """The Newton steps that are wanted for each of the equations, all in one call of the kernel."""
    dtype, _, enough = wanted[0]
    nets = list({id(equation.net): equation.net for equation in equations}.values())
    place = {id(net): n for n, net in enumerate(nets)}
    counts = [len(one.starts) for one in wanted]
    of = np.repeat([place[id(equation.net)] for equation in equations], counts)
    inputs = [np.zeros(0) if equation.x is None else equation.x for equation in equations]
    states, left = _newton_from(equations[0].device)(
        [net.astype(dtype) for net in nets],
        of,
        np.repeat(inputs, counts, axis=0),
        np.concatenate([one.starts for one in wanted]),
        enough,
    )
    ends = np.cumsum(counts)[:-1]
    return list(zip(np.split(states, ends), np.split(left, ends), strict=True))


def _newton_from(device: str):
    if device == "cpu":
        return roots.newton_from
    from rnndyn import roots_cuda  # imports CUDA

    return roots_cuda.newton_from


def _size(equation: Equation, starts: np.ndarray) -> float:
    """|G| where every component is of the size of the scale."""
    return float(np.sqrt(starts.shape[1]) * equation.scale)


def _on_gpu(equation: Equation, starts: np.ndarray, tol: float | None) -> Course:
    """All the way in double precision; Newton steps with a matrix take the last doubtful ones."""
    size = _size(equation, starts)
    states, left = yield Wanted("float64", starts, EPS * size)
    converged = np.zeros(len(states), bool)
    near = np.flatnonzero(left <= ALMOST * size)
    label, chosen = _groups(states[near], ALIKE * equation.scale)
    some = states[near[chosen]]
    good = equation.solved_by(some, tol)
    some[~good], good[~good] = solve_dense(equation, some[~good], tol)
    states[near], converged[near] = some[label], good[label]
    return states, converged


def _on_cpu(equation: Equation, starts: np.ndarray, tol: float | None) -> Course:
    """Most of the way in single precision; one of those that lead to one root goes on in double, for all."""
    size = _size(equation, starts)
    rough, left = yield Wanted("float32", starts, ROUGH * size)
    states, converged = rough.astype(np.float64), np.zeros(len(starts), bool)
    near = np.flatnonzero(left <= 100 * ROUGH * size)
    polished, _, good, label = yield from _polish(equation, states[near], NEIGHBOURS * equation.scale, tol)
    led = good[label] & _led_to(equation, states[near], polished, label, TOGETHER * equation.scale)
    states[near[led]], converged[near[led]] = polished[label[led]], True
    strays = near[~led]
    polished, left, good, label = yield from _polish(equation, states[strays], TOGETHER * equation.scale, tol)
    rest = np.flatnonzero(~good & (left <= ALMOST * size))  # the others have come to a standstill far from a root
    polished[rest], good[rest] = solve_dense(equation, polished[rest], tol)
    states[strays], converged[strays] = polished[label], good[label]
    return states, converged


def _polish(
    equation: Equation, states: np.ndarray, distance: float, tol: float | None
) -> Generator[Wanted, Steps, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """One state of each group of neighbours in double precision; |G| there, whether that will do; labels of groups."""
    size = _size(equation, states)
    label, chosen = _groups(states, distance)
    polished, left = yield Wanted("float64", states[chosen], EPS * size)
    good, almost = np.zeros(len(polished), bool), np.flatnonzero(left <= ALMOST * size)
    good[almost] = equation.solved_by(polished[almost], tol)
    return polished, left, good, label


def _led_to(
    equation: Equation, states: np.ndarray, polished: np.ndarray, label: np.ndarray, distance: float
) -> np.ndarray:
    """Which states a Newton step, with the Jacobian at the polished state of their group, brings close to that.

    Single precision leaves a state far from its root along directions in which G hardly changes; the step takes that
    back, and leaves a state near another root of the neighbourhood where it is.
    """
    off = states - polished[label]
    near = (np.abs(off) <= distance).all(axis=1)
    far = np.flatnonzero(~near)
    G, rows = equation.values(states[far]), max(1, BATCH_ELEMENTS // states.shape[1] ** 2)
    groups = np.unique(label[far])
    for some in (groups[k : k + rows] for k in range(0, len(groups), rows)):
        for group, A in zip(some, equation.at(polished[some]).A, strict=True):
            members = label[far] == group
            with suppress(np.linalg.LinAlgError):  # of a singular matrix: the states stay where they are
                off[far[members]] -= np.linalg.solve(A, G[members].T).T
    near[far] = (np.abs(off[far]) <= distance).all(axis=1)
    return near


def _groups(states: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Group of each state, and one state of each group; all of a group are within the distance of that one."""
    chosen: list[int] = []
    label, open_ = np.full(len(states), -1), np.arange(len(states))
    while len(open_):
        near = (np.abs(states[open_] - states[open_[0]]) <= distance).all(axis=1)
        label[open_[near]] = len(chosen)
        chosen.append(open_[0])
        open_ = open_[~near]
    return label, np.array(chosen, int)
