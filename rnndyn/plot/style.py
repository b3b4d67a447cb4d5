"""One look for every figure: colours that the colour-blind tell apart, type that is legible in a 3.4-inch column."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np

from rnndyn.validate import as_integer

# Okabe and Ito's palette, after Wong [wong2011]_; yellow is left out, too faint for lines on white.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
BLACK, GREY, LIGHT = "#222222", "#767676", "#C8C8C8"
PALETTE = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, BLACK)

COLUMN = (3.4, 2.5)  # inches

SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": BLACK,
    "axes.labelcolor": BLACK,
    "text.color": BLACK,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "figure.dpi": 150,
    "savefig.dpi": 300,
}


@contextmanager
def look():
    """Give what is drawn within the package's look, its colours as matplotlib's "C0", "C1", ... too."""
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context(SETTINGS | {"axes.prop_cycle": cycler(color=PALETTE)}):
        yield


@contextmanager
def drawing(ax=None):
    """Give the axes to draw on, in the package's style; without `ax`, those of a new figure unknown to pyplot.

    Examples
    --------
    >>> with drawing() as ax:
    ...     _ = ax.plot([1, 2])
    >>> ax.figure.get_size_inches().tolist()
    [3.4, 2.5]
    """
    from matplotlib.figure import Figure

    with look():
        yield Figure(figsize=COLUMN, layout="constrained").add_subplot() if ax is None else ax


def label(array, name=None) -> str:
    """Name an axis after a variable of the schema, with its units.

    Examples
    --------
    >>> import xarray as xr
    >>> label(xr.DataArray(0.0, attrs={"long_name": "entropy rate", "units": "nat/step"}))
    'Entropy rate (nat/step)'
    """
    name = name or array.attrs.get("long_name", array.name)
    units = array.attrs.get("units", "1")
    return name[0].upper() + name[1:] + ("" if units == "1" else f" ({units})")


def rows(array, *, last) -> np.ndarray:
    """Put the values of an array as (rows, `last`), whatever leading dimensions (network, batch) it has."""
    return np.moveaxis(array.values, array.dims.index(last), -1).reshape(-1, array.sizes[last])


def curve(ax, x, lines, color, name, **look):
    """Draw the median of several curves, and under it the band from the lowest to the highest.

    `lines` has shape (curves, x). A curve does not count where it is NaN; infinite values count, and where they are the
    median, the line has a gap. Returns the line.
    """
    finite, known = np.where(np.isfinite(lines), lines, np.nan), ~np.isnan(lines).all(axis=0)
    if len(lines) > 1:
        low, high = np.fmin.reduce(finite), np.fmax.reduce(finite)
        ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
    middle = np.full(lines.shape[1], np.nan)
    with np.errstate(invalid="ignore"):  # the mean of two infinite ones: a gap
        middle[known] = np.nanmedian(lines[:, known], axis=0)
    return line(ax, x, middle, color=color, label=name, **look)


def line(ax, x, y, **look):
    """Draw one curve. What is not finite leaves a gap; a value between two gaps, which no line reaches, is a dot."""
    finite = np.isfinite(y)
    beside = np.pad(finite, 1)
    alone = finite & ~beside[:-2] & ~beside[2:]
    dots = {"marker": ".", "markevery": alone} if alone.any() else {}
    (drawn,) = ax.plot(x, np.where(finite, y, np.nan), **(dots | look))
    return drawn


def chosen(ds, dim, number, name):
    """Take one of a dimension, by a number that the caller passed as `name`; without the dimension there is one.

    Raises
    ------
    TypeError, ValueError
        For a number that there is not.
    """
    most = ds.sizes.get(dim, 1)
    number = as_integer(number, name, minimum=-most, maximum=most - 1)
    return ds.isel({dim: number}) if dim in ds.sizes else ds


def require(ds, *names):
    """Refuse a Dataset that is not the result wanted.

    Raises
    ------
    ValueError
        Names the variables that are missing.
    """
    missing = [name for name in names if name not in getattr(ds, "variables", ())]
    if missing:
        kind = getattr(ds, "attrs", {}).get("kind", type(ds).__name__)
        raise ValueError(f"ds: got {kind!r} without {', '.join(missing)}; wanted a result that has {', '.join(names)}")
