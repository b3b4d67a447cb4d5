"""Backpropagation through time: the adjoint of the forward pass, for every cell, from its partial derivatives alone."""

from rnndyn.cells.contract import partials, rate_partials
from rnndyn.cells.primitives import like, scaled
from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.dispatch import add_parameters, parameters, pre_activations, slots, states
from rnndyn.kernels.cuda.forward import network_of
from rnndyn.kernels.cuda.near import near
from rnndyn.kernels.cuda.number import scatter
from rnndyn.kernels.dispatch import kind
from rnndyn.kernels.tuples import plus, pull


def room_numbers(layout):
    """Numbers that the threads of a block share: dL/da of each unit, and those of the second stage if there is one."""
    return layout.units * layout.gates * (2 if layout.m[1] else 1)


@cuda.jit(device=True)
def add_adjoint(total, W, first, count, j, room, start):
    """``total + W' la`` of column ``j``, with the ``la`` of unit ``i`` from ``room[start + i count + first]`` on."""
    for slot in range(W.shape[0]):
        sent, i = room[start + first + slot :: count], 0
        while i < W.shape[1]:
            total = total + W[slot, i, j] * sent[i]
            i += 1
    return total


@cuda.jit
def backward(p, g, s, a, l, gq, trace, spilled, copied):
    """Adjoint of :func:`rnndyn.kernels.cuda.forward.forward` over one tape, backward from its end.

    ``g`` (batch, time, unit) is dL/dh of the losses. ``l`` (batch, 1, component, unit) enters as dL/ds after the tape
    and leaves as dL/ds before it; the tape ``a`` is overwritten by dL/da; ``gq`` (batch, parameter, unit) collects
    dL/dq; ``trace`` (batch, time, component, unit) receives the whole dL/ds_t unless it has no times.
    """
    r, unit, stride = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    k, units, count, n = kind(p), s.shape[3], a.shape[2], network_of(p, r, s.shape[0])
    W_h, W_m, q, shared = p.W_hT[n], p.W_mT[n], p.q[n], cuda.shared.array(0, s.dtype)
    _, _, first_h, count_h, first_m, count_m = slots(k)
    room = spilled[r] if spilled.shape[1] > 0 else shared
    if copied:
        W_h, W_m = near(W_h, W_m, shared)
    second = units * count
    for back in range(a.shape[1]):
        t = a.shape[1] - 1 - back
        for j in range(unit, units, stride):
            l[r, 0, 0, j] += g[r, t, j]
            if trace.shape[1] > 0:
                scatter(trace, (r, t, 0, j), 2, states(k, l, r, 0, j))
            if count_m > 0:
                gates, old = pre_activations(k, a, r, t, j), states(k, s, r, t, j)
                Da, Ds, Dq = partials(k, gates, old, parameters(k, q, j))
                scatter(room, (second + j * count,), 0, pull(Da, states(k, l, r, 0, j)))
        if count_m > 0:
            cuda.syncthreads()
        for j in range(unit, units, stride):
            gates, old, adjoint = pre_activations(k, a, r, t, j), states(k, s, r, t, j), states(k, l, r, 0, j)
            Da, Ds, Dq = partials(k, gates, old, parameters(k, q, j))
            la, ls = pull(Da, adjoint), pull(Ds, adjoint)
            if count_m > 0:
                Ra, Rs = rate_partials(k, gates, old)
                lm = add_adjoint(like(old[0], 0.0), W_m, first_m, count, j, room, second)
                la, ls = plus(la, scaled(lm, Ra)), plus(ls, scaled(lm, Rs))
            scatter(a, (r, t, 0, j), 2, la)
            scatter(room, (j * count,), 0, la)
            scatter(l, (r, 0, 0, j), 2, ls)
            add_parameters(k, gq, r, j, pull(Dq, adjoint))
        cuda.syncthreads()
        if count_h > 0:
            for j in range(unit, units, stride):
                l[r, 0, 0, j] = add_adjoint(l[r, 0, 0, j], W_h, first_h, count, j, room, 0)
        cuda.syncthreads()
