"""Every GPU kernel compiles to PTX, without a device, for every cell and dtype; needs numba-cuda."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from cases import BY_NAME, CASES
from numba import types

import rnndyn.kernels.cuda
from rnndyn.kernels.cuda import device
from rnndyn.networks.masked import masked

needs_numba_cuda = pytest.mark.skipif(
    find_spec("numba_cuda") is None or device.SIMULATED, reason="needs numba-cuda, and not its simulator"
)
CAPABILITY = (9, 0)
COPIED = types.bool_  # whether the weights are in shared memory
DRAWN = np.random.default_rng(0)
CELLS = list({network.cell: None for network in (case.network(DRAWN, 2) for case in CASES)})
NAMES = ("gru-after-keep", "leaky-voltage-tanh")
MASKED = [masked(BY_NAME[name].network(DRAWN, 2), np.ones((1, 2))).cell for name in NAMES]  # no tangents
# Every kernel of these in every run: they have one to four gates, a cell state, a rate, and parameters of each unit.
USUAL = [BY_NAME[name].network(DRAWN, 2).cell for name in ("elman-tanh", "gru-before-keep", "lstm-peephole")]


def each(cells):
    """Parametrize by the cell; all but the usual ones are slow."""
    params = [pytest.param(cell, marks=[] if cell in USUAL else pytest.mark.slow) for cell in cells]
    return pytest.mark.parametrize("cell", params, ids=lambda cell: cell.__name__)


every_cell, every_trained_cell = each(CELLS), each(CELLS + MASKED)
every_dtype = pytest.mark.parametrize("dtype", [types.float32, types.float64], ids=str)


class Hopper:
    """What numba-cuda asks of a device while it compiles."""

    compute_capability = CAPABILITY


@pytest.fixture
def ptx(monkeypatch):
    """Compile a kernel for types given as (dtype, number of axes) or as they are."""
    from numba.cuda import dispatcher

    monkeypatch.setattr(dispatcher, "get_current_device", lambda: Hopper)

    def compile(kernel, *arguments):
        given = [types.Array(*a, "C") if isinstance(a, tuple) else a for a in arguments]
        return device.cuda.compile(kernel.py_func, tuple(given), cc=CAPABILITY, device=False, abi="numba")[0]

    return compile


def packed(cell, dtype):
    return types.NamedTuple([types.Array(dtype, axes, "C") for axes in (4, 4, 4, 4, 4, 4, 3, 3)], cell)


def check(ptx, dtype, computes=True):
    """All in registers, without calls; and a float32 network computes nothing in float64, where it would be slow."""
    assert ".entry" in ptx
    assert "call" not in ptx and ".local" not in ptx
    double = re.search(r"\.f64\b", ptx) is not None
    assert double == (dtype == types.float64) or not (double or computes)


@needs_numba_cuda
@every_dtype
@every_trained_cell
def test_forward_compiles(cell, dtype, ptx):
    from rnndyn.kernels.cuda.forward import forward

    check(ptx(forward, packed(cell, dtype), *((dtype, axes) for axes in (3, 4, 4, 4, 3, 2)), COPIED), dtype)


@needs_numba_cuda
@every_dtype
def test_inputs_may_be_a_view(dtype, ptx):
    """Of the states of the layer below, or of some times of an array."""
    from rnndyn.kernels.cuda.forward import forward
    from rnndyn.kernels.cuda.product import outer
    from rnndyn.kernels.cuda.steps import arrange

    view, at, cell = types.Array(dtype, 3, "A"), types.int64, BY_NAME["lstm"].network(DRAWN, 2).cell
    check(ptx(forward, packed(cell, dtype), view, *((dtype, axes) for axes in (4, 4, 4, 3, 2)), COPIED), dtype)
    check(ptx(arrange, view, at, (dtype, 3), at), dtype, computes=False)
    check(ptx(outer, (dtype, 3), at, view, (dtype, 3), at, at), dtype)


@needs_numba_cuda
@every_dtype
@every_trained_cell
def test_backward_compiles(cell, dtype, ptx):
    from rnndyn.kernels.cuda.backward import backward

    check(ptx(backward, packed(cell, dtype), *((dtype, axes) for axes in (3, 4, 4, 4, 3, 4, 2)), COPIED), dtype)


def arrays(dtype, *axes):
    return types.Tuple([types.Array(dtype, number, "C") for number in axes])


def local_derivatives(dtype):
    return arrays(dtype, 4, 4, 3, 3)


@needs_numba_cuda
@every_dtype
@every_cell
def test_frames_compile(cell, dtype, ptx):
    from rnndyn.kernels.cuda.frames import grow

    tape, D = ((dtype, 4), (dtype, 4)), local_derivatives(dtype)
    room = ((dtype, axes) for axes in (3, 3, 3, 3, 3, 1, 3))  # Q, pushed, before, rates, squares, limits, growth
    counts = (types.int64, 1), (types.bool_, 1), types.int64
    check(ptx(grow, packed(cell, dtype), *tape, D, *room, *counts, (dtype, 2), COPIED), dtype)


@needs_numba_cuda
@every_dtype
@every_cell
def test_steps_of_wide_frames_compile(cell, dtype, ptx):
    from rnndyn.kernels.cuda.frame_steps import combine, derive, send

    p, D, at, frames = packed(cell, dtype), local_derivatives(dtype), types.int64, (dtype, 3)
    check(ptx(derive, p, (dtype, 4), (dtype, 4), D, at, at), dtype, computes=False)  # slopes may be constants
    check(ptx(send, p, D, frames, at, (dtype, 3), (dtype, 2)), dtype)
    check(ptx(combine, p, D, frames, at, (dtype, 3), (dtype, 3), frames), dtype)


@needs_numba_cuda
@every_dtype
def test_the_search_for_bad_numbers_compiles(dtype, ptx):
    from rnndyn.kernels.cuda.finite import find

    check(ptx(find, (dtype, 1), (types.int64, 1)), dtype)


@needs_numba_cuda
@every_dtype
def test_what_moves_numbers_compiles(dtype, ptx):
    from rnndyn.kernels.cuda.pack import turn
    from rnndyn.kernels.cuda.rows import take

    check(ptx(take, (dtype, 3), (types.int64, 1), (dtype, 3)), dtype, computes=False)
    check(ptx(turn, (dtype, 3), (dtype, 3)), dtype, computes=False)


@needs_numba_cuda
@every_dtype
@every_cell
def test_derivatives_compile(cell, dtype, ptx):
    from rnndyn.kernels.cuda.tangent import derivatives

    compiled = ptx(derivatives, packed(cell, dtype), (dtype, 4), (dtype, 4), local_derivatives(dtype))
    check(compiled, dtype, computes=False)  # those of a linear network are constants


@needs_numba_cuda
@every_cell
def test_newton_compiles(cell, ptx):
    """In float64 only, as fixed points are sought."""
    from rnndyn.kernels.cuda.newton import newton

    dtype = types.float64
    starts = (types.int64, 1), (dtype, 2), (dtype, 2), (dtype, 1)  # of, x, found, lengths
    room = (dtype, 4), (dtype, 4), (dtype, 3), local_derivatives(dtype), (dtype, 4), (dtype, 3), arrays(dtype, 3, 3, 2)
    check(ptx(newton, packed(cell, dtype), *starts, *room, types.float64, types.int64), dtype)


@needs_numba_cuda
@every_dtype
@every_trained_cell
def test_single_steps_compile(cell, dtype, ptx):
    from rnndyn.kernels.cuda import steps

    p, at = packed(cell, dtype), types.int64
    s, a, l, m, g, trace, u, v, h, gq = ((dtype, axes) for axes in (4, 4, 4, 3, 3, 4, 4, 3, 2, 3))
    computes = {"advance": (p, u, v, v, s, a, h, at, at, at), "retreat": (p, g, s, a, l, h, h, v, gq, trace, at, at)}
    if any("m" in drive for drive in cell.drives):
        computes |= {"send": (p, u, v, s, a, m, h, at, at, at), "receive": (p, g, s, a, l, h, v, trace, at, at)}
    for name, arguments in computes.items():
        check(ptx(getattr(steps, name), *arguments), dtype)
    check(ptx(steps.begin, p, s, s, h, at), dtype, computes=False)


@needs_numba_cuda
@every_dtype
def test_what_goes_to_the_products_compiles(dtype, ptx):
    from rnndyn.kernels.cuda import steps

    check(ptx(steps.arrange, (dtype, 3), types.int64, (dtype, 3), types.int64), dtype, computes=False)
    check(ptx(steps.settle, (dtype, 4), (dtype, 2), types.int64), dtype)


@needs_numba_cuda
@every_dtype
def test_products_compile(dtype, ptx):
    from rnndyn.kernels.cuda.product import multiply, outer

    check(ptx(outer, (dtype, 3), types.int64, (dtype, 3), (dtype, 3), types.int64, types.int64), dtype)
    for left in (types.Array(dtype, 2, "A"), (dtype, 2)):  # some columns of a matrix, or all
        check(ptx(multiply, left, (dtype, 2), types.bool_, (dtype, 2)), dtype)


# ---- all of them -----------------------------------------------------------------------------------------------------
def kernels():
    """Module and name of every kernel, as the sources have it: ``cuda.jit`` with arguments makes parts of kernels."""
    for path in Path(rnndyn.kernels.cuda.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and "cuda.jit" in map(ast.unparse, node.decorator_list):
                yield path.stem, node.name


def compiled():
    """Module and name of what this file compiles: imported by name, or taken by name from an imported module."""
    nodes = list(ast.walk(ast.parse(Path(__file__).read_text())))
    for node in (node for node in nodes if isinstance(node, ast.ImportFrom) and node.module):
        names = [alias.name for alias in node.names]
        if node.module == "rnndyn.kernels.cuda":
            taken = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            taken |= {node.value for node in nodes if isinstance(node, ast.Constant)}
            yield from ((module, name) for module in names for name in taken)
        yield from ((node.module.rpartition(".")[2], name) for name in names)


def test_no_kernel_is_left_out():
    found = set(kernels())
    assert ("forward", "forward") in found and len(found) > 15
    assert not found - set(compiled())
