"""Weights in device memory, in the order in which the threads of a block read them: side by side along the units."""

import numpy as np

from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.pack import by_slot, describe


def arrays(net):
    """Weights of one network as the fields of its cell, on the host."""
    matrices, bias, q = by_slot(net.cell, *net.cell_weights())
    adjoint = [matrices[source] for source in "xhm"]
    return *(matrix.transpose(0, 2, 1) for matrix in adjoint), *adjoint, bias, q


def layout(*nets):
    """Layout of cell networks of one class and size, in device memory.

    ``W_x``, ``W_h``, ``W_m`` are (network, pre-activation, column, unit) and their ``T`` (network, pre-activation,
    unit, column); biases and per-unit parameters have the leading axis as well.
    """
    stacked = (np.ascontiguousarray(np.stack(parts)) for parts in zip(*map(arrays, nets), strict=True))
    weights = nets[0].cell(*map(cuda.to_device, stacked))
    return describe(nets[0], weights, 1, nets[0].hidden_size)
