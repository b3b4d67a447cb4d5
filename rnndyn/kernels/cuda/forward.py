"""Forward pass, with or without a tape, for every cell."""

from rnndyn.cells.contract import rate, update
from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.dispatch import add_driven, biases, parameters, pre_activations, slots, states
from rnndyn.kernels.cuda.near import near
from rnndyn.kernels.cuda.number import scatter
from rnndyn.kernels.dispatch import kind


def room_numbers(layout):
    """Numbers that the threads of a block share: the old and the new h, and the rates that go through ``W_hh``."""
    return layout.units * (3 if layout.m[1] else 2)


@cuda.jit(device=True)
def add_product(total, W, slot, j, vector):
    """``total + W v`` of one pre-activation of unit ``j``."""
    i = 0
    while i < W.shape[1]:
        total += W[slot, i, j] * vector[i]
        i += 1
    return total


@cuda.jit(device=True)
def network_of(p, r, rows):
    """Network of row ``r``, where each of those in ``p`` has as many of the ``rows``."""
    return r * p.b.shape[0] // rows


@cuda.jit(device=True)
def renew(k, q, s, a, r, t, now, j):
    """States of unit ``j`` at time ``t + 1``, from those at time ``t`` and the pre-activations kept at ``now``."""
    fresh = update(k, pre_activations(k, a, r, now, j), states(k, s, r, t, j), parameters(k, q, j))
    scatter(s, (r, t + 1, 0, j), 2, fresh)


@cuda.jit(device=True)
def step(k, weights, x, s, a, m, r, t, h, rates):
    """States of row ``r`` at time ``t + 1``, from those at time ``t`` and the inputs ``x`` then.

    ``weights`` are ``W_x, W_h, W_m, b, q`` of one network. Each thread owns every so many units; ``h`` holds the hidden
    states at time ``t`` where all threads see them, and ``rates`` is room for the rates.
    """
    unit, stride, now = cuda.threadIdx.x, cuda.blockDim.x, t % a.shape[1]
    W_x, W_h, W_m, b, q = weights
    count_m = slots(k)[5]
    for j in range(unit, s.shape[3], stride):
        values = add_driven(k, "h", add_driven(k, "x", biases(k, b, j), W_x, j, x), W_h, j, h)
        scatter(a, (r, now, 0, j), 2, values)
        if count_m > 0:
            scatter(m, (r, now, j), 2, (rate(k, values, states(k, s, r, t, j)),))
            rates[j] = m[r, now, j]
    if count_m > 0:
        cuda.syncthreads()
    for j in range(unit, s.shape[3], stride):
        if count_m > 0:
            scatter(a, (r, now, 0, j), 2, add_driven(k, "m", pre_activations(k, a, r, now, j), W_m, j, rates))
        renew(k, q, s, a, r, t, now, j)


@cuda.jit
def forward(p, x, s0, s, a, m, spilled, copied):
    """Run from the states ``s0`` through all times of ``x``; one block of threads takes one sequence.

    The sequences ``x`` (sequence, time, input) go through each of the networks ``p``, and the rows of a batch are those
    of the first network, then those of the next. ``s0`` (batch, 1, component, unit) come first in ``s`` (batch, time +
    1, component, unit) as well; ``a`` (batch, time, pre-activation, unit) and ``m`` (batch, time, unit) are the tape,
    or room for a single time. What the threads need of one another is in shared memory, or in ``spilled`` (batch,
    number) where it does not fit; the recurrent weights are ``copied`` there where they fit as well.
    """
    r, unit, stride = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    k, units, n, inputs = kind(p), s.shape[3], network_of(p, r, s.shape[0]), x[r % x.shape[0]]
    W_h, W_m, shared = p.W_h[n], p.W_m[n], cuda.shared.array(0, s.dtype)
    room = spilled[r] if spilled.shape[1] > 0 else shared
    if copied:
        W_h, W_m = near(W_h, W_m, shared)
    for j in range(unit, units, stride):
        scatter(s, (r, 0, 0, j), 2, states(k, s0, r, 0, j))
        room[j] = s[r, 0, 0, j]
    cuda.syncthreads()
    for t in range(x.shape[1]):
        old, new = t % 2 * units, (t + 1) % 2 * units
        h, rates = room[old : old + units], room[2 * units :]
        step(k, (p.W_x[n], W_h, W_m, p.b[n], p.q[n]), inputs[t], s, a, m, r, t, h, rates)
        for j in range(unit, units, stride):
            room[new + j] = s[r, t + 1, 0, j]
        cuda.syncthreads()
