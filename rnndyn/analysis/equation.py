"""The equation of the fixed points of iterates of a map: value, Jacobian, and the rounding error of both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn import dynamics
from rnndyn.analysis import front

EPS = np.finfo(np.float64).eps
BATCH_ELEMENTS = 4_000_000  # of the Jacobians that are held at once


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

    def solved(self, tol: float | None) -> np.ndarray:
        """Where |G| is at most the tolerance in every component, or at most its rounding error, (n,) bool."""
        return (np.abs(self.G) <= (self.rounding if tol is None else tol)).all(axis=1)


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

    def solved_by(self, states: np.ndarray, tol: float | None) -> np.ndarray:
        """Which states are within the tolerance, or their rounding error; Jacobians are formed where they decide it.

        Parameters
        ----------
        states : (n, S)
            Where.
        tol
            Bound on max |G|; None for the rounding error.

        Returns
        -------
        (n,) bool array
            As `Point.solved`.
        """
        off = np.abs(self.values(states))
        if tol is not None:
            return (off <= tol).all(axis=1)
        good = (off <= _terms(states) * np.abs(states) + EPS * self.scale).all(axis=1)
        open_, rows = np.flatnonzero(~good), max(1, BATCH_ELEMENTS // states.shape[1] ** 2)
        for some in (open_[k : k + rows] for k in range(0, len(open_), rows)):
            good[some] = self.at(states[some]).solved(None)
        return good


def _terms(states: np.ndarray) -> float:
    """Relative rounding error of sums of S products, and of a function of them."""
    return (states.shape[1] + 4) * EPS
