"""Fixed points of cell networks by Newton iteration on a GPU, from many starts of many networks at once."""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.cuda.device import BLOCKS, cuda, threads_for
from rnndyn.kernels.cuda.memory import in_tiles
from rnndyn.kernels.cuda.newton import newton
from rnndyn.kernels.cuda.pack import layout, weight_bytes
from rnndyn.passes_cuda import room_for_derivatives
from rnndyn.roots import VECTORS

ROUNDS = 48  # the processor's rounds in single and in double precision together


def newton_from(nets, of, x, starts, enough: float):
    """Newton steps from each start, in float64.

    Parameters
    ----------
    nets : list of CellNetwork
        Networks of one class and size, float64.
    of : ndarray of int, shape (n,)
        Index of the network of each start.
    x : ndarray, shape (n, I)
        Its constant input.
    starts : ndarray, shape (n, S)
        Starts.
    enough : float
        As in :func:`rnndyn.roots.newton_from`.

    Returns
    -------
    states : ndarray, shape (n, S)
        Last states.
    lengths : ndarray, shape (n,)
        |F(x) - x| there; infinite for a start outside the range of numbers.
    """
    found, lengths = starts.copy(), np.zeros(len(starts))

    def run(part):
        own = np.flatnonzero((part.start <= of) & (of < part.stop))
        found[own], lengths[own] = _newton_from(layout(*nets[part]), of[own] - part.start, x[own], starts[own], enough)

    in_tiles(len(nets), weight_bytes(nets[0]), run, "network")
    return found, lengths


def _newton_from(made, of, x, starts, enough):
    """As :func:`newton_from`, of networks whose layout is in device memory."""
    size = starts.shape[1]
    vectors, rates = min(VECTORS, size), made.units if made.m[1] else 0
    found, lengths = starts.copy(), np.zeros(len(starts))

    def room(*shape):
        return cuda.device_array(shape, made.dtype)

    def run(rows):
        states, left = cuda.to_device(starts[rows]), room(len(starts[rows]))
        blocks = min(len(left), BLOCKS)
        newton[blocks, threads_for(made.units)](
            made.weights,
            cuda.to_device(of[rows]),
            cuda.to_device(x[rows]),
            states,
            left,
            room(blocks, 2, made.states, made.units),
            room(blocks, 1, made.gates, made.units),
            room(blocks, 1, rates),
            room_for_derivatives(made, blocks),
            room(vectors + 2, blocks, size, 1),
            room(blocks, rates, 1),
            (room(blocks, vectors + 1, vectors), room(blocks, vectors, 2), room(blocks, vectors + 1)),
            enough,
            ROUNDS,
        )
        found[rows], lengths[rows] = states.copy_to_host(), left.copy_to_host()

    # Of the blocks too, of which there are fewer than starts.
    numbers = (vectors + 8 + made.states + made.gates) * size + (made.states + 1) * made.gates * made.units
    in_tiles(len(starts), (numbers + vectors * (vectors + 4)) * made.dtype.itemsize, run, "start")
    return found, lengths
