"""Threads for linear algebra on many matrices: parts of them side by side, each with one thread of the BLAS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from importlib import import_module

import numba
from threadpoolctl import ThreadpoolController

from rnndyn.kernels.jit import threads_for

TINY = 32  # rows up to which the BLAS takes a single thread in any case
LARGE = 256  # and from which on a second one makes the factorisation of a matrix faster


@cache
def _blas():
    """Controller of the libraries behind NumPy and SciPy, which are loaded first."""
    import_module("scipy.linalg")
    return ThreadpoolController()


@contextmanager
def _one_thread(wanted):
    if wanted:
        with _blas().limit(limits=1, user_api="blas"):
            yield
    else:
        yield


def small_matrices(size):
    """One thread of the BLAS for as long as the matrices are small.

    Handing a product of some microseconds to a second thread gains little on a quiet machine; where something else
    holds that core, each of thousands of them waits for it.

    Parameters
    ----------
    size : int
        Rows of each matrix; up to `TINY` and from `LARGE` on nothing is changed.

    Returns
    -------
    context manager
        One that takes a tenth of a millisecond.
    """
    return _one_thread(TINY < size < LARGE)


def in_parts(function, rows, size, most):
    """Results of a function for slices that cover some rows, several at a time where that is worth a thread.

    Parameters
    ----------
    function : callable
        Takes a slice; what it does with a row, matrices of ``size`` rows, does not depend on the other rows.
    rows : int
        Number of rows; of none there is one slice, which is empty.
    size : int
        Rows of the matrix of each.
    most : int
        Longest slice.

    Returns
    -------
    list
        In the order of the rows.
    """
    threads = threads_for(rows * size**3, rows)
    length = max(1, min(most, -(-rows // threads)))
    parts = [slice(k, k + length) for k in range(0, max(rows, 1), length)]
    if threads == 1 or len(parts) == 1:
        with _one_thread(size > TINY and rows > 1):  # one large matrix alone may take all
            return [function(part) for part in parts]
    own = {"initializer": numba.set_num_threads, "initargs": (numba.get_num_threads(),)}  # each thread has its number
    with _one_thread(size > TINY), ThreadPoolExecutor(threads, **own) as pool:
        # Each part with the settings for floating-point errors that hold here.
        return [done.result() for done in [pool.submit(copy_context().run, function, part) for part in parts]]
