"""The linear network as plain arrays: ``h_t = A h_{t-1} + B x_t + b + eta_t``, ``y_t = V h_t + c + eps_t``.

The noises eta (covariance Q) and eps (R) are independent. Everything here is in double precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from rnndyn.networks import Linear


class StateSpace(NamedTuple):
    """Arrays of a linear state-space model: A (n, n), B (n, I), b (n,), V (O, n), c (O,), Q (n, n), R (O, O)."""

    A: np.ndarray
    B: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray
    Q: np.ndarray
    R: np.ndarray

    def network(self) -> Linear:
        """The same as a network."""
        return Linear(self.B, self.A, self.b, W_hy=self.V, b_y=self.c, process_noise=self.Q, observation_noise=self.R)


class Innovations(NamedTuple):
    """Steady state of a filter: predicted covariance P, that of the innovations S, filter gain K = P V' S^-1."""

    P: np.ndarray
    S: np.ndarray
    K: np.ndarray


def state_space(linear: Any) -> StateSpace:
    """Read the arrays of a `Linear`; what it lacks is zero, a missing read-out the identity.

    Raises
    ------
    TypeError
        For anything else.
    """
    if not isinstance(linear, Linear):
        raise TypeError(
            f"linear is a {type(linear).__name__}: a rnndyn.Linear is wanted; other networks have no such form"
        )
    n = linear.hidden_size
    V = np.eye(n) if linear.W_hy is None else linear.W_hy
    fields = {"b_h": (n,), "b_y": (len(V),), "process_noise": (n, n), "observation_noise": (len(V),) * 2}
    given = {name: getattr(linear, name) for name in fields}
    b, c, Q, R = (np.zeros(fields[name]) if a is None else a for name, a in given.items())
    A, B, b, V, c, Q, R = (np.array(a, np.float64) for a in (linear.W_hh, linear.W_xh, b, V, c, Q, R))
    return StateSpace(A, B, b, V, c, 0.5 * (Q + Q.T), 0.5 * (R + R.T))


def radius(A: np.ndarray) -> float:
    """Spectral radius."""
    return float(np.abs(np.linalg.eigvals(A)).max(initial=0.0))


def check_stable(A: np.ndarray, remedy: str) -> None:
    """Raise ValueError unless every eigenvalue lies inside the unit circle, by more than rounding."""
    largest = radius(A)
    if largest >= 1 - 1e-12:
        raise ValueError(f"linear has spectral radius {largest:.6g}, not below 1: it has no stationary law; {remedy}")


def stationary(model: StateSpace) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n,) and covariance (n, n) of the state without inputs, for a stable model."""
    mean = np.linalg.solve(np.eye(len(model.A)) - model.A, model.b)
    return mean, lyapunov(model.A, model.Q)


def lyapunov(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Symmetric P with P = A P A' + Q, in units of the state in which A is balanced."""
    from scipy.linalg import matrix_balance, solve_discrete_lyapunov

    balanced, T = matrix_balance(A, permute=False)
    units = np.diagonal(T)
    P = solve_discrete_lyapunov(balanced, Q / np.outer(units, units)) * np.outer(units, units)
    return 0.5 * (P + P.T)


def factor(covariance: np.ndarray) -> np.ndarray:
    """F with F F' = covariance, of as many columns as its rank (at least one); negative eigenvalues are rounding."""
    scale = np.sqrt(np.maximum(np.diagonal(covariance), 0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))  # scaled: small variances keep their digits
    kept = values > len(values) * np.finfo(float).eps * max(values.max(initial=0.0), 0.0)
    F = scale[:, None] * vectors[:, kept] * np.sqrt(values[kept])
    return np.ascontiguousarray(F) if F.shape[1] else np.zeros((len(F), 1))


def innovations(model: StateSpace) -> Innovations:
    """Solve the Riccati equation ``P = A (P - P V' S^-1 V P) A' + Q``, ``S = V P V' + R``, for the stabilising P.

    Raises
    ------
    ValueError
        Where there is none: an unstable mode that the outputs do not show, one on the unit circle that no noise
        reaches, outputs whose spectrum vanishes at a frequency; and where S is singular.
    """
    from scipy.linalg import solve_discrete_are

    A, V, Q, R = model.A, model.V, model.Q, model.R
    check_noise(model)
    hidden = tuple(z for z in unseen_modes(A, V) if abs(z) >= 1)
    if hidden:
        raise ValueError(
            f"linear has an unstable mode, of eigenvalue {listed(hidden)}, that its outputs do not show (it is "
            "unobservable): no filter can follow it; add an output to W_hy"
        )
    try:
        P = solve_discrete_are(A.T, V.T, Q, R)
    except (LinAlgError, ValueError):
        P = np.full_like(Q, np.nan)
    for _ in range(3):  # each step of the recursion contracts the error
        P = _riccati_step(P, model)
    S = V @ P @ V.T + R
    K = np.linalg.solve(S, V @ P).T
    if not np.isfinite(K).all() or radius(A - A @ K @ V) >= 1:
        raise ValueError(
            "linear has no steady filter: a mode on the unit circle that process_noise does not reach, or a spectrum "
            "of the outputs that vanishes at some frequency; add noise"
        )
    return Innovations(P, 0.5 * (S + S.T), K)


def _riccati_step(P: np.ndarray, model: StateSpace) -> np.ndarray:
    """One step of the recursion in Joseph's form, which keeps P positive."""
    A, V, Q, R = model.A, model.V, model.Q, model.R
    K = np.linalg.solve(V @ P @ V.T + R, V @ P).T
    rest = A - A @ K @ V
    P = rest @ P @ rest.T + A @ K @ R @ K.T @ A.T + Q
    return 0.5 * (P + P.T)


def unseen_modes(A: np.ndarray, V: np.ndarray) -> tuple[complex, ...]:
    """Eigenvalues of the modes that V does not show (the test of Popov, Belevitch and Hautus, [kailath1980]_)."""
    n = len(A)
    size = np.linalg.norm(V, axis=1, keepdims=True)
    V = V / np.where(size > 0, size, 1.0)
    values = np.linalg.eigvals(A)
    unseen = (np.linalg.matrix_rank(np.concatenate([z * np.eye(n) - A, V]), tol=1e-10) < n for z in values)
    return tuple(complex(z) for z, hidden in zip(values, unseen, strict=True) if hidden)


def listed(values: tuple[complex, ...]) -> str:
    """Eigenvalues for a message."""
    return ", ".join(f"{v.real:.4g}" if v.imag == 0 else f"{v:.4g}" for v in values)


def spectrum(model: StateSpace, frequency: np.ndarray) -> np.ndarray:
    """Spectral density (f, O, O) of the outputs at angular frequencies; its mean over all of them is Gamma(0)."""
    z = np.exp(-1j * np.asarray(frequency))[:, None, None]
    G = model.V @ np.linalg.inv(np.eye(len(model.A)) - z * model.A)
    return G @ model.Q @ G.conj().transpose(0, 2, 1) + model.R


def check_noise(model: StateSpace) -> None:
    """Raise ValueError where fewer noises than outputs reach the outputs, so that these have no joint density."""
    (f,) = spectrum(model, np.array([1.0]))  # its rank is the same at all frequencies but a few
    scale = np.sqrt(np.diagonal(f).real)
    if not scale.all() or np.linalg.eigvalsh(f / np.outer(scale, scale)).min() < 1e-13:
        raise ValueError(
            f"linear has too little noise for its {len(model.V)} outputs: some combination of them is known without "
            "error, and has no density; give observation_noise, or fewer outputs"
        )
