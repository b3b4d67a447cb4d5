"""The register tile against NumPy's matrix product, and partial loads and stores at the edge of memory."""

import os
import subprocess
import sys

import numpy as np
import pytest
from cases import CASES, bits

from rnndyn.kernels.jit import WIDTH, subroutine
from rnndyn.kernels.memory import LINE, aligned_empty, aligned_zeros
from rnndyn.kernels.pack import (
    ReadoutPanels,
    adjoint_panels,
    arranged,
    arranged_readout,
    blocks_of,
    pack,
    pack_readout,
    panels,
    to_lanes,
)
from rnndyn.kernels.tile import block, tile
from rnndyn.kernels.tuples import gather, halves, load_part, paired, scatter, scatter_pairs, scatter_part

SHAPES = [(1, 1), (8, 1), (3, 4), (8, 2)]
PANELS = 4
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def product_over_rows(rows, columns):
    """Tile of several rows, all with the same panels; ``start`` is where the block stands in ``left``."""

    @subroutine
    def product(out, init, left, start, right, depth):
        to, at = block(out, (0, 0, 0), 0, 1, None), block(init, (0, 0, 0), 0, 1, None)
        tile(rows, columns, to, at, block(left, (start, start), 0, None, 1), block(right, (0, 0, 0), None, 0, 1), depth)

    return product


@subroutine
def product_over_panels(out, init, left, start, right, depth):
    """Tile of one row over several panels: what stands still are the numbers on the left."""
    to, at = block(out, (0, 0, 0), 0, 1, None), block(init, (0, 0, 0), 0, 1, None)
    tile(PANELS, 1, to, at, block(left, (start, start), None, None, 1), block(right, (0, 0, 0), 0, None, 1), depth)


OVER_ROWS = {shape: product_over_rows(*shape) for shape in SHAPES}


def draw(rng, rows, columns, depth, dtype):
    """Blocks (row, column, lane), numbers (row, k) that are a part of a larger array, and panels (column, k, lane)."""
    width = WIDTH[dtype]
    init = rng.standard_normal((rows, columns, width)).astype(dtype)
    left = rng.standard_normal((rows + 3, depth + 5)).astype(dtype)
    right = rng.standard_normal((columns, depth, width)).astype(dtype)
    return init, left, right


# ---- the product -------------------------------------------------------------------------------------------------
@each_dtype
@pytest.mark.parametrize("depth", [0, 1, 7, 40])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_tile_is_a_matrix_product(rows, columns, depth, dtype, rng):
    init, left, right = draw(rng, rows, columns, depth, dtype)
    out = np.full((rows + 1, columns + 1, init.shape[2]), 7, dtype)
    OVER_ROWS[rows, columns](out, init, left, 2, right, depth)
    numbers = left[2 : 2 + rows, 2 : 2 + depth].astype(np.float64)
    wanted = init + np.einsum("rk,vkl->rvl", numbers, right)
    size = np.abs(init) + np.einsum("rk,vkl->rvl", np.abs(numbers), np.abs(right))
    rounding = np.finfo(dtype).eps * (depth + 1) * size
    assert np.all(np.abs(out[:rows, :columns] - wanted) <= rounding)
    assert np.all(out[rows:] == 7), "written below the block"
    assert np.all(out[:, columns:] == 7), "written beside the block"


@each_dtype
def test_no_bit_depends_on_the_shape_of_the_tile(dtype, rng):
    depth = 37
    init, left, right = draw(rng, 8, PANELS, depth, dtype)
    by_ones = np.empty_like(init)
    for r in range(8):
        for v in range(PANELS):
            one = np.empty((1, 1, init.shape[2]), dtype)
            OVER_ROWS[1, 1](one, init[r : r + 1, v : v + 1].copy(), left[r:], 0, right[v : v + 1], depth)
            by_ones[r, v] = one[0, 0]
    column, pair = np.empty_like(init[:, :1]), np.empty_like(init[:, :2])
    OVER_ROWS[8, 1](column, np.ascontiguousarray(init[:, :1]), left, 0, right[:1], depth)
    OVER_ROWS[8, 2](pair, np.ascontiguousarray(init[:, :2]), left, 0, right[:2], depth)
    row = np.empty((PANELS, 1, init.shape[2]), dtype)
    product_over_panels(row, init[0][:, None].copy(), left, 0, right, depth)
    assert bits(column, pair, row[:, 0]) == bits(by_ones[:, :1], by_ones[:, :2], by_ones[0])


@each_dtype
def test_a_tile_may_write_where_it_reads(dtype, rng):
    init, left, right = draw(rng, 8, 2, 9, dtype)
    wanted = np.empty_like(init)
    OVER_ROWS[8, 2](wanted, init, left, 0, right, 9)
    OVER_ROWS[8, 2](init, init, left, 0, right, 9)
    assert bits(init) == bits(wanted)


# ---- packing -----------------------------------------------------------------------------------------------------
@each_dtype
@pytest.mark.parametrize("units", [1, 3, 8, 16, 17])
def test_panels_hold_the_weights_and_zeros(units, dtype, rng):
    width = WIDTH[dtype]
    matrices = rng.standard_normal((3, units, 5)).astype(dtype)
    packed = panels(matrices)
    assert packed.shape == (blocks_of(units, dtype), 3, 5, width)
    flat = packed.transpose(1, 0, 3, 2).reshape(3, -1, 5)
    assert bits(flat[:, :units]) == bits(matrices)
    assert not flat[:, units:].any()
    back = adjoint_panels(matrices)
    assert back.shape == (blocks_of(5, dtype), 1, 3 * blocks_of(units, dtype) * width, width)
    columns = back.transpose(0, 3, 2, 1).reshape(-1, 3, blocks_of(units, dtype) * width)
    assert bits(columns[:5, :, :units].transpose(1, 2, 0)) == bits(matrices)
    assert not columns[5:].any()
    assert not columns[:, :, units:].any()


@each_dtype
def test_arrays_of_registers_are_aligned_and_padded(dtype, rng):
    values = rng.standard_normal((2, 5)).astype(dtype)
    packed = to_lanes(values, 5)
    assert bits(packed.reshape(2, -1)[:, :5]) == bits(values)
    assert not packed.reshape(2, -1)[:, 5:].any()
    for array in (packed, aligned_empty((3, 7), dtype), aligned_zeros((0, 7), dtype), aligned_zeros((), dtype)):
        assert array.ctypes.data % 64 == 0 or not array.size
        assert array.flags.c_contiguous
        assert array.flags.writeable


# ---- the edge of memory ------------------------------------------------------------------------------------------
@subroutine
def copy_part(source, start, to, count):
    """Load some lanes, and store as many of them, after a first number that stays."""
    scatter_part(to, (0, 1), 0, (load_part(source, (start,), count),), count)


@each_dtype
def test_partial_loads_and_stores(dtype, rng):
    width = WIDTH[dtype]
    source = rng.standard_normal(3 * width).astype(dtype)
    for count in range(width + 3):
        to = np.full((1, 2 * width), 7, dtype)
        copy_part(source, 3, to, count)
        kept = min(count, width)
        assert bits(to[0, 1 : 1 + kept]) == bits(source[3 : 3 + kept])
        assert np.all(to[0, 1 + kept :] == 7), "written outside"
        assert to[0, 0] == 7


GUARD = """
import ctypes, mmap, sys
import numpy as np
sys.path[:0] = {paths!r}
from kernels.test_tile import copy_part, WIDTH
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE

def at_the_end(count, dtype):
    # Numbers that end where memory ends: the page behind them may neither be read nor written.
    room = mmap.mmap(-1, 2 * page)
    whole = np.frombuffer(room, np.uint8)
    guard = ctypes.c_void_p(whole.ctypes.data + page)
    assert libc.mprotect(guard, ctypes.c_size_t(page), 0) == 0
    rooms.append(room)
    return whole[page - count * np.dtype(dtype).itemsize : page].view(dtype)

rooms = []
for dtype in ("float32", "float64"):
    for count in range(1, WIDTH[dtype] + 1):
        source, to = at_the_end(count, dtype), at_the_end(count + 1, dtype)
        source[:] = np.arange(1, count + 1)
        copy_part(source, 0, to[None], count)
        assert to.tolist() == list(range(count + 1)), to
print("untouched")
import os
sys.stdout.flush()
os._exit(0)  # the protected pages are not to be tidied up
"""


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
def test_memory_behind_a_partial_register_is_not_touched():
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = GUARD.format(paths=[os.path.dirname(tests), tests])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit status {done.returncode} (negative: a fault): {done.stderr}"
    assert done.stdout.strip() == "untouched"


@subroutine
def doubled(array, out, apart):
    """Twice the registers of ``array[0]`` and ``array[1]``, as pairs and then as halves of pairs."""
    pairs = paired(gather(array, (0, 0, 0), 1, 3), gather(array, (1, 0, 0), 1, 3))
    scatter_pairs(out, (0, 0, 0), (1, 0, 0), 1, (pairs[0] * 2.0, pairs[1] * 2.0, pairs[2] * 2.0))
    one, other = halves(pairs)
    scatter(apart, (1, 0, 0), 1, one)
    scatter(apart, (0, 0, 0), 1, other)


@each_dtype
def test_pairs_of_registers_are_the_two(dtype, rng):
    array = rng.standard_normal((2, 3, WIDTH[dtype])).astype(dtype)
    out, apart = np.zeros_like(array), np.zeros_like(array)
    doubled(array, out, apart)
    assert np.array_equal(out, 2 * array) and np.array_equal(apart, array[::-1])


@each_dtype
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_packing_in_one_go_is_packing_array_by_array(case, dtype, rng):
    for units, inputs in ((1, 0), (9, 3)):
        net = case.network(rng, units, inputs, dtype=dtype)
        at_once, one_by_one = pack(net.cell, *net.cell_weights()), arranged(net.cell, *net.cell_weights())
        for ours, theirs in zip(at_once, one_by_one, strict=True):
            assert ours.shape == theirs.shape and bits(ours) == bits(theirs)
            assert ours.flags.c_contiguous and (ours.size == 0 or ours.ctypes.data % LINE == 0)


@each_dtype
@pytest.mark.parametrize("shape", [(1, 1), (3, 16), (9, 5)], ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_readouts_are_packed_in_one_go_as_array_by_array(biased, shape, dtype, rng):
    W, b = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[0]).astype(dtype)
    given = W, b if biased else None
    for ours, theirs in zip(pack_readout(*given), arranged_readout(ReadoutPanels, *given), strict=True):
        assert ours.shape == theirs.shape and bits(ours) == bits(theirs)
