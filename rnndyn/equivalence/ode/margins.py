"""How far a network is from losing stability, state by state of a trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import running, schema
from rnndyn.equivalence.ode.contraction import logarithmic_norm
from rnndyn.equivalence.ode.fields import as_field
from rnndyn.equivalence.ode.methods import METHODS
from rnndyn.equivalence.ode.network import network
from rnndyn.equivalence.ode.stability import longest_steps, stability_function
from rnndyn.schema import Status
from rnndyn.validate import as_array

if TYPE_CHECKING:
    from xarray import Dataset


def stability(field: Any, states: Any, inputs: Any = None, *, method: str = "euler", dt: float) -> Dataset:
    """Eigenvalues, amplification and critical step of a network at each state of a trajectory.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network for its continuous time.
    states : (B, T, S) or (T, S)
        States, as ``rnndyn.run(...).state``, or fixed points.
    inputs : (B, T, I) or (T, I), optional
        Inputs of the steps from these states; needed if the field has inputs.
    method, dt
        As in `network`.

    Returns
    -------
    Dataset
        ``eigenvalue`` of the field's Jacobian; ``amplification`` |R(dt eigenvalue)|, largest first: at fixed points the
        modulus of an eigenvalue of the network's Jacobian; ``critical_step``, as `critical_step`; ``logarithmic_norm``
        of the field's Jacobian (of it the largest over all states bounds the growth, and that of the eigenvalues does
        not); ``step_norm``, of the network's own Jacobian. ``status`` 2 (diverged), with NaN, for a step that does not
        come off.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Only at fixed points do eigenvalues decide. Along a trajectory all modes may shrink at each step while their product
    grows, as in the system of Markus and Yamabe ([markus1960]_): measure the product by `jacobian_products` or
    `lyapunov_spectrum` of `network(...)`. Cost O(T S^3).

    Examples
    --------
    >>> from rnndyn.networks import Leaky
    >>> ds = stability(Leaky(None, [[0.0, -3.0], [3.0, 0.0]], alpha=0.25), [[0.0, 0.0]], dt=0.25)
    >>> ds.critical_step.values.round(6).tolist(), bool((ds.amplification > 1).all())
    ([0.2], True)
    """
    call = {"states": states, "inputs": inputs, "method": method, "dt": dt}
    field = as_field(field)
    net = network(field, method, dt=dt)
    if "point" in getattr(states, "dims", ()):  # of a result of fixed points
        states = states.rename(point="time")
    dims, size = ("batch", "time", "state"), {"state": field.state_size}
    s = as_array(states, "states", dims, sizes=size, dtype="float64", optional=("batch",))
    J = field.jacobians(s, inputs)
    own = running.jacobian(net, s, inputs)
    lost = ~(np.isfinite(J) & np.isfinite(own)).all(axis=(-1, -2))
    J, own = (np.where(lost[..., None, None], 0.0, A) for A in (J, own))
    eigenvalue = np.linalg.eigvals(J)
    amplification = np.abs(stability_function(method, float(dt) * eigenvalue))
    order = np.argsort(-amplification, axis=-1, kind="stable")
    numbers = {
        "eigenvalue": np.take_along_axis(eigenvalue, order, axis=-1).astype(complex),
        "amplification": np.take_along_axis(amplification, order, axis=-1),
        "critical_step": longest_steps(eigenvalue, METHODS[method]),
        "logarithmic_norm": np.asarray(logarithmic_norm(J)),
        "step_norm": np.linalg.norm(own, 2, axis=(-2, -1)),
    }
    for values in numbers.values():
        values[lost] = np.nan
    code = np.where(lost.any(axis=-1), Status.DIVERGED, Status.OK)
    return schema.build("ode_stability", numbers | {"status": code}, net=net, call=call)
