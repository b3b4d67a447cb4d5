"""Vanishing and exploding gradients: measured norms against the bound (gamma rho)^(t-i) and against closed forms.

1. A random tanh network over its gain: log ||J_t ... J_1|| beside the bound t log(gamma rho), with rho = ||W_hh||_2 and
   gamma = max |tanh'| = 1 [pascanu2013]_.
2. ReLU units with W_hh = s I [le2015]_ and a positive input: closed forms for s < 1, s = 1, s > 1.
3. A linear network with an orthogonal W_hh, times a gain: every singular value of the product is gain^t.
4. Two networks that refute the claim that the spectral radius of W_hh decides.
5. The trained flip-flop networks: |dL/ds_t| of a loss at the last step against the lag, the LSTM by h and c.
"""

from studies.gradient_flow.compare import compare
from studies.gradient_flow.plot import plot
from studies.gradient_flow.run import run

__all__ = ["compare", "plot", "run"]
