"""Vector fields: the right-hand side of an ODE, written by the user or taken from a leaky network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from rnndyn import dynamics, running
from rnndyn.frontdoor import as_rows
from rnndyn.networks.base import Network
from rnndyn.networks.leaky import Leaky
from rnndyn.networks.map import Map
from rnndyn.validate import as_number


@dataclass(frozen=True)
class VectorField:  # numpydoc ignore=PR02
    """The right-hand side of ``d state / dt = function(state, input, parameters)``.

    Parameters
    ----------
    function : callable
        ``function(state, input, parameters) -> derivative``, with state (S,), input (I,), in plain Python, NumPy, or
        compiled, as the step of `Map`. An explicit time is a state variable whose derivative is 1.
    state_size
        S.
    input_size
        I, 0 for an autonomous field; the function is then called with an input of length 0.
    parameters
        Passed on to the function.
    jacobian : callable, optional
        ``jacobian(state, input, parameters) -> (S, S)``, d derivative[i] / d state[j]; found numerically without it, as
        that of a `Map`.

    Raises
    ------
    TypeError, ValueError
        As `Map`.

    Examples
    --------
    >>> decay = VectorField(lambda y, x, p: -p[0] * y, 1, parameters=(2.0,))
    >>> decay.rates([3.0]).tolist(), decay.jacobians([3.0]).tolist()
    ([-6.0], [[-2.0]])
    """

    function: Callable
    state_size: int
    _: KW_ONLY
    input_size: int = 0
    parameters: Any = ()
    jacobian: Callable | None = None
    as_map: Map = field(init=False, repr=False, compare=False)  # state -> derivative: checks and derives

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"function is a {type(self.function).__name__}: pass function(state, input, parameters)")
        own = {"input_size": self.input_size, "parameters": self.parameters, "jacobian": self.jacobian}
        object.__setattr__(self, "as_map", Map(self.function, self.state_size, **own))
        object.__setattr__(self, "parameters", self.as_map.parameters)

    def rates(self, states: Any, inputs: Any = None) -> np.ndarray:
        """Derivatives of the state.

        Parameters
        ----------
        states : (..., S)
            States.
        inputs : (..., I), optional
            Inputs, with the same leading axes or none.

        Returns
        -------
        (..., S) array
            What the field says there. Errors as of `rnndyn.jacobian`.
        """
        s, x, lead = as_rows(self.as_map, states, inputs)
        return dynamics.step(self.as_map, s, x).reshape(*lead, self.state_size)

    def jacobians(self, states: Any, inputs: Any = None) -> np.ndarray:
        """Jacobians of the field.

        Parameters
        ----------
        states : (..., S)
            States.
        inputs : (..., I), optional
            Inputs, with the same leading axes or none.

        Returns
        -------
        (..., S, S) array
            d derivative[i] / d state[j]. Errors as of `rnndyn.jacobian`.
        """
        return running.jacobian(self.as_map, states, inputs)


def vector_field(net: Leaky, dt: float | None = None) -> VectorField:
    """Give the continuous-time network of which a leaky network is Euler's method: ``tau dh/dt = -h + ...``.

    Parameters
    ----------
    net
        A leaky network, of either form.
    dt
        Duration of one of its steps, so that tau = dt / alpha. By default the (largest) alpha: time is then counted in
        the (shortest) time constant, and a critical step is a critical alpha.

    Returns
    -------
    VectorField
        In float64, with its Jacobian. `network` of it by "euler" with this `dt` is `net`.

    Raises
    ------
    TypeError, ValueError
        For other networks; for a `dt` that is not positive.

    Examples
    --------
    >>> net = Leaky(None, [[0.0, -3.0], [3.0, 0.0]], alpha=0.1)
    >>> vector_field(net).jacobians([0.0, 0.0]).tolist()
    [[-1.0, -3.0], [3.0, -1.0]]
    """
    if not isinstance(net, Leaky):
        raise TypeError(f"net is a {type(net).__name__}: an rnndyn.Leaky is wanted; write other fields as VectorField")
    duration = float(net.alpha.max()) if dt is None else as_number(dt, "dt", above=0)
    speed = np.broadcast_to(net.alpha.astype(np.float64) / duration, net.state_size)
    whole = net.astype("float64").replace(
        alpha=1.0
    )  # a step of one time constant ends at the right-hand side without its leak

    def function(state, input, parameters):
        return speed * (complex_step_through(whole, state, input) - state)

    def jacobian(state, input, parameters):
        return speed[:, None] * (dynamics.jacobian(whole, *_row(state, input))[0] - np.eye(len(state)))

    return VectorField(function, net.state_size, input_size=net.input_size, jacobian=jacobian)


def complex_step_through(net: Network, state: np.ndarray, input: np.ndarray) -> np.ndarray:
    """One step of a network, to first order in the imaginary parts: a complex step derivative passes through it.

    Parameters
    ----------
    net
        A float64 network.
    state : (S,)
        Real or complex.
    input : (I,)
        Real or complex.

    Returns
    -------
    (S,) array
        ``F(s) + i (J Im s + J_x Im x)``, F and its Jacobians at the real parts; real if both arguments are.
    """
    state, input = np.asarray(state), np.asarray(input)
    s, x = _row(state.real, input.real)
    new = dynamics.step(net, s, x)[0]
    if np.iscomplexobj(state):
        new = new + 1j * (dynamics.jacobian(net, s, x)[0] @ state.imag)
    if np.iscomplexobj(input) and len(input):
        new = new + 1j * (dynamics.jacobian(net, s, x, "input")[0] @ input.imag)
    return new


def _row(state, input):
    return np.array(state)[None], np.array(input)[None] if len(input) else None


def as_field(field: Any) -> VectorField:
    """Vector field from what a user passes for one.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network, whose field is taken in units of its (shortest) time constant.

    Returns
    -------
    VectorField
        Itself, or that of the network.
    """
    if isinstance(field, VectorField):
        return field
    if isinstance(field, Leaky):
        return vector_field(field)
    what = "a function" if callable(field) else f"a {type(field).__name__}"
    raise TypeError(f"field is {what}: pass rnndyn.ode.VectorField(function, state_size), or an rnndyn.Leaky")
