"""Damped Newton iteration from many starts at once, for the fixed points of iterates of a map."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np

from rnndyn import dynamics, roots
from rnndyn.analysis import front
from rnndyn.kernels.threads import in_parts, small_matrices

EPS = np.finfo(np.float64).eps
ITERATIONS = 200
BATCH_ELEMENTS = 4_000_000  # of the Jacobians that are held at once
ROUGH = 3e-7  # |G| times sqrt(S) at which single precision has done its part
ALMOST = 1e-9  # |G| times sqrt(S) from which on Newton steps with a matrix may reach the rounding error
ALIKE = 1e-9  # double-precision states within this, times the scale, are judged as one
NEIGHBOURS = 0.03  # single-precision states within this, times the scale, are tried as one root
TOGETHER = 1e-4  # and within this they are taken as one


class Point(NamedTuple):
    """At n states x: ``G = F^p(x) - x`` (n, S), its Jacobian ``A`` (n, S, S), and the rounding error of G (n, S)."""

    G: np.ndarray
    A: np.ndarray
    rounding: np.ndarray

    def take(self, rows: np.ndarray) -> Point:
        """Some of the states (by index or mask)."""
        return Point(*(values[rows] for values in self))

    def replaced(self, rows: np.ndarray, other: Point) -> Point:
        """With the values of another point in those rows (a mask)."""
        masks = (rows.reshape(-1, *(1,) * (values.ndim - 1)) for values in self)
        return Point(*(np.where(mask, new, old) for mask, new, old in zip(masks, other, self, strict=True)))


class Equation:
    """The equation ``F^p(x) = x`` of a network under constant input.

    Parameters
    ----------
    net
        The network, float64.
    x : (I,) or None
        The input.
    period
        p.
    scale
        Size of a typical state component.
    device
        "cuda": `solve` sends the starts of fixed points of a cell network to a GPU.
    """

    def __init__(self, net, x: np.ndarray | None, period: int, scale: float, device: str = "cpu") -> None:
        self.net, self.x, self.period, self.scale, self.device = net, x, period, scale, device

    def at(self, states: np.ndarray) -> Point:
        """Value, Jacobian and rounding error.

        Parameters
        ----------
        states : (n, S)
            Where.

        Returns
        -------
        Point
            The rounding error is bounded as for sums of S terms at every step of the iterate: (S + 4) eps
            (|J| |x| + |F| + eps-small terms of the size of the scale).
        """
        s, rounding = states, np.zeros_like(states)
        product: np.ndarray | None = None
        for _ in range(self.period):
            s, J, rounding = self.step(s, rounding)
            product = J if product is None else J @ product
        return Point(s - states, np.asarray(product) - np.eye(states.shape[1]), rounding)

    def step(self, states: np.ndarray, rounding: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """F once: value, Jacobian and rounding error.

        Parameters
        ----------
        states : (n, S)
            Where.
        rounding : (n, S)
            The error of these.

        Returns
        -------
        (n, S) array, (n, S, S) array, (n, S) array
            The error as in `at`.
        """
        x, terms = front.row(self.x, len(states)), _terms(states)
        J, after = dynamics.jacobian(self.net, states, x), dynamics.step(self.net, states, x)
        passed_on = (np.abs(J) @ (rounding + terms * np.abs(states))[..., None])[..., 0]
        return after, J, passed_on + terms * np.abs(after) + EPS * self.scale

    def values(self, states: np.ndarray) -> np.ndarray:
        """G alone.

        Parameters
        ----------
        states : (n, S)
            Where.

        Returns
        -------
        (n, S) array
            F^p(x) - x.
        """
        s, x = states, front.row(self.x, len(states))
        for _ in range(self.period):
            s = dynamics.step(self.net, s, x)
        return s - states


def solve(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
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
    with small_matrices(starts.shape[1]):
        if equation.period == 1 and equation.device == "cuda":
            return solve_together([equation], [starts], tol)[0]
        if equation.period == 1 and roots.applies(equation.net, starts):
            return _solve_many(equation, starts, tol)
        return _solve_dense(equation, starts, tol)


def solve_together(
    equations: list[Equation], starts: list[np.ndarray], tol: float | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Roots of several equations at once, on a GPU.

    Parameters
    ----------
    equations
        For fixed points of cell networks of one class and size, of the same scale.
    starts
        Of each equation, (n, S).
    tol
        As in `solve`.

    Returns
    -------
    list of pairs
        As `solve` gives them, for each equation. The processor judges the last states, and goes on with those that came
        near a root but not within their rounding error.
    """
    from rnndyn import roots_cuda  # imports CUDA

    nets = list({id(equation.net): equation.net for equation in equations}.values())
    place = {id(net): n for n, net in enumerate(nets)}
    counts = [len(some) for some in starts]
    of = np.repeat([place[id(equation.net)] for equation in equations], counts)
    inputs = [np.zeros(0) if equation.x is None else equation.x for equation in equations]
    size = np.sqrt(starts[0].shape[1]) * equations[0].scale
    states, left = roots_cuda.newton_from(
        nets, of, np.repeat(inputs, counts, axis=0), np.concatenate(starts), EPS * size
    )
    ends = np.cumsum(counts)[:-1]
    parts = zip(equations, np.split(states, ends), np.split(left, ends), strict=True)
    return [_judged(equation, some, lengths, tol) for equation, some, lengths in parts]


def _judged(
    equation: Equation, states: np.ndarray, left: np.ndarray, tol: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """States, and which are roots, of those with these |G|; Newton steps with a matrix take the last doubtful ones."""
    converged = np.zeros(len(states), bool)
    near = np.flatnonzero(left <= ALMOST * np.sqrt(states.shape[1]) * equation.scale)
    label, chosen = _groups(states[near], ALIKE * equation.scale)
    some = states[near[chosen]]
    good = _near_enough(equation, some, tol)
    some[~good], good[~good] = _solve_dense(equation, some[~good], tol)
    states[near], converged[near] = some[label], good[label]
    return states, converged


def _solve_many(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
    size = np.sqrt(starts.shape[1]) * equation.scale
    rough, left = roots.newton_from(equation.net.astype("float32"), equation.x, starts, ROUGH * size)
    states, converged = rough.astype(np.float64), np.zeros(len(starts), bool)
    near = np.flatnonzero(left <= 100 * ROUGH * size)
    polished, _, good, label = _polish(equation, states[near], NEIGHBOURS * equation.scale, tol)
    led = good[label] & _led_to(equation, states[near], polished, label, TOGETHER * equation.scale)
    states[near[led]], converged[near[led]] = polished[label[led]], True
    strays = near[~led]
    polished, left, good, label = _polish(equation, states[strays], TOGETHER * equation.scale, tol)
    rest = np.flatnonzero(~good & (left <= ALMOST * size))  # the others have come to a standstill far from a root
    polished[rest], good[rest] = _solve_dense(equation, polished[rest], tol)
    states[strays], converged[strays] = polished[label], good[label]
    return states, converged


def _polish(
    equation: Equation, states: np.ndarray, distance: float, tol: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One state of each group of neighbours in double precision; |G| there, whether that will do; labels of groups."""
    size = np.sqrt(states.shape[1]) * equation.scale
    label, chosen = _groups(states, distance)
    polished, left = roots.newton_from(equation.net, equation.x, states[chosen], EPS * size)
    good, almost = np.zeros(len(polished), bool), np.flatnonzero(left <= ALMOST * size)
    good[almost] = _near_enough(equation, polished[almost], tol)
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


def _near_enough(equation: Equation, states: np.ndarray, tol: float | None) -> np.ndarray:
    """Whether states are within their rounding error, or the tolerance; Jacobians are formed where they decide it."""
    off = np.abs(equation.values(states))
    if tol is not None:
        return (off <= tol).all(axis=1)
    good = (off <= _terms(states) * np.abs(states) + EPS * equation.scale).all(axis=1)
    open_, rows = np.flatnonzero(~good), max(1, BATCH_ELEMENTS // states.shape[1] ** 2)
    for some in (open_[k : k + rows] for k in range(0, len(open_), rows)):
        good[some] = _close(equation.at(states[some]), None)
    return good


def _terms(states: np.ndarray) -> float:
    """Relative rounding error of sums of S products, and of a function of them."""
    return (states.shape[1] + 4) * EPS


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


def _solve_dense(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
    n, size = starts.shape
    rows = max(1, BATCH_ELEMENTS // size**2)
    parts = in_parts(lambda part: _solve_batch(equation, starts[part], tol), n, size, rows)
    return np.concatenate([states for states, _ in parts]), np.concatenate([converged for _, converged in parts])


def _solve_batch(equation: Equation, starts: np.ndarray, tol: float | None) -> tuple[np.ndarray, np.ndarray]:
    final, converged = starts.copy(), np.zeros(len(starts), bool)
    here = equation.at(starts)
    active = np.flatnonzero(np.isfinite(here.G).all(axis=1) & np.isfinite(here.A).all(axis=(1, 2)))
    x, here, damping = starts[active], here.take(active), np.zeros(len(active))
    for _ in range(ITERATIONS):
        if not len(active):
            break
        close = _close(here, tol)
        step, damping = _steps(here, damping)
        there = equation.at(x + step)
        better = _norm(there.G) < _norm(here.G)  # False for NaN
        better &= np.isfinite(there.A).all(axis=(1, 2))
        done = close & (~better if tol is None else True)
        final[active], converged[active[done]] = x, True
        if tol is not None:
            better &= ~done
        hopeless = damping > 1e10 * (1 + _square(here.A))
        damping = np.where(better, _eased(damping, here.A), np.maximum(10 * damping, 1e-4 * _square(here.A) + 1e-12))
        x = np.where(better[:, None], x + step, x)
        here = here.replaced(better, there)
        on = ~done & ~hopeless
        active, x, here, damping = active[on], x[on], here.take(on), damping[on]
    if len(active):
        final[active], converged[active] = x, _close(here, tol)
    return final, converged


def _close(here: Point, tol: float | None) -> np.ndarray:
    return (np.abs(here.G) <= (here.rounding if tol is None else tol)).all(axis=1)


def _norm(G: np.ndarray) -> np.ndarray:
    return np.linalg.norm(G, axis=1)


def _square(A: np.ndarray) -> np.ndarray:
    return (A * A).sum(axis=(1, 2))


def _eased(damping: np.ndarray, A: np.ndarray) -> np.ndarray:
    """A tenth of the damping after a good step; nothing once it no longer matters."""
    eased = damping / 10
    return np.where(eased < 1e-8 * _square(A), 0, eased)


def _steps(here: Point, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps where the damping is 0, else ``-(A'A + damping)^-1 A' G``; singular A are damped."""
    G, A, _ = here
    with np.errstate(all="ignore"):
        singular = np.linalg.slogdet(A)[0] == 0
    damping = np.where(singular, np.maximum(damping, 1e-8 * _square(A) + 1e-12), damping)
    steps = np.empty_like(G)
    plain = damping == 0
    steps[plain] = np.linalg.solve(A[plain], -G[plain][..., None])[..., 0]
    At = np.swapaxes(A[~plain], 1, 2)
    normal = At @ A[~plain] + damping[~plain, None, None] * np.eye(G.shape[1])
    steps[~plain] = np.linalg.solve(normal, -(At @ G[~plain][..., None]))[..., 0]
    return steps, damping
