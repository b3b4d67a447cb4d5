"""The history of a training: empty at first, a Dataset at the end."""

from __future__ import annotations

import numpy as np

from rnndyn import schema
from rnndyn.schema import DIMENSIONS, RESULTS, WATCHED


def empty_history(steps, optimizer, held_out):
    """Arrays by name, as long as the training will be, NaN until they are filled."""
    names = ["loss", "gradient_norm"]
    names += ["learning_rate"] if hasattr(optimizer, "rate") else []  # a caller's own optimiser may have none
    names += ["validation_loss"] if held_out is not None else []
    return {name: np.full(steps, np.nan) for name in names}


def as_dataset(done, net, call):
    """History of a training as a Dataset.

    Parameters
    ----------
    done : Progress
        The training.
    net : Network
        What it returns.
    call : dict
        What was asked for.

    Returns
    -------
    xarray.Dataset
        By the table of `rnndyn.schema`, with what was watched.
    """
    table = RESULTS["training"]
    history = {name: values[: done.step] for name, values in done.history.items()}
    seen = {name: np.stack(values) for name, values in done.watched.items()}
    coords = {name: _numbered(name, steps) for name, steps in seen.items() if name == WATCHED}
    own = {name: values for name, values in seen.items() if name not in table and name != WATCHED}
    for name in set(seen) & set(table):
        history[name] = seen[name].astype(np.int64) if table[name].kind == "i" else seen[name]
    if "n_fixed_points" in seen:
        coords["unstable"] = _numbered("unstable", np.arange(seen["n_fixed_points"].shape[1]))
    attrs = {"best_step": done.best_step if done.best else done.step}
    return schema.build("training", history, net=net, call=call, attrs=attrs, coords=coords, own=own)


def _numbered(dim, numbers):
    """A coordinate of whole numbers."""
    return dim, np.asarray(numbers, np.int64), {"long_name": DIMENSIONS[dim], "units": "1"}
