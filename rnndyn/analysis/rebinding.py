"""The formulas of the cells, run on another kind of number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType

from rnndyn.cells import primitives


def rebound(function: Callable, table: Mapping[Callable, Callable]) -> Callable:
    """The same code as a function of a cell, with what it calls replaced by what takes the other numbers.

    Parameters
    ----------
    function
        A plain function that calls, at whatever depth, nothing but arithmetic and the keys of `table`.
    table
        What stands for the functions and primitives of the cells.

    Returns
    -------
    callable
        Takes and gives the other numbers.

    Raises
    ------
    TypeError
        For a primitive that is not in the table.
    """
    if function in table:
        return table[function]
    if function.__module__ == primitives.__name__:
        raise TypeError(f"{function.__name__} is not among {', '.join(f.__name__ for f in table)}: add it to the table")
    known = function.__globals__
    called = {n: known[n] for n in function.__code__.co_names if isinstance(known.get(n), FunctionType)}
    return FunctionType(function.__code__, known | {name: rebound(one, table) for name, one in called.items()})
