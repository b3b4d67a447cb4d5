"""The register tile: every matrix product of the package is made of it.

:func:`tile` forms a small block ``out = init + A W`` that stays in registers for the whole sum. Each number of ``out``
is one chain of fused multiply-adds in the order of ``k``, whatever the shape of the tile, so results depend neither on
how rows are grouped nor on the number of threads.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from rnndyn.kernels.jit import FEW_REGISTERS, WIDTH, stands_for
from rnndyn.kernels.lanes import INT64, Lanes, call, flat, pointer, read, splat, write


class Block(types.Type):
    """Numba type of a block inside an array: an address and the strides of three axes, of which some stand still."""

    def __init__(self, dtype, still):
        self.dtype, self.still = dtype, still
        super().__init__(name=f"Block({dtype}, {still})")


@register_model(Block)
class BlockModel(models.StructModel):
    """Four machine words, in bytes."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [(name, types.intp) for name in ("address", "row", "column", "deep")])


class PythonBlock:
    """A block inside an array, for uncompiled runs."""

    def __init__(self, array, index, row, column, deep):
        steps = [stride // array.itemsize for stride in array.strides]
        (self.flat, self.start), self.dtype = flat(array, index), array.dtype
        self.row, self.column, self.deep = (0 if axis is None else steps[axis] for axis in (row, column, deep))

    def slice(self, row, column, deep, count):
        """View of ``count`` neighbours from one place of the block."""
        start = self.start + row * self.row + column * self.column + deep * self.deep
        return self.flat[start : start + count]


def block(array, index, row, column, deep):
    """Block that starts at ``array[index]`` and steps along three axes; along ``None`` it stands still."""
    return PythonBlock(array, index, row, column, deep)


def tile(rows, columns, out, init, left, right, depth):
    """Form ``out[r, v] = init[r, v] + sum_k left[r, k] right[r, v, k]`` for ``rows`` rows and ``columns`` registers.

    ``left`` holds numbers, the others registers. Where ``right`` stands still along ``r`` this is a matrix product over
    several rows; where ``left`` does, one row times several panels.
    """
    width = WIDTH[out.dtype.name]
    for r in range(rows):
        for v in range(columns):
            total = init.slice(r, v, 0, width).copy()
            for k in range(depth):
                total += left.slice(r, 0, k, 1) * right.slice(r, v, k, width)
            out.slice(r, v, 0, width)[:] = total


def axis_of(ty):
    """Axis number of a literal type, or ``None``."""
    return None if isinstance(ty, types.NoneType) else ty.literal_value


@stands_for(block, prefer_literal=True)
def _block(typing, array, index, row, column, deep):
    if not all(isinstance(ty, types.NoneType | types.IntegerLiteral) for ty in (row, column, deep)):
        return None
    axes = axis_of(row), axis_of(column), axis_of(deep)

    def codegen(context, builder, signature, args):
        address, strides = pointer(context, builder, array, args[0], index, args[1], axes)
        made = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        made.address = address
        made.row, made.column, made.deep = strides
        return made._getvalue()

    return Block(array.dtype, tuple(axis is None for axis in axes))(array, index, row, column, deep), codegen


def place(builder, strides, r, v):
    """Address of one register of a block, or of one number at ``k = 0``."""
    address, row, column, _ = strides
    return builder.add(address, builder.add(builder.mul(row, INT64(r)), builder.mul(column, INT64(v))))


def unpack(context, builder, ty, value):
    """Address and strides of a block, with constant zeros where it stands still."""
    made = cgutils.create_struct_proxy(ty)(context, builder, value=value)
    strides = [
        INT64(0) if still else step for still, step in zip(ty.still, (made.row, made.column, made.deep), strict=True)
    ]
    return made.address, *strides


def moves(strides):
    """Whether a block steps along rows."""
    return not isinstance(strides[1], ir.Constant)


def keep_rolled(builder, branch):
    """Forbid the compiler to unroll the loop that ends in this branch.

    Two steps at a time need more addresses than there are registers for: it then moves sums to memory and back, which
    costs up to a quarter of the speed where there are 16 registers.
    """
    rule = builder.module.add_metadata(["llvm.loop.unroll.disable"])
    loop = ir.values.MDValue(builder.module, [rule], name=str(len(builder.module.metadata)))
    loop.operands = loop, rule  # a loop is named by a node that begins with itself
    branch.set_metadata("llvm.loop", loop)


def emit_tile(context, builder, lanes, shape, depth, out, init, left, right):
    """Load the block, run down ``k`` with one register an output, store it."""
    rows, columns = shape
    places = [(r, v) for r in range(rows) for v in range(columns)]
    start = {rv: read(builder, lanes, place(builder, init, *rv)) for rv in places}
    before, loop, done = builder.block, builder.append_basic_block("k"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", depth, INT64(0)), loop, done)

    builder.position_at_end(loop)
    k, x, w = (builder.phi(INT64) for _ in range(3))
    total = {rv: builder.phi(lanes.vector) for rv in places}
    xs, ws, sums = {}, {}, {}
    for r, v in places:
        if (row := r if moves(left) else 0) not in xs:
            at = builder.inttoptr(place(builder, (x, *left[1:]), r, 0), lanes.scalar.as_pointer())
            xs[row] = splat(builder, lanes, builder.load(at, align=lanes.dtype.bitwidth // 8))
        if (panel := (r if moves(right) else 0, v)) not in ws:
            ws[panel] = read(builder, lanes, place(builder, (w, *right[1:]), r, v))
        sums[r, v] = call(builder, "fma", lanes, xs[row], ws[panel], total[r, v])
    following = builder.add(k, INT64(1)), builder.add(x, left[3]), builder.add(w, right[3])
    for phi, first, after in zip((k, x, w), (INT64(0), left[0], right[0]), following, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(after, loop)
    for rv in places:
        total[rv].add_incoming(start[rv], before)
        total[rv].add_incoming(sums[rv], loop)
    again = builder.cbranch(builder.icmp_signed("<", following[0], depth), loop, done)
    if FEW_REGISTERS:
        keep_rolled(builder, again)

    builder.position_at_end(done)
    results = {}
    for rv in places:
        results[rv] = builder.phi(lanes.vector)
        results[rv].add_incoming(start[rv], before)
        results[rv].add_incoming(sums[rv], loop)
    for rv in places:
        write(builder, lanes, place(builder, out, *rv), results[rv])


@stands_for(tile, prefer_literal=True)
def _tile(typing, rows, columns, out, init, left, right, depth):
    if not (isinstance(rows, types.IntegerLiteral) and isinstance(columns, types.IntegerLiteral)):
        return None
    shape = rows.literal_value, columns.literal_value

    def codegen(context, builder, signature, args):
        pairs = zip((out, init, left, right), args[2:6], strict=True)
        blocks = [unpack(context, builder, ty, value) for ty, value in pairs]
        length = context.cast(builder, args[6], depth, types.intp)
        if shape[1]:
            emit_tile(context, builder, Lanes(out.dtype), shape, length, *blocks)
        return context.get_dummy_value()

    return types.void(rows, columns, out, init, left, right, depth), codegen
