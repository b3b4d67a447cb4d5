"""The networks of the study, and which roots are the same."""

import numpy as np

import rnndyn as rd
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.newton import solve

SEED = 0
SAME = 1e-7  # two roots that are nearer are one


def planted(N: int, network: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the fixed points that are planted in them, with their negatives and 0, (2 N + 1, N)."""
    V = np.random.default_rng((SEED, N, network)).uniform(-1, 1, (N, N))
    return np.arctanh(V) @ np.linalg.inv(V), np.concatenate([V.T, -V.T, np.zeros((1, N))])


def polished(W: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The planted points, brought to rounding error: weights are rounded, and V may be inverted badly."""
    return solve(equation_of(W), points, None)[0]


def equation_of(W: np.ndarray) -> Equation:
    """The equation tanh(W x) = x."""
    return Equation(rd.Elman(None, W), None, 1, 1.0)


def roots(equation: Equation, starts: np.ndarray) -> np.ndarray:
    """Those of the starts, (k, N), that Newton's iteration brings to a root."""
    with np.errstate(over="ignore", invalid="ignore"):
        states, converged = solve(equation, starts, None)
    return states[converged]


def distinct(states: np.ndarray) -> np.ndarray:
    """Each root once, the first of its copies."""
    from scipy.spatial import cKDTree

    copies = cKDTree(states).query_pairs(SAME, output_type="ndarray")
    return np.delete(states, copies[:, 1], axis=0)


def belongs(points: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Which of the points are among the states."""
    from scipy.spatial import cKDTree

    return cKDTree(states).query(points)[0] < 2 * SAME
