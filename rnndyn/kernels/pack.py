"""From weight matrices to the panels that the register tile reads, and from packed results back."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from rnndyn.kernels.dispatch import slots
from rnndyn.kernels.jit import WIDTH
from rnndyn.kernels.memory import LINE, aligned_empty, aligned_zeros

FEW = 1 << 15  # weights of a network that are packed in one go: a table of their places is kept, twice as large


class Layout(NamedTuple):
    """Packed weights of one network, and the sizes that its passes need at every call."""

    weights: Any
    cell: type
    dtype: np.dtype
    units: int
    inputs: int
    states: int
    gates: int
    blocks: int
    lanes: int
    trained: int
    x: tuple[int, int]
    h: tuple[int, int]
    m: tuple[int, int]


def describe(net, weights, blocks, lanes):
    """Packed weights of a network with its sizes; its units are stored as ``blocks`` of ``lanes``."""
    cell = net.cell
    trained = cell.parameters if cell.trainable else 0
    sizes = net.hidden_size, net.input_size, cell.states, len(cell.drives), blocks, lanes, trained
    return Layout(weights, cell, net.dtype, *sizes, *(slots(cell, source) for source in "xhm"))


def blocks_of(units, dtype):
    """Number of registers that hold ``units`` units."""
    return -(-units // WIDTH[np.dtype(dtype)])


def to_lanes(array, axis_units):
    """Last axis, of ``axis_units`` units, as (blocks, lanes), padded by zeros."""
    width = WIDTH[array.dtype]
    blocks = blocks_of(axis_units, array.dtype)
    packed = aligned_zeros((*array.shape[:-1], blocks * width), array.dtype)
    packed[..., :axis_units] = array
    return packed.reshape(*array.shape[:-1], blocks, width)


def panels(matrices):
    """Panels (block, slot, k, lane) of matrices (slot, unit, k), for products that add over ``k``."""
    count, units, depth = matrices.shape
    width = WIDTH[matrices.dtype]
    blocks = blocks_of(units, matrices.dtype)
    if not matrices.size:
        return np.zeros((blocks, count, depth, width), matrices.dtype)
    packed = aligned_zeros((blocks, count, depth, width), matrices.dtype)
    whole = units // width
    cut = matrices[:, : whole * width].reshape(count, whole, width, depth)
    packed[:whole] = cut.transpose(1, 0, 3, 2)
    if whole < blocks:
        packed[whole, :, :, : units - whole * width] = matrices[:, whole * width :].transpose(0, 2, 1)
    return packed


def adjoint_panels(matrices):
    """Panels (block of k, 1, slot and unit padded, lane) for products that add over slots and units."""
    count, units, depth = matrices.shape
    width = WIDTH[matrices.dtype]
    padded = matrices
    if units % width:
        padded = np.zeros((count, blocks_of(units, matrices.dtype) * width, depth), matrices.dtype)
        padded[:, :units] = matrices
    return panels(padded.reshape(1, count * padded.shape[1], depth).transpose(0, 2, 1))


def by_slot(cell, W_xh, W_hh, b_h, b_hn, q):
    """Weights of one network, sorted by the pre-activations of its cell.

    Parameters
    ----------
    cell : type
        Subclass of :class:`rnndyn.cells.contract.Cell`.
    W_xh, W_hh : ndarray, shapes (G*H, I) and (G*H, H)
        Weights, blocks of rows by gate.
    b_h : ndarray, shape (G*H,)
        Biases of the gates.
    b_hn : ndarray, shape (H,), or None
        Bias of a pre-activation that the input does not drive.
    q : ndarray, shape (Q, H)
        Per-unit parameters.

    Returns
    -------
    matrices : dict of str to ndarray
        For each source the weights (pre-activation, unit, column) of what it drives.
    bias : ndarray, shape (pre-activation, unit)
        Biases.
    parameters : ndarray, shape (parameter, unit)
        Per-unit parameters, zeros where the network has none of its own.
    """
    units = W_hh.shape[1]
    matrices = {}
    for source, W in (("x", W_xh), ("h", W_hh), ("m", W_hh)):
        first, count = slots(cell, source)
        gates = W.reshape(len(W) // units, units, W.shape[1])
        matrices[source] = gates[list(cell.gates[first : first + count])]
    biases = b_h.reshape(-1, units)
    bias = np.stack(
        [
            biases[gate] if "x" in drive else (np.zeros(units, W_hh.dtype) if b_hn is None else b_hn)
            for drive, gate in zip(cell.drives, cell.gates, strict=True)
        ]
    ).astype(W_hh.dtype, copy=False)
    if len(q) < cell.parameters:
        q = np.zeros((cell.parameters, units), W_hh.dtype)
    return matrices, bias, np.ascontiguousarray(q, W_hh.dtype).reshape(cell.parameters, units)


class ReadoutPanels(NamedTuple):
    """Packed weights of a read-out: for its sums, and for the way back."""

    W: Any
    b: Any
    WT: Any


def pack(cell, *weights):
    """Packed weights of one network: a NamedTuple of panels, of the type ``cell``; arguments as :func:`by_slot`."""
    return put_in_place(arranged, cell, *weights)


def pack_readout(W_hy, b_y):
    """Packed weights of a read-out; ``b_y`` may be None."""
    return put_in_place(arranged_readout, ReadoutPanels, W_hy, b_y)


def put_in_place(arrange, kind, *weights):
    """``arrange(kind, *weights)``, a NamedTuple ``kind`` of arrays; of few weights in one go."""
    given = [array for array in weights if array is not None]
    dtype = given[0].dtype
    if sum(array.size for array in given) > FEW:
        return arrange(kind, *weights)
    shapes = (None if array is None else array.shape for array in weights)
    sources, parts = places(arrange, kind, dtype, *shapes)
    numbers = np.concatenate([np.zeros(1), *(array.ravel() for array in given)], dtype=dtype, casting="same_kind")
    packed = numbers.take(sources, out=aligned_empty(sources.shape, dtype), mode="clip")
    return kind(*views(packed, parts))


@lru_cache(maxsize=64)
def places(arrange, kind, dtype, *shapes):
    """Where the packed numbers of few weights come from, found by packing the numbers of places.

    Parameters
    ----------
    arrange : callable
        Packs arrays, one by one.
    kind : type
        Its first argument.
    dtype : dtype
        Of the weights.
    *shapes : tuple of int, or None
        Of its other arguments.

    Returns
    -------
    sources : ndarray of int
        For each packed number, its place among all weights one after the other, from 1 on; 0 where it is padding.
    parts : list of tuple
        For each array of the packed weights where it starts, on a cache line, where it stops, and its shape.
    """
    sizes = [0 if shape is None else math.prod(shape) for shape in shapes]
    numbers = np.split(np.arange(1, 1 + sum(sizes)).astype(dtype), np.cumsum(sizes)[:-1])
    named = [None if shape is None else part.reshape(shape) for part, shape in zip(numbers, shapes, strict=True)]
    packed, parts = in_line(arrange(kind, *named), dtype)
    return packed.astype(np.intp), parts


def in_line(arrays, dtype):
    """Arrays in one, each from a cache line on, zeros between; and where each starts, where it stops, and its shape."""
    pieces, parts, start = [], [], 0
    for array in arrays:
        pieces += [array.ravel(), np.zeros(-array.size % (LINE // dtype.itemsize))]
        parts.append((start, start + array.size, array.shape))
        start += array.size + pieces[-1].size
    return np.concatenate(pieces, out=aligned_empty((start,), dtype), casting="same_kind"), parts


def views(packed, parts):
    """What :func:`in_line` put in one, as arrays again."""
    return [packed[start:stop].reshape(shape) for start, stop, shape in parts]


def arranged(cell, *weights):
    """:func:`pack`, array by array."""
    matrices, bias, q = by_slot(cell, *weights)
    return cell(
        *(panels(matrices[source]) for source in "xhm"),
        *(adjoint_panels(matrices[source]) for source in "xhm"),
        to_lanes(bias, bias.shape[1]),
        to_lanes(q, q.shape[1]),
    )


def arranged_readout(kind, W_hy, b_y):
    """:func:`pack_readout`, array by array."""
    b = np.zeros(len(W_hy), W_hy.dtype) if b_y is None else b_y
    return kind(panels(W_hy[None]), to_lanes(b, len(b)), panels(W_hy.T[None]))


def stacked(nets):
    """Packed weights of cell networks of one class and size, with an axis of the networks in front of each array."""
    if len(nets) == 1:
        return nets[0].cell(*(part[None] for part in nets[0].layout.weights))
    parts = []
    for each in zip(*(net.layout.weights for net in nets), strict=True):
        together = aligned_empty((len(nets), *each[0].shape), each[0].dtype)
        parts.append(np.stack(each, out=together))
    return nets[0].cell(*parts)
