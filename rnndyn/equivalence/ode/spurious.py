"""Dynamics that the step size invents: fixed points, cycles and chaos of a network that its ODE does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis.fixed_points import fixed_points
from rnndyn.analysis.lyapunov import lyapunov_spectrum
from rnndyn.equivalence.ode.fields import VectorField, as_field
from rnndyn.equivalence.ode.network import network
from rnndyn.equivalence.ode.reference import solution
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

COMES_BACK = 1e-6  # distance, relative to 1 + |x|, within which a point has come back
NEUTRAL = 1e-9  # real part, relative to 1/dt and to the largest eigenvalue, that decides nothing


def spurious_dynamics(
    field: Any,
    *,
    method: str = "euler",
    dt: float,
    input: Any = None,
    max_period: int = 2,
    starts: Any = 64,
    initial_state: Any = None,
    duration: float | None = None,
    refinements: int = 3,
    rng: Any = None,
) -> Dataset:
    """Find what the network of a method does that its ODE does not: by the exact flow, and by halving the step.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network for its continuous time.
    method, dt
        As in `network`.
    input : (I,), optional
        Constant input; zero by default.
    max_period
        Cycles of up to so many steps are searched for.
    starts
        Of the searches, as in `fixed_points`.
    initial_state : (S,), optional
        Start of the runs for Lyapunov exponents; random by default.
    duration
        Length in time of these runs; 1000 steps of `dt` by default. A tenth as much goes before.
    refinements
        Number of step sizes dt, dt/2, dt/4, ... of the exponents.
    rng
        Seed or Generator.

    Returns
    -------
    Dataset
        For each ``point`` that returns after ``period`` steps: ``drift``, how far the exact flow (DOP853) takes it in
        that time, and by it (or because the field vanishes) ``origin``: "shared" with the ODE, or "invented". Its
        ``stability`` in the network, and ``ode_stability``: "stable" or "unstable" by the real parts of the eigenvalues
        for a rest state of the ODE, "undecided" where these do not tell, "none" for an invented point. For each step
        size: the largest Lyapunov ``exponent`` per unit of time, its ``stderr`` and ``status``.

        Attrs, as 0 or 1: ``invented`` (some point is invented), ``stability_changed`` (a shared rest state is stable in
        one and unstable in the other), ``chaos_invented`` (the exponent is above 0 by three standard errors at dt and
        not above 0 at the finest step; -1 where a run diverged).

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Every rest state of the ODE is a fixed point of each method; Euler's has no others, but methods of more stages do,
    and all have cycles at long steps ([griffiths2010]_, chapter 12). A cycle to which the network locks on a limit
    cycle of the ODE counts as invented: the ODE does not close there. What the search does not find is not listed.

    Examples
    --------
    >>> logistic = VectorField(lambda y, x, p: 2 * y * (1 - y), 1)
    >>> ds = spurious_dynamics(logistic, dt=1.1, starts=[[0.2], [0.9], [1.2]], duration=200, initial_state=[0.3], rng=0)
    >>> ds.state.values.ravel().round(4).tolist(), ds.origin.values.tolist()
    ([0.0, 1.0, 0.7462, 1.1628], ['shared', 'shared', 'invented', 'invented'])
    >>> ds.attrs["invented"], ds.attrs["stability_changed"], ds.attrs["chaos_invented"]
    (1, 1, 0)
    """
    call = {name: value for name, value in locals().items() if name != "field"}
    field, rng = as_field(field), as_generator(rng)
    net = network(field, method, dt=dt)
    x = np.zeros(field.input_size)
    if input is not None:
        x = as_array(input, "input", ("input",), sizes={"input": field.input_size}, dtype="float64")
    periods = as_integer(max_period, "max_period", minimum=1)
    halvings = as_integer(refinements, "refinements", minimum=1)
    time = 1000 * dt if duration is None else as_number(duration, "duration", above=0)
    points = [_points(net, field, x, period, starts, float(dt), rng) for period in range(1, periods + 1)]
    data = {name: np.concatenate([part[name] for part in points]) for name in points[0]}
    data["step_size"] = float(dt) / 2.0 ** np.arange(halvings)
    runs = [_exponent(field, method, h, x, time, initial_state, rng) for h in data["step_size"]]
    data |= {name: np.array([run[name].values.flat[0] for run in runs]) for name in ("exponent", "stderr", "status")}
    shared = data["origin"] == "shared"
    opposite = {"stable": "unstable", "unstable": "stable"}
    pairs = zip(data["stability"][shared], data["ode_stability"][shared], strict=True)
    attrs = {
        "invented": int((~shared).any()),
        "stability_changed": int(any(opposite.get(a) == b for a, b in pairs)),
        "chaos_invented": _chaos_invented(data),
    }
    return schema.build("spurious_dynamics", data, net=net, call=call, attrs=attrs)


def _points(net, field: VectorField, x, period: int, starts, dt: float, rng) -> dict[str, np.ndarray]:
    """Points of the cycles of just this period, each beside what the ODE does with it."""
    found = fixed_points(net, x if len(x) else None, starts=starts, period=period, rng=rng)
    states = found["state"].values
    rows = [k for k, s in enumerate(states) if _period(net, s, x, period) == period]
    states, stability = states[rows], found["stability"].values[rows]
    gone = [solution(field, s, period * dt, input=x) for s in states]
    drift = np.array([np.linalg.norm(there - s) for there, s in zip(gone, states, strict=True)])
    near = COMES_BACK * (1 + np.linalg.norm(states, axis=1))
    # The flow leaves a strongly repelling rest state by rounding alone; there the field tells.
    still = dt * np.linalg.norm(field.rates(states, x), axis=1) <= near
    shared = (drift <= near) | still
    origin = np.where(shared, "shared", "invented").astype("U8")
    at_rest = [_ode_stability(field, s, x, dt) if same else "none" for s, same in zip(states, shared, strict=True)]
    return {
        "state": states,
        "period": np.full(len(rows), period),
        "drift": drift.reshape(len(rows)),
        "origin": origin,
        "stability": stability.astype("U9"),
        "ode_stability": np.array(at_rest, dtype="U9"),
    }


def _period(net, state, x, longest: int) -> int:
    """Fewest steps after which the state has come back."""
    s = state
    for n in range(1, longest + 1):
        s = dynamics.step(net, s[None], x[None])[0]
        if np.linalg.norm(s - state) <= COMES_BACK * (1 + np.linalg.norm(state)):
            return n
    return longest


def _ode_stability(field: VectorField, state, x, dt: float) -> str:
    """Of a rest state, by the real parts of its eigenvalues."""
    if np.linalg.norm(field.rates(state, x)) > COMES_BACK * (1 + np.linalg.norm(state)):
        return "undecided"  # a cycle of the ODE itself, which happens to close in a number of steps
    eigenvalues = np.linalg.eigvals(field.jacobians(state, x))
    largest, neutral = eigenvalues.real.max(), NEUTRAL * (1 / dt + np.abs(eigenvalues).max())
    if abs(largest) <= neutral:
        return "undecided"
    return "stable" if largest < 0 else "unstable"


def _exponent(field, method, dt: float, x, time: float, initial_state, rng) -> Dataset:
    """The largest exponent of the network with this step."""
    steps = max(int(np.ceil(time / dt)), 2)
    before = max(steps // 10, 1)
    inputs = np.tile(x, (steps + before, 1)) if len(x) else None
    own = {"k": 1, "steps": steps, "warmup": before, "time_step": dt, "initial_state": initial_state, "rng": rng}
    return lyapunov_spectrum(network(field, method, dt=dt), inputs, **own)


def _chaos_invented(data: dict[str, np.ndarray]) -> int:
    exponent, error = data["exponent"], data["stderr"]
    if np.isnan(exponent[[0, -1]]).any():
        return -1
    above = exponent > 3 * np.where(np.isfinite(error), error, 0)
    return int(above[0] and not above[-1])
