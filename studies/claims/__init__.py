"""Every quantitative claim of the source documents, run: it holds, it holds under a condition, or it is false.

Each claim has the numbers that its verdict rests on, beside those that are expected if the verdict is right. The
documents are 000 to 004 as `tests/naive.py` names them. That the cost grows as T (H^2 + H I) is the study `cost`, that
of memory tests/test_memory.py.
"""

from studies.claims.compare import compare
from studies.claims.plot import plot
from studies.claims.run import run

__all__ = ["compare", "plot", "run"]
