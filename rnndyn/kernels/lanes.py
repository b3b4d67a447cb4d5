"""The SIMD number: a Numba type that is one vector register, so that a scalar formula runs on all of its lanes.

Formulas of ``+ - * /`` and of :mod:`rnndyn.cells.primitives` compile for :class:`Lanes` as they stand. :func:`load` and
:func:`store` move lanes between a register and an array at an index; their plain Python bodies, on NumPy arrays of the
same width, serve uncompiled runs.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from rnndyn.cells import functions, primitives
from rnndyn.kernels.jit import FLAGS, INLINED, WIDTH, formula, stands_for

CONTRACT = tuple(FLAGS["fastmath"])
INT32, INT64 = ir.IntType(32), ir.IntType(64)


class Lanes(types.Type):
    """Numba type of ``width`` floats of type ``dtype``: one vector register, or two that are worked on in turns."""

    def __init__(self, dtype, registers=1):
        self.dtype, self.width = dtype, registers * WIDTH[dtype.name]
        super().__init__(name=f"Lanes({dtype} x {self.width})")

    @property
    def scalar(self):
        """LLVM type of one lane."""
        return ir.FloatType() if self.dtype.name == "float32" else ir.DoubleType()

    @property
    def vector(self):
        """LLVM type of the register."""
        return ir.VectorType(self.scalar, self.width)

    @property
    def integer(self):
        """LLVM type of the register read as integers."""
        return ir.VectorType(INT32 if self.dtype.name == "float32" else INT64, self.width)

    def constant(self, value):
        """Register with ``value`` in every lane."""
        return ir.Constant(self.vector, [float(value)] * self.width)

    def integers(self, value):
        """Register with the integer ``value`` in every lane."""
        return ir.Constant(self.integer, [value] * self.width)

    def function(self, name):
        """Name under which the compiler knows a function of whole registers."""
        return f"llvm.{name}.v{self.width}f{self.dtype.bitwidth}"


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """A register is passed by value."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, fe_type.vector)


def call(builder, name, lanes, *args):
    """Call the compiler's function ``name`` on whole registers."""
    name = lanes.function(name)
    function_type = ir.FunctionType(lanes.vector, [lanes.vector] * len(args))
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, args)


def splat(builder, lanes, x):
    """Register with the scalar ``x`` in every lane."""
    if lanes.vector == lanes.scalar:
        return x
    start = builder.insert_element(ir.Constant(lanes.vector, ir.Undefined), x, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, lanes.width), [0] * lanes.width)
    return builder.shuffle_vector(start, ir.Constant(lanes.vector, ir.Undefined), zeros)


def as_lanes(context, builder, lanes, ty, value):
    """Register that holds ``value``, which is a register already or a scalar of any type."""
    return value if isinstance(ty, Lanes) else splat(builder, lanes, context.cast(builder, value, ty, lanes.dtype))


operations: list = []  # pairs of a function and its overload, for other targets to take over


def register(function, emit):
    """Compile ``function`` for arguments among which is a register: ``emit(builder, lanes, *registers)``."""

    @intrinsic
    def primitive(typing, args):
        lanes = next(ty for ty in args if isinstance(ty, Lanes))

        def codegen(context, builder, signature, values):
            parts = cgutils.unpack_tuple(builder, values[0], len(args))
            return emit(
                builder, lanes, *(as_lanes(context, builder, lanes, *pair) for pair in zip(args, parts, strict=True))
            )

        return lanes(args), codegen

    def one(x):
        return (lambda x: primitive((x,))) if isinstance(x, Lanes) else None

    def two(x, y):
        return (lambda x, y: primitive((x, y))) if isinstance(x, Lanes) or isinstance(y, Lanes) else None

    def three(x, y, z):
        return (lambda x, y, z: primitive((x, y, z))) if isinstance(x, Lanes) else None

    count = emit.__code__.co_argcount - 2
    operations.append((function, overload(function, strict=False, jit_options=INLINED)((one, two, three)[count - 1])))


def negative(builder, lanes, x):
    """``-x``; the compiler for GPUs is older than LLVM's own instruction for it."""
    return builder.fsub(lanes.constant(-0.0), x)


def select(builder, comparison, x, y, yes, no):
    """``yes`` where the comparison of ``x`` and ``y`` holds, else ``no``."""
    ordered = comparison[0] == "o"
    compare = builder.fcmp_ordered if ordered else builder.fcmp_unordered
    return builder.select(compare({"gt": ">", "lt": "<"}[comparison[1:]], x, y), yes, no)


def power_of_two(builder, lanes, n):
    """``2^n`` for a register of integers ``n`` in the range of normal numbers."""
    bits, bias = (23, 127) if lanes.dtype.name == "float32" else (52, 1023)
    return builder.bitcast(builder.shl(builder.add(n, lanes.integers(bias)), lanes.integers(bits)), lanes.vector)


def as_integers(builder, lanes, n):
    """Integer-valued floats as integers: adding 1.5 2^52 leaves them in the low bits, and NaN does no harm."""
    magic = lanes.constant(1.5 * 2.0 ** (23 if lanes.dtype.name == "float32" else 52))
    shifted = builder.bitcast(builder.fadd(n, magic), lanes.integer)
    return builder.sub(shifted, builder.bitcast(magic, lanes.integer))


def emit_scale2(builder, lanes, x, n):
    """``x 2^n`` by two exact powers of two, the second the same for all ``n``."""
    lift = 64 if lanes.dtype.name == "float32" else 512
    raised = builder.add(as_integers(builder, lanes, n), lanes.integers(lift))
    x = builder.fmul(x, power_of_two(builder, lanes, raised))
    return builder.fmul(x, lanes.constant(2.0**-lift))


def emit_at_most_exp_range(builder, lanes, x):
    """The smaller of ``x`` and the bound of its type."""
    bound = lanes.constant(primitives.EXP_RANGE[lanes.dtype.name])
    return select(builder, "ogt", x, bound, bound, x)


def emit_ln2_remainder(builder, lanes, x, n):
    """``x - n ln 2`` by two fused multiply-adds."""
    high, low = primitives.LN2_HIGH[lanes.dtype.name], primitives.LN2_LOW[lanes.dtype.name]
    x = call(builder, "fma", lanes, n, lanes.constant(-high), x)
    return call(builder, "fma", lanes, n, lanes.constant(-low), x)


def emit_exp_tail(builder, lanes, r):
    """Horner's rule, unrolled."""
    first, *rest = primitives.EXP_TAIL[lanes.dtype.name]
    tail = lanes.constant(first)
    for coefficient in rest:
        tail = call(builder, "fma", lanes, tail, r, lanes.constant(coefficient))
    return tail


register(operator.add, lambda b, lanes, x, y: b.fadd(x, y, flags=CONTRACT))
register(operator.sub, lambda b, lanes, x, y: b.fsub(x, y, flags=CONTRACT))
register(operator.mul, lambda b, lanes, x, y: b.fmul(x, y, flags=CONTRACT))
register(operator.truediv, lambda b, lanes, x, y: b.fdiv(x, y))
register(operator.neg, negative)
register(primitives.like, lambda b, lanes, x, y: y)
register(primitives.absolute, lambda b, lanes, x: call(b, "fabs", lanes, x))
register(primitives.with_sign, lambda b, lanes, x, y: call(b, "copysign", lanes, x, y))
register(primitives.nearest, lambda b, lanes, x: call(b, "rint", lanes, x))
register(primitives.at_most, lambda b, lanes, x, y: select(b, "ogt", x, y, y, x))
register(primitives.at_most_exp_range, emit_at_most_exp_range)
register(primitives.power2, lambda b, lanes, n: power_of_two(b, lanes, as_integers(b, lanes, n)))
register(primitives.if_negative, lambda b, lanes, x, y, z: select(b, "olt", x, lanes.constant(0), y, z))
register(primitives.if_positive, lambda b, lanes, x, y, z: select(b, "ugt", x, lanes.constant(0), y, z))
register(primitives.ln2_remainder, emit_ln2_remainder)
register(primitives.exp_tail, emit_exp_tail)
register(primitives.residual, lambda b, lanes, x, y, z: call(b, "fma", lanes, negative(b, lanes, y), z, x))
register(primitives.scale2, emit_scale2)

for _function in list(vars(functions).values()):
    if getattr(_function, "__module__", None) == functions.__name__ and not isinstance(_function, type):
        formula(_function)


def pointer(context, builder, array_type, array, index_type, index, axis_strides=()):
    """Address of ``array[index]`` as a pointer to one element, and the strides of some axes, in bytes.

    The index counts whole elements; where it is shorter than the array has axes, the rest is zero.
    """
    view = context.make_array(array_type)(context, builder, array)
    strides = cgutils.unpack_tuple(builder, view.strides, array_type.ndim)
    address = builder.ptrtoint(view.data, INT64)
    parts = cgutils.unpack_tuple(builder, index, len(index_type))
    for ty, part, stride in zip(index_type, parts, strides, strict=False):
        position = context.cast(builder, part, ty, types.intp)
        address = builder.add(address, builder.mul(position, stride))
    return address, [INT64(0) if axis is None else strides[axis] for axis in axis_strides]


def vector_at(builder, lanes, address):
    """Pointer to the register's worth of floats at an address."""
    return builder.inttoptr(address, lanes.vector.as_pointer())


def read(builder, lanes, address):
    """Register loaded from an address."""
    return builder.load(vector_at(builder, lanes, address), align=lanes.dtype.bitwidth // 8)


def write(builder, lanes, address, value):
    """Register stored to an address."""
    builder.store(value, vector_at(builder, lanes, address), align=lanes.dtype.bitwidth // 8)


def flat(array, index, axis=0, offset=0):
    """Array as one row, and where ``array[index]`` stands in it, ``offset`` further along an axis; uncompiled only."""
    steps = [stride // array.itemsize for stride in array.strides]
    return array.reshape(-1), sum(i * step for i, step in zip(index, steps, strict=False)) + offset * steps[axis]


def load(array, index):
    """Lanes that start at ``array[index]``."""
    row, start = flat(array, index)
    return row[start : start + WIDTH[array.dtype.name]].copy()


def store(array, index, value):
    """Put lanes at ``array[index]``."""
    row, start = flat(array, index)
    row[start : start + WIDTH[array.dtype.name]] = value


@stands_for(load)
def _load(typing, array, index):
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, _ = pointer(context, builder, array, args[0], index, args[1])
        return read(builder, lanes, address)

    return lanes(array, index), codegen


@stands_for(store)
def _store(typing, array, index, value):
    lanes = Lanes(array.dtype)

    def codegen(context, builder, signature, args):
        address, _ = pointer(context, builder, array, args[0], index, args[1])
        write(builder, lanes, address, as_lanes(context, builder, lanes, value, args[2]))
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


def total(register):
    """Sum over the lanes, in pairs that lie half a register apart."""
    while len(register) > 1:
        register = register[: len(register) // 2] + register[len(register) // 2 :]
    return register[0]


@stands_for(total)
def _total(typing, register):
    def codegen(context, builder, signature, args):
        (sums,), width = args, register.width
        while width > 1:
            width //= 2
            halves = [ir.Constant(ir.VectorType(INT32, width), list(range(k, k + width))) for k in (0, width)]
            sums = builder.fadd(*(builder.shuffle_vector(sums, sums, half) for half in halves))
        return builder.extract_element(sums, INT32(0))

    return register.dtype(register), codegen


def width_of(array):
    """Number of lanes of a register for this array's type."""
    return WIDTH[array.dtype.name]


@stands_for(width_of)
def _width_of(typing, array):
    width = WIDTH[array.dtype.name]
    return types.intp(array), lambda context, builder, signature, args: INT64(width)
