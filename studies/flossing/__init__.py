"""Gradient flossing: setting Lyapunov exponents to zero makes a task with a long memory trainable.

The task is the delayed exclusive-or of [engelken2023]_: of two symbols, d/2 and d steps ago, the product is wanted.
Tanh networks with Gaussian and with orthogonal weights learn it by backpropagation through time, as they are drawn and
after their leading exponents were pushed to zero by gradient descent (`rnndyn.lyapunov_value_and_grad`), on the inputs
alone.

1. The leading exponents before and after.
2. The norm of dL/dh_t by the lag from t to the loss, before and after: the slope is the largest exponent.
3. The share of right answers on fresh sequences after training, by delay, over several seeds; guessing gives 1/2.
"""

from studies.flossing.compare import compare
from studies.flossing.plot import plot
from studies.flossing.run import run

__all__ = ["compare", "plot", "run"]
