"""Networks that are linear in pieces: one form for all, the linear problem of a code, and its proof.

A code says which units are on, ``D = diag(code)``. Where it holds, the network is the affine map ``s' = (P + Q D R) s +
(c + Q D r)``; a sequence of k codes has, in general, exactly one orbit of k points that closes.
"""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from rnndyn.analysis.cycles import solve_cyclic
from rnndyn.networks.elman import Elman
from rnndyn.networks.leaky import Leaky
from rnndyn.networks.piecewise import PiecewiseLinear
from rnndyn.networks.skipping import Residual

EPS = np.finfo(np.float64).eps
SINGULAR = 1e13  # condition number from which on a linear problem counts as singular
NEAR = 1e-9  # of the size of what is solved for: what counts as zero in a continuum


class Pieces(NamedTuple):
    """The map ``s' = P s + Q relu(R s + r) + c`` of S states and U rectified units, float64."""

    P: np.ndarray
    Q: np.ndarray
    R: np.ndarray
    r: np.ndarray
    c: np.ndarray

    def drive(self, states: np.ndarray) -> np.ndarray:
        """The pre-activations (..., U) of states (..., S)."""
        return states @ self.R.T + self.r

    def codes(self, states: np.ndarray) -> np.ndarray:
        """Which units are on (..., U)."""
        return self.drive(states) > 0

    def step(self, states: np.ndarray) -> np.ndarray:
        """The states (..., S) that follow."""
        return states @ self.P.T + np.maximum(self.drive(states), 0) @ self.Q.T + self.c

    def jacobians(self, codes: np.ndarray) -> np.ndarray:
        """``P + Q D R`` (..., S, S) of codes (..., U)."""
        return self.P + (codes[..., None, :] * self.Q) @ self.R

    def offsets(self, codes: np.ndarray) -> np.ndarray:
        """``c + Q D r`` (..., S) of codes (..., U)."""
        return self.c + (codes * self.r) @ self.Q.T


@singledispatch
def pieces(net, x: np.ndarray | None) -> Pieces | None:
    """The pieces of a network under constant input.

    Parameters
    ----------
    net
        A network.
    x : (I,) or None
        The input.

    Returns
    -------
    Pieces or None
        For `PiecewiseLinear`, and for `Elman`, `Leaky` and `Residual` with rectified units; None for others.
    """
    return None


@pieces.register
def _(net: PiecewiseLinear, x: np.ndarray | None) -> Pieces:
    W, b = _affine(net, x)
    return Pieces(np.diag(net.A.astype(np.float64)), W, np.eye(len(b)), np.zeros(len(b)), b)


@pieces.register
def _(net: Elman, x: np.ndarray | None) -> Pieces | None:
    if net.activation != "relu":
        return None
    W, b = _affine(net, x)
    return Pieces(np.zeros_like(W), np.eye(len(b)), W, b, np.zeros(len(b)))


@pieces.register
def _(net: Leaky, x: np.ndarray | None) -> Pieces | None:
    if net.activation != "relu":
        return None
    W, b = _affine(net, x)
    alpha = np.broadcast_to(net.alpha.astype(np.float64), b.shape)
    kept, eye, zero = np.diag(1 - alpha), np.eye(len(b)), np.zeros(len(b))
    if net.form == "rate":
        return Pieces(kept, np.diag(alpha), W, b, zero)
    return Pieces(kept, alpha[:, None] * W, eye, zero, alpha * b)


@pieces.register
def _(net: Residual, x: np.ndarray | None) -> Pieces | None:
    if net.activation != "relu":
        return None
    W, b = _affine(net, x)
    kept = np.diag(np.broadcast_to(net.skip.astype(np.float64), b.shape))
    return Pieces(kept, np.eye(len(b)), W, b, np.zeros(len(b)))


def _affine(net, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Recurrent weights, and all that is constant in the recurrent sum."""
    W_xh, W_hh, b_h = (array.astype(np.float64) for array in net.cell_weights()[:3])
    return W_hh, b_h if x is None else W_xh @ x.astype(np.float64) + b_h


# ---- the orbit of a sequence of codes --------------------------------------------------------------------------------


def orbits(system: Pieces, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve the linear problem of each sequence of codes.

    Parameters
    ----------
    system
        The pieces.
    codes : (n, k, U) bool
        Sequences.

    Returns
    -------
    (n, k, S) array, (n,) array
        The closed orbits, and how near zero a pre-activation there has to be, generously, for its sign to be in doubt:
        infinite where the problem is singular, and the orbit without meaning.
    """
    x, condition = solve_cyclic(system.jacobians(codes), system.offsets(codes)[..., None])
    states = x[..., 0]
    size = np.abs(system.r).max() + np.abs(system.R).sum(axis=1).max() * np.abs(states).max(axis=(1, 2))
    return states, np.where(condition < SINGULAR, 100 * EPS * condition * size, np.inf)


def realised(system: Pieces, codes: np.ndarray, states: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """Whether each orbit (n, k, S) visits the codes (n, k, U) that it was solved for, up to the doubt (n,)."""
    drive = system.drive(states)
    return (((drive > 0) == codes) | (np.abs(drive) <= doubt[:, None, None])).all(axis=(1, 2))


class Proof(NamedTuple):
    """A cycle (k, S) of the network, its codes (k, U), how far the true one may be, and what is peculiar about it."""

    states: np.ndarray
    codes: np.ndarray
    error_bound: float
    boundary: bool
    singular: bool


def prove(system: Pieces, codes: np.ndarray) -> Proof | None:
    """Solve for the orbit of a sequence of codes, bound its error, and see whether it is a cycle of the network.

    With M the matrix of the linear problem and rho the residual and its rounding error, the true orbit is within
    ``|M^-1| rho`` in every component. If each pre-activation is farther from zero than that carries, the codes are
    realised and the cycle exists. If one is nearer, the cycle is on a boundary between pieces, as far as can be said.

    Parameters
    ----------
    system
        The pieces.
    codes : (k, U) bool
        The codes.

    Returns
    -------
    Proof or None
        None where the orbit visits other codes (it is virtual). The units on a boundary are off in the codes. Cost
        O(k^2 S^3).
    """
    J, d = system.jacobians(codes[None]), system.offsets(codes[None])
    k, size = d.shape[1:]
    solved, condition = solve_cyclic(
        J, np.concatenate([d[..., None], np.eye(k * size).reshape(1, k, size, -1)], axis=3)
    )
    x, inverse = solved[..., 0], np.abs(solved[0, ..., 1:].reshape(k * size, k * size))
    if not condition[0] < SINGULAR:
        return None
    x = x + solve_cyclic(J, _residual(J, d, x)[..., None])[0][..., 0]  # once refined
    terms = (size + len(system.r) + 4) * EPS
    rounding = terms * ((np.abs(J) @ np.abs(x)[..., None])[..., 0] + np.abs(d) + np.abs(x))
    rho = np.abs(_residual(J, d, x)) + rounding
    off = (2 * inverse @ rho.ravel()).reshape(k, size) + EPS * np.abs(x[0])  # 2: the inverse is itself rounded
    drive = system.drive(x[0])
    slack = off @ np.abs(system.R).T + terms * (np.abs(x[0]) @ np.abs(system.R).T + np.abs(system.r))
    boundary = np.abs(drive) <= slack
    if not (((drive > 0) == codes) | boundary).all():
        return None
    return Proof(x[0], codes & ~boundary, float(np.linalg.norm(off, axis=1).max()), bool(boundary.any()), False)


def _residual(J: np.ndarray, d: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``J_i x_i + d_i - x_{i+1}``, which a solution of the linear problem has zero."""
    return (J @ x[..., None])[..., 0] + d - np.roll(x, -1, axis=1)


def continuum(system: Pieces, codes: np.ndarray) -> Proof | None:
    """A cycle of a singular linear problem, which has none or a continuum of them.

    Parameters
    ----------
    system
        The pieces.
    codes : (k, U) bool
        The codes.

    Returns
    -------
    Proof or None
        An orbit of the continuum that keeps well away from the boundaries of its pieces, up to the size of the orbit,
        and is not far off (by linear programming); None where there is none inside. Its error bound is the residual's,
        across the continuum. Cost O(k^3 S^3).
    """
    from scipy.optimize import linprog

    J, d = system.jacobians(codes), system.offsets(codes)
    k, size = d.shape
    M = np.eye(k * size)
    for i in range(k):
        row, following = slice(i * size, (i + 1) * size), (i + 1) % k
        M[row] = 0
        M[row, following * size : (following + 1) * size] += np.eye(size)
        M[row, row] -= J[i]
    U, values, V = np.linalg.svd(M)
    regular = values > values[0] / SINGULAR
    x = V[regular].T @ ((U.T @ d.ravel())[regular] / values[regular])
    scale = 1 + np.abs(d).max() + np.abs(x).max()
    missed = float(np.linalg.norm(M @ x - d.ravel()))
    if missed > k * size * 1e3 * EPS * scale:
        return None
    free = V[~regular].T.reshape(k, size, -1)
    sign = np.where(codes, 1.0, -1.0)
    drive, slopes = sign * system.drive(x.reshape(k, size)), sign[..., None] * (system.R @ free)
    # Unknowns: coordinates along the continuum, in two parts without a sign, and the margin; being far costs a little.
    slopes = slopes.reshape(drive.size, -1)
    bound = np.concatenate([-slopes, slopes, np.ones((drive.size, 1))], axis=1)
    cost = np.append(np.full(bound.shape[1] - 1, 1e-3), -1.0)
    best = linprog(cost, A_ub=bound, b_ub=drive.ravel(), bounds=[(0, None)] * (len(cost) - 1) + [(None, scale)])
    if best.status != 0 or best.x[-1] < -NEAR * scale:
        return None
    states = x.reshape(k, size) + free @ (best.x[: slopes.shape[1]] - best.x[slopes.shape[1] : -1])
    on_boundary = bool(best.x[-1] <= NEAR * scale)
    error = 2 * (missed + k * size * EPS * scale) / values[regular].min(initial=np.inf)
    return Proof(states, codes & (np.abs(system.drive(states)) > NEAR * scale), error, on_boundary, True)
