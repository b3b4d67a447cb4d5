"""Some sequences of many, in device memory."""

import numpy as np

from rnndyn.kernels.cuda.device import cuda, threads_for


@cuda.jit
def take(x, rows, out):
    """``out[r, t, i] = x[rows[r], t, i]``; one block of threads takes one sequence."""
    r, width = cuda.blockIdx.x, out.shape[2]
    for item in range(cuda.threadIdx.x, out.shape[1] * width, cuda.blockDim.x):
        out[r, item // width, item % width] = x[rows[r], item // width, item % width]


def taken(x, rows, steps):
    """Sequences ``rows``, all if these are a slice, of the device array ``x`` (sequence, time, input), cut in time."""
    if isinstance(rows, slice):
        return x[rows, :steps]
    out = cuda.device_array((len(rows), steps, x.shape[2]), x.dtype)
    if out.size:
        take[len(rows), threads_for(steps * x.shape[2])](x, cuda.to_device(np.ascontiguousarray(rows)), out)
    return out
