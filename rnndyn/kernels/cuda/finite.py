"""Whether all numbers of an array in device memory are finite."""

import math

import numpy as np

from rnndyn.kernels.cuda.device import BLOCKS, THREADS, cuda


@cuda.jit
def find(x, found):
    """Lower ``found[0]`` to the first index of ``x`` (number,) whose value is not finite, if there is one below it."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        if not math.isfinite(x[i]):
            cuda.atomic.min(found, 0, i)


def first_bad(x):
    """First index of a contiguous device array, not empty, whose value is not finite; None if all are."""
    size = x.size
    found = cuda.to_device(np.array([size]))
    find[min(BLOCKS, -(-size // THREADS)), THREADS](x.reshape(size), found)
    first = int(found.copy_to_host()[0])
    return first if first < size else None
