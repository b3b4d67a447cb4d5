"""Long short-term memory (Hochreiter & Schmidhuber [hochreiter1997]_), with peepholes (Gers et al. [gers2002]_).

    i = sigmoid(a_i + p_i c)     f = sigmoid(a_f + p_f c)     g = tanh(a_g)     c' = f c + i g
    o = sigmoid(a_o + p_o c')    h' = o tanh(c')

Gates in PyTorch's order i, f, g, o; the state is (h, c). Without peepholes the p are zeros. The gates are kept for the
way back, which then has one activation to compute again, not five.
"""

from rnndyn.cells.contract import Cell
from rnndyn.cells.functions import sigmoid, tanh
from rnndyn.cells.primitives import like


def memory(g, s):
    """``c' = f c + i g``."""
    return g[1] * s[1] + g[0] * g[2]


def activate(p, a, s, q):
    """The gates i, f, g, o."""
    some = sigmoid(a[0] + q[0] * s[1]), sigmoid(a[1] + q[1] * s[1]), tanh(a[2])
    return some + (sigmoid(a[3] + q[2] * memory(some, s)),)


def update_from(p, g, s, q):
    """``h' = o tanh(c')`` and ``c'``."""
    c = memory(g, s)
    return g[3] * tanh(c), c


def partials_from(p, g, s, q):
    """Derivatives of ``c'`` and, through ``e = dh'/dc'``, of ``h'``."""
    c = memory(g, s)
    t = tanh(c)
    i, f, g, o = g
    ho = t * o * (1.0 - o)
    e = o * (1.0 - t * t) + ho * q[2]
    ci, cf, cg = g * i * (1.0 - i), s[1] * f * (1.0 - f), i * (1.0 - g * g)
    cc = f + ci * q[0] + cf * q[1]
    zero = like(c, 0.0)
    Da = (e * ci, e * cf, e * cg, ho), (ci, cf, cg, zero)
    Ds = (zero, e * cc), (zero, cc)
    Dq = (e * ci * s[1], e * cf * s[1], ho * c), (ci * s[1], cf * s[1], zero)
    return Da, Ds, Dq


def update(p, a, s, q):
    """``h'`` and ``c'`` from the pre-activations."""
    return update_from(p, activate(p, a, s, q), s, q)


def partials(p, a, s, q):
    """Their derivatives from the pre-activations."""
    return partials_from(p, activate(p, a, s, q), s, q)


def update_output(p, a, s, q):
    """``h' = o tanh(n)``, where ``n`` is made of all the ``c'`` of a layer: its normalised cell state."""
    return (sigmoid(a[0]) * tanh(s[0]),)


def partials_output(p, a, s, q):
    """Derivatives of the output by ``a_o`` and ``n``."""
    o, t = sigmoid(a[0]), tanh(s[0])
    return ((t * o * (1.0 - o),),), ((o * (1.0 - t * t),),), ((),)


class LSTM(Cell):
    """LSTM unit without peepholes."""

    __slots__ = ()
    drives = ("xh", "xh", "xh", "xh")
    gates = (0, 1, 2, 3)
    states = 2
    parameters = 3
    update, partials, activate = staticmethod(update), staticmethod(partials), staticmethod(activate)
    update_from, partials_from = staticmethod(update_from), staticmethod(partials_from)


class PeepholeLSTM(LSTM):
    """LSTM unit whose gates see the cell state."""

    __slots__ = ()
    trainable = True


class Output(Cell):
    """Output of an LSTM unit by itself; its state is the ``n`` that it shows."""

    __slots__ = ()
    drives = ("xh",)
    gates = (0,)
    update, partials = staticmethod(update_output), staticmethod(partials_output)


def cell(peephole):
    """Cell of an LSTM, with or without peepholes."""
    return PeepholeLSTM if peephole else LSTM
