"""Single steps of one wide frame, pointwise: what stands between the products of its columns and the weights.

A thread takes one unit of one column. ``u`` and ``v`` (pre-activation, unit, column) are what the tangents of states
and of rates add to the pre-activations that they drive, ``rates`` are (unit, column). The local derivatives ``D`` and
the frames ``Q`` and ``pushed`` are as in :mod:`rnndyn.kernels.cuda.frames`; ``r`` is the frame.
"""

from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.dispatch import slots
from rnndyn.kernels.cuda.steps import column
from rnndyn.kernels.cuda.tangent import differentiate, direct
from rnndyn.kernels.dispatch import kind


@cuda.jit
def derive(p, s, a, D, r, t):
    """Local derivatives of every unit at time ``t``."""
    differentiate(kind(p), p.q[0], s, a, D, r, t)


@cuda.jit
def send(p, D, Q, r, u, rates):
    """Tangents of the rates, of a cell that has them."""
    j, c, (_, _, Ra, Rs) = cuda.blockIdx.x, column(), D
    first_h, count_h = slots(kind(p))[2], slots(kind(p))[3]
    if c < Q.shape[2]:
        total = direct(Rs[r], Q, r, j, c, rates.shape[0])
        for slot in range(count_h):
            total += Ra[r, first_h + slot, j] * u[slot, j, c]
        rates[j, c] = total


@cuda.jit
def combine(p, D, Q, r, u, v, pushed):
    """``pushed = J Q``, from the products."""
    j, c, (Da, Ds, _, _) = cuda.blockIdx.x, column(), D
    _, _, first_h, count_h, first_m, count_m = slots(kind(p))
    units = Da.shape[3]
    if c < Q.shape[2]:
        for n in range(Da.shape[1]):
            total = direct(Ds[r, n], Q, r, j, c, units)
            for slot in range(count_h):
                total += Da[r, n, first_h + slot, j] * u[slot, j, c]
            for slot in range(count_m):
                total += Da[r, n, first_m + slot, j] * v[slot, j, c]
            pushed[r, n * units + j, c] = total
