"""A dynamical system of the user's own: a step function, with its derivatives given or derived.

Where no Jacobian is given, it is the complex step derivative of the step ([squire1998]_), which is exact to
rounding; it is checked against a central difference at every point. Where the two disagree, or the step refuses complex
numbers (`abs`, `max`, comparisons, compiled code with fixed types), central differences with Richardson's extrapolation
([ridders1982]_) take its place, which is good to some ten digits; the logger "rnndyn" says so, once a network.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import Network, network
from rnndyn.networks.fingerprint import fingerprint
from rnndyn.validate import as_integer, check_finite

log = logging.getLogger("rnndyn")

EPS = np.finfo(np.float64).eps
COMPLEX_STEP = 1e-30  # its square vanishes beside 1, and no difference is taken: nothing is lost to cancellation
REFUSALS = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError, np.exceptions.ComplexWarning)


@network
class Map(Network):  # numpydoc ignore=PR02
    """A map ``state' = step(state, input, parameters)`` written by the user.

    Parameters
    ----------
    step : callable
        ``step(state, input, parameters) -> state``, with state (S,), input (I,), in plain Python, NumPy, or compiled by
        ``numba.njit``. It may return an array, a tuple or a list of S numbers.
    state_size
        S.
    input_size
        I, 0 for an autonomous map; the step is then called with an input of length 0.
    parameters
        Passed to the step as it is, but for arrays, which are copied and made read-only.
    jacobian : callable, optional
        ``jacobian(state, input, parameters) -> (S, S)``, d state'[i] / d state[j]. It is trusted. Without it the
        derivative is found numerically, see `derivative`.

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong kind; when it is run, for a step or a Jacobian that returns something of the wrong
        shape.

    Notes
    -----
    All numbers are float64. The step runs in the interpreter, once for each step of each sequence. A state that is not
    finite stays so: what follows is NaN, and analyses report the status "diverged".

    Examples
    --------
    >>> henon = Map(lambda s, x, p: (1 - p[0] * s[0] ** 2 + s[1], p[1] * s[0]), 2, parameters=(1.4, 0.3))
    >>> henon
    Map(<lambda>, state_size=2, input_size=0)
    >>> jacobian_map(henon, np.array([[0.5, 0.0]]), None)[0].tolist()
    [[-1.4, 1.0], [0.3, 0.0]]
    """

    step: Any
    state_size: int = None  # type: ignore[assignment]  # required; the default covers the property of the base class
    _: KW_ONLY
    input_size: int = 0
    parameters: Any = ()
    jacobian: Any = None

    def __post_init__(self) -> None:
        if not callable(self.step):
            raise TypeError(f"step is a {type(self.step).__name__}: pass step(state, input, parameters)")
        if self.jacobian is not None and not callable(self.jacobian):
            raise TypeError(f"jacobian is a {type(self.jacobian).__name__}: a function is wanted, or None")
        if self.state_size is None:
            raise TypeError("state_size is missing: pass the number of state variables, Map(step, state_size)")
        self._set("state_size", as_integer(self.state_size, "state_size", minimum=1))
        self._set("input_size", as_integer(self.input_size, "input_size", minimum=0))
        self._set("parameters", _frozen(self.parameters, "parameters"))
        self._set("_fallback", None)

    @property
    def hidden_size(self) -> int:
        return self.state_size

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    @property
    def derivative(self) -> str:
        """How derivatives were found so far: "given", "complex step", or (in some points) "central differences"."""
        if self.jacobian is not None:
            return "given"
        return "complex step" if self.__dict__.get("_fallback") is None else "central differences"

    def options(self) -> dict[str, Any]:
        """Sizes, and fingerprints of the functions and the parameters: what tells two maps apart."""
        functions = {"step": fingerprint(self.step), "jacobian": fingerprint(self.jacobian)}
        sizes = {"state_size": self.state_size, "input_size": self.input_size}
        return sizes | functions | {"parameters": fingerprint(self.parameters)}

    def __repr__(self) -> str:
        name = getattr(self.step, "__name__", type(self.step).__name__)
        return f"Map({name}, state_size={self.state_size}, input_size={self.input_size})"


def _frozen(value: Any, name: str) -> Any:
    """Same structure, its arrays copied, native, finite and read-only."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        dtype = np.float64 if value.dtype.kind == "f" else value.dtype.newbyteorder("=")
        array = np.array(value, dtype=dtype, order="C")
        check_finite(array, name)
        array.flags.writeable = False
        return array
    if isinstance(value, dict):
        return {key: _frozen(v, f"{name}[{key!r}]") for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        parts = [_frozen(v, f"{name}[{k}]") for k, v in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


# ---- what rnndyn.dynamics asks of every network, for a Map -----------------------------------------------------------


def step_map(net: Map, s: np.ndarray, x: np.ndarray | None) -> np.ndarray:
    """One step of each sequence.

    Parameters
    ----------
    net
        The map.
    s : (B, S)
        States.
    x : (B, I) or None
        Inputs.

    Returns
    -------
    (B, S) array
        The next states.
    """
    with np.errstate(all="ignore"):
        return _rows([_value(net, state, xb) for state, xb in zip(s, _inputs(net, x, len(s)), strict=True)], net)


def forward_map(net: Map, x: np.ndarray | None, s0: np.ndarray, steps: int) -> np.ndarray:
    """States of a run.

    Parameters
    ----------
    net
        The map.
    x : (B, T, I) or None
        Inputs.
    s0 : (B, S)
        Initial states.
    steps
        T.

    Returns
    -------
    (B, T, S) array
        The states after steps 1..T.
    """
    states = np.empty((len(s0), steps, net.state_size))
    s = s0
    for t in range(steps):
        s = states[:, t] = step_map(net, s, None if x is None else x[:, t])
    return states


def jacobian_map(net: Map, s: np.ndarray, x: np.ndarray | None, wrt: str = "state") -> np.ndarray:
    """Jacobian of the step at each state.

    Parameters
    ----------
    net
        The map.
    s : (B, S)
        States.
    x : (B, I) or None
        Inputs.
    wrt : {"state", "input"}
        What is differentiated by.

    Returns
    -------
    (B, S, S) or (B, S, I) array
        The derivatives; the last axis is that of the variable.
    """
    x = _inputs(net, x, len(s))
    columns = net.state_size if wrt == "state" else net.input_size
    if wrt == "state" and net.jacobian is not None:
        jacobians = [_given_jacobian(net, state, xb) for state, xb in zip(s, x, strict=True)]
    else:
        with _quiet():
            jacobians = [_derivative(net, state, xb, np.eye(columns), wrt) for state, xb in zip(s, x, strict=True)]
    return np.array(jacobians).reshape(len(s), net.state_size, columns)


def tangent_map(net: Map, s: np.ndarray, x: np.ndarray | None, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of each sequence and of its tangent vectors.

    Parameters
    ----------
    net
        The map.
    s : (B, S)
        States.
    x : (B, I) or None
        Inputs.
    Q : (B, S, k)
        Tangent vectors, in columns.

    Returns
    -------
    (B, S) array, (B, S, k) array
        The next states, and the Jacobian times Q.
    """
    if net.jacobian is not None or Q.shape[-1] >= net.state_size:
        return step_map(net, s, x), jacobian_map(net, s, x) @ Q
    with _quiet():
        pushed = [_derivative(net, *row, "state") for row in zip(s, _inputs(net, x, len(s)), Q, strict=True)]
    return step_map(net, s, x), np.array(pushed).reshape(Q.shape)


# ---- one evaluation --------------------------------------------------------------------------------------------------


def _inputs(net: Map, x: np.ndarray | None, rows: int) -> np.ndarray:
    return np.zeros((rows, net.input_size)) if x is None else x


def _rows(values: list[np.ndarray], net: Map) -> np.ndarray:
    return np.array(values).reshape(len(values), net.state_size)


def _value(net: Map, state: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Next state, in float64; NaN where the state is not finite, or plain Python arithmetic overflows."""
    if not np.isfinite(state).all():
        return np.full(net.state_size, np.nan)
    try:
        value = _called(net, state, x)
    except OverflowError:
        return np.full(net.state_size, np.nan)
    if value.dtype.kind not in "fiub":
        raise TypeError(f"step returned {value.dtype} numbers for a real state: real numbers are wanted")
    return value.astype(np.float64, copy=False)


def _called(net: Map, state: np.ndarray, x: np.ndarray) -> np.ndarray:
    value = net.step(state.copy(), x.copy(), net.parameters)  # copies: a step may write to what it gets
    return _shaped(value, (net.state_size,), "step")


def _given_jacobian(net: Map, state: np.ndarray, x: np.ndarray) -> np.ndarray:
    J = net.jacobian(state.copy(), x.copy(), net.parameters)
    return _shaped(J, (net.state_size, net.state_size), "jacobian").astype(np.float64, copy=False)


def _shaped(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged sequence
        array = np.empty(0, object)
    if array.shape != shape or array.dtype.kind not in "fiubc":
        got = f"an array of shape {array.shape}" if array.dtype.kind in "fiubc" else f"a {type(value).__name__}"
        raise ValueError(f"{name} returned {got}, wanted {shape} numbers: return one number for each state variable")
    return array


# ---- derivatives -----------------------------------------------------------------------------------------------------


class _quiet(warnings.catch_warnings):
    """No floating-point warnings, and a step that drops imaginary parts is caught doing it."""

    def __enter__(self):
        super().__enter__()
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        self.errstate = np.errstate(all="ignore")
        self.errstate.__enter__()

    def __exit__(self, *exc):
        self.errstate.__exit__(*exc)
        super().__exit__(*exc)


def _derivative(net: Map, state: np.ndarray, x: np.ndarray, V: np.ndarray, wrt: str) -> np.ndarray:
    """Directional derivatives (S, k) of the step at one point along the columns of V, in the state or in the input."""
    if V.size == 0:
        return np.zeros((net.state_size, V.shape[1]))
    at, along = (state, lambda z: (z, x)) if wrt == "state" else (x, lambda z: (state, z))
    sizes = np.linalg.norm(V, axis=0)
    U = V / np.where(sizes > 0, sizes, 1)
    if not np.isfinite(_value(net, state, x)).all():
        return np.full((net.state_size, V.shape[1]), np.nan)
    D = _complex_step(net, at, along, U)
    if D is None:
        D = np.stack([_central(lambda z: _value(net, *along(z)), at, u) for u in U.T], axis=1)
    return D * sizes


def _complex_step(net: Map, at: np.ndarray, along: Callable, U: np.ndarray) -> np.ndarray | None:
    """Complex step derivative along the columns of U, or None where it is refused or fails its check."""
    if net.__dict__.get("_refused"):
        return None
    try:
        values = np.stack([_called(net, *along(at + 1j * COMPLEX_STEP * u)) for u in U.T], axis=1)
    except Exception as error:
        numba = type(error).__module__.startswith("numba")  # the step cannot be typed: not now, not later
        if not (numba or isinstance(error, REFUSALS)):
            raise
        if numba:
            net._set("_refused", True)
        _fall_back(net, f"the step refuses complex numbers ({type(error).__name__})")
        return None
    D = values.imag / COMPLEX_STEP
    if not _agrees(net, at, along, U, D):
        _fall_back(net, "the complex step derivative disagrees with a central difference")
        return None
    return D


def _agrees(net: Map, at: np.ndarray, along: Callable, U: np.ndarray, D: np.ndarray) -> bool:
    """Whether D matches a central difference along one direction in which every column of U has its part.

    Smaller steps are for kinks, steep slopes and small scales; they count only where rounding leaves them digits.
    """
    weights = np.cos(np.arange(1, U.shape[1] + 1))
    u, derivative = U @ weights, D @ weights
    largest = np.abs(at).max()
    for first, h in zip((True, *[False] * 4), (1e-4, 1e-6, 1e-8, 1e-10, 1e-12), strict=True):
        h = h * (1 + largest)
        high, low = (_value(net, *along(at + sign * h * u)) for sign in (1, -1))
        difference = (high - low) / (2 * h)
        noise = 8 * EPS * (np.abs(high) + np.abs(low) + largest + h).max() / h
        allowed = 1e-4 * max(np.abs(difference).max(), np.abs(derivative).max())
        if (first or noise <= allowed) and (np.abs(difference - derivative) <= allowed + noise).all():
            return True
    return False


def _fall_back(net: Map, reason: str) -> None:
    if net.__dict__.get("_fallback") is None:
        log.warning("%r: %s; derivatives are central differences where needed (or pass jacobian=)", net, reason)
        net._set("_fallback", reason)


def _central(f: Callable, at: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Central differences along u at steps h and h/2, extrapolated; of several h that of the least estimated error."""
    size = EPS * (np.abs(f(at)).max() + np.abs(at).max())
    best: Any = None
    least = np.inf
    for h in (1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
        h = h * (1 + np.abs(at).max())
        coarse, fine = ((f(at + d * u) - f(at - d * u)) / (2 * d) for d in (h, h / 2))
        # The two differ by the share h^2; what extrapolation leaves is of the share h^4. At a kink both are of order 1.
        step = np.abs(fine - coarse).max()
        error = step * step / max(np.abs(fine).max(), step, 1e-300) + size / h
        if best is None or error < least:
            best, least = (4 * fine - coarse) / 3, error
    return best
