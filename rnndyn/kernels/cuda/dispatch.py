"""From the type of a network's packed weights to its cell, as in :mod:`rnndyn.kernels.dispatch`, for GPU code."""

from rnndyn.cells import contract
from rnndyn.cells.primitives import scaled
from rnndyn.kernels import dispatch
from rnndyn.kernels.cache import formulas
from rnndyn.kernels.cuda.number import formula, gather, overload, scatter
from rnndyn.kernels.tuples import plus

for _function, _implementation in (
    (contract.update, dispatch._update),
    (contract.partials, dispatch._partials),
    (contract.rate, dispatch._rate),
    (contract.rate_partials, dispatch._rate_partials),
    (contract.within, dispatch._within),
    (contract.phi, dispatch._phi),
    (contract.dphi, dispatch._dphi),
):
    overload(_function)(_implementation)

_registered: set = set()


@overload(dispatch.kind)
def _kind(p):
    for function in formulas(p.instance_class):
        if function not in _registered:
            _registered.add(function)
            formula(function)
    return lambda p: dispatch._kind(p)


def slots(k):
    """First pre-activation that input, state and rate drive, and how many each of them drives."""
    return tuple(number for source in "xhm" for number in dispatch.slots(k, source))


@overload(slots)
def _slots(k):
    found = slots(k.cell)
    return lambda k: found


def driven(k, source, values):
    """Those of the pre-activations' ``values``, a tuple, that ``source`` drives."""
    first, count = dispatch.slots(k, source)
    return values[first : first + count]


@overload(driven, prefer_literal=True)
def _driven(k, source, values):
    first, count = dispatch.slots(k.cell, source.literal_value)
    if count == 0:
        return lambda k, source, values: ()
    stop = first + count
    return lambda k, source, values: values[first:stop]


def add_driven(k, source, values, W, j, vector):
    """Pre-activations of unit ``j``, a tuple, with ``W v`` added to those that ``source`` drives.

    ``W`` is (pre-activation, column, unit). A number of the vector is read once for all of them, and their sums, each
    a chain, hide one another's latency.
    """
    first, count = dispatch.slots(k, source)
    some = values[first : first + count]
    for i in range(W.shape[1]):
        some = plus(some, scaled(vector[i], gather(W, (0, i, j), 0, count)))
    return values[:first] + some + values[first + count :]


@overload(add_driven, prefer_literal=True)
def _add_driven(k, source, values, W, j, vector):
    first, count = dispatch.slots(k.cell, source.literal_value)
    stop = first + count
    if count == 0:
        return lambda k, source, values, W, j, vector: values

    def add(k, source, values, W, j, vector):
        some, i = values[first:stop], 0
        while i < W.shape[1]:
            (number,) = gather(vector, (i,), 0, 1)
            some = plus(some, scaled(number, gather(W, (0, i, j), 0, count)))
            i += 1
        return values[:first] + some + values[stop:]

    return add


def biases(k, b, j):
    """Pre-activations of unit ``j`` before anything drives them, from ``b`` (pre-activation, unit)."""
    return gather(b, (0, j), 0, len(k.drives))


@overload(biases)
def _biases(k, b, j):
    count = len(k.cell.drives)
    return lambda k, b, j: gather(b, (0, j), 0, count)


def pre_activations(k, a, r, t, j):
    """Pre-activations of unit ``j`` in ``a`` (row, time, slot, unit)."""
    return gather(a, (r, t, 0, j), 2, len(k.drives))


@overload(pre_activations)
def _pre_activations(k, a, r, t, j):
    count = len(k.cell.drives)
    return lambda k, a, r, t, j: gather(a, (r, t, 0, j), 2, count)


def states(k, s, r, t, j):
    """States of unit ``j`` in ``s`` (row, time, component, unit)."""
    return gather(s, (r, t, 0, j), 2, k.states)


@overload(states)
def _states(k, s, r, t, j):
    count = k.cell.states
    return lambda k, s, r, t, j: gather(s, (r, t, 0, j), 2, count)


def parameters(k, q, j):
    """Per-unit parameters of unit ``j`` in ``q`` (parameter, unit)."""
    return gather(q, (0, j), 0, k.parameters)


@overload(parameters)
def _parameters(k, q, j):
    count = k.cell.parameters
    return lambda k, q, j: gather(q, (0, j), 0, count)


def scatter_rows(array, r, c, j, rows):
    """Store tuples ``rows`` of unit ``j`` in ``array`` (row, component, number, unit), from component ``c`` on."""
    for n, values in enumerate(rows):
        scatter(array, (r, c + n, 0, j), 2, values)


@overload(scatter_rows)
def _scatter_rows(array, r, c, j, rows):
    def one(array, r, c, j, rows):
        scatter(array, (r, c, 0, j), 2, rows[0])

    def several(array, r, c, j, rows):
        scatter(array, (r, c, 0, j), 2, rows[0])
        scatter_rows(array, r, c + 1, j, rows[1:])

    return one if len(rows) == 1 else several


def add_parameters(k, gq, r, j, values):
    """Add to ``gq`` (row, parameter, unit) what the parameters of unit ``j`` get, if they are trained."""
    if dispatch.parameter_count(k):
        scatter(gq, (r, 0, j), 1, plus(gather(gq, (r, 0, j), 1, len(values)), values))


@overload(add_parameters)
def _add_parameters(k, gq, r, j, values):
    count = dispatch.parameter_count(k.cell)
    if count == 0:
        return lambda k, gq, r, j, values: None
    return lambda k, gq, r, j, values: scatter(gq, (r, 0, j), 1, plus(gather(gq, (r, 0, j), 1, count), values))
