"""Networks on irregular times: neural ODEs, and ODEs whose state is updated at each observation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnndyn.equivalence.ode.fields import VectorField, as_field, complex_step_through
from rnndyn.equivalence.ode.methods import METHODS, step_of
from rnndyn.networks.base import Network
from rnndyn.networks.compose import looks_ahead
from rnndyn.networks.map import Map
from rnndyn.validate import as_array, as_integer, as_number, choice


def irregular_network(field: Any, method: str = "rk4", *, substeps: int = 1, update: Network | None = None) -> Map:
    """Give the network that solves an ODE from one time of observation to the next, however far that is.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network: a neural ODE ([chen2018]_). Its inputs are held between two times.
    method
        As in `network`.
    substeps
        Equal steps of the method from one time to the next.
    update : Network, optional
        A network with the field's state for its own (a `Map`, a `GRU`), which takes one step at each time, after the
        ODE: an ODE-RNN ([rubanova2019]_).

    Returns
    -------
    Map
        Its input is the time since the last observation and then what is observed, as `irregular_inputs` makes it; the
        observation goes to `update`, or without one to the field. It runs, trains and is analysed as any network.
        Gradients reach the parameters of the field, and those of an `update` that is a `Map`: ``parameters`` is the
        pair of both. An `update` of another class is constant.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for an `update` with another state, and for inputs of both.

    Notes
    -----
    The error is O(h^p) for a method of order p, h the longest substep. A time that does not pass changes nothing.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = irregular_network(VectorField(lambda y, x, p: -y, 1), substeps=4)
    >>> run = rd.run(net, irregular_inputs([0.1, 0.5, 2.0]), initial_state=[1.0])
    >>> run.state.values.round(3).ravel().tolist()  # exp(-t)
    [0.905, 0.607, 0.135]
    """
    field, count = as_field(field), as_integer(substeps, "substeps", minimum=1)
    tableau = METHODS[choice(method, "method", METHODS)]
    advance = step_of(tableau, field.function, field.jacobian)
    held = field.input_size  # inputs that are the field's; those of an update come in their place

    def flow(state, input, parameters):
        for _ in range(count):
            state = advance(input[0] / count, state, input[1 : 1 + held], parameters)
        return state

    if update is None:
        return Map(flow, field.state_size, input_size=1 + held, parameters=field.parameters)
    after, own = _updating(update, field)

    def step(state, input, parameters):
        return after(flow(state, input, parameters[0]), input[1:], parameters[1])

    both = (field.parameters, own)
    return Map(step, field.state_size, input_size=1 + update.input_size, parameters=both)


def _updating(update: Network, field: VectorField) -> tuple[Callable, Any]:
    """Step of the update as a function ``(state, input, parameters) -> state``, and its parameters."""
    if not isinstance(update, Network) or looks_ahead(update):
        raise TypeError(f"update is a {type(update).__name__}: a network with a step is wanted, such as an rnndyn.GRU")
    if update.state_size != field.state_size:
        raise ValueError(f"update has {update.state_size} state variables, the field {field.state_size}: make them one")
    if field.input_size:
        raise ValueError("field has inputs, and update too would take them: give inputs to one of the two")
    if isinstance(update, Map):
        return update.step, update.parameters
    net = update.astype("float64")
    return lambda state, input, parameters: complex_step_through(net, state, input), ()


def irregular_inputs(times: Any, observations: Any = None, *, start: float = 0.0) -> np.ndarray:
    """Inputs of an irregular network: at each time what has passed since the last one, then what is observed.

    Parameters
    ----------
    times : (T,) or (B, T)
        Times of observation, not falling.
    observations : (T, I) or (B, T, I), optional
        What is observed.
    start
        Time of the initial state, at most the first of `times`.

    Returns
    -------
    (T, 1 + I) or (B, T, 1 + I) array
        Float64.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for times that fall.

    Examples
    --------
    >>> irregular_inputs([0.5, 2.0], [[1.0], [3.0]]).tolist()
    [[0.5, 1.0], [1.5, 3.0]]
    """
    t = as_array(times, "times", ("batch", "time"), dtype="float64", optional=("batch",))
    gaps = np.diff(t, axis=-1, prepend=as_number(start, "start"))
    if (gaps < 0).any():
        at = np.argwhere(gaps < 0)[0]
        first = "start" if at[-1] == 0 else "the time before"
        raise ValueError(f"times{at.tolist()} is {t[tuple(at)]}, before {first}: sort them, or correct start")
    if observations is None:
        return gaps[..., None]
    dims = ("batch", "time", "input")[-t.ndim - 1 :]
    x = as_array(observations, "observations", dims, sizes=dict(zip(dims, t.shape, strict=False)), dtype="float64")
    return np.concatenate([gaps[..., None], x], axis=-1)
