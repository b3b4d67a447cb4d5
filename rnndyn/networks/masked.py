"""A cell network whose hidden units meet factors, for each sequence its own, on their way through the weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from rnndyn.networks.recurrent import CellNetwork


class Masked:
    """What `masked` makes of the class of a network; runs and gradients have the states and fields of that network."""

    factors: np.ndarray

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells.masked import masked

        return masked(super().cell)  # type: ignore[misc]


def maskable(net: Any) -> bool:
    """Whether each sequence can have factors of its own.

    Parameters
    ----------
    net
        A network.

    Returns
    -------
    bool
        True for a cell network that sends one thing through its recurrent weights.
    """
    from rnndyn.cells.masked import maskable

    return isinstance(net, CellNetwork) and maskable(net.cell)


def masked(net: CellNetwork, factors: np.ndarray) -> CellNetwork:
    """Make a network that takes the sequences of one batch through ``W_hh (factors * h)``.

    Parameters
    ----------
    net
        The network.
    factors : (batch, unit)
        Of each sequence, at all steps; of the network's dtype.

    Returns
    -------
    CellNetwork
        Of the same fields, for passes through time and their gradients.
    """
    made = object.__new__(_class(type(net)))
    made.__dict__.update({name: getattr(net, name) for name in net._fields()} | {"factors": factors})
    return made


@cache
def _class(cls: type) -> Any:
    return type(f"Masked{cls.__name__}", (Masked, cls), {})
