"""Passes, ensembles, searches and spectra on a GPU, against PyTorch, CuPy and JAX, beside what the card could do."""

from studies.benchmark.cuda.compare import compare
from studies.benchmark.cuda.run import run

__all__ = ["compare", "run"]
