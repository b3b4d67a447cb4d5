"""Gradient paths: 2^(active gates) terms of a gated scalar recurrence, by how often they pass the recurrent weight.

1. ``h_t = a h_{t-1} + g_t b tanh(h_{t-1})`` over 16 steps, with all gates open, every other one open, and all open but
   the unit driven into saturation: the number of paths, their sum beside dh_T/dh_0 by a complex step, and the sums by
   length.
2. The same over 1000 steps, without enumeration: which lengths carry the gradient, and which are the most frequent.
3. A GRU unit under noise, by the bias of its update gate: the more the gate keeps, the fewer recurrent factors.
"""

from studies.gradient_paths.compare import compare
from studies.gradient_paths.plot import plot
from studies.gradient_paths.run import run

__all__ = ["compare", "plot", "run"]
