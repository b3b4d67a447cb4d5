"""Simple recurrent unit, whose gates see nothing of the other units [lei2018]_.

    f = sigmoid(a_f + v_f c)     c' = f c + (1 - f) a_c
    r = sigmoid(a_r + v_r c)     h' = r c' + (1 - r) a_k

The input alone drives the pre-activations, in the order c, f, r, k; the state is (h, c). Without v they are zeros.
"""

from rnndyn.cells.contract import Cell
from rnndyn.cells.functions import sigmoid
from rnndyn.cells.primitives import like


def gates(a, s, q):
    """Both gates and the new cell state."""
    f, r = sigmoid(a[1] + q[0] * s[1]), sigmoid(a[2] + q[1] * s[1])
    return f, r, a[0] + f * (s[1] - a[0])


def update(p, a, s, q):
    """``h' = a_k + r (c' - a_k)`` and ``c'``."""
    f, r, c = gates(a, s, q)
    return a[3] + r * (c - a[3]), c


def partials(p, a, s, q):
    """Derivatives of ``c'`` and, through it, of ``h'``."""
    f, r, c = gates(a, s, q)
    zero = like(c, 0.0)
    cf, hr = (s[1] - a[0]) * f * (1.0 - f), (c - a[3]) * r * (1.0 - r)
    cc = f + cf * q[0]
    Da = (r * (1.0 - f), r * cf, hr, 1.0 - r), (1.0 - f, cf, zero, zero)
    Ds = (zero, r * cc + hr * q[1]), (zero, cc)
    Dq = (r * cf * s[1], hr * s[1]), (cf * s[1], zero)
    return Da, Ds, Dq


class SRU(Cell):
    """Simple recurrent unit whose gates see the input only."""

    __slots__ = ()
    drives = ("x", "x", "x", "x")
    gates = (0, 1, 2, 3)
    states = 2
    parameters = 2
    update, partials = staticmethod(update), staticmethod(partials)


class SeeingSRU(SRU):
    """Simple recurrent unit whose gates see their own cell state."""

    __slots__ = ()
    trainable = True


def cell(sees):
    """Cell of a simple recurrent network, by whether its gates see their cell state."""
    return SeeingSRU if sees else SRU
