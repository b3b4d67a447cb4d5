"""Weights in device memory, in the order in which the threads of a block read them: side by side along the units."""

import numpy as np

from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.memory import required
from rnndyn.kernels.cuda.product import TILE
from rnndyn.kernels.pack import by_slot, describe


@cuda.jit
def turn(W, out):
    """``out[n, i, j] = W[n, j, i]``, by way of tiles, so that neighbours read and write neighbours."""
    n, y, x = cuda.blockIdx.x, cuda.threadIdx.y, cuda.threadIdx.x
    across, down = cuda.blockIdx.y * TILE, cuda.blockIdx.z * TILE
    tile = cuda.shared.array((TILE, TILE), W.dtype)
    if across + y < W.shape[1] and down + x < W.shape[2]:
        tile[y, x] = W[n, across + y, down + x]
    cuda.syncthreads()
    if down + y < W.shape[2] and across + x < W.shape[1]:
        out[n, down + y, across + x] = tile[x, y]


def turned(W):
    """Device array ``W`` (network, pre-activation, unit, column) with its last two axes exchanged."""
    *batch, rows, columns = W.shape
    out = cuda.device_array((*batch, columns, rows), W.dtype)
    if W.size:
        count = W.size // (rows * columns)
        grid = count, -(-rows // TILE), -(-columns // TILE)
        turn[grid, (TILE, TILE)](W.reshape(count, rows, columns), out.reshape(count, columns, rows))
    return out


def arrays(net):
    """Weights of one network: those of each source, biases and per-unit parameters, on the host."""
    matrices, bias, q = by_slot(net.cell, *net.cell_weights())
    return *(matrices[source] for source in "xhm"), bias, q


def weight_bytes(net):
    """Device memory that the weights of a network take, with their transposes."""
    return 2 * sum(array.nbytes for array in arrays(net))


def layout(*nets):
    """Layout of cell networks of one class and size, in device memory, to which each array goes once.

    ``W_x``, ``W_h``, ``W_m`` are (network, pre-activation, column, unit) and their ``T`` (network, pre-activation,
    unit, column); biases and per-unit parameters have the leading axis as well. DeviceError for a single network whose
    weights do not fit.
    """
    if len(nets) > 1:
        return sent(*nets)
    return required(lambda: sent(*nets), weight_bytes(nets[0]), "network")


def sent(*nets):
    """As :func:`layout`, with CUDA's own error where memory is not enough."""
    stacked = (np.ascontiguousarray(np.stack(parts)) for parts in zip(*map(arrays, nets), strict=True))
    *adjoint, bias, q = map(cuda.to_device, stacked)
    weights = nets[0].cell(*map(turned, adjoint), *adjoint, bias, q)
    return describe(nets[0], weights, 1, nets[0].hidden_size)
