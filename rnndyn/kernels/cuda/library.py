"""Algebra of large matrices in device memory: cuBLAS and cuSOLVER where CuPy is installed.

For products there is a kernel of our own as well; what a factorisation is done by without CuPy is its caller's affair.
"""

import logging
from contextlib import nullcontext
from functools import cache, partial
from importlib import import_module

from numba import config

from rnndyn.kernels.cuda import product as own
from rnndyn.kernels.cuda.device import SIMULATED, first_line

log = logging.getLogger("rnndyn")


@cache
def cupy():
    """Module ``cupy`` where it can multiply, else None."""
    if SIMULATED:
        return None
    try:
        found = import_module("cupy")
        found.matmul(found.ones((2, 2)), found.ones((2, 2)))  # its libraries are loaded here
    except Exception as fault:  # whatever a broken installation raises, there is a kernel without it
        log.info("wide networks on a GPU go without cuBLAS: CuPy cannot be used (%s)", first_line(fault))
        return None
    return found


def on_stream():
    """Context in which the library works on the stream of our kernels, Numba's default."""
    found = cupy()
    if found is None:
        return nullcontext()
    streams = found.cuda.Stream
    return streams.ptds if config.CUDA_PER_THREAD_DEFAULT_STREAM else streams.null


def product(left, right, out, *, transposed=False):
    """Launch of ``out = left right``, or ``left right'``, of contiguous matrices in device memory.

    Returns
    -------
    callable
        Without arguments; each call forms the product of what the matrices then hold, and does not wait for it.
    """
    found = cupy()
    if found is not None:
        left, right, out = map(found.asarray, (left, right, out))  # views
        return partial(found.matmul, left, right.T if transposed else right, out=out)
    return own.product(left, right, out, transposed=transposed)


def orthonormalise(Q):
    """Put orthonormal columns into the place of a matrix, by Householder's QR of cuSOLVER; only with CuPy.

    Parameters
    ----------
    Q : device array, shape (row, column)
        The matrix.

    Returns
    -------
    growth, squares : ndarrays, shape (column,)
        On the host: ``|R_jj|``, and the squares of the lengths that the columns had.
    """
    found = cupy()
    here = found.asarray(Q)  # a view
    here[...], R = found.linalg.qr(here)
    return found.asnumpy(found.abs(found.diagonal(R))), found.asnumpy((R * R).sum(axis=0))
