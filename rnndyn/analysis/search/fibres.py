"""Directional fibres: curves from root to root."""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.completeness import Box
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.search.curves import follow


class Fibres:
    """The equations ``G(x) = a c`` of directions c (n, S): a family of curves for `rnndyn.analysis.search.curves`."""

    target, range = 0.0, (-np.inf, np.inf)

    def __init__(self, equation: Equation, c: np.ndarray) -> None:
        self.equation, self.c = equation, c

    def at(self, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and Jacobian at ``y = [x, a]``."""
        point, c = self.equation.at(y[:, :-1]), self.c[rows]
        return point.G - y[:, -1:] * c, np.concatenate([point.A, -c[..., None]], axis=2)


def on_fibres(equation: Equation, box: Box, known: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """States near roots that share a fibre with a known root.

    The fibre of a direction c is the set of all x with ``G(x) = a c`` for a number a, curves on which roots have a = 0
    ([katz2018]_). From known roots, drawn at random, the fibres of random directions are followed to both
    sides until they leave the surroundings of the box. One fibre seldom holds all the roots; those of many directions
    through many roots do.

    Parameters
    ----------
    equation
        ``G(x) = 0``.
    box
        Where the roots are looked for.
    known : (m, S)
        Roots, m > 0.
    count
        Number of fibres.
    rng
        The generator to draw from.

    Returns
    -------
    (n, S) array
        Where a changed sign: starts for `rnndyn.analysis.newton.solve`.
    """
    x = known[rng.integers(len(known), size=count)]
    c = rng.standard_normal(x.shape)
    c /= np.linalg.norm(c, axis=1, keepdims=True)
    y = np.concatenate([x, np.zeros((count, 1))], axis=1)
    family = Fibres(equation, np.concatenate([c, c]))
    return follow(family, np.concatenate([y, y]), np.repeat([1.0, -1.0], count), box)
