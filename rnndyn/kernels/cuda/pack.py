"""Weights in device memory, in the order in which the threads of a block read them: side by side along the units."""

import numpy as np

from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.pack import by_slot, describe


def layout(net):
    """Layout of a cell network, in device memory.

    ``W_x``, ``W_h``, ``W_m`` are (pre-activation, column, unit) and their ``T`` (pre-activation, unit, column).
    """
    matrices, bias, q = by_slot(net.cell, *net.cell_weights())
    adjoint = [np.ascontiguousarray(matrices[source]) for source in "xhm"]
    direct = [np.ascontiguousarray(matrix.transpose(0, 2, 1)) for matrix in adjoint]
    weights = net.cell(*(cuda.to_device(array) for array in (*direct, *adjoint, bias, q)))
    return describe(net, weights, 1, net.hidden_size)
