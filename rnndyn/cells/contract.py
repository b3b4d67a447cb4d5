"""What a cell tells the kernels: its sizes and what drives each of its pre-activations."""

from typing import Any, NamedTuple


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


def update(p, a, s, q):
    """New state of one unit; selected by the type of ``p``."""
    return p.update(p, a, s, q)


def partials(p, a, s, q):
    """Derivatives of :func:`update` with respect to ``a``, ``s`` and ``q``."""
    return p.partials(p, a, s, q)


def rate(p, a, s):
    """Quantity that ``W_hh`` acts on where it is not ``h`` itself."""
    return p.rate(p, a, s)


def rate_partials(p, a, s):
    """Derivatives of :func:`rate` with respect to ``a`` and ``s``."""
    return p.rate_partials(p, a, s)


def phi(p, x):
    """Activation of the cell ``p``."""
    return p.activation.value(x)


def dphi(p, x):
    """Derivative of the activation of the cell ``p``."""
    return p.activation.slope(x)
