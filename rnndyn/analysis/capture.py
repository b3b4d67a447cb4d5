"""Balls around stable fixed points that an orbit does not leave again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

HALVINGS = 40  # of the radius, until the ball is seen to shrink
SHELLS = (1.0, 0.5, 0.25, 0.125)  # radii at which it must


class Balls(NamedTuple):
    """n balls ``||L' (x - center)|| <= radius``: centers (n, S), factors L (n, S, S) of the norms, radii (n,)."""

    center: np.ndarray
    L: np.ndarray
    radius: np.ndarray

    def holding(self, states: np.ndarray, share: float) -> np.ndarray:
        """Which ball holds each state.

        Parameters
        ----------
        states : (..., S)
            Where.
        share
            Of the radius: the balls are shrunk by it.

        Returns
        -------
        (...) int array
            Number of the ball, -1 for none. Cost O(S) a state and ball, O(S^2) a state that is near a center.
        """
        held = np.full(states.shape[:-1], -1)
        for k, (center, L, radius) in enumerate(zip(self.center, self.L, share * self.radius, strict=True)):
            off = states - center
            near = np.linalg.norm(off, axis=-1) <= radius  # necessary: the norm is no smaller than the Euclidean one
            near[near] = np.linalg.norm(off[near] @ L, axis=-1) <= radius
            held[near] = k
        return held


def adapted_norm(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A norm in which a matrix of spectral radius below 1 contracts.

    With r half-way between the spectral radius and 1, P solves Stein's equation ``P = I + (A/r)' P (A/r)``, so that
    ``||A x|| <= r ||x||`` in the norm ``sqrt(x' P x)``; by the doubling of [smith1968]_.

    Parameters
    ----------
    A : (n, S, S)
        Matrices.

    Returns
    -------
    (n, S, S) array, (n,) array
        Factors L of P = L L', and the rates r. The norm is ``||L' x||``, no smaller than the Euclidean one.

    Examples
    --------
    >>> L, rate = adapted_norm(np.array([[[0.5, 10.0], [0.0, 0.5]]]))
    >>> float(np.linalg.norm(L[0].T @ [[0.5, 10.0], [0.0, 0.5]] @ np.linalg.inv(L[0].T), ord=2)) < rate.item() == 0.75
    True
    """
    radius = np.abs(np.linalg.eigvals(A)).max(axis=-1, initial=0.0)
    rate = (1 + radius) / 2
    power, P = A / rate[:, None, None], np.broadcast_to(np.eye(A.shape[-1]), A.shape)
    while len(A) and np.abs(power).max() > 1e-9:  # its square is below the rounding of P, which is at least I
        P = P + np.swapaxes(power, 1, 2) @ P @ power
        power = power @ power
    values, vectors = np.linalg.eigh(P)
    return vectors * np.sqrt(np.maximum(values, 1))[:, None], rate  # P is at least I, but for rounding


def trapping_balls(F: Callable, centers: np.ndarray, A: np.ndarray, gap: np.ndarray) -> Balls:
    """Balls around stable fixed points that a map takes into themselves, shrunk.

    The radius starts at half the gap and is halved until F takes the points at both ends of the axes of the ball, and
    as many random ones, nearer to the center by the factor (1 + r) / 2, with r the rate of the linearisation, on four
    shells of the ball. This is seen at 4 S points a shell, not proved for those between.

    Parameters
    ----------
    F
        The map of states (n, S).
    centers : (n, S)
        Its stable fixed points.
    A : (n, S, S)
        Its Jacobians there.
    gap : (n,)
        Euclidean distances to the nearest other fixed point.

    Returns
    -------
    Balls
        Disjoint. The radius is 0 where no ball was found.
    """
    L, rate = adapted_norm(A)
    radii = [_radius(F, *one) for one in zip(centers, L, (1 + rate) / 2, gap / 2, strict=True)]
    return Balls(centers, L, np.array(radii).reshape(len(centers)))


def _radius(F: Callable, center: np.ndarray, L: np.ndarray, rate: float, radius: float) -> float:
    size = len(center)
    random = np.random.default_rng(0).standard_normal((size, size))  # a fixed sample, the same in every call
    U = np.concatenate([np.eye(size), random / np.linalg.norm(random, axis=1, keepdims=True)])
    surface = np.linalg.solve(L.T, np.concatenate([U, -U]).T).T  # of the unit ball
    for _ in range(HALVINGS):
        off = [np.linalg.norm((F(center + radius * shell * surface) - center) @ L, axis=1) / shell for shell in SHELLS]
        if (np.array(off) <= rate * radius).all():
            return radius
        radius /= 2
    return 0.0
