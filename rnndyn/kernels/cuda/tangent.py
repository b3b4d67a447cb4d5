"""Linearised step: local derivatives, and tangent vectors through the same weights as the forward pass."""

from rnndyn.cells.contract import partials, rate_partials
from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.dispatch import parameters, pre_activations, scatter_rows, slots, states
from rnndyn.kernels.cuda.forward import add_product
from rnndyn.kernels.cuda.number import scatter
from rnndyn.kernels.dispatch import kind


@cuda.jit(device=True)
def differentiate(k, q, s, a, D, r, t):
    """Local derivatives of every unit at time ``t``."""
    Da, Ds, Ra, Rs = D
    count_m = slots(k)[5]
    for j in range(cuda.threadIdx.x, s.shape[3], cuda.blockDim.x):
        gates, old = pre_activations(k, a, r, t, j), states(k, s, r, t, j)
        by_gate, by_state, _ = partials(k, gates, old, parameters(k, q, j))
        scatter_rows(Da, r, 0, j, by_gate)
        scatter_rows(Ds, r, 0, j, by_state)
        if count_m > 0:
            rate_by_gate, rate_by_state = rate_partials(k, gates, old)
            scatter(Ra, (r, 0, j), 1, rate_by_gate)
            scatter(Rs, (r, 0, j), 1, rate_by_state)


@cuda.jit(device=True)
def direct(by_state, Q, r, j, c, units):
    """Sum of the derivatives by the states of unit ``j`` times their part of column ``c``."""
    total = by_state[0, j] * Q[r, j, c]
    for n in range(1, by_state.shape[0]):
        total += by_state[n, j] * Q[r, n * units + j, c]
    return total


@cuda.jit(device=True)
def push(k, W_h, W_m, D, Q, pushed, rates, r, zero):
    """``pushed = J Q`` of frame ``r``, from the weights and the local derivatives."""
    Da, Ds, Ra, Rs = D
    _, _, first_h, count_h, first_m, count_m = slots(k)
    units, columns = Da.shape[3], Q.shape[2]
    for item in range(cuda.threadIdx.x, units * columns, cuda.blockDim.x):
        j, c = item // columns, item % columns
        for n in range(Da.shape[1]):
            pushed[r, n * units + j, c] = direct(Ds[r, n], Q, r, j, c, units)
        if count_m > 0:
            rates[r, j, c] = direct(Rs[r], Q, r, j, c, units)
        for slot in range(first_h, first_h + count_h):
            driven = add_product(zero, W_h, slot - first_h, j, Q[r, :, c])
            for n in range(Da.shape[1]):
                pushed[r, n * units + j, c] += Da[r, n, slot, j] * driven
            if count_m > 0:
                rates[r, j, c] += Ra[r, slot, j] * driven
    cuda.syncthreads()
    if count_m > 0:
        for item in range(cuda.threadIdx.x, units * columns, cuda.blockDim.x):
            j, c = item // columns, item % columns
            for slot in range(first_m, first_m + count_m):
                driven = add_product(zero, W_m, slot - first_m, j, rates[r, :, c])
                for n in range(Da.shape[1]):
                    pushed[r, n * units + j, c] += Da[r, n, slot, j] * driven
        cuda.syncthreads()


@cuda.jit
def derivatives(p, s, a, D):
    """Local derivatives of one network at the states and pre-activations of time 0; one block takes one row.

    ``D`` are those by pre-activations (row, component, pre-activation, unit) and states (row, component, component,
    unit), and of the rate (row, pre-activation, unit) and (row, component, unit).
    """
    differentiate(kind(p), p.q[0], s, a, D, cuda.blockIdx.x, 0)
