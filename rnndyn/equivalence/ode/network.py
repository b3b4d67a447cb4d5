"""The network whose step is one step of a numerical method."""

from __future__ import annotations

from typing import Any

from rnndyn.equivalence.ode.fields import as_field
from rnndyn.equivalence.ode.methods import METHODS, jacobian_of, step_of
from rnndyn.networks.map import Map
from rnndyn.validate import as_number, choice


def network(field: Any, method: str = "euler", *, dt: float) -> Map:
    """Give the network that solves an ODE: its step is a step of a Runge-Kutta method.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network for its continuous time.
    method : {"euler", "heun", "midpoint", "ssp33", "rk4", "implicit_euler", "trapezoid"}
        The method, of order 1, 2, 2, 3, 4, 1 and 2 ([hairer1993]_). The last two are implicit: each step is solved for
        by Newton's method to rounding, and is NaN ("diverged" in analyses) where that does not converge.
    dt
        Duration of a step, positive. Inputs are held over it.

    Returns
    -------
    Map
        Runs, trains, and is analysed as any network. Its Jacobian goes through the stages by the chain rule where the
        field has one of its own, and is found by `Map` where not. Backpropagation through it is the discrete adjoint
        of the method, which tends to that of the ODE at the method's order ([hager2000]_).

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Its cost per step is one evaluation of the field a stage; an implicit stage takes S + 2 for each iteration of
    Newton's method without a Jacobian, and O(S^3).

    Examples
    --------
    >>> import numpy as np, rnndyn as rd
    >>> from rnndyn.equivalence.ode import VectorField
    >>> net = network(VectorField(lambda y, x, p: -y, 1), "rk4", dt=0.1)
    >>> bool(abs(rd.run(net, initial_state=[1.0], steps=10).state[-1, 0] - np.exp(-1)) < 4e-7)
    True
    """
    field, h = as_field(field), as_number(dt, "dt", above=0)
    tableau = METHODS[choice(method, "method", METHODS)]
    advance = step_of(tableau, field.function, field.jacobian)

    def step(state, input, parameters):
        return advance(h, state, input, parameters)

    jacobian = None
    if field.jacobian is not None:
        differentiate = jacobian_of(tableau, field.function, field.jacobian)

        def jacobian(state, input, parameters):
            return differentiate(h, state, input, parameters)

    own = {"input_size": field.input_size, "parameters": field.parameters}
    return Map(step, field.state_size, jacobian=jacobian, **own)
