"""Homotopies from a contraction to the network."""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.completeness import Box
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.search.curves import follow


class Homotopies:
    """The equations ``x = x0 + a (F(x) - x0)`` of points x0 (n, S), F(x) the network's: at a = 1 its fixed points."""

    target, range = 1.0, (0.0, 4.0)

    def __init__(self, equation: Equation, x0: np.ndarray) -> None:
        self.equation, self.x0 = equation, x0

    def at(self, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and Jacobian at ``y = [x, a]``."""
        x, a, x0 = y[:, :-1], y[:, -1:], self.x0[rows]
        point, identity = self.equation.at(x), np.eye(x.shape[1])
        off = point.G + x - x0
        A = a[..., None] * (point.A + identity) - identity
        return x0 + a * off - x, np.concatenate([A, off[..., None]], axis=2)


def on_homotopies(equation: Equation, box: Box, count: int, rng: np.random.Generator) -> np.ndarray:
    """States near roots to which random points of a box are connected.

    The map ``x0 + a (F - x0)`` draws everything to x0 at a = 0, and is the network at a = 1, as if the gain were turned
    up. The curve of its fixed points from x0 at a = 0 leads to a root in a box that F maps into itself, for almost all
    x0 ([chow1978]_), and beyond a = 1 it may turn and come back to others.

    Parameters
    ----------
    equation
        ``F(x) - x = 0``.
    box
        Where x0 is drawn from.
    count
        How many.
    rng
        The generator to draw from.

    Returns
    -------
    (n, S) array
        Where a passed 1: starts for `rnndyn.analysis.newton.solve`.
    """
    x0 = rng.uniform(box.low, box.high, (count, len(box.low)))
    y = np.concatenate([x0, np.zeros((count, 1))], axis=1)
    return follow(Homotopies(equation, x0), y, np.ones(count), box)
