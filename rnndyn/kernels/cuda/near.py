"""Recurrent weights in the shared memory of a block: copied once, read at every step.

A kernel has them there where they fit beside what its threads share, and reads them from afar, through the cache, where
they do not; the arrays are of the same type, and the steps do not know which they have. Threads go along the units, the
last axis, so that neighbours read neighbours in either memory.

A block takes one sequence. One that took several would read each weight once for all of them, but a thread would need a
sum for each gate of each of them in its registers, so a kernel for each number of sequences, and a number that divides
those of every network. A multiplication might then cost half of the instructions (an estimate), where there are
sequences enough to keep every multiprocessor busy all the same; that waits for a GPU to say what it is worth.
"""

from rnndyn.kernels.cuda.device import cuda, extension
from rnndyn.kernels.cuda.number import overload


def near(W_h, W_m, shared):
    """Weights (pre-activation, column, unit) copied to the end of ``shared``, by all threads of the block."""
    last = shared.size - W_m.size
    copies = shaped(shared[last - W_h.size :], W_h), shaped(shared[last:], W_m)
    fill(copies[0], W_h)
    fill(copies[1], W_m)
    return copies


@cuda.jit(device=True)
def fill(copy, W):
    """Copy weights; a thread takes every so many units."""
    for slot in range(W.shape[0]):
        for i in range(W.shape[1]):
            for j in range(cuda.threadIdx.x, W.shape[2], cuda.blockDim.x):
                copy[slot, i, j] = W[slot, i, j]


def shaped(flat, W):
    """First numbers of ``flat`` in the shape of ``W``."""
    return flat[: W.size].reshape(W.shape)


@extension("intrinsic")
def _shaped(context, flat, W):
    """As :func:`shaped`: W with other data. Numba's own ``reshape`` would call a function and need local memory."""

    def build(context, builder, signature, given):
        view = context.make_helper(builder, W, value=given[1])
        view.data = context.make_helper(builder, flat, value=given[0]).data
        return view._getvalue()

    return W(flat, W), build


# Inlined, since GPU code cannot return an array that it has made.
overload(near, inline="always")(lambda W_h, W_m, shared: near)
overload(shaped, inline="always")(lambda flat, W: lambda flat, W: _shaped(flat, W))
