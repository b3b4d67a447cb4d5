"""Sequences drawn from a linear network with noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rnndyn import schema
from rnndyn.equivalence import state_space
from rnndyn.equivalence.state_space import check_stable, factor, stationary
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
    model = state_space.state_space(linear)
    check_stable(model.A, "scale W_hh down")
    steps = as_integer(steps, "steps", minimum=0)
    count = as_integer(1 if batch is None else batch, "batch", minimum=1)
    x = None
    if linear.input_size:
        if inputs is None:
            raise ValueError(f"inputs is missing: the network has {linear.input_size} inputs; pass (time, input)")
        dims, sizes = ("batch", "time", "input"), {"batch": count, "time": steps, "input": linear.input_size}
        x = as_array(inputs, "inputs", dims, sizes=sizes, dtype="float64", optional=("batch",))
    mean, cov = stationary(model)
    h, y = state_space.simulate(model, (mean, factor(cov)), steps, as_generator(rng), x, count)
    h, y = (h[0], y[0]) if batch is None else (h, y)
    return schema.build("run", {"state": h, "hidden": h, "output": y}, net=linear, call=call)
