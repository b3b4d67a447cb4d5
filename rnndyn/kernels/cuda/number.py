"""The number of a GPU thread: the SIMD number of :mod:`rnndyn.kernels.lanes` with a single lane.

So the same formulas, primitives and small products compile for a GPU, in the same order of rounding, and a ``1.0`` in
a formula does not turn its float32 into float64, as it would with Numba's own numbers. In the simulator a number is a
NumPy scalar, on which the formulas run as they stand.
"""

from numba import types
from numba.extending import register_model

from rnndyn.cells import functions, primitives
from rnndyn.kernels import lanes, tuples
from rnndyn.kernels.cuda.device import extension

overload = extension("overload")


class Number(lanes.Lanes):
    """Numba type of one float of type ``dtype`` that constants follow."""

    def __init__(self, dtype):
        self.dtype, self.width = dtype, 1
        types.Type.__init__(self, name=f"Number({dtype})")

    @property
    def vector(self):
        """LLVM type of the number."""
        return self.scalar

    @property
    def integer(self):
        """LLVM type of the number read as an integer."""
        return lanes.INT32 if self.dtype.name == "float32" else lanes.INT64

    def constant(self, value):
        """Constant of this type."""
        return self.scalar(float(value))

    def integers(self, value):
        """Integer constant of the same width."""
        return self.integer(value)

    def function(self, name):
        """Name of a function of CUDA's device library."""
        return f"__nv_{name}{'f' if self.dtype.name == 'float32' else ''}"


register_model(Number)(lanes.LanesModel)

for _function, _implementation in lanes.operations:
    overload(_function, strict=False)(_implementation)
for _function, _implementation in (
    (tuples.pull, tuples._overload_pull),
    (tuples.plus, tuples._overload_plus),
    (primitives.scaled, tuples._overload_scaled),
    (primitives.zeros, tuples._overload_zeros),
):
    overload(_function)(_implementation)


def formula(function):
    """Let GPU code call a plain function; returns it."""
    overload(function, strict=False)(lambda *args: function)
    return function


for _function in list(vars(functions).values()):
    if getattr(_function, "__module__", None) == functions.__name__ and not isinstance(_function, type):
        formula(_function)


def neighbour(index, axis, i):
    """Index of the ``i``-th neighbour along an axis; uncompiled only."""
    return (*index[:axis], index[axis] + i, *index[axis + 1 :])


def gather(array, index, axis, count):
    """Tuple of numbers, ``count`` neighbours along an axis."""
    return tuple(array[neighbour(index, axis, i)] for i in range(count))


def scatter(array, index, axis, values):
    """Store a tuple of numbers along an axis."""
    for i, value in enumerate(values):
        array[neighbour(index, axis, i)] = value


_gather, _scatter = tuples.gathering(Number), tuples.scattering(Number)


@overload(gather, prefer_literal=True)
def _overload_gather(array, index, axis, count):
    return lambda array, index, axis, count: _gather(array, index, axis, count)


@overload(scatter, prefer_literal=True)
def _overload_scatter(array, index, axis, values):
    return lambda array, index, axis, values: _scatter(array, index, axis, values)
