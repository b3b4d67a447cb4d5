"""Single steps of many sequences at once, pointwise: what stands between the products of a wide network.

A thread takes one unit of one sequence. The products are those of a panel of sequences, each a row of theirs; ``at`` is
the row of the first sequence here. ``u`` (time, row, pre-activation, unit), ``v`` and ``w`` (row, pre-activation, unit)
are what inputs, states and rates add to the pre-activations that they drive; ``h``, ``rates``, ``lh`` and ``lm`` are
(row, unit). All else is as in :mod:`rnndyn.kernels.cuda.forward` and :mod:`rnndyn.kernels.cuda.backward`.
"""

from rnndyn.cells.contract import partials, rate, rate_partials
from rnndyn.cells.primitives import scaled
from rnndyn.kernels.cuda.device import cuda
from rnndyn.kernels.cuda.dispatch import add_parameters, driven, parameters, pre_activations, slots, states
from rnndyn.kernels.cuda.forward import renew
from rnndyn.kernels.cuda.number import gather, scatter
from rnndyn.kernels.dispatch import kind
from rnndyn.kernels.tuples import plus, pull


@cuda.jit(device=True)
def column():
    """Number of this thread among those of its sequence."""
    return cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x


@cuda.jit
def begin(p, s0, s, h, at):
    """Put the states ``s0`` (sequence, 1, component, unit) before the first step in their places."""
    r, j, k = cuda.blockIdx.x, column(), kind(p)
    if j < s.shape[3]:
        scatter(s, (r, 0, 0, j), 2, states(k, s0, r, 0, j))
        h[at + r, j] = s0[r, 0, 0, j]


@cuda.jit
def arrange(x, first, inputs, at):
    """Inputs (sequence, time, input) from time ``first`` on as (time, row, input)."""
    r, i, t = cuda.blockIdx.x, column(), cuda.blockIdx.z
    if i < x.shape[2]:
        inputs[t, at + r, i] = x[r, first + t, i]


@cuda.jit(device=True)
def form(k, p, u, v, a, r, row, piece, now, j):
    """Pre-activations of unit ``j`` but for what rates add; ``piece`` is the time in ``u``."""
    first_x, count_x, first_h, count_h, _, _ = slots(k)
    for slot in range(a.shape[2]):
        total = p.b[0, slot, j]
        if first_x <= slot < first_x + count_x:
            total += u[piece, row, slot - first_x, j]
        if first_h <= slot < first_h + count_h:
            total += v[row, slot - first_h, j]
        a[r, now, slot, j] = total


@cuda.jit
def send(p, u, v, s, a, m, rates, at, piece, t):
    """Rates at time ``t``, of a cell that has them."""
    r, j, k, now = cuda.blockIdx.x, column(), kind(p), t % a.shape[1]
    if j < s.shape[3]:
        form(k, p, u, v, a, r, at + r, piece, now, j)
        scatter(m, (r, now, j), 2, (rate(k, pre_activations(k, a, r, now, j), states(k, s, r, t, j)),))
        rates[at + r, j] = m[r, now, j]


@cuda.jit
def advance(p, u, v, w, s, a, h, at, piece, t):
    """States at time ``t + 1``, from those at time ``t`` and the products; after :func:`send`, if there are rates."""
    r, j, k, now = cuda.blockIdx.x, column(), kind(p), t % a.shape[1]
    first_m, count_m = slots(k)[4], slots(k)[5]
    if j < s.shape[3]:
        if count_m == 0:
            form(k, p, u, v, a, r, at + r, piece, now, j)
        for slot in range(count_m):
            a[r, now, first_m + slot, j] += w[at + r, slot, j]
        renew(k, p.q[0], s, a, r, t, now, j)
        h[at + r, j] = s[r, t + 1, 0, j]


@cuda.jit(device=True)
def meet(k, g, l, lh, trace, r, row, t, j):
    """The whole dL/ds of unit ``j`` after step ``t``: what the loss there and later steps give."""
    l[r, 0, 0, j] = l[r, 0, 0, j] + lh[row, j] + g[r, t, j]
    if trace.shape[1] > 0:
        scatter(trace, (r, t, 0, j), 2, states(k, l, r, 0, j))


@cuda.jit
def receive(p, g, s, a, l, lh, lv, trace, at, t):
    """dL/da at step ``t`` of what rates drive, into ``lv`` (row, pre-activation, unit); of a cell that has them."""
    r, j, k = cuda.blockIdx.x, column(), kind(p)
    if j < s.shape[3]:
        meet(k, g, l, lh, trace, r, at + r, t, j)
        gates, old = pre_activations(k, a, r, t, j), states(k, s, r, t, j)
        Da, _, _ = partials(k, gates, old, parameters(k, p.q[0], j))
        scatter(lv, (at + r, 0, j), 1, driven(k, "m", pull(Da, states(k, l, r, 0, j))))


@cuda.jit
def retreat(p, g, s, a, l, lh, lm, lv, gq, trace, at, t):
    """dL/da at step ``t``, in the place of ``a``, and dL/ds before it but for what ``W_hh`` adds.

    After :func:`receive`, if there are rates. ``lv`` (row, pre-activation, unit) takes the dL/da of what ``h`` drives.
    """
    r, j, k = cuda.blockIdx.x, column(), kind(p)
    count_h, count_m = slots(k)[3], slots(k)[5]
    if j < s.shape[3]:
        if count_m == 0:
            meet(k, g, l, lh, trace, r, at + r, t, j)
        gates, old, adjoint = pre_activations(k, a, r, t, j), states(k, s, r, t, j), states(k, l, r, 0, j)
        Da, Ds, Dq = partials(k, gates, old, parameters(k, p.q[0], j))
        la, ls = pull(Da, adjoint), pull(Ds, adjoint)
        if count_m > 0:
            Ra, Rs = rate_partials(k, gates, old)
            (of_rate,) = gather(lm, (at + r, j), 1, 1)
            la, ls = plus(la, scaled(of_rate, Ra)), plus(ls, scaled(of_rate, Rs))
        scatter(a, (r, t, 0, j), 2, la)
        scatter(l, (r, 0, 0, j), 2, ls)
        add_parameters(k, gq, r, j, pull(Dq, adjoint))
        if count_h > 0:
            scatter(lv, (at + r, 0, j), 1, driven(k, "h", la))


@cuda.jit
def settle(l, lh, at):
    """The whole dL/ds before the first step."""
    r, j = cuda.blockIdx.x, column()
    if j < l.shape[3]:
        l[r, 0, 0, j] += lh[at + r, j]
