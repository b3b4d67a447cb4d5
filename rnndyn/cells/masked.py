"""Any unit whose state meets a factor on its way through ``W_hh``, constant in time: dropout of recurrent units.

The factor is one more state variable, the last, so that each sequence has its own. The matrix acts on ``factor h`` or,
where the cell within sends a rate, on ``factor rate(a, s)``. The factor is given, not trained: derivatives have no
columns for it.
"""

from rnndyn.cells.contract import Cell, within
from rnndyn.cells.contract import partials as partials_of
from rnndyn.cells.contract import rate as rate_of
from rnndyn.cells.contract import rate_partials as rate_partials_of
from rnndyn.cells.contract import update as update_of
from rnndyn.cells.primitives import scaled, zeros


def update(p, a, s, q):
    """The state of the unit within; the factor stays."""
    return update_of(within(p), a, s[:-1], q) + s[-1:]


def partials(p, a, s, q):
    """Derivatives of the unit within, and none of the factor."""
    Da, Ds, Dq = partials_of(within(p), a, s[:-1], q)
    return Da + (zeros(Da[0]),), Ds + (zeros(Ds[0]),), Dq + (zeros(Dq[0]),)


def rate(p, a, s):
    """``m = factor h``."""
    return s[-1] * s[0]


def rate_partials(p, a, s):
    """``dm/dh = factor``."""
    return zeros(a), s[-1:] + zeros(s[1:-1])


def rate_own(p, a, s):
    """``m = factor rate(a, s)``."""
    return s[-1] * rate_of(within(p), a, s[:-1])


def rate_partials_own(p, a, s):
    """Derivatives of the rate, times the factor."""
    Ra, Rs = rate_partials_of(within(p), a, s[:-1])
    return scaled(s[-1], Ra), scaled(s[-1], Rs)


class Masked(Cell):
    """Unit that sends its state through ``W_hh``; `rnndyn.networks.masked` says which is within."""

    __slots__ = ()
    update, partials = staticmethod(update), staticmethod(partials)
    rate, rate_partials = staticmethod(rate), staticmethod(rate_partials)


class MaskedRate(Masked):
    """Unit that sends its rate."""

    __slots__ = ()
    rate, rate_partials = staticmethod(rate_own), staticmethod(rate_partials_own)
