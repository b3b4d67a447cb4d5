"""Sequences drawn from a linear network with noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.equivalence.linear.state_space import StateSpace, check_stable, factor, state_space, stationary
from rnndyn.networks import Linear
from rnndyn.validate import as_array, as_generator, as_integer

if TYPE_CHECKING:
    from xarray import Dataset


def simulate(linear: Linear, steps: int, *, inputs: Any = None, batch: int | None = None, rng: Any = None) -> Dataset:
    """Draw hidden states and outputs of a linear network with its noises, from its stationary law on.

    Parameters
    ----------
    linear
        A `Linear` of spectral radius below 1.
    steps
        Number of steps T.
    inputs : (batch, T, I) or (T, I), optional
        Inputs, zero before the first. Needed where the network has any.
    batch
        Number of sequences; None for one without a batch axis.
    rng
        Seed or Generator.

    Returns
    -------
    Dataset
        ``state``, ``hidden`` and ``output`` as from `rnndyn.run`, which leaves the noise out. Double precision.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for an unstable network.

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.19]], observation_noise=[[1.0]])
    >>> ds = simulate(net, 100, batch=1000, rng=0)
    >>> ds.hidden.var().round(1).item(), ds.output.var().round(1).item()
    (1.0, 2.0)
    """
    call = {"steps": steps, "inputs": inputs, "batch": batch, "rng": rng}
    model = state_space(linear)
    check_stable(model.A, "scale W_hh down")
    mean, cov = stationary(model)
    h, y = draw(model, (mean, factor(cov)), steps, inputs, batch, rng)
    return schema.build("run", {"state": h, "hidden": h, "output": y}, net=linear, call=call)


def draw(
    model: StateSpace, law: tuple[np.ndarray, np.ndarray], steps: Any, inputs: Any, batch: Any, rng: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments and draw states and outputs; `law` is mean and factor of h_1 before its input."""
    steps, width = as_integer(steps, "steps", minimum=0), model.B.shape[1]
    count = as_integer(1 if batch is None else batch, "batch", minimum=1)
    x = None
    if width and inputs is None:
        raise ValueError(f"inputs is missing: the network has {width} inputs; pass an array (time, input)")
    if inputs is not None:
        dims, sizes = ("batch", "time", "input"), {"batch": count, "time": steps, "input": width}
        x = as_array(inputs, "inputs", dims, sizes=sizes, dtype="float64", optional=("batch",))
    h, y = _walk(model, law, steps, as_generator(rng), x, count)
    return (h[0], y[0]) if batch is None else (h, y)


def _walk(
    model: StateSpace,
    law: tuple[np.ndarray, np.ndarray],
    steps: int,
    rng: np.random.Generator,
    inputs: np.ndarray | None,
    batch: int,
) -> tuple[np.ndarray, np.ndarray]:
    """States (batch, steps, n) and outputs (batch, steps, O)."""
    mean, root = law
    n, Q, R = len(mean), factor(model.Q), factor(model.R)
    noise = rng.standard_normal((batch, steps, Q.shape[1])) @ Q.T
    drive = model.b if inputs is None else model.b + inputs @ model.B.T
    drive = np.broadcast_to(drive, (batch, steps, n))
    h = mean + rng.standard_normal((batch, root.shape[1])) @ root.T
    states = np.empty((batch, steps, n))
    for t in range(steps):
        # The law of h_1 already holds the bias and the noise of the first step.
        h = h @ model.A.T + drive[:, t] + noise[:, t] if t else h + drive[:, 0] - model.b
        states[:, t] = h
    eps = rng.standard_normal((batch, steps, R.shape[1])) @ R.T
    return states, states @ model.V.T + model.c + eps
