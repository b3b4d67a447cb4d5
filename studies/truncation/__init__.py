"""Truncated backpropagation: what is missing of the gradient, and over which delays a network can still learn.

With windows (k1, k2) the losses of each k1 steps go back k2 steps [williams1990]_.

1. The relative error of dL/dW_hh against k2, for k1 = 1: each loss lacks what is k2 steps back or more, which falls
   off as exp(lambda k2), lambda the largest Lyapunov exponent of the network under its inputs.
2. For k1 = k2 = k: the losses at the beginning of a window lack what those at its end have. Their share is 1/k, and so
   falls the error once k is well above 1/|lambda|, whatever the exponent.
3. Networks trained to give back the input of d steps ago, by delay: share of right answers on fresh sequences, over
   several seeds; guessing gives 1/2. No gradient links an answer to inputs k2 steps away or more, and little further
   does what is learnt reach: by the fading memory that a network has without learning it. Where whole backpropagation
   fails too, windows are not to blame.
"""

from studies.truncation.compare import compare
from studies.truncation.plot import plot
from studies.truncation.run import run

__all__ = ["compare", "plot", "run"]
