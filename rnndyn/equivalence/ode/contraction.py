"""Certificates of contraction, by logarithmic norms: any two trajectories approach one another, at a known rate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnndyn.networks.leaky import Leaky
from rnndyn.validate import as_array, as_number

# Bounds on the slope of an activation.
SLOPES = {"tanh": (0.0, 1.0), "relu": (0.0, 1.0), "sigmoid": (0.0, 0.25), "identity": (1.0, 1.0)}
JOINED = 1e-8  # share of the largest entry that joins parts of a network, so that all weights are positive
EPS = float(np.finfo(np.float64).eps)


class Contraction(NamedTuple):
    """Two trajectories under the same inputs: ``norm(x(t) - y(t)) <= exp(-rate t) norm(x(0) - y(0))``."""

    rate: float  # per unit of time; a certificate of contraction if positive, of a bound on the growth if not
    norm: str  # "max": max_i |x_i| / weights_i; "sum": sum_i |x_i| weights_i; "euclidean"
    weights: np.ndarray  # (S,), ones for "euclidean"
    max_step: float  # up to which Euler's network contracts in the same norm, by 1 - dt rate; 0 without contraction


def logarithmic_norm(matrix: Any, norm: float = 2, weights: Any = None) -> Any:
    """Logarithmic norm ``lim (|I + h A| - 1) / h`` for h -> 0: the fastest growth of any state of ``dx/dt = A x``.

    Parameters
    ----------
    matrix : (..., S, S)
        A.
    norm : {1, 2, inf}
        The norm of the states.
    weights : (S,), optional
        Positive: the norm is taken of ``weights * x``.

    Returns
    -------
    float or ndarray (...)
        At least the largest real part of an eigenvalue ([soderlind2006]_, where its formulas are). If it is at most c
        for the Jacobians of a vector field at all states, no two trajectories part faster than e^(c t).

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> A = np.array([[-1.0, 4.0], [0.0, -1.0]])  # eigenvalues -1, but states grow before they decay
    >>> logarithmic_norm(A), logarithmic_norm(A, np.inf, weights=[1.0, 8.0])
    (1.0, -0.5)
    """
    A = as_array(matrix, "matrix", dtype="float64")
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(f"matrix has the shape {A.shape}, wanted (..., S, S): pass square matrices")
    if norm not in (1, 2, np.inf):
        raise ValueError(f"norm is {norm!r}: 1, 2 or inf is wanted")
    if weights is not None:
        w = as_array(weights, "weights", ("state",), sizes={"state": A.shape[-1]}, dtype="float64")
        if not (w > 0).all():
            raise ValueError(f"weights holds {w.min()}: positive numbers are wanted")
        A = A * w[:, None] / w
    if norm == 2:
        value = np.linalg.eigvalsh((A + A.swapaxes(-1, -2)) / 2)[..., -1]
    else:
        value = _majorant(A, A).sum(axis=-1 if norm == np.inf else -2).max(axis=-1)
    return value if value.ndim else float(value)


def contraction(field: Any = None, *, low: Any = None, high: Any = None, dt: float | None = None) -> Contraction:
    """Certify that all trajectories of a continuous-time network converge to one another, from every state.

    Parameters
    ----------
    field : Leaky, optional
        The network; time is counted as in `vector_field`. Its inputs may be anything.
    low, high : (S, S), optional
        For other fields: bounds on each entry of the Jacobian, over all states (and inputs) that are meant; a convex
        set which trajectories do not leave.
    dt
        Duration of a step of the network, as in `vector_field`.

    Returns
    -------
    Contraction
        The best rate that was found: in a weighted maximum or sum norm, by the dominant vector of the Metzler matrix
        that bounds the Jacobians ([davydov2025]_), or for a network in the Euclidean norm. A positive rate is proved
        up to rounding, which is taken off; one that is not positive proves nothing.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    For ``dh/dt = -h + phi(W h + ...)`` with 0 <= phi' <= 1 the rate is ``1 - max(0, a)``, a the largest eigenvalue of W
    with its off-diagonal entries replaced by their moduli, or ``1 - |W|_2``. Eigenvalues of the Jacobians prove nothing
    here: those of all states may be stable while trajectories grow. Cost O(S^3).

    Examples
    --------
    >>> certificate = contraction(Leaky(None, [[0.0, 4.0], [0.1, 0.0]], alpha=0.2))
    >>> round(certificate.rate, 6), certificate.norm, certificate.max_step
    (0.367544, 'max', 1.0)
    """
    if field is None:
        return _of_bounds(low, high)
    if not isinstance(field, Leaky):
        raise TypeError(
            f"field is a {type(field).__name__}: an rnndyn.Leaky is wanted, or low and high for other fields"
        )
    if low is not None or high is not None:
        raise ValueError("low or high is given with a network, which has bounds of its own: leave them out")
    W, alpha = field.W_hh.astype(np.float64), field.alpha.astype(np.float64)
    time = float(alpha.max()) if dt is None else as_number(dt, "dt", above=0)
    speed = np.broadcast_to(alpha / time, len(W))
    return max(_weighted(W, speed, field), _euclidean(W, speed, field), key=lambda found: found.rate)


def _weighted(W: np.ndarray, speed: np.ndarray, net: Leaky) -> Contraction:
    """In the maximum norm for J = T (-I + D W), in the sum norm for J = T (-I + W D), D the slopes."""
    slowest, steepest = SLOPES[net.activation]
    majorant = speed[:, None] * _majorant(W, W)
    # Rows are scaled by slopes in the rate form, columns in the voltage form: then all is as for rows, transposed.
    M = majorant if net.form == "rate" else majorant.T
    weights = _dominant(steepest * M - np.diag(speed))
    sums = M @ weights / weights
    rate = float((speed - np.maximum(slowest * sums, steepest * sums)).min())
    rounding = 4 * len(W) * EPS * float((speed + steepest * (np.abs(M) @ weights) / weights).max())
    lowest = speed * (np.minimum(slowest * np.diag(W), steepest * np.diag(W)) - 1)  # of the Jacobian's diagonal
    return _made(rate - rounding, "max" if net.form == "rate" else "sum", weights, lowest)


def _euclidean(W: np.ndarray, speed: np.ndarray, net: Leaky) -> Contraction:
    steepest = SLOPES[net.activation][1]
    norm = steepest * float(np.linalg.norm(speed[:, None] * W, 2)) * (1 + 4 * len(W) * EPS)
    # |I + h J| <= |1 - h T| + h |T D W|, which is 1 - h rate while no entry of 1 - h T is negative
    return _made(float(speed.min()) - norm, "euclidean", np.ones(len(W)), -speed)


def _of_bounds(low: Any, high: Any) -> Contraction:
    if low is None or high is None:
        raise ValueError("field is missing: pass an rnndyn.Leaky, or low and high, bounds on the Jacobian of a field")
    low = as_array(low, "low", ("row", "column"), dtype="float64")
    high = as_array(high, "high", ("row", "column"), sizes={"row": len(low), "column": len(low)}, dtype="float64")
    if low.shape != high.shape or (low > high).any():
        raise ValueError("low is no lower bound of high: two square matrices with low <= high are wanted")
    M = _majorant(low, high)
    weights = _dominant(M)
    rate = -float((M @ weights / weights).max())
    rounding = 4 * len(M) * EPS * float((np.abs(M) @ weights / weights).max())
    return _made(rate - rounding, "max", weights, np.diag(low))


def _made(rate: float, norm: str, weights: np.ndarray, diagonal: np.ndarray) -> Contraction:
    """With the step up to which no diagonal entry of I + h J is negative: there |I + h J| = 1 + h mu(J)."""
    steepest = float(max(-diagonal.min(), 0.0))
    longest = (1 / steepest if steepest else np.inf) if rate > 0 else 0.0
    return Contraction(rate, norm, weights, longest)


def _majorant(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Metzler matrices that bound all between: the upper bound on the diagonal, the largest modulus off it."""
    M = np.maximum(np.abs(low), np.abs(high))
    i = np.arange(M.shape[-1])
    M[..., i, i] = high[..., i, i]
    return M


def _dominant(M: np.ndarray) -> np.ndarray:
    """Positive vector with ``M v`` close to ``a v``, a the largest eigenvalue of a Metzler matrix; its largest entry 1.

    Any positive vector gives a valid certificate, this one the best. Parts of the network that do not reach one another
    are joined by a little, so that no entry vanishes.
    """
    joined = M + JOINED * max(float(np.abs(M).max()), 1e-300)
    values, vectors = np.linalg.eig(joined)
    v = np.abs(vectors[:, np.argmax(values.real)].real)
    return np.maximum(v / v.max(), EPS)
