"""What a cell tells the kernels: its sizes and what drives each of its pre-activations."""

from typing import Any, NamedTuple

_named: dict[str, int] = {}  # how many cells have had a name
MOST_DRIVEN = 4  # pre-activations from one source: their sums stay in registers together


class Packed(NamedTuple):
    """Weights of one network, cut into the panels that the register tile reads (see :mod:`rnndyn.kernels.pack`)."""

    W_x: Any
    W_h: Any
    W_m: Any
    W_xT: Any
    W_hT: Any
    W_mT: Any
    b: Any
    q: Any


class Cell(Packed):
    """Base of all cells. A subclass sets the attributes and the functions of its file.

    Attributes
    ----------
    drives : tuple of str
        What forms each pre-activation: a subset of ``"x"`` (input), ``"h"`` (state), ``"m"`` (rate). Those that share a
        source stand side by side, so that one matrix product forms them.
    gates : tuple of int
        Which block of rows of ``W_xh`` and ``W_hh`` belongs to each pre-activation.
    states : int
        Number of state variables a unit; the first one is ``h``.
    parameters : int
        Number of per-unit parameters ``q``.
    trainable : bool
        Whether ``dL/dq`` is wanted.
    within : type or None
        The cell that this one is made of, if it is.
    activate, update_from, partials_from : functions or None
        For cells whose activations are worth keeping for the way back: ``update`` and ``partials`` are then
        ``update_from`` and ``partials_from`` of what ``activate`` makes of the pre-activations, as many numbers. Not
        with a rate.
    """

    __slots__ = ()
    drives: tuple[str, ...] = ()
    gates: tuple[int, ...] = ()
    states = 1
    parameters = 0
    trainable = False
    activation: Any = None
    update: Any = None
    partials: Any = None
    rate: Any = None
    rate_partials: Any = None
    within: Any = None
    activate: Any = None
    update_from: Any = None
    partials_from: Any = None

    def __init_subclass__(cls) -> None:
        check(cls)
        # Numba takes named tuples of one name and equal fields for one type, be they of two modules, or defined twice.
        _named[cls.__name__] = _named.get(cls.__name__, 0) + 1
        if _named[cls.__name__] > 1:
            cls.__name__ += f"_{_named[cls.__name__]}"


def check(cell) -> None:
    """Raise ``ValueError`` for a cell that the kernels cannot run."""
    name, drives = cell.__name__, cell.drives
    if len(cell.gates) != len(drives):
        raise ValueError(f"{name}.gates has {len(cell.gates)} entries, drives has {len(drives)}: one each is wanted")
    for source in "xhm":
        driven = [k for k, drive in enumerate(drives) if source in drive]
        if len(driven) > MOST_DRIVEN:
            raise ValueError(f"{name}.drives has {len(driven)} pre-activations from {source!r}: at most {MOST_DRIVEN}")
        if driven and driven[-1] - driven[0] + 1 != len(driven):
            raise ValueError(f"{name}.drives is {drives}: those with {source!r} have to stand side by side")
    kept = "activate", "update_from", "partials_from"
    if any(getattr(cell, role) for role in kept):
        homes = {next(base for base in cell.__mro__ if role in vars(base)) for role in ("update", "partials", *kept)}
        if len(homes) > 1 or not all(getattr(cell, role) for role in kept):
            raise ValueError(
                f"{name} has {', '.join(kept)} apart from update and partials: set all five, or those None"
            )
        if cell.rate:
            raise ValueError(f"{name} has activate beside rate, which takes pre-activations: only one is wanted")
    if sum("x" not in drive for drive in drives) > 1:
        raise ValueError(f"{name}.drives is {drives}: at most one pre-activation may go without 'x', for it takes b_hn")


def update(p, a, s, q):
    """New state of one unit; selected by the type of ``p``."""
    return p.update(p, a, s, q)


def partials(p, a, s, q):
    """Derivatives of :func:`update` with respect to ``a``, ``s`` and ``q``."""
    return p.partials(p, a, s, q)


def activate(p, a, s, q):
    """What stands in the place of the pre-activations once they are used: they themselves, or activated."""
    return p.activate(p, a, s, q) if p.activate else a


def update_from(p, g, s, q):
    """New state of one unit, from what :func:`activate` made of its pre-activations."""
    return (p.update_from or p.update)(p, g, s, q)


def partials_from(p, g, s, q):
    """Derivatives as of :func:`partials`, from what :func:`activate` made of the pre-activations."""
    return (p.partials_from or p.partials)(p, g, s, q)


def rate(p, a, s):
    """Quantity that ``W_hh`` acts on where it is not ``h`` itself."""
    return p.rate(p, a, s)


def rate_partials(p, a, s):
    """Derivatives of :func:`rate` with respect to ``a`` and ``s``."""
    return p.rate_partials(p, a, s)


def within(p):
    """The cell that the cell ``p`` is made of."""
    return p.within


def phi(p, x):
    """Activation of the cell ``p``."""
    return p.activation.value(x)


def dphi(p, x):
    """Derivative of the activation of the cell ``p``."""
    return p.activation.slope(x)
