"""The exact solution of an ODE, as far as double precision goes: Dormand and Prince's method of order 8."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn import dynamics
from rnndyn.equivalence.ode.fields import VectorField

TIGHTEST = 3e-14  # relative tolerance: SciPy takes none below 100 rounding units
LOOSER = 100  # times as much for the solution that tells the error of the tight one


def solution(field: VectorField, state: np.ndarray, dt: float, tolerance: float = TIGHTEST, input: Any = None) -> Any:
    """State of the ODE after a time, by SciPy's DOP853 ([hairer1993]_, section II.5).

    Parameters
    ----------
    field
        The field.
    state : (S,)
        State at the start.
    dt
        The time.
    tolerance
        Relative, of each step of the solver.
    input : (I,), optional
        Held meanwhile.

    Returns
    -------
    (S,) array
        NaN where the solver gives up.
    """
    from scipy.integrate import solve_ivp

    x = np.zeros(field.input_size) if input is None else input

    def f(_, y):
        return dynamics.step(field.as_map, y[None], x[None])[0]

    if not np.isfinite(f(0.0, state)).all():  # of which SciPy would make a step of no length, for ever
        return np.full(len(state), np.nan)
    with np.errstate(all="ignore"):
        found = solve_ivp(f, (0.0, dt), state, method="DOP853", rtol=tolerance, atol=tolerance / 100)
    return found.y[:, -1] if found.success else np.full(len(state), np.nan)


def trajectory(field: VectorField, state: np.ndarray, dt: float, steps: int, tolerance: float, inputs: Any) -> Any:
    """States (T, S) of the ODE after times dt, 2 dt ..., its inputs (T, I) held between them.

    Parameters
    ----------
    field
        The field.
    state : (S,)
        State at the start.
    dt
        Time between two states.
    steps
        T.
    tolerance
        As in `solution`.
    inputs : (T, I) or None
        Inputs.

    Returns
    -------
    (T, S) array
        NaN from where the solver gives up.
    """
    states = np.full((steps, len(state)), np.nan)
    for t in range(steps):
        state = states[t] = solution(field, state, dt, tolerance, None if inputs is None else inputs[t])
        if not np.isfinite(state).all():
            break
    return states
