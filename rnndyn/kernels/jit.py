"""The one place for compiler flags, for the vector width of this processor, and for entering parallel code."""

import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from numba.core.typing.templates import infer_global, make_intrinsic_template
from numba.extending import register_jitable

# Only contraction to fused multiply-adds: NaN checks and the order of sums stay as written. No references to arrays are
# counted, since all threads would count in the same places, so no compiled code makes arrays: its caller does.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
# Everything below a kernel is inlined: a call with a dozen blocks and arrays costs as much as a small tile. Neither C
# nor Python code calls it, so it needs no entries from there, which take a seventh and a sixth of the time to compile;
# a call from Python ends the process.
INLINED = FLAGS | {"forceinline": True, "no_cfunc_wrapper": True, "no_cpython_wrapper": True}


def register_bytes():
    """Width of the vector registers that Numba compiles for: those of this processor, or of ``NUMBA_CPU_FEATURES``."""
    given = numba.config.CPU_FEATURES
    host = [name for name, present in llvm.get_host_cpu_features().items() if present]
    features = host if given is None else [name[1:] for name in given.split(",") if name.startswith("+")]
    if "avx512f" in features:
        return 64
    return 32 if "avx2" in features else 16


COMPILED = not numba.config.DISABLE_JIT
REGISTER_BYTES = register_bytes()
# AVX2 has 16 registers, the others 32: rows of a tile whose sums, by the registers in a row, fit beside its operands.
FEW_REGISTERS = REGISTER_BYTES == 32
ROWS = {1: 8, 2: 6, 3: 4, 4: 2} if FEW_REGISTERS else {1: 8, 2: 8, 3: 8, 4: 4}
WIDTH: dict[Any, int] = {"float32": REGISTER_BYTES // 4, "float64": REGISTER_BYTES // 8}
WIDTH |= {np.dtype(name): width for name, width in WIDTH.items()}  # the name of a dtype takes a microsecond

share = numba.njit(nogil=True, no_cfunc_wrapper=True, **FLAGS)
parallel_loop = numba.njit(parallel=True, nogil=True, no_cfunc_wrapper=True, no_cpython_wrapper=True, **FLAGS)
routine = numba.njit(nogil=True, **INLINED)
# Not inlined: long, and called once a step. It compiles in half the time, and Python can call it.
subroutine = numba.njit(nogil=True, **FLAGS)
formula = register_jitable(**INLINED)


def stands_for(function, prefer_literal=False):
    """Decorate the code generation, as of an intrinsic, that stands for a Python function in compiled code.

    An overload that calls an intrinsic is compiled by itself for each combination of types, of which a kernel has
    dozens, in some 50 ms each.
    """

    def register(definition):
        template = make_intrinsic_template(function, definition, function.__name__, prefer_literal=prefer_literal)
        infer_global(function, types.Function(template))
        return definition

    return register


# Numba's portable threading layer aborts the process when two Python threads enter parallel code at once.
_entry = threading.RLock()
# Below this much work for each thread, waking it costs more than it saves.
WORTH_A_THREAD = 1_000_000


def threads_for(operations, items):
    """Number of threads for a kernel of so many floating-point operations over so many independent items."""
    worth = min(items, int(operations / WORTH_A_THREAD))
    return min(numba.get_num_threads(), worth) if worth > 1 else 1


def threads_meet():
    """Whether all threads of a parallel loop surely run at the same time, so that they can wait for one another."""
    free = not os.environ.get("OMP_THREAD_LIMIT") and os.environ.get("OMP_DYNAMIC", "false").lower() in ("false", "0")
    numba.get_num_threads()  # starts the threads, so that their layer is known
    return os.name == "posix" and free and COMPILED and numba.threading_layer() == "omp"


class parallel:  # noqa: N801
    """Enter parallel code with this many threads, one Python thread at a time: ``with parallel(2): kernel(...)``."""

    def __init__(self, threads):
        self.threads = threads

    def __enter__(self):
        _entry.acquire()
        self.before = numba.get_num_threads()
        if self.before != self.threads:
            numba.set_num_threads(self.threads)

    def __exit__(self, *failure):
        if self.before != self.threads:
            numba.set_num_threads(self.before)
        _entry.release()


class Call(NamedTuple):
    """A kernel with its arguments, to be run as often as wanted."""

    kernel: Callable
    threads: int
    arguments: tuple

    def run(self):
        """Run it."""
        with _entry if self.threads == 1 else parallel(self.threads):  # a single worker calls no threads
            self.kernel(*self.arguments)
