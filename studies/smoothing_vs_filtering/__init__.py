"""What the future is worth: error of smoother and filter of a noisy AR(1), in theory, measured, by trained networks.

1. ``h_t = a h_{t-1} + eta_t``, ``y_t = h_t + eps_t``: ratio of the mean square errors of smoother and filter, by a and
   by the ratio of the noises; closed form, `rd.steady_filter`, and errors measured on simulated sequences.
2. The same ratio step by step towards the end of a sequence, where the future runs out.
3. Linear and tanh networks trained on such sequences, reading forward only or in both directions: their error on fresh
   ones beside that of the filter and the smoother, which no network can beat.
"""

from studies.smoothing_vs_filtering.compare import compare
from studies.smoothing_vs_filtering.plot import plot
from studies.smoothing_vs_filtering.run import run

__all__ = ["compare", "plot", "run"]
