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
        return _cell(super().cell)  # type: ignore[misc]


def maskable(net: Any) -> bool:
    """Whether each sequence can have factors of its own.

    Parameters
    ----------
    net
        A network.

    Returns
    -------
    bool
        True for a cell network that sends one thing through its recurrent weights; a GRU that resets before sends two.
    """
    return isinstance(net, CellNetwork) and len(set("".join(net.cell.drives)) & {"h", "m"}) == 1


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
    made = object.__new__(_network(type(net)))
    made.__dict__.update({name: getattr(net, name) for name in net._fields()} | {"factors": factors})
    return made


@cache
def _network(cls: type) -> Any:
    """Class of the masked networks of a class."""
    return type(f"Masked{cls.__name__}", (Masked, cls), {})


@cache
def _cell(cell: Any) -> Any:
    """Cell whose unit is that of another, with a factor."""
    from rnndyn.cells import masked

    base = masked.Masked if cell.rate is None else masked.MaskedRate
    sizes = {name: getattr(cell, name) for name in ("gates", "parameters", "trainable")} | {"states": cell.states + 1}
    drives = tuple(drive.replace("h", "m") for drive in cell.drives)
    more = {"within": cell, "drives": drives, "__module__": base.__module__, "__slots__": ()}
    return type(f"Masked{cell.__name__}", (base,), sizes | more)
