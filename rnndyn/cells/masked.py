"""Any unit whose state meets a factor on its way through ``W_hh``, constant in time: dropout of recurrent units.

The factor is one more state variable, the last, so that each sequence has its own. The matrix acts on ``factor h`` or,
where the cell within sends a rate, on ``factor rate(a, s)``. The factor is given, not trained: derivatives have no
columns for it.
"""

from functools import cache

from rnndyn.cells import contract
from rnndyn.cells.primitives import scaled, zeros


def update(p, a, s, q):
    """The state of the unit within; the factor stays."""
    return contract.update(contract.within(p), a, s[:-1], q) + s[-1:]


def partials(p, a, s, q):
    """Derivatives of the unit within, and none of the factor."""
    Da, Ds, Dq = contract.partials(contract.within(p), a, s[:-1], q)
    return Da + (zeros(Da[0]),), Ds + (zeros(Ds[0]),), Dq + (zeros(Dq[0]),)


def rate(p, a, s):
    """``m = factor h``."""
    return s[-1] * s[0]


def rate_partials(p, a, s):
    """``dm/dh = factor``."""
    return zeros(a), s[-1:] + zeros(s[1:-1])


def rate_within(p, a, s):
    """``m = factor rate(a, s)``."""
    return s[-1] * contract.rate(contract.within(p), a, s[:-1])


def rate_within_partials(p, a, s):
    """Derivatives of the rate, times the factor."""
    Ra, Rs = contract.rate_partials(contract.within(p), a, s[:-1])
    return scaled(s[-1], Ra), scaled(s[-1], Rs)


def maskable(cell):
    """Whether a cell sends one thing through ``W_hh``; a GRU that resets before sends two."""
    sources = set("".join(cell.drives)) & {"h", "m"}
    return len(sources) == 1


@cache
def masked(cell):
    """Cell whose unit is that of ``cell``, with a factor."""
    own = "m" in "".join(cell.drives)
    functions = (update, partials, *((rate_within, rate_within_partials) if own else (rate, rate_partials)))
    roles = zip(("update", "partials", "rate", "rate_partials"), map(staticmethod, functions), strict=True)
    sizes = {name: getattr(cell, name) for name in ("gates", "parameters", "trainable")}
    drives = tuple(drive.replace("h", "m") for drive in cell.drives)
    more = {"within": cell, "drives": drives, "states": cell.states + 1, "__module__": __name__, "__slots__": ()}
    return type(f"Masked{cell.__name__}", (contract.Cell,), dict(roles) | sizes | more)
