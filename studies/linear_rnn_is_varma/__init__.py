"""Linear networks with noise are VARMA models: weights, covariances, spectra and likelihoods, and when a form fails.

1. Three units and one output, and other shapes (square and invertible read-outs, with and without read-out noise, with
   inputs, more outputs than units): psi weights, autocovariances, spectrum and likelihood (missing values included) of
   the VARMA form beside those of the network, each computed in its own way; orders; what drops out.
2. Slow units, eigenvalues 0.8 to 0.99: the error of the psi weights by the number of units, for the observability form
   and for that of Cayley and Hamilton, which is refused from some ten units on.
3. The steady Kalman filter as a network: its Lyapunov exponents beside the logarithms of the MA eigenvalues.
"""

from studies.linear_rnn_is_varma.compare import compare
from studies.linear_rnn_is_varma.plot import plot
from studies.linear_rnn_is_varma.run import run

__all__ = ["compare", "plot", "run"]
