"""Runge-Kutta methods: their tableaus, and one step of any of them with its Jacobian.

A method is given by A and b ([hairer1993]_, section II.1): ``Y_i = y + h sum_j a_ij f(Y_j)``, then ``y' = y + h sum_i
b_i f(Y_i)``. Here A is lower triangular: a stage whose a_ii is zero is explicit, another one is solved for by Newton's
method.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from rnndyn.networks.map import COMPLEX_STEP, EPS, REFUSALS

NEWTON = 50  # iterations of an implicit stage; a few suffice where Newton's method converges
TINY = np.finfo(np.float64).tiny  # below it numbers lose digits
ROUNDED = 1e-9  # relative size below which steps that no longer shrink are rounding


class Method(NamedTuple):
    """A tableau: A as rows up to the diagonal, b, and the order of accuracy."""

    A: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]
    order: int

    @property
    def explicit(self) -> bool:
        """Whether no stage has to be solved for."""
        return not any(row[-1] for row in self.A)


def _tableau(A: str, b: str, order: int) -> Method:
    """Tableau from text, rows of A separated by semicolons."""
    rows = tuple(tuple(map(Fraction, row.split())) for row in A.split(";"))
    return Method(rows, tuple(map(Fraction, b.split())), order)


METHODS = {
    "euler": _tableau("0", "1", 1),
    "heun": _tableau("0; 1 0", "1/2 1/2", 2),
    "midpoint": _tableau("0; 1/2 0", "0 1", 2),
    "ssp33": _tableau("0; 1 0; 1/4 1/4 0", "1/6 1/6 2/3", 3),
    "rk4": _tableau("0; 1/2 0; 0 1/2 0; 0 0 1 0", "1/6 1/3 1/3 1/6", 4),
    "implicit_euler": _tableau("1", "1", 1),
    "trapezoid": _tableau("0; 1/2 1/2", "1/2 1/2", 2),
}
METHODS["backward_euler"] = METHODS["implicit_euler"]  # its other name


def step_of(method: Method, f: Callable, jacobian: Callable | None) -> Callable:
    """One step of a method as a function of the step size.

    Parameters
    ----------
    method
        The method.
    f, jacobian : callable
        The field ``f(state, input, parameters)`` and, if there is one, its Jacobian, which Newton's method then uses.

    Returns
    -------
    callable
        ``step(h, state, input, parameters) -> state``. Complex arguments pass through it, by the field's leave.
    """
    A, b = _floats(method)

    def step(h, state, input, parameters):
        slopes = [slope for _, slope in _stages(A, f, jacobian, h, state, input, parameters)]
        return _combined(np.asarray(state), h, b, slopes)

    return step


def jacobian_of(method: Method, f: Callable, jacobian: Callable) -> Callable:
    """Jacobian of `step_of`, from that of the field by the chain rule through the stages.

    Parameters
    ----------
    method
        The method.
    f, jacobian : callable
        The field and its Jacobian.

    Returns
    -------
    callable
        ``J(h, state, input, parameters) -> (S, S)``.
    """
    A, b = _floats(method)

    def derivative(h, state, input, parameters):
        identity = np.eye(len(state))
        slopes: list[np.ndarray] = []
        for stage, _ in _stages(A, f, jacobian, h, state, input, parameters):
            row = A[len(slopes)]
            J = _shaped(jacobian(stage.copy(), input.copy(), parameters), identity.shape, "jacobian")
            moved = J @ _combined(identity, h, row[:-1], slopes)  # K = J (I + h sum_j a_ij K_j)
            if row[-1]:
                moved = _quotient(identity - h * row[-1] * J, moved)
            slopes.append(moved)
        return _combined(identity, h, b, slopes)

    return derivative


def _floats(method: Method) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]:
    return tuple(tuple(map(float, row)) for row in method.A), tuple(map(float, method.b))


def _combined(y: Any, h: Any, weights: tuple[float, ...], slopes: list) -> np.ndarray:
    """``y + h sum_i w_i k_i``, always a new array."""
    total = np.zeros_like(y)
    for weight, slope in zip(weights, slopes, strict=True):
        if weight:
            total = total + weight * slope
    return y + h * total


def _shaped(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Array of what a user's function returned. Of another shape it would be broadcast, and be wrong without a word."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"{name} of the field returned the shape {array.shape}, wanted {shape}: correct it")
    return array


def _quotient(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """``A^-1 B``, NaN for a singular A."""
    try:
        return np.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        return np.full(B.shape, np.nan)


def _stages(A, f, jacobian, h, state, input, parameters) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Values Y_i of the stages, and the slopes f(Y_i) there."""

    def field(y):
        # Copies: a field may write to what it gets.
        return _shaped(f(y.copy(), input.copy(), parameters), y.shape, "function")

    y = np.asarray(state)
    slopes: list[np.ndarray] = []
    for row in A:
        stage = _combined(y, h, row[:-1], slopes)
        if row[-1]:
            base, c = stage, h * row[-1]
            given = None if jacobian is None else lambda at: jacobian(at.real, input.real, parameters)
            stage = _solved(field, given, base, c)
            # Not f(stage): a stiff field would magnify the rounding error of the stage.
            slopes.append((stage - base) / c if c != 0 else field(stage))
        else:
            slopes.append(field(stage))
        yield stage, slopes[-1]


def _solved(field: Callable, given: Callable | None, base: np.ndarray, c: Any) -> np.ndarray:
    """Y = base + c field(Y), by Newton's method from `base`; NaN where it does not converge."""
    field(base)  # its own errors are for the user to see; what it refuses of complex numbers is not
    derivatives = (_complex_step, _central) if given is None else (lambda _, at: np.asarray(given(at)).real,)
    for derivative in derivatives:
        Y = _newton(field, derivative, base, c)
        if Y is not None:
            return Y
    return np.full(base.shape, np.nan)


def _newton(field, derivative, base, c) -> np.ndarray | None:
    Y, last, settled = base, np.inf, False
    for _ in range(NEWTON):
        try:
            system = np.eye(len(base)) - np.real(c) * derivative(field, Y)
            step = _quotient(system, base + c * field(Y) - Y)
        except Exception as error:
            refused = isinstance(error, REFUSALS) or type(error).__module__.startswith("numba")
            if not refused or np.iscomplexobj(base):  # a complex step of the caller's: the caller is to know
                raise
            return None
        Y = Y + step
        if settled:  # one step beyond: it takes the imaginary part of a complex step, linear in the error, to its end
            return Y
        size, scale = np.abs(step.real).max(), np.abs(Y.real).max()
        if not np.isfinite(size):
            return None
        settled = size <= 4 * EPS * scale + TINY or (size <= ROUNDED * scale and size > last / 2)
        last = size
    return None


def _complex_step(field: Callable, at: np.ndarray) -> np.ndarray:
    """Jacobian of the field at the real part of a state, by the complex step.

    What parameters or inputs bring of an imaginary part of their own is taken off.
    """
    y = at.real.astype(np.complex128)
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        own = field(y).imag
        moved = [field(y + 1j * COMPLEX_STEP * e).imag - own for e in np.eye(len(y))]
    return np.stack(moved, axis=1) / COMPLEX_STEP


def _central(field: Callable, at: np.ndarray) -> np.ndarray:
    """Jacobian of a field that takes no complex numbers: good enough for Newton's method."""
    y = at.real
    h = np.cbrt(EPS) * (1 + np.abs(y).max())
    moved = [(field(y + h * e) - field(y - h * e)).real / (2 * h) for e in np.eye(len(y))]
    return np.stack(moved, axis=1)
