"""The one place for compiler flags, for the vector width of this processor, and for entering parallel code."""

import threading
from contextlib import contextmanager

import llvmlite.binding as llvm
import numba
from numba.extending import register_jitable

# Only contraction to fused multiply-adds: NaN checks and the order of sums stay as written.
FLAGS = {"error_model": "numpy", "fastmath": {"contract"}}


def register_bytes():
    """Width of this processor's vector registers."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") else 16


REGISTER_BYTES = register_bytes()
WIDTH = {"float32": REGISTER_BYTES // 4, "float64": REGISTER_BYTES // 8}

kernel = numba.njit(cache=True, parallel=True, nogil=True, **FLAGS)
routine = numba.njit(cache=True, nogil=True, **FLAGS)
formula = register_jitable(**FLAGS)

# Numba's portable threading layer aborts the process when two Python threads enter parallel code at once.
_entry = threading.RLock()
# Below this much work for each thread, waking it costs more than it saves.
WORTH_A_THREAD = 1_000_000


def threads_for(operations, items):
    """Number of threads for a kernel of so many floating-point operations over so many independent items."""
    return max(1, min(numba.get_num_threads(), items, int(operations / WORTH_A_THREAD)))


@contextmanager
def parallel(threads):
    """Enter parallel code with this many threads, one Python thread at a time."""
    with _entry:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)
