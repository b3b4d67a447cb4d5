"""Arrays that a caller has on a GPU: checked there, and used where they are."""

from __future__ import annotations

import logging

import numpy as np

from rnndyn.kernels.cuda.device import on_device
from rnndyn.kernels.cuda.finite import first_bad
from rnndyn.kernels.cuda.memory import fits, free_bytes
from rnndyn.validate import as_array, check_dims, is_on_gpu, refuse_value

log = logging.getLogger("rnndyn")

PART = 0.5  # of the free memory that data may take for good


def held(x, name):
    """Numba's view of an array on the GPU; nothing is copied."""
    try:
        return on_device(x)
    except RuntimeError as error:  # of a PyTorch tensor that requires a gradient
        raise TypeError(f"{name} cannot be read as an array ({error}): pass one without a gradient") from error


def to_host(x, name):
    """Copy of an array on the GPU."""
    return held(x, name).copy_to_host()


def as_device_array(x, name, dims, *, sizes, dtype, optional):
    """Array on the GPU, checked as :func:`rnndyn.validate.as_array` does.

    One of another type or order than the kernels read comes back as a clean array of the processor; so does an empty
    one, which Numba cannot slice on the device.
    """
    array = held(x, name)
    if not array.size:
        return as_array(array.copy_to_host(), name, dims, sizes=sizes, dtype=dtype, optional=optional)
    if array.dtype != dtype or not array.is_c_contiguous():
        log.info("%s is copied, being of the type %s, or not contiguous: %s is wanted", name, array.dtype, dtype)
        return as_array(array.copy_to_host(), name, dims, sizes=sizes, dtype=dtype, optional=optional)
    check_dims(array, name, dims, sizes, optional)
    bad = first_bad(array)
    if bad is not None:
        value = array.reshape(array.size)[bad : bad + 1].copy_to_host()[0]
        refuse_value(name, value, tuple(int(i) for i in np.unravel_index(bad, array.shape)))
    return array


def resident(x):
    """Array in device memory, if it takes no more than a part of what is free; else, or if there is none, as it was."""
    if x is None or is_on_gpu(x) or not 0 < x.nbytes <= PART * free_bytes():
        return x
    found = []
    return found[0] if fits(lambda: found.append(on_device(x))) else x
