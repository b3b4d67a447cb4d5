"""Tuples of registers: moved between registers and arrays, whole or in part, and added up as small products."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from rnndyn.cells.primitives import scaled, zeros
from rnndyn.kernels.jit import INLINED, WIDTH, stands_for
from rnndyn.kernels.lanes import INT32, INT64, Lanes, call, flat, pointer, read, vector_at, write


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


def gathering(lanes_of):
    """Intrinsic of :func:`gather` for the registers ``lanes_of(dtype)``."""

    @intrinsic(prefer_literal=True)
    def gather_registers(typing, array, index, axis, count):
        if not (isinstance(axis, types.IntegerLiteral) and isinstance(count, types.IntegerLiteral)):
            return None
        lanes, number = lanes_of(array.dtype), count.literal_value
        result = types.UniTuple(lanes, number)

        def codegen(context, builder, signature, args):
            address, (stride,) = pointer(context, builder, array, args[0], index, args[1], (axis.literal_value,))
            parts = [read(builder, lanes, builder.add(address, builder.mul(stride, INT64(i)))) for i in range(number)]
            return context.make_tuple(builder, result, parts)

        return result(array, index, axis, count), codegen

    return gather_registers


_gather = gathering(Lanes)


@overload(gather, prefer_literal=True, jit_options=INLINED)
def _overload_gather(array, index, axis, count):
    return lambda array, index, axis, count: _gather(array, index, axis, count)


def scatter_pairs(array, index, other, axis, pairs):
    """Store the first registers of a tuple of pairs along an axis from ``index`` on, the second from ``other`` on."""
    for place, values in zip((index, other), halves(pairs), strict=True):
        scatter(array, place, axis, values)


@overload(scatter_pairs, prefer_literal=True, jit_options=INLINED)
def _overload_scatter_pairs(array, index, other, axis, pairs):
    def implementation(array, index, other, axis, pairs):
        one, two = halves(pairs)
        scatter(array, index, axis, one)
        scatter(array, other, axis, two)

    return implementation


def scattering(lanes_of):
    """Intrinsic of :func:`scatter` for the registers ``lanes_of(dtype)``."""

    @intrinsic(prefer_literal=True)
    def scatter_registers(typing, array, index, axis, values):
        if not isinstance(axis, types.IntegerLiteral):
            return None
        lanes = lanes_of(array.dtype)

        def codegen(context, builder, signature, args):
            address, (stride,) = pointer(context, builder, array, args[0], index, args[1], (axis.literal_value,))
            for i, value in enumerate(cgutils.unpack_tuple(builder, args[3], len(values))):
                write(builder, lanes, builder.add(address, builder.mul(stride, INT64(i))), value)
            return context.get_dummy_value()

        return types.void(array, index, axis, values), codegen

    return scatter_registers


_scatter = scattering(Lanes)


@overload(scatter, prefer_literal=True, jit_options=INLINED)
def _overload_scatter(array, index, axis, values):
    return lambda array, index, axis, values: _scatter(array, index, axis, values)


def first_lanes(builder, lanes, count):
    """Mask of the first ``count`` lanes."""
    numbers = ir.Constant(ir.VectorType(INT64, lanes.width), list(range(lanes.width)))
    wide = builder.insert_element(ir.Constant(numbers.type, ir.Undefined), count, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, lanes.width), [0] * lanes.width)
    return builder.icmp_signed(
        "<", numbers, builder.shuffle_vector(wide, ir.Constant(numbers.type, ir.Undefined), zeros)
    )


def masked(builder, lanes, verb, result, *arguments):
    """Call LLVM's masked load or store."""
    bits = lanes.dtype.bitwidth
    name = f"llvm.masked.{verb}.v{lanes.width}f{bits}.p0"
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


def masked_write(builder, lanes, address, value, count):
    """Store the first ``count`` lanes of a register."""
    align, mask = INT32(lanes.dtype.bitwidth // 8), first_lanes(builder, lanes, count)
    masked(builder, lanes, "store", ir.VoidType(), value, vector_at(builder, lanes, address), align, mask)


def masked_read(builder, lanes, address, count):
    """Load the first ``count`` lanes of a register; the others are zero, and their memory is not touched."""
    align, mask = INT32(lanes.dtype.bitwidth // 8), first_lanes(builder, lanes, count)
    return masked(
        builder, lanes, "load", lanes.vector, vector_at(builder, lanes, address), align, mask, lanes.constant(0)
    )


@stands_for(scatter_part, prefer_literal=True)
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


def load_part(array, index, lanes):
    """Register of the first ``lanes`` numbers from ``array[index]`` on, then zeros."""
    row, start = flat(array, index)
    register = np.zeros(WIDTH[array.dtype.name], array.dtype)
    count = min(max(lanes, 0), len(register))
    register[:count] = row[start : start + count]
    return register


@stands_for(load_part)
def _load_part(typing, array, index, count):
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, _ = pointer(context, builder, array, args[0], index, args[1])
        return masked_read(builder, lanes, address, context.cast(builder, args[2], count, types.intp))

    return lanes(array, index, count), codegen


def pull(D, l):  # noqa: E741
    """Transposed derivatives times an adjoint: ``sum_c D[c][k] l[c]`` for each ``k``."""
    return tuple(sum(D[c][k] * l[c] for c in range(len(l))) for k in range(len(D[0])))


def push(D, v):
    """Derivatives times a tangent: ``sum_k D[c][k] v[k]`` for each ``c``."""
    return tuple(sum(row[k] * v[k] for k in range(len(v))) for row in D)


def plus(v, w):
    """Sum of two tuples of registers."""
    return tuple(x + y for x, y in zip(v, w, strict=True))


def paired(v, w):
    """Numbers of two registers each, of two tuples of registers.

    A formula is a long chain; on two registers in turns those with gates took 0.57 to 0.75 of the time (AVX2).
    """
    return tuple(np.concatenate(pair) for pair in zip(v, w, strict=True))


def halves(pairs):
    """The two tuples of registers that :func:`paired` made one."""
    return tuple(x[: len(x) // 2] for x in pairs), tuple(x[len(x) // 2 :] for x in pairs)


def part(builder, x, y, first, width):
    """``width`` lanes from number ``first`` on, of those of ``x`` and then of ``y``."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, width), list(range(first, first + width))))


@stands_for(paired)
def _paired(typing, v, w):
    if not len(v):
        return v(v, w), lambda context, builder, signature, args: args[0]
    lanes = Lanes(v.dtype.dtype, 2)
    result = types.UniTuple(lanes, len(v))

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, arg, len(v)) for arg in args), strict=True)
        return context.make_tuple(builder, result, [part(builder, x, y, 0, lanes.width) for x, y in pairs])

    return result(v, w), codegen


@stands_for(halves)
def _halves(typing, pairs):
    if not len(pairs):
        nothing = types.UniTuple(pairs, 2)
        return nothing(pairs), lambda context, builder, signature, args: context.make_tuple(builder, nothing, 2 * args)
    half = types.UniTuple(Lanes(pairs.dtype.dtype), len(pairs))
    result, width = types.UniTuple(half, 2), half.dtype.width

    def codegen(context, builder, signature, args):
        whole = cgutils.unpack_tuple(builder, args[0], len(pairs))
        cut = ([part(builder, x, x, first, width) for x in whole] for first in (0, width))
        return context.make_tuple(builder, result, [context.make_tuple(builder, half, parts) for parts in cut])

    return result(pairs), codegen


def contraction(terms_of):
    """Intrinsic for sums of products over tuples; ``terms_of(first, second)`` lists, for each result, its pairs."""

    @intrinsic
    def contract_tuples(typing, first, second):
        rows, columns = len(first), len(first[0])
        results = terms_of([[(c, k) for k in range(columns)] for c in range(rows)], range(len(second)))
        lanes = second[0]
        shape = types.UniTuple(lanes, len(results))

        def codegen(context, builder, signature, args):
            table = [
                cgutils.unpack_tuple(builder, row, columns) for row in cgutils.unpack_tuple(builder, args[0], rows)
            ]
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


@intrinsic
def _zeros(typing, v):
    def codegen(context, builder, signature, args):
        return context.get_constant_null(v)

    return v(v), codegen


@overload(zeros, jit_options=INLINED)
def _overload_zeros(v):
    return lambda v: _zeros(v)
