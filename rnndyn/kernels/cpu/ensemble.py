"""Runs of an ensemble with their local derivatives: each worker takes one network after the other."""

from rnndyn.kernels.cpu.forward import drive, step
from rnndyn.kernels.cpu.tangent import differentiate
from rnndyn.kernels.dispatch import member
from rnndyn.kernels.workers import handed_out, kernel


@kernel
def linearised(worker, p, x, s, a, m, y, D, workers):
    """Runs of the networks ``p`` from the states ``s[0]``, and the local derivatives at each of their steps.

    All networks take the inputs ``x`` (batch, time, input); the rows of ``s`` (time + 1, row, component, block, lane)
    are those of the first, then those of the next. ``a`` (time, worker and row, slot, block, lane) and ``m`` (time,
    worker and row, block, lane; None for cells without a rate) are room for the sequences of a network and some of the
    times, ``y`` is empty. ``D`` are ``Da, Ds, Ra, Rs`` of :func:`rnndyn.kernels.cpu.tangent.derivatives` with an axis
    of time in front.
    """
    if handed_out(worker, workers):
        return
    batch, steps, stretch = x.shape[0], x.shape[1], a.shape[0]
    Da, Ds, Ra, Rs = D
    first = worker * batch  # row of its room
    for n in range(worker, p.b.shape[0], workers):
        one, lo, hi = member(p, n), n * batch, (n + 1) * batch
        own_s = s[:, lo:hi]
        for start in range(0, steps, stretch):
            stop = min(steps, start + stretch)
            drive(one, x, a, 0, batch, -first, start, start, stop, 0, 1)
            for t in range(start, stop):
                now = t - start
                for stage in range(1 if m is None else 0, 2):
                    step(one, own_s, a, m, y, 0, batch, -first, t, now, stage, 0, 1)
                at = Da[t, lo:hi], Ds[t, lo:hi], Ra[t, lo:hi], Rs[t, lo:hi]
                for i in range(batch):
                    differentiate(one, own_s[t:], a[now:, first:], at[0], at[1], at[2], at[3], i)
