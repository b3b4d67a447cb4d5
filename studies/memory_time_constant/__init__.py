"""Memory time constant of a forget gate, tau = -dt / ln f, against the measured decay, and what the recurrence adds.

1. An LSTM without recurrent weights, its forget gate held by the bias: the decay of a written value beside exp(-t /
   tau). For dt = 0.02 s and f = 0.95, tau is 0.39 s.
2. The same with random recurrent weights, at rest: the slowest mode is ln max |f + i o mu|, mu the eigenvalues of W_hg,
   so the memory outlasts the gate's, and has no end from the gain (1 - f) / (i o) on.
3. Under input, the gates move: the time constants of the direct path prod f_t and of the whole product of Jacobians.
"""

from studies.memory_time_constant.compare import compare
from studies.memory_time_constant.plot import plot
from studies.memory_time_constant.run import run

__all__ = ["compare", "plot", "run"]
