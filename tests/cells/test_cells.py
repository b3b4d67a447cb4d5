"""Every cell's derivatives against the complex step of its own update, and the grammar of the cells' files."""

import ast
import importlib
import inspect
import pkgutil
import types

import numpy as np
import pytest

import rnndyn.cells
from rnndyn.cells import elman, gru, highway, leaky, lstm, masked, piecewise, qrnn, residual, sru
from rnndyn.cells.contract import Cell

CELLS = [
    *elman.CELLS.values(),
    *leaky.CELLS.values(),
    *highway.CELLS.values(),
    *residual.CELLS.values(),
    *map(sru.cell, (False, True)),
    *map(qrnn.cell, ("f", "fo")),
    piecewise.Piecewise,
    *map(lstm.cell, (False, True)),
    lstm.Output,
    *map(gru.cell, ("after", "before")),
]
KEEPING = [cell for cell in CELLS if cell.activate is not None]
STAGED = [cell for cell in CELLS if cell.rate is not None]
STEP = 1e-30  # its square vanishes beside 1, so the imaginary part over it is the derivative to the last bit
POINTS = 200


def full_name(cell):
    return f"{cell.__module__.split('.')[-1]}.{cell.__name__}"


every_cell = pytest.mark.parametrize("cell", CELLS, ids=full_name)


def cell_modules():
    """Modules of formulas: all of rnndyn.cells but the contract and the primitives."""
    names = [module.name for module in pkgutil.iter_modules(rnndyn.cells.__path__)]
    return [importlib.import_module(f"rnndyn.cells.{n}") for n in names if n not in ("contract", "primitives")]


# ---- derivatives -------------------------------------------------------------------------------------------------
COMPLEX = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.where(np.real(x) > 0, x, 0),
    "identity": lambda x: x,
}


def on_complex_numbers(function):
    """The same code, with the functions that it calls replaced by ones that take complex numbers."""
    own = {
        name: on_complex_numbers(value)
        for name, value in function.__globals__.items()
        if name in function.__code__.co_names and inspect.isfunction(value) and value.__module__ == function.__module__
    }
    activation = {"phi": lambda p, x: COMPLEX[p.activation.value.__name__](x), "like": lambda x, value: value + 0 * x}
    return types.FunctionType(function.__code__, function.__globals__ | COMPLEX | activation | own)


def draw(cell, rng):
    """Random arguments (a, s, q) of a cell's functions, each a tuple of arrays."""
    sizes = len(cell.drives), cell.states, cell.parameters
    return tuple(tuple(1.5 * rng.standard_normal(POINTS) for _ in range(size)) for size in sizes)


def complex_step(function, cell, arguments, place, k):
    """Derivatives of all results of ``function`` with respect to component k of one of its arguments."""
    moved = [list(argument) for argument in arguments]
    moved[place][k] = moved[place][k] + 1j * STEP
    results = on_complex_numbers(function)(cell, *moved)
    return [np.imag(result) / STEP for result in (results if isinstance(results, tuple) else (results,))]


def distance(got, wanted):
    return np.max(np.abs(got - wanted) / np.maximum(1, np.abs(wanted)))


@every_cell
def test_partials_are_the_complex_step_of_update(cell, rng):
    arguments = draw(cell, rng)
    derivatives = cell.partials(cell, *arguments)
    assert len(derivatives) == 3
    for place, table in enumerate(derivatives):
        assert len(table) == cell.states
        assert [len(row) for row in table] == [len(arguments[place])] * cell.states
        for k in range(len(arguments[place])):
            for c, wanted in enumerate(complex_step(cell.update, cell, arguments, place, k)):
                assert distance(table[c][k], wanted) <= 1e-14, f"d s'[{c}] / d {'asq'[place]}[{k}]"


@pytest.mark.parametrize("cell", STAGED, ids=lambda cell: cell.__name__)
def test_rate_partials_are_the_complex_step_of_rate(cell, rng):
    arguments = draw(cell, rng)[:2]
    derivatives = cell.rate_partials(cell, *arguments)
    assert [len(row) for row in derivatives] == [len(cell.drives), cell.states]
    for place, row in enumerate(derivatives):
        for k in range(len(arguments[place])):
            (wanted,) = complex_step(cell.rate, cell, arguments, place, k)
            assert distance(row[k], wanted) <= 1e-14, f"d m / d {'as'[place]}[{k}]"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_update_on_complex_numbers_is_update(cell, rng):
    """What the tests above differentiate is the update itself."""
    arguments = draw(cell, rng)
    reference = on_complex_numbers(cell.update)(cell, *arguments)
    for got, wanted in zip(cell.update(cell, *arguments), reference, strict=True):
        assert distance(got, wanted) <= 4e-15


@pytest.mark.parametrize("cell", KEEPING, ids=lambda cell: cell.__name__)
def test_what_is_kept_for_the_way_back_is_enough(cell, rng):
    """To the last bit: networks have the same gradients with and without."""
    a, s, q = draw(cell, rng)
    kept = cell.activate(cell, a, s, q)
    assert len(kept) == len(a)
    np.testing.assert_array_equal(cell.update_from(cell, kept, s, q), cell.update(cell, a, s, q))
    for got, wanted in zip(cell.partials_from(cell, kept, s, q), cell.partials(cell, a, s, q), strict=True):
        np.testing.assert_array_equal(got, wanted)


@every_cell
def test_derivatives_have_the_type_of_the_arguments(cell, rng):
    """A constant of another type would widen a float32 network."""
    arguments = tuple(tuple(x.astype(np.float32) for x in part) for part in draw(cell, rng))
    found = [
        *cell.update(cell, *arguments),
        *(x for table in cell.partials(cell, *arguments) for row in table for x in row),
    ]
    if cell.rate is not None:
        found += [
            cell.rate(cell, *arguments[:2]),
            *(x for row in cell.rate_partials(cell, *arguments[:2]) for x in row),
        ]
    assert {x.dtype.name for x in found} == {"float32"}


# ---- what a cell tells the kernels -------------------------------------------------------------------------------
@every_cell
def test_the_description_of_a_cell_is_consistent(cell):
    assert len(cell.gates) == len(cell.drives) > 0
    assert set(cell.gates) == set(range(max(cell.gates) + 1)), "a gate without a pre-activation"
    assert all(set(drive) <= set("xhm") for drive in cell.drives)
    for source in "xhm":
        driven = [k for k, drive in enumerate(cell.drives) if source in drive]
        if driven:
            assert driven == list(range(driven[0], driven[0] + len(driven))), f"{source}: not side by side"
    assert (cell.rate is None) == (cell.rate_partials is None) == all("m" not in drive for drive in cell.drives)


def test_every_cell_is_under_test():
    def family(cls):
        return {cls}.union(*map(family, cls.__subclasses__()))

    here = {cls for cls in family(Cell) if cls.__module__.startswith("rnndyn.cells")}
    here -= family(masked.Masked)  # made of other cells: tests/training/test_dropout.py
    bases = {base for cls in here for base in cls.__mro__[1:]}
    assert here - bases <= set(CELLS)


# ---- the grammar -------------------------------------------------------------------------------------------------
STATEMENTS = (ast.Assign, ast.Return)
EXPRESSIONS = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Slice, ast.Tuple, ast.Name, ast.Constant)
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.Load, ast.Store)


def formulas(module):
    """Functions of a module of cells that the kernels compile: all but the look-up."""
    tree = ast.parse(inspect.getsource(module))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "cell"]


@pytest.mark.parametrize("module", cell_modules(), ids=lambda module: module.__name__.split(".")[-1])
def test_formulas_are_assignments_and_one_return(module):
    """No branch, no loop, no attribute, no array: so the same lines run on floats, registers and complex numbers."""
    assert formulas(module)
    for function in formulas(module):
        docstring, *body = function.body
        assert isinstance(docstring, ast.Expr), f"{function.name} has no docstring"
        for node in (inner for statement in body for inner in ast.walk(statement)):
            where = f"{module.__name__}.{function.name}, line {getattr(node, 'lineno', function.lineno)}"
            assert isinstance(node, STATEMENTS + EXPRESSIONS + OPERATORS), f"{where}: {type(node).__name__}"
            if isinstance(node, ast.Call):
                assert isinstance(node.func, ast.Name), f"{where}: calls are by bare name"
                assert not node.keywords
            if isinstance(node, ast.Subscript):
                parts = set(map(type, ast.walk(node.slice)))
                assert parts <= {ast.Constant, ast.Slice, ast.UnaryOp, ast.USub, ast.Load}, f"{where}: numbers alone"
        assert [isinstance(s, ast.Return) for s in body] == [False] * (len(body) - 1) + [True]


@pytest.mark.parametrize("module", cell_modules(), ids=lambda module: module.__name__.split(".")[-1])
def test_derivatives_stand_right_below_their_function(module):
    names = [function.name for function in formulas(module)]
    for name in names:
        if "partials" in name:
            value = name.replace("rate_partials", "rate").replace("partials", "update")
            assert names.index(name) == names.index(value) + 1, f"{name} does not follow {value}"


# ---- what the kernels cannot run ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("drives", "gates", "message"),
    [
        (("xh",) * 5, range(5), "5 pre-activations from 'x': at most 4"),
        (("xh", "x", "xh"), range(3), "with 'h' have to stand side by side"),
        (("xh", "h", "m"), range(3), "at most one pre-activation may go without 'x'"),
        (("xh",), (0, 1), "gates has 2 entries, drives has 1"),
    ],
)
def test_a_cell_that_the_kernels_cannot_run_says_so(drives, gates, message):
    with pytest.raises(ValueError, match=message):
        type("Odd", (Cell,), {"__slots__": (), "drives": drives, "gates": tuple(gates)})


def test_what_is_kept_belongs_to_the_update():
    """A new update beside an inherited `update_from` would never be run."""
    functions = {name: staticmethod(lambda p, a, s, q: None) for name in ("update", "partials")}
    with pytest.raises(ValueError, match="set all five, or those None"):
        type("Changed", (lstm.LSTM,), {"__slots__": (), **functions})
    apart = dict.fromkeys(("activate", "update_from", "partials_from"))
    type("ChangedWithout", (lstm.LSTM,), {"__slots__": (), **functions, **apart})
    with pytest.raises(ValueError, match="activate beside rate"):
        type("Rated", (lstm.LSTM,), {"__slots__": (), "rate": staticmethod(lambda p, a, s: None)})
