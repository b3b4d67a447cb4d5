"""Fixed points of cell networks by compiled Newton iteration from many starts: rooms, kernel, plain arrays."""

from __future__ import annotations

import numpy as np

from rnndyn.kernels.cpu.newton import newton
from rnndyn.kernels.dispatch import block_rows
from rnndyn.kernels.jit import COMPILED, parallel, threads_for
from rnndyn.kernels.memory import aligned_empty, aligned_zeros
from rnndyn.kernels.pack import stacked
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import pack_states, unpack_states

TILES = 4  # of starts that a thread takes on at a time
VECTORS = 32  # of GMRES at most: few need more
ROUNDS = 24
WORTH_COMPILING = 16_384  # numbers in all starts together


def applies(net, numbers: int) -> bool:
    """Whether :func:`newton_from` can take this network, and the starts are enough to be worth it.

    Parameters
    ----------
    net
        A network.
    numbers : int
        How many all starts have together, for all networks.
    """
    return COMPILED and isinstance(net, CellNetwork) and numbers >= WORTH_COMPILING


def newton_from(nets, of, x, starts, enough: float):
    """Newton steps from each start, in the networks' dtype.

    Parameters
    ----------
    nets : list of CellNetwork
        Networks of one class, size and dtype.
    of : ndarray of int, shape (n,)
        Index of the network of each start, in rising order.
    x : ndarray, shape (n, I)
        Its constant input.
    starts : ndarray, shape (n, S)
        Starts.
    enough : float
        A start is finished when |F(x) - x| is at most this, or when no part of a step lowers it any more.

    Returns
    -------
    states : ndarray, shape (n, S)
        Last states.
    lengths : ndarray, shape (n,)
        |F(x) - x| there; infinite or NaN for a start outside the range of numbers.
    """
    net = nets[0]
    made = net.layout
    threads = threads_for(len(starts) * 200 * net.W_hh.size, len(starts))
    rows = TILES * block_rows(made.cell) * threads
    of_unit, of_state = (made.blocks, made.lanes), (made.states, made.blocks, made.lanes)
    vectors = min(VECTORS, net.state_size)

    def room(*shape):
        return aligned_zeros(shape, made.dtype)

    first, found = (aligned_empty((len(starts), *of_state), made.dtype) for _ in range(2))
    pack_states(net, starts, first)
    derivatives = (
        room(rows, made.states, made.gates, *of_unit),
        room(rows, made.states, *of_state),
        room(rows, made.gates, *of_unit),
        room(rows, *of_state),
    )
    pre_activations, their_tangents = (room(1, rows, made.gates, *of_unit) for _ in range(2))
    krylov = (
        room(rows, vectors + 2, *of_state),
        their_tangents,
        room(rows, vectors + 1, vectors),
        room(rows, vectors, 2),
        room(rows, vectors + 1),
    )
    lengths = np.zeros(len(starts), made.dtype)
    with parallel(threads):
        newton(
            stacked(nets),
            of,
            np.ascontiguousarray(x, made.dtype),
            first,
            np.zeros((rows, 1, made.inputs), made.dtype),
            room(2, rows, *of_state),
            pre_activations,
            room(1, rows, *of_unit) if made.m[1] else None,
            np.zeros((rows, 0, made.states, made.units), made.dtype),
            derivatives,
            krylov,
            room(rows, *of_state),
            np.zeros((5, rows), np.int64),
            room(2, rows),
            found,
            lengths,
            made.dtype.type(enough),
            ROUNDS,
            threads,
        )
    return unpack_states(net, found), lengths
