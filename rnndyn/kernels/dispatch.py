"""From the type of a network's packed weights to its cell: formulas, sizes, and moves of whole tuples of registers."""

import inspect
import sys
from functools import cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from rnndyn.cells import contract
from rnndyn.kernels.jit import INLINED, REGISTER_BYTES, WIDTH, formula
from rnndyn.kernels.lanes import INT64, Lanes, call, flat, pointer, read, vector_at, write
from rnndyn.kernels.tile import tile

# Rows of a tile, by its registers a row, so that all sums and one row of weights fit the registers: 32, or 16 in AVX2.
ROWS = {1: 8, 2: 6, 3: 4, 4: 3} if REGISTER_BYTES == 32 else {1: 8, 2: 8, 3: 8, 4: 4}
# Panels that a single row takes at once, so that its sums, each a chain, hide one another's latency.
PANELS = {1: 8, 2: 4, 3: 3, 4: 2}


class Kind(types.Opaque):
    """Numba type that stands for a cell and holds nothing."""

    def __init__(self, cell):
        self.cell = cell
        super().__init__(name=f"Kind({cell.__module__}.{cell.__qualname__})")


register_model(Kind)(models.OpaqueModel)


def kind(p):
    """The cell of the packed weights ``p``."""
    return type(p)


@intrinsic
def _kind(typing, p):
    register_formulas(p.instance_class)

    def codegen(context, builder, signature, args):
        return context.get_dummy_value()

    return Kind(p.instance_class)(p), codegen


@overload(kind)
def _overload_kind(p):
    return lambda p: _kind(p)


_registered: set = set()


def register_formulas(cell):
    """Let compiled code call the functions of a cell's file."""
    module = sys.modules[cell.__module__]
    if module.__name__ not in _registered:
        _registered.add(module.__name__)
        for function in list(vars(module).values()):
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                formula(function)


@overload(contract.update, jit_options=INLINED)
def _update(p, a, s, q):
    function = p.cell.update
    return lambda p, a, s, q: function(p, a, s, q)


@overload(contract.partials, jit_options=INLINED)
def _partials(p, a, s, q):
    function = p.cell.partials
    return lambda p, a, s, q: function(p, a, s, q)


@overload(contract.rate, jit_options=INLINED)
def _rate(p, a, s):
    function = p.cell.rate
    if function is None:
        return lambda p, a, s: s[0]
    return lambda p, a, s: function(p, a, s)


@overload(contract.rate_partials, jit_options=INLINED)
def _rate_partials(p, a, s):
    function = p.cell.rate_partials
    if function is None:
        return lambda p, a, s: (a, s)
    return lambda p, a, s: function(p, a, s)


@overload(contract.phi, jit_options=INLINED)
def _phi(p, x):
    function = p.cell.activation.value
    return lambda p, x: function(x)


@overload(contract.dphi, jit_options=INLINED)
def _dphi(p, x):
    function = p.cell.activation.slope
    return lambda p, x: function(x)


@cache
def slots(cell, source):
    """First pre-activation that ``source`` drives, and how many do; they stand side by side."""
    driven = [k for k, drive in enumerate(cell.drives) if source in drive]
    return (driven[0], len(driven)) if driven else (0, 0)


def rows_of(cell):
    """Rows of the tiles that form this cell's pre-activations."""
    return ROWS[max(max(slots(cell, source)[1] for source in "xhm"), 1)]


def panels_of(cell):
    """Blocks of units that a single row takes at once."""
    return PANELS[max(max(slots(cell, source)[1] for source in "xhm"), 1)]


def first_slot(k, source):
    """First pre-activation that ``source`` drives."""
    return slots(k, source)[0]


@overload(first_slot, prefer_literal=True)
def _first_slot(k, source):
    first = slots(k.cell, source.literal_value)[0]
    return lambda k, source: first


def slot_count(k, source):
    """Number of pre-activations that ``source`` drives."""
    return slots(k, source)[1]


@overload(slot_count, prefer_literal=True)
def _slot_count(k, source):
    count = slots(k.cell, source.literal_value)[1]
    return lambda k, source: count


def block_rows(k):
    """Rows of the tiles that form this cell's pre-activations."""
    return rows_of(k)


@overload(block_rows)
def _block_rows(k):
    rows = rows_of(k.cell)
    return lambda k: rows


def row_panels(k):
    """Blocks of units that a single row takes at once."""
    return panels_of(k)


@overload(row_panels)
def _row_panels(k):
    panels = panels_of(k.cell)
    return lambda k: panels


def parameter_count(k):
    """Number of per-unit parameters that are trained."""
    return k.parameters if k.trainable else 0


@overload(parameter_count)
def _parameter_count(k):
    count = parameter_count(k.cell)
    return lambda k: count


def product(k, source, rows, out, init, left, right, depth):
    """Tile over all pre-activations that ``source`` drives; ``rows`` is 1 or ``block_rows(k)``."""
    tile(rows, slots(k, source)[1], out, init, left, right, depth)


@overload(product, prefer_literal=True, jit_options=INLINED)
def _product(k, source, rows, out, init, left, right, depth):
    many, columns = rows_of(k.cell), slots(k.cell, source.literal_value)[1]

    def implementation(k, source, rows, out, init, left, right, depth):
        if rows == many:
            tile(many, columns, out, init, left, right, depth)
        else:
            tile(1, columns, out, init, left, right, depth)

    return implementation


def wide_product(k, source, panels, out, init, left, right, depth):
    """Tile of a single row over several blocks of units; ``panels`` is 1 or ``row_panels(k)``."""
    tile(panels, slots(k, source)[1], out, init, left, right, depth)


@overload(wide_product, prefer_literal=True, jit_options=INLINED)
def _wide_product(k, source, panels, out, init, left, right, depth):
    many, columns = panels_of(k.cell), slots(k.cell, source.literal_value)[1]

    def implementation(k, source, panels, out, init, left, right, depth):
        if panels == many:
            tile(many, columns, out, init, left, right, depth)
        else:
            tile(1, columns, out, init, left, right, depth)

    return implementation


def gather(array, index, axis, count):
    """Tuple of registers, ``count`` neighbours along an axis."""
    places = [flat(array, index, axis, i) for i in range(count)]
    return tuple(row[start : start + WIDTH[array.dtype.name]].copy() for row, start in places)


def scatter(array, index, axis, values):
    """Store a tuple of registers along an axis."""
    scatter_part(array, index, axis, values, WIDTH[array.dtype.name])


def scatter_part(array, index, axis, values, lanes):
    """Store the first ``lanes`` numbers of each register of a tuple along an axis."""
    for i, value in enumerate(values):
        row, start = flat(array, index, axis, i)
        count = min(lanes, len(value))
        row[start : start + count] = value[:count]


@intrinsic(prefer_literal=True)
def _gather(typing, array, index, axis, count):
    if not (isinstance(axis, types.IntegerLiteral) and isinstance(count, types.IntegerLiteral)):
        return None
    lanes, number = Lanes(array.dtype), count.literal_value
    result = types.UniTuple(lanes, number)

    def codegen(context, builder, signature, args):
        address, (stride,) = pointer(context, builder, array, args[0], index, args[1], (axis.literal_value,))
        parts = [read(builder, lanes, builder.add(address, builder.mul(stride, INT64(i)))) for i in range(number)]
        return context.make_tuple(builder, result, parts)

    return result(array, index, axis, count), codegen


@overload(gather, prefer_literal=True, jit_options=INLINED)
def _overload_gather(array, index, axis, count):
    return lambda array, index, axis, count: _gather(array, index, axis, count)


@intrinsic(prefer_literal=True)
def _scatter(typing, array, index, axis, values):
    if not isinstance(axis, types.IntegerLiteral):
        return None
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, (stride,) = pointer(context, builder, array, args[0], index, args[1], (axis.literal_value,))
        for i, value in enumerate(cgutils.unpack_tuple(builder, args[3], len(values))):
            write(builder, lanes, builder.add(address, builder.mul(stride, INT64(i))), value)
        return context.get_dummy_value()

    return types.void(array, index, axis, values), codegen


@overload(scatter, prefer_literal=True, jit_options=INLINED)
def _overload_scatter(array, index, axis, values):
    return lambda array, index, axis, values: _scatter(array, index, axis, values)


def first_lanes(builder, lanes, count):
    """Mask of the first ``count`` lanes."""
    numbers = ir.Constant(ir.VectorType(INT64, lanes.width), list(range(lanes.width)))
    wide = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), count, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width)
    return builder.icmp_signed("<", numbers, builder.shuffle_vector(wide, ir.Constant(numbers.type, ir.Undefined), zeros))


def masked(builder, lanes, verb, result, *arguments):
    """Call LLVM's masked load or store."""
    bits = lanes.dtype.bitwidth
    name = f"llvm.masked.{verb}.v{lanes.width}f{bits}.p0"
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


def masked_write(builder, lanes, address, value, count):
    """Store the first ``count`` lanes of a register."""
    align, mask = ir.IntType(32)(lanes.dtype.bitwidth // 8), first_lanes(builder, lanes, count)
    masked(builder, lanes, "store", ir.VoidType(), value, vector_at(builder, lanes, address), align, mask)


def masked_read(builder, lanes, address, count):
    """Load the first ``count`` lanes of a register; the others are zero, and their memory is not touched."""
    align, mask = ir.IntType(32)(lanes.dtype.bitwidth // 8), first_lanes(builder, lanes, count)
    return masked(builder, lanes, "load", lanes.vector, vector_at(builder, lanes, address), align, mask, lanes.constant(0))


@intrinsic(prefer_literal=True)
def _scatter_part(typing, array, index, axis, values, count):
    if not isinstance(axis, types.IntegerLiteral):
        return None
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, (stride,) = pointer(context, builder, array, args[0], index, args[1], (axis.literal_value,))
        number = context.cast(builder, args[4], count, types.intp)
        for i, value in enumerate(cgutils.unpack_tuple(builder, args[3], len(values))):
            masked_write(builder, lanes, builder.add(address, builder.mul(stride, INT64(i))), value, number)
        return context.get_dummy_value()

    return types.void(array, index, axis, values, count), codegen


@overload(scatter_part, prefer_literal=True, jit_options=INLINED)
def _overload_scatter_part(array, index, axis, values, lanes):
    return lambda array, index, axis, values, lanes: _scatter_part(array, index, axis, values, lanes)


def load_part(array, index, lanes):
    """Register of the first ``lanes`` numbers from ``array[index]`` on, then zeros."""
    row, start = flat(array, index)
    register = np.zeros(WIDTH[array.dtype.name], array.dtype)
    count = min(max(lanes, 0), len(register))
    register[:count] = row[start : start + count]
    return register


@intrinsic
def _load_part(typing, array, index, count):
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, _ = pointer(context, builder, array, args[0], index, args[1])
        return masked_read(builder, lanes, address, context.cast(builder, args[2], count, types.intp))

    return lanes(array, index, count), codegen


@overload(load_part, jit_options=INLINED)
def _overload_load_part(array, index, lanes):
    return lambda array, index, lanes: _load_part(array, index, lanes)


def pre_activations(k, a, index):
    """Pre-activations of the units at ``index`` of ``a`` (time, row, slot, block)."""
    return gather(a, index, 2, len(k.drives))


@overload(pre_activations, jit_options=INLINED)
def _pre_activations(k, a, index):
    count = len(k.cell.drives)
    return lambda k, a, index: gather(a, index, 2, count)


def states(k, s, index):
    """States of the units at ``index`` of ``s`` (time, row, component, block)."""
    return gather(s, index, 2, k.states)


@overload(states, jit_options=INLINED)
def _states(k, s, index):
    count = k.cell.states
    return lambda k, s, index: gather(s, index, 2, count)


def parameters(k, q, block):
    """Per-unit parameters of one block of units."""
    return gather(q, (0, block, 0), 0, k.parameters)


@overload(parameters, jit_options=INLINED)
def _parameters(k, q, block):
    count = k.cell.parameters
    return lambda k, q, block: gather(q, (0, block, 0), 0, count)


def pull(D, l):  # noqa: E741
    """Transposed derivatives times an adjoint: ``sum_c D[c][k] l[c]`` for each ``k``."""
    return tuple(sum(D[c][k] * l[c] for c in range(len(l))) for k in range(len(D[0])))


def push(D, v):
    """Derivatives times a tangent: ``sum_k D[c][k] v[k]`` for each ``c``."""
    return tuple(sum(row[k] * v[k] for k in range(len(v))) for row in D)


def plus(v, w):
    """Sum of two tuples of registers."""
    return tuple(x + y for x, y in zip(v, w, strict=True))


def scaled(x, v):
    """A register times each of a tuple of registers."""
    return tuple(x * y for y in v)


def contraction(terms_of):
    """Intrinsic for sums of products over tuples; ``terms_of(first, second)`` lists, for each result, its pairs."""

    @intrinsic
    def contract_tuples(typing, first, second):
        rows, columns = len(first), len(first[0])
        results = terms_of([[(c, k) for k in range(columns)] for c in range(rows)], range(len(second)))
        lanes = second[0]
        shape = types.UniTuple(lanes, len(results))

        def codegen(context, builder, signature, args):
            table = [cgutils.unpack_tuple(builder, row, columns) for row in cgutils.unpack_tuple(builder, args[0], rows)]
            vector = cgutils.unpack_tuple(builder, args[1], len(second))
            parts = []
            for pairs in results:
                (c, k), i = pairs[0]
                total = builder.fmul(table[c][k], vector[i])
                for (c, k), i in pairs[1:]:
                    total = call(builder, "fma", lanes, table[c][k], vector[i], total)
                parts.append(total)
            return context.make_tuple(builder, shape, parts)

        return shape(first, second), codegen

    return contract_tuples


_pull = contraction(lambda D, l: [[(D[c][k], c) for c in l] for k in range(len(D[0]))])  # noqa: E741
_push = contraction(lambda D, v: [[(row[k], k) for k in v] for row in D])


@overload(pull, jit_options=INLINED)
def _overload_pull(D, l):  # noqa: E741
    if len(D[0]) == 0:
        return lambda D, l: ()
    return lambda D, l: _pull(D, l)


@overload(push, jit_options=INLINED)
def _overload_push(D, v):
    return lambda D, v: _push(D, v)


@intrinsic
def _plus(typing, v, w):
    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, arg, len(v)) for arg in args), strict=True)
        return context.make_tuple(builder, v, [builder.fadd(x, y) for x, y in pairs])

    return v(v, w), codegen


@overload(plus, jit_options=INLINED)
def _overload_plus(v, w):
    return lambda v, w: _plus(v, w)


@intrinsic
def _scaled(typing, x, v):
    def codegen(context, builder, signature, args):
        parts = [builder.fmul(args[0], y) for y in cgutils.unpack_tuple(builder, args[1], len(v))]
        return context.make_tuple(builder, v, parts)

    return v(x, v), codegen


@overload(scaled, jit_options=INLINED)
def _overload_scaled(x, v):
    return lambda x, v: _scaled(x, v)
