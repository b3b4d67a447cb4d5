"""Arrays whose axes have names: they are taken by these, not by their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def in_order(x: Any, *dims: Any) -> Any:
    """DataArray with its axes in an order of names, where ``...`` stands for all others; anything else as it is.

    Parameters
    ----------
    x
        What was passed.
    *dims
        Names, those that it lacks too.

    Returns
    -------
    object
        A DataArray, or `x`.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> in_order(xr.DataArray(np.zeros((2, 3, 4)), dims=("output", "trial", "time")), "time", ..., "output").shape
    (4, 3, 2)
    """
    return x.transpose(*dims, missing_dims="ignore") if _has_names(x) else x


def by_name(x: Any, name: str, dims: Sequence[str] | None, optional: Sequence[str]) -> Any:
    """Values of a DataArray in an order of names; anything else as it is.

    Parameters
    ----------
    x
        What was passed.
    name
        Of the argument.
    dims
        The order; None leaves it as it is.
    optional
        Names that it may lack.

    Returns
    -------
    object
        An array, or `x`.

    Raises
    ------
    ValueError
        Where a name is lacking, or one too many.
    """
    if not _has_names(x):
        return x
    if dims is None:
        return x.values
    order = [dim for dim in dims if dim in x.dims]
    lacking = [dim for dim in dims if dim not in x.dims and dim not in optional]
    if lacking or len(order) != len(x.dims):
        wanted = f"wanted {allowed(dims, optional)}"
        raise ValueError(f"{name} has the dimensions {tuple(x.dims)}, {wanted}: use .rename, or pass .values")
    return x.transpose(*order).values


def allowed(dims: Sequence[str], optional: Sequence[str]) -> str:
    """Return names as a message shows them: in brackets those that may lack.

    Parameters
    ----------
    dims
        All names.
    optional
        Those that may lack.

    Returns
    -------
    str
        Such as "([batch], time)".
    """
    return "(" + ", ".join(f"[{dim}]" if dim in optional else dim for dim in dims) + ")"


def _has_names(x: Any) -> bool:
    """Whether it is a DataArray, told by its attributes: xarray is not imported."""
    return hasattr(x, "dims") and hasattr(x, "transpose") and hasattr(x, "values")
