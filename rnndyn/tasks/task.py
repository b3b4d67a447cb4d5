"""What a task is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnndyn.schema.terms import TRACE
from rnndyn.validate import as_integer

if TYPE_CHECKING:
    from xarray import DataArray


class Task(NamedTuple):  # numpydoc ignore=PR02
    """Sequences and their answers, as DataArrays.

    Parameters
    ----------
    inputs
        (batch, time, input).
    targets
        (batch, time, output), or labels (batch, time).
    mask
        (batch, time): whether an answer is wanted.
    """

    inputs: DataArray
    targets: DataArray
    mask: DataArray


def task(inputs, targets, mask=None, symbols=None):
    """Make a task of plain arrays.

    Parameters
    ----------
    inputs, targets, mask
        Arrays; no mask wants an answer at every step.
    symbols : list of str, optional
        What the inputs stand for.

    Returns
    -------
    Task
        With dimensions as the results of the package have them.
    """
    import xarray as xr

    mask = np.ones(inputs.shape[:2], bool) if mask is None else mask
    coords = {} if symbols is None else {"input": symbols}
    target_dims = (*TRACE, "output")[: targets.ndim]
    return Task(
        xr.DataArray(inputs, dims=(*TRACE, "input"), coords=coords, name="inputs"),
        xr.DataArray(targets, dims=target_dims, name="targets"),
        xr.DataArray(mask, dims=TRACE, name="mask"),
    )


def sizes(batch, steps, least=1):
    """Sizes of a task, checked."""
    return as_integer(batch, "batch", minimum=1), as_integer(steps, "steps", minimum=least)


def one_hot(labels, count):
    """Rows of zeros with a one at each label."""
    return np.eye(count)[labels]


def at_the_end(batch, steps, count=1):
    """Mask of the last ``count`` steps."""
    return np.broadcast_to(np.arange(steps) >= steps - count, (batch, steps)).copy()
