"""Barrier between the threads of one parallel loop.

It is for steps that are too large for one thread's cache and too short to enter parallel code for. The threads count up
and spin, and let others run when the wait is long. It needs all of them to run at the same time, which of Numba's
threading layers OpenMP guarantees (:func:`rnndyn.kernels.jit.threads_meet`).
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from rnndyn.kernels.jit import INLINED
from rnndyn.kernels.lanes import INT64, pointer

SPINS = 2000


def meet(counter, target):
    """Count one arrival in ``counter[0]`` and wait until there are ``target``."""
    counter[0] += 1


@intrinsic
def _meet(typing, counter, target):
    def codegen(context, builder, signature, args):
        nowhere = context.make_tuple(builder, types.UniTuple(types.intp, 0), [])
        address, _ = pointer(context, builder, counter, args[0], (), nowhere)
        place = builder.inttoptr(address, INT64.as_pointer())
        wanted = context.cast(builder, args[1], target, types.intp)
        yield_type = ir.FunctionType(ir.IntType(32), [])
        let_others = builder.module.globals.get("sched_yield") or ir.Function(builder.module, yield_type, "sched_yield")
        builder.atomic_rmw("add", place, INT64(1), "seq_cst")
        before = builder.block
        loop, wait, rest, done = (builder.append_basic_block(name) for name in ("loop", "wait", "rest", "done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        spins = builder.phi(INT64)
        spins.add_incoming(INT64(0), before)
        arrived = builder.load_atomic(place, "seq_cst", 8)
        builder.cbranch(builder.icmp_signed(">=", arrived, wanted), done, wait)
        builder.position_at_end(wait)
        spun = builder.add(spins, INT64(1))
        spins.add_incoming(spun, wait)
        builder.cbranch(builder.icmp_signed(">", spun, INT64(SPINS)), rest, loop)
        builder.position_at_end(rest)
        builder.call(let_others, [])
        spins.add_incoming(INT64(0), rest)
        builder.branch(loop)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(counter, target), codegen


@overload(meet, jit_options=INLINED)
def _overload_meet(counter, target):
    return lambda counter, target: _meet(counter, target)
