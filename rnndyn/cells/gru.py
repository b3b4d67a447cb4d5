"""Gated recurrent unit (Cho et al. [cho2014]_), with the reset gate after or before the recurrent product.

    r = sigmoid(a_r)     z = sigmoid(a_z)     h' = z h + (1 - z) n
    after:   n = tanh(a_nx + r a_nh)          a_nx = W_xn x + b_n,  a_nh = W_hn h + b_hn
    before:  n = tanh(a_n)                    a_n  = W_xn x + b_n + W_hn (r h)

Gates in PyTorch's order r, z, n. Where a source writes ``(1 - z) h + z n``, its update gate is this one with the sign
of ``a_z`` turned, for ``1 - sigmoid(a) = sigmoid(-a)``.
"""

from rnndyn.cells.contract import Cell
from rnndyn.cells.functions import sigmoid, tanh
from rnndyn.cells.primitives import like


def activate(p, a, s, q):
    """``n, r, z`` and ``a_nh`` with the reset gate on the product; ``a = (a_nx, a_r, a_z, a_nh)``."""
    r, z = sigmoid(a[1]), sigmoid(a[2])
    return tanh(a[0] + r * a[3]), r, z, a[3]


def update_from(p, g, s, q):
    """``h' = n + z (h - n)``."""
    n, r, z, nh = g
    return (n + z * (s[0] - n),)


def partials_from(p, g, s, q):
    """Derivatives with the reset gate on the product."""
    n, r, z, nh = g
    dn = (1.0 - z) * (1.0 - n * n)
    return ((dn, dn * nh * r * (1.0 - r), (s[0] - n) * z * (1.0 - z), dn * r),), ((z,),), ((),)


def update(p, a, s, q):
    """``h'`` from the pre-activations, with the reset gate on the product."""
    return update_from(p, activate(p, a, s, q), s, q)


def partials(p, a, s, q):
    """Its derivatives from the pre-activations."""
    return partials_from(p, activate(p, a, s, q), s, q)


def update_before(p, a, s, q):
    """``h' = n + z (h - n)`` with the reset gate on the state; ``a = (a_r, a_z, a_n)``."""
    n = tanh(a[2])
    return (n + sigmoid(a[1]) * (s[0] - n),)


def partials_before(p, a, s, q):
    """Derivatives with the reset gate on the state, ``a_n`` held apart from ``a_r``."""
    z, n = sigmoid(a[1]), tanh(a[2])
    return ((like(z, 0.0), (s[0] - n) * z * (1.0 - z), (1.0 - z) * (1.0 - n * n)),), ((z,),), ((),)


def rate(p, a, s):
    """``m = r h``."""
    return sigmoid(a[0]) * s[0]


def rate_partials(p, a, s):
    """``dm/da_r = h r (1 - r)``, ``dm/dh = r``."""
    r = sigmoid(a[0])
    return (s[0] * r * (1.0 - r), like(r, 0.0), like(r, 0.0)), (r,)


class GRU(Cell):
    """GRU with the reset gate after the product."""

    __slots__ = ()
    drives = ("x", "xh", "xh", "h")
    gates = (2, 0, 1, 2)
    update, partials, activate = staticmethod(update), staticmethod(partials), staticmethod(activate)
    update_from, partials_from = staticmethod(update_from), staticmethod(partials_from)


class ResetBefore(Cell):
    """GRU with the reset gate before the product."""

    __slots__ = ()
    drives = ("xh", "xh", "xm")
    gates = (0, 1, 2)
    update, partials = staticmethod(update_before), staticmethod(partials_before)
    rate, rate_partials = staticmethod(rate), staticmethod(rate_partials)


def cell(reset):
    """Cell of a GRU, by where it resets: ``"after"`` or ``"before"`` the product."""
    return {"after": GRU, "before": ResetBefore}[reset]
