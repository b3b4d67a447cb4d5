"""Stability functions of Runge-Kutta methods, and the step size at which they lose stability."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from rnndyn.equivalence.ode.methods import METHODS, Method
from rnndyn.validate import as_array, choice

NO_DAMPING = 1e-13  # |Re| / |eigenvalue| below which an eigenvalue counts as imaginary: the rounding of a solver
NO_TERM = 1e-14  # relative size below which a coefficient is rounding


def stability_function(method: str, z: Any) -> Any:
    """Factor R(z) by which a step of a method multiplies a mode: ``y' = R(dt lambda) y`` for ``dy/dt = lambda y``.

    Parameters
    ----------
    method
        As in `network`.
    z
        Real or complex number or array, dt times an eigenvalue.

    Returns
    -------
    float, complex or ndarray
        ``R = det(I - z A + z 1 b') / det(I - z A)`` ([hairer1996]_, section IV.3), real for real z; inf at a pole. The
        mode is stable where |R| <= 1: that is the method's region of stability.

    Raises
    ------
    TypeError, ValueError
        For an unknown method; for a z that is no finite number.

    Examples
    --------
    >>> stability_function("rk4", -1.0), stability_function("implicit_euler", -1.0)
    (0.375, 0.5)
    """
    P, Q = (np.array(part, float) for part in rational(METHODS[choice(method, "method", METHODS)]))
    z = np.asarray(z)
    if z.dtype.kind not in "fciu":
        raise TypeError(f"z has the type {z.dtype}: real or complex numbers are wanted")
    if not np.isfinite(z).all():
        raise ValueError("z holds numbers that are not finite: correct or remove them")
    with np.errstate(divide="ignore", over="ignore"):
        over, under = np.polyval(P[::-1], z), np.polyval(Q[::-1], z)
        R = np.where(under == 0, np.inf, over / np.where(under == 0, 1, under))
    return R if R.ndim else R[()].item()


def rational(method: Method) -> tuple[list[Fraction], list[Fraction]]:
    """Coefficients of numerator and denominator of R(z), exact, the constant first.

    Parameters
    ----------
    method
        The method.

    Returns
    -------
    (P, Q)
        Two lists, 1 first.
    """
    s = len(method.b)
    A = [[*row, *[Fraction(0)] * (s - len(row))] for row in method.A]
    return _determinant([[a - b for a, b in zip(row, method.b, strict=True)] for row in A]), _determinant(A)


def _determinant(M: list[list[Fraction]]) -> list[Fraction]:
    """Coefficients of det(I - z M), by Faddeev and LeVerrier."""
    n = len(M)
    coefficients, power = [Fraction(1)], [[Fraction(i == j) for j in range(n)] for i in range(n)]
    for k in range(1, n + 1):
        power = [[sum((M[i][l] * power[l][j] for l in range(n)), Fraction(0)) for j in range(n)] for i in range(n)]
        coefficients.append(-sum(power[i][i] for i in range(n)) / Fraction(k))
        for i in range(n):
            power[i][i] += coefficients[-1]
    return coefficients


def critical_step(jacobian: Any, method: str = "euler") -> Any:
    """Longest step with which a network of a method keeps a fixed point of the ODE stable.

    Parameters
    ----------
    jacobian : (..., S, S)
        Jacobians of the vector field at fixed points, or along a trajectory, where it is no more than a local margin.
    method
        As in `network`.

    Returns
    -------
    float or ndarray (...)
        The largest h such that |R(dt lambda)| <= 1 for all eigenvalues and all dt <= h, in units of time: for "euler"
        the smallest -2 Re(lambda) / |lambda|^2. 0 where some short step is already unstable (the ODE itself is, or the
        method is for oscillations without damping); inf where no step is too long.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    ``|P|^2 - |Q|^2`` for R = P / Q is a polynomial in the step; its roots are found as eigenvalues. An eigenvalue whose
    real part is within 1e-13 of its modulus counts as imaginary. Cost O(S^3) a Jacobian.

    Examples
    --------
    >>> critical_step([[-1.0, -3.0], [3.0, -1.0]])
    0.2
    >>> round(critical_step([[0.0, -1.0], [1.0, 0.0]], "rk4"), 6)  # sqrt(8)
    2.828427
    """
    J = as_array(jacobian, "jacobian")
    if J.ndim < 2 or J.shape[-1] != J.shape[-2]:
        raise ValueError(f"jacobian has the shape {J.shape}, wanted (..., S, S): pass square matrices")
    tableau = METHODS[choice(method, "method", METHODS)]
    steps = longest_steps(np.linalg.eigvals(J.astype(np.float64)), tableau)
    return steps if steps.ndim else float(steps)


def longest_steps(eigenvalues: np.ndarray, method: Method) -> np.ndarray:
    """Critical step (...) of modes (..., S).

    Parameters
    ----------
    eigenvalues : (..., S)
        Of the field's Jacobians; conjugates are equal.
    method
        The method.

    Returns
    -------
    (...) array
        As `critical_step`; NaN where an eigenvalue is NaN.
    """
    P, Q = ([float(c) for c in part] for part in rational(method))
    size = np.abs(eigenvalues)
    cosine = np.where(size > 0, eigenvalues.real / np.where(size > 0, size, 1), -1.0)
    cosine[np.abs(cosine) < NO_DAMPING] = 0.0
    distinct, place = np.unique(cosine, return_inverse=True)
    reach = np.array([_reach(P, Q, c) for c in distinct])[place.reshape(cosine.shape)]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(size > 0, reach / size, np.where(size == 0, np.inf, np.nan))
    return steps.min(axis=-1, initial=np.inf)


def _reach(P: Sequence[float], Q: Sequence[float], cosine: float) -> float:
    """Length r up to which |R| <= 1 along the ray of directions with this cosine."""
    if np.isnan(cosine):
        return np.nan
    turns = [1.0, cosine]  # cos(m angle), by Chebyshev's recurrence: exact on the imaginary axis
    while len(turns) < len(P):
        turns.append(2 * cosine * turns[-1] - turns[-2])
    growth, mass = np.zeros(2 * len(P) - 1), np.zeros(2 * len(P) - 1)
    for j in range(len(P)):
        for k in range(len(P)):
            for sign, c in ((1, P[j] * P[k]), (-1, Q[j] * Q[k])):
                growth[j + k] += sign * c * turns[abs(j - k)]
                mass[j + k] += abs(c * turns[abs(j - k)])
    growth[np.abs(growth) <= NO_TERM * mass] = 0.0
    present = np.flatnonzero(growth)
    if not present.size:
        return np.inf  # |R| = 1 all along: nothing grows
    if growth[present[0]] > 0:
        return 0.0
    growth = growth[present[0] : present[-1] + 1]
    roots = np.roots(growth[::-1])
    roots = np.sort(roots.real[(np.abs(roots.imag) <= 1e-7 * np.abs(roots)) & (roots.real > 0)])
    for root, after in zip(roots, np.append(roots[1:], 2 * roots[-1:]), strict=True):
        if np.polyval(growth[::-1], (root + after) / 2) > 0:
            return float(root)
    return np.inf
