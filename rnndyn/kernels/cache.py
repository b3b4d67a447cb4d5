"""Compiled kernels on disk, one file a kernel, cell and dtype, named by all that it was made from.

Numba's own cache keeps an index, which two processes that save at once can mix up, and does not notice when a function
that a kernel calls in another file has changed: the answer is then silently that of the old source. Here the name of
the file is a hash of the signature, the processor, Numba's version, the sources of the kernels and the byte code of the
cell, so there is no index to mix up and nothing stale to load.
"""

import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from rnndyn.cells import contract, functions, primitives

KNOWN = {module.__name__ for module in (contract, functions, primitives)}  # what formulas may call, always compiled


@cache
def own_sources():
    """SHA-256 of the sources of kernels and cells."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for part in ("cells", "kernels") for path in (package / part).rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def formulas(cell):
    """Functions that a cell is made of: its own, and those that they call, but for the ones that any cell may call."""
    left = [cell.update, cell.partials, cell.rate, cell.rate_partials]
    left += [cell.activate, cell.update_from, cell.partials_from]
    left += [getattr(cell.activation, name, None) for name in ("value", "slope")]
    left += formulas(cell.within) if cell.within else []
    found = []
    while left:
        function = left.pop()
        if inspect.isfunction(function) and function.__module__ not in KNOWN and function not in found:
            found.append(function)
            left += [function.__globals__.get(name) for name in function.__code__.co_names]
    return found


def cell_sources(signature):
    """What cells in a signature are made of: sizes and byte code. A cell may be a user's own, even without a file."""
    cells = [ty.instance_class for ty in signature if hasattr(ty, "instance_class")]
    return [(cell.__module__, cell.__qualname__, sizes_of(cell), code_of(cell)) for cell in cells]


def sizes_of(cell):
    """What a cell tells the kernels, and the names of its functions."""
    roles = [cell.update, cell.partials, cell.rate, cell.rate_partials, cell.activation]
    roles += [cell.activate, cell.update_from, cell.partials_from]
    names = [getattr(function, "__name__", None) for function in roles]
    return cell.drives, cell.gates, cell.states, cell.parameters, cell.trainable, names


def code_of(cell):
    """Byte code of a cell's formulas, with the constants that they use."""
    found = []
    for function in formulas(cell):
        code, around = function.__code__, function.__globals__
        constants = [around[n] for n in code.co_names if isinstance(around.get(n), int | float | tuple)]
        found.append((function.__name__, code.co_code, code.co_consts, code.co_names, constants))
    return found


class NamedFiles(IndexDataCacheFile):
    """Data files without an index."""

    def _name(self, key):
        made_from = repr((key, cell_sources(key[0]), own_sources(), numba.__version__))
        digest = hashlib.sha256(made_from.encode()).hexdigest()[:32]
        return f"{self._data_name_pattern.partition('.{')[0]}.{digest}.nbc"

    def save(self, key, data):
        """Save compiled code; a file appears whole or not at all."""
        self._save_data(self._name(key), data)

    def load(self, key):
        """Compiled code, or None."""
        try:
            return self._load_data(self._name(key))
        except OSError:
            return None

    def flush(self):
        """Nothing to do: there is no index."""


class KernelCache(FunctionCache):
    """Numba's cache of one function, over :class:`NamedFiles`."""

    _cache_file: Any

    def __init__(self, function):
        super().__init__(function)
        files = self._cache_file
        base = files._index_name.removesuffix(".nbi")
        self._cache_file = NamedFiles(files._cache_path, base, files._source_stamp)


def cached(dispatcher):
    """Give a dispatcher this cache; a plain function (uncompiled runs) stays as it is."""
    if hasattr(dispatcher, "py_func"):
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher
