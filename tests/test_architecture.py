"""The layers of the house and the never-list, read off the sources."""

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rnndyn"
MODULES = sorted(PACKAGE.rglob("*.py"))
STUDIES = sorted((ROOT / "studies").rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in [*MODULES, *STUDIES]}

# Arrows run one way: a part of the package (a folder or a module) imports from its own level and from those before it.
LEVELS = [
    {"cells"},
    {"errors", "dims", "validate", "progress"},
    {"kernels"},
    {"networks"},
    {"provenance", "schema", "theory"},
    {
        "devices",
        "arrays_cuda",
        "passes",
        "passes_cuda",
        "passes_layer_norm",
        "roots",
        "roots_cuda",
        "sums",
        "records",
        "readout",
        "losses",
        "frontdoor",
        "dynamics",
        "tangents",
        "tangents_cuda",
        "wide_cuda",
        "running",
        "gradients",
        "generation",
    },
    {"analysis", "equivalence", "training", "io", "tasks", "metrics"},
    {"plot", "probes"},
    {"analyze", "summary"},
    {"report"},
    {"cli"},
    {"__init__", "__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
# Who may import what from outside, anywhere in a module. In networks/map.py, because a user's own step may be jitted.
NUMBA_HOMES = ("kernels/", "networks/map.py")
XARRAY_HOMES = (
    "schema/",
    "running.py",
    "training/",
    "tasks/",
    "analysis/",
    "equivalence/",
    "io/",
    "plot/",
    "analyze.py",
    "report.py",
    "cli.py",
)
ONE_HOME = {"torch": ("io/torch.py",), "onnx": ("io/onnx.py",), "jax": (), "pickle": (), "dill": (), "cloudpickle": ()}


def name(path):
    """Path inside the package, as in "kernels/cpu.py"."""
    return path.relative_to(PACKAGE if PACKAGE in path.parents else ROOT).as_posix()


def part(path):
    return name(path).split("/")[0].removesuffix(".py")


def imports(tree):
    """Dotted names that the module imports anywhere, submodules of rnndyn spelled out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "rnndyn")


def calls(tree):
    """Pairs of the called name, dotted, and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def functions(path):
    """Public functions and methods of a module, as pairs of qualified name and node."""
    for node in TREES[path].body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


every_module = pytest.mark.parametrize("path", MODULES, ids=name)
every_source = pytest.mark.parametrize("path", [*MODULES, *STUDIES], ids=name)


# ---- the layers --------------------------------------------------------------------------------------------------
@every_module
def test_a_module_imports_only_from_the_layers_below(path):
    assert part(path) in LEVEL, f"{part(path)} has no level: give it one in this test"
    used = {imported.split(".")[1] for imported in imports(TREES[path]) if imported.startswith("rnndyn.")}
    above = {other for other in used - {"__version__"} if LEVEL[other] > LEVEL[part(path)]}
    assert not above, f"{name(path)} imports {sorted(above)}"


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) == "cells"], ids=name)
def test_a_cell_knows_only_arithmetic(path):
    outside = {i for i in imports(TREES[path]) if not i.startswith("rnndyn.cells") and i != "typing"}
    # The primitives are the one place below the formulas: what + - * / cannot say.
    assert outside <= ({"numpy"} if path.stem == "primitives" else set())
    siblings = {i for i in imports(TREES[path]) if i.startswith("rnndyn.cells.")}
    assert siblings <= {f"rnndyn.cells.{m}" for m in ("contract", "functions", "primitives")}, (
        "a cell that names another cell"
    )


@every_module
def test_numba_stays_in_the_kernels(path):
    if not name(path).startswith(NUMBA_HOMES):
        assert not {i for i in imports(TREES[path]) if i.split(".")[0] in ("numba", "llvmlite")}


@every_module
def test_xarray_stays_above_the_plain_arrays(path):
    if not name(path).startswith(XARRAY_HOMES):
        assert "xarray" not in {i.split(".")[0] for i in imports(TREES[path])}


@every_module
def test_foreign_frameworks_have_one_home_or_none(path):
    for module, homes in ONE_HOME.items():
        if name(path) not in homes:
            assert module not in {i.split(".")[0] for i in imports(TREES[path])}, module


@every_source
def test_nobody_imports_tests(path):
    top = {i.split(".")[0] for i in imports(TREES[path])}
    assert not top & {"tests", "naive", "conftest"}
    if PACKAGE in path.parents:
        assert "studies" not in top


@pytest.mark.parametrize("path", STUDIES, ids=name)
def test_studies_use_the_front_door(path):
    assert not [i for i in imports(TREES[path]) if i.startswith(("rnndyn.kernels", "rnndyn.cells", "numba."))]
    # The benchmark reads and sets the number of threads, nothing else.
    if "numba" in set(imports(TREES[path])):
        used = set(re.findall(r"numba\.(\w+)", path.read_text()))
        assert used <= {"set_num_threads", "get_num_threads", "__version__", "threading_layer"}


def test_the_oracle_is_independent():
    tree = ast.parse((ROOT / "tests" / "naive.py").read_text())
    assert set(imports(tree)) == {"itertools", "numpy"}


def test_kernels_name_no_cell():
    cells = {
        node.name
        for path in MODULES
        if part(path) == "cells" and path.stem not in ("contract", "functions", "primitives")
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.ClassDef)
    }
    assert len(cells) > 10
    for path in MODULES:
        if part(path) == "kernels":
            names = set(re.findall(r"\w+", ast.unparse(TREES[path])))
            assert not names & cells, f"{name(path)} names {names & cells}"


# ---- the never-list ----------------------------------------------------------------------------------------------
@every_source
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) <= 500


@every_source
def test_forbidden_calls(path):
    for called, node in calls(TREES[path]):
        assert called not in ("eval", "exec", "compile", "__import__", "torch.load", "yaml.load", "pickle.load"), called
        assert called.split(".")[-1] not in ("jitclass", "objmode", "generated_jit"), called
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert options.get("fastmath") != "True", "fastmath=True may delete NaN checks"
        assert options.get("allow_pickle", "False") == "False"
    for node in ast.walk(TREES[path]):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "bare except"


@every_module
def test_the_library_does_not_print(path):
    if name(path) not in ("cli.py", "__main__.py"):
        assert "print" not in {called for called, _ in calls(TREES[path])}


@every_module
def test_no_eager_signatures(path):
    for called, node in calls(TREES[path]):
        if called.split(".")[-1] in ("njit", "jit", "vectorize", "guvectorize"):
            for text in map(ast.unparse, node.args):
                assert not text.startswith(("'", '"', "[")) and "types." not in text, f"a signature in {called}"


def test_numba_flags_stand_in_one_module():
    homes = set()
    for path in MODULES:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.keyword) and node.arg in ("fastmath", "error_model", "nogil", "boundscheck"):
                homes.add(name(path))
            elif isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if keys & {"fastmath", "error_model"}:
                    homes.add(name(path))
    assert len(homes) <= 1, f"flags of numba stand in {sorted(homes)}"


# ---- documentation -----------------------------------------------------------------------------------------------
@every_module
def test_every_public_function_says_what_it_does(path):
    silent = [qualified for qualified, node in functions(path) if not ast.get_docstring(node)]
    # An overridden method says what its base says.
    assert not [qualified for qualified in silent if qualified.split(".")[-1] not in DOCUMENTED_METHODS]


DOCUMENTED_METHODS = {
    qualified.split(".")[1]
    for path in MODULES
    for qualified, node in functions(path)
    if "." in qualified and ast.get_docstring(node)
} | {"hidden_size", "state_size", "input_size", "output_size", "dtype"}  # in the docstring of the class


def test_exported_functions_say_what_they_take_and_give():
    import rnndyn

    for public in rnndyn.__all__:
        thing = getattr(rnndyn, public)
        doc = inspect.getdoc(thing) or ""
        assert doc, f"rnndyn.{public} has no docstring"
        if inspect.isfunction(thing):
            assert not inspect.signature(thing).parameters or "Parameters\n---" in doc, (
                f"rnndyn.{public}: no Parameters"
            )
            assert "Returns\n---" in doc or inspect.signature(thing).return_annotation in (None, "None"), public
        elif inspect.isclass(thing) and not issubclass(thing, Exception):
            assert "Parameters\n---" in doc, f"rnndyn.{public}: no Parameters"


def citations(path):
    """Keys that the docstrings and comments of a file cite, as in [elman1990]_."""
    return set(re.findall(r"\[([a-z]+\d{4}[a-z]?)\]_", path.read_text()))


def bibliography():
    return re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", (PACKAGE / "references.bib").read_text(), flags=re.MULTILINE)


def test_citations_resolve_and_no_source_is_idle():
    keys = bibliography()
    assert len(keys) == len(set(keys)), "a key stands twice in references.bib"
    cited = set().union(*map(citations, [*MODULES, *STUDIES]))
    assert cited - set(keys) == set(), "cited, but not in references.bib"
    assert set(keys) - cited == set(), "in references.bib, but nowhere cited"


def test_every_entry_of_the_bibliography_ends():
    entries = re.split(r"^(?=@)", (PACKAGE / "references.bib").read_text(), flags=re.MULTILINE)[1:]
    assert [entry for entry in entries if entry.count("{") != entry.count("}")] == []


def test_versions_agree():
    import rnndyn

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE)
    assert rnndyn.__version__ == project["version"] == cited[1]


# ---- importing ---------------------------------------------------------------------------------------------------
HEAVY = ["torch", "jax", "onnx", "dask", "matplotlib", "xarray", "h5py", "h5netcdf", "tqdm", "numba", "scipy"]


def test_importing_is_light_and_compiles_nothing(tmp_path):
    code = f"import rnndyn, sys; print([m for m in {HEAVY} if m in sys.modules])"
    assert python(code, tmp_path) == "[]"
    assert not list(tmp_path.rglob("*.nb?"))


def test_importing_every_name_compiles_nothing(tmp_path):
    code = """
import rnndyn
for name in rnndyn.__all__:
    getattr(rnndyn, name)
import sys
print([m for m in ("torch", "jax", "onnx", "dask", "numba.cuda") if m in sys.modules])
"""
    assert python(code, tmp_path) == "[]"
    assert not list(tmp_path.rglob("*.nb?")), "a kernel was compiled by importing"


def test_every_exported_name_is_listed():
    import rnndyn

    assert set(rnndyn.__all__) <= set(dir(rnndyn))


def python(code, cache):
    """Standard output of a fresh interpreter with an empty kernel cache."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
