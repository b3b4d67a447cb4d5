"""Speed against PyTorch, JAX and NumPy: forward, and forward with the gradient, interleaved in one run.

Every program gets the same float32 weights and inputs, its own fastest layout, and the same number of cores; what
each computes is compared before anything is timed. Times are medians of interleaved samples; ratios say how many times
faster rnndyn is. The first call (JAX compiles, rnndyn loads its kernels or compiles them) is measured apart. With
`--device cuda` passes, runs of ensembles, searches and spectra are those of a GPU, against PyTorch, JAX and CuPy there.
"""

from studies.benchmark.compare import compare
from studies.benchmark.plot import plot
from studies.benchmark.run import add_arguments, run

__all__ = ["add_arguments", "compare", "plot", "run"]
