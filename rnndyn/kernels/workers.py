"""Workers: a kernel is compiled as one worker's share of its work; called from Python, it hands itself out to threads.

Numba makes machine code of the body of a parallel loop four times over, which is half of the time to compile a kernel.
Here the only such loop is the same for all kernels: it calls them by their address.
"""

from functools import partial, update_wrapper
from inspect import signature

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from rnndyn.kernels.cache import cached
from rnndyn.kernels.jit import COMPILED, parallel_loop, share, stands_for
from rnndyn.kernels.lanes import INT64

ALL = -1  # the worker that stands for all of them
SHARE = ir.FunctionType(ir.VoidType(), [INT64, INT64])  # by the address of the arguments, and the worker


def kernel(function):
    """Compile a function on first use, and keep it on disk; it is called without its first argument, the worker.

    The first argument has the name of a later one that says how many workers there are, but for its ``s``; the first
    line asks :func:`handed_out`.
    """
    if COMPILED:
        return update_wrapper(partial(cached(share(function)), ALL), function)
    worker, *names = signature(function).parameters
    place = names.index(f"{worker}s")

    def each(*args):
        with np.errstate(all="ignore"):  # as silent as compiled code
            for number in range(args[place]):
                function(number, *args)

    return update_wrapper(each, function)


def handed_out(worker, workers):
    """Whether the kernel that asks was called for `ALL` workers, which then have done their shares."""
    return False


@intrinsic
def _call(typing, address, arguments, worker):
    def codegen(context, builder, signature, args):
        builder.call(builder.inttoptr(args[0], SHARE.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@parallel_loop
def _call_each(address, arguments, workers):
    if workers == 1:
        _call(address, arguments, 0)
    else:
        for number in prange(workers):
            _call(address, arguments, number)


def _by_address(builder, kernel, first, held):
    """Function that calls ``kernel`` with the arguments that lie at an address, but for the ``first``, the worker."""
    function = ir.Function(builder.module, SHARE, f"{kernel.name}.by_address")
    function.linkage = "internal"
    inside = ir.IRBuilder(function.append_basic_block())
    arguments = inside.load(inside.inttoptr(function.args[0], held.as_pointer()))
    given = [inside.extract_value(arguments, k) for k in range(len(held.elements))]
    given[first] = function.args[1]
    inside.call(kernel, given)
    inside.ret_void()
    return function


@stands_for(handed_out)
def _handed_out(typing, worker, workers):
    def codegen(context, builder, signature, args):
        kernel = builder.function
        first = kernel.args.index(context.call_conv.get_arguments(kernel)[0])
        everyone = builder.icmp_signed("==", args[0], INT64(ALL))
        with builder.if_then(everyone, likely=False):
            held = ir.LiteralStructType([argument.type for argument in kernel.args])
            arguments = cgutils.alloca_once(builder, held)
            for k, argument in enumerate(kernel.args):
                builder.store(argument, cgutils.gep_inbounds(builder, arguments, 0, k))
            function = _by_address(builder, kernel, first, held)
            given = builder.ptrtoint(function, INT64), builder.ptrtoint(arguments, INT64), args[1]
            of_numbers = types.void(types.int64, types.int64, types.int64)
            loop = context.compile_subroutine(builder, lambda a, b, c: _call_each(a, b, c), of_numbers)
            callee = context.declare_function(builder.module, loop.fndesc)
            # Inlined, it would take registers from the kernel.
            context.call_conv.call_function(builder, callee, types.void, of_numbers.args, given, attrs=("noinline",))
        return everyone

    return types.boolean(worker, workers), codegen
