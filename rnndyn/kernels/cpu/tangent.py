"""Linearised step: local derivatives, Jacobians, and tangent vectors through the same panels as the forward pass."""

from rnndyn.cells.contract import partials_from, rate_partials
from rnndyn.kernels.dispatch import kind, parameters, pre_activations, slot_count, states
from rnndyn.kernels.jit import routine
from rnndyn.kernels.tuples import paired, scatter_pairs
from rnndyn.kernels.workers import handed_out, kernel


@routine
def differentiate(p, s, a, Da, Ds, Ra, Rs, i):
    """Local derivatives of row ``i`` at the states ``s[0]`` and pre-activations ``a[0]``."""
    k = kind(p)
    for n in range(0, a.shape[3], 2):
        v = min(n + 1, a.shape[3] - 1)
        gates = paired(pre_activations(k, a, (0, i, 0, n, 0)), pre_activations(k, a, (0, i, 0, v, 0)))
        old = paired(states(k, s, (0, i, 0, n, 0)), states(k, s, (0, i, 0, v, 0)))
        by_gate, by_state, _ = partials_from(k, gates, old, paired(parameters(k, p.q, n), parameters(k, p.q, v)))
        for c in range(s.shape[2]):
            scatter_pairs(Da, (i, c, 0, n, 0), (i, c, 0, v, 0), 2, by_gate[c])
            scatter_pairs(Ds, (i, c, 0, n, 0), (i, c, 0, v, 0), 2, by_state[c])
        if slot_count(k, "m") > 0:
            rate_by_gate, rate_by_state = rate_partials(k, gates, old)
            scatter_pairs(Ra, (i, 0, n, 0), (i, 0, v, 0), 1, rate_by_gate)
            scatter_pairs(Rs, (i, 0, n, 0), (i, 0, v, 0), 1, rate_by_state)


@kernel
def derivatives(worker, p, s, a, Da, Ds, Ra, Rs, workers):
    """Local derivatives of each unit at the states ``s[0]`` and pre-activations ``a[0]``.

    ``Da`` (row, component, slot, block, lane), ``Ds`` (row, component, component, block, lane); of the rate, ``Ra``
    (row, slot, block, lane) and ``Rs`` (row, component, block, lane).
    """
    if handed_out(worker, workers):
        return
    for i in range(worker, a.shape[1], workers):
        differentiate(p, s, a, Da, Ds, Ra, Rs, i)


@kernel
def products(worker, W, D, first, J, workers):
    """``J[i, c, j] += sum_k D[i, c, first + k, j] W[k, j]`` for matrices ``W`` (slot, unit, column)."""
    if handed_out(worker, workers):
        return
    for i in range(worker, J.shape[0], workers):
        for c in range(J.shape[1]):
            for j in range(J.shape[2]):
                row = J[i, c, j]
                for k in range(W.shape[0]):
                    d, weights = D[i, c, first + k, j], W[k, j]
                    for column in range(weights.size):
                        row[column] += d * weights[column]
