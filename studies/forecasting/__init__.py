"""Forecasts of sunspots with their uncertainty: a recurrent network against the linear network fitted best.

Monthly sunspot numbers y from 1749 to 2008 (`data/series`), as z = 2 sqrt(y + 3/8), whose noise depends less on the
level. The first 60 % of the months are learnt, the next 15 % choose between models, and the last 25 % judge them, 1 and
12 months ahead, with all months before known.

- Gaussian forecasts: a GRU of 16 units that gives means and variances; a linear network with noise by maximum
  likelihood (equal to a VARMA model), its number of units chosen by validation, and its Kalman filter.
- Quantiles: a GRU that gives five of them; in a Gaussian forecast those of its law.
- Naive: the last month again; the month one cycle before, by the lag that fits best; the mean of all. Errors are
  Gaussian, with the variance that they have in the part that is learnt.

Likelihood and CRPS are of z, on which Gaussian forecasts are made; a difference of likelihoods is the same for y.
Quantiles are taken back to y, and so are judged there. The standard error of a difference is that of its mean over
blocks of 36 months, longer than forecasts overlap.
"""

from studies.forecasting.compare import compare
from studies.forecasting.plot import plot
from studies.forecasting.run import run

__all__ = ["compare", "plot", "run"]
