"""Newton's iteration that known roots repel."""

from __future__ import annotations

import numpy as np

from rnndyn.analysis.completeness import Box
from rnndyn.analysis.equation import Equation

ITERATIONS = 40
NEARBY = 0.75  # share of the starts that lie near a known root
NEAR = 1e-7  # max |G| at which plain Newton takes over


def deflated(equation: Equation, box: Box, known: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """States near further roots, by Newton's iteration on ``M(x) G(x)``, ``M = prod_i (1 / |x - x_i|^2 + 1)``.

    A known root x_i of G is none of M G, so the iteration ends elsewhere ([farrell2015]_, with power 2 and shift 1). By
    Sherman and Morrison's formula its step is the step s for G alone times ``1 / (1 - s . grad log M)``.

    Parameters
    ----------
    equation
        ``G(x) = 0``.
    box
        Where starts are drawn from, others at random distances from known roots, as some roots have close neighbours;
        no step is longer than its mean half side.
    known : (m, S)
        The roots x_i.
    count
        Number of starts.
    rng
        The generator to draw from.

    Returns
    -------
    (n, S) array
        Where the iteration converged: starts for `rnndyn.analysis.newton.solve`. Cost O(S^3 + m S) a step and start.
    """
    longest = float(np.mean(box.high - box.low)) / 2
    x = rng.uniform(box.low, box.high, (count, len(box.low)))
    if len(known):
        near = known[rng.integers(len(known), size=count)]
        off = longest * 10 ** rng.uniform(-4, 0, (count, 1)) * rng.standard_normal(x.shape)
        x = np.where(rng.random((count, 1)) < NEARBY, near + off, x)
    ended = [x[:0]]
    for _ in range(ITERATIONS):
        G, A, _ = equation.at(x)
        near = np.abs(G).max(axis=1) < NEAR
        ended.append(x[near])
        with np.errstate(all="ignore"):
            on = ~near & np.isfinite(A).all(axis=(1, 2)) & (np.linalg.slogdet(A)[0] != 0)
        x, s = x[on], -np.linalg.solve(A[on], G[on][..., None])[..., 0]
        off = x[:, None] - known
        square = (off**2).sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = -2 * (np.einsum("nms,ns->nm", off, s) / (square * (1 + square))).sum(axis=1)
            s = s / (1 - slope)[:, None]
            s *= np.minimum(1, longest / np.linalg.norm(s, axis=1, keepdims=True))
        moved = np.isfinite(s).all(axis=1)
        x = x[moved] + s[moved]
        if not len(x):
            break
    return np.concatenate(ended)
