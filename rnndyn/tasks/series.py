"""Prediction of a time series whose best predictor is known."""

from __future__ import annotations

import numpy as np

from rnndyn.equivalence.linear.varma import VARMA
from rnndyn.tasks.task import sizes, task
from rnndyn.validate import as_generator


def series(rng=None, *, batch=64, steps=100, ar=(0.9,), ma=(), noise_cov=1.0):
    """Draw sequences of a stationary VARMA model; wanted at each step is the next value.

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch, steps : int
        Number and length of the sequences.
    ar, ma : array_like, shape (p, O, O) and (q, O, O), or (p,) and (q,) for one output
        Coefficients, as in :class:`rnndyn.VARMA`.
    noise_cov : array_like, shape (O, O), or float
        Covariance of the innovations. No predictor has a smaller mean squared error.

    Returns
    -------
    Task
        Inputs and targets (batch, time, O): the series, and the same one step later.

    Raises
    ------
    TypeError, ValueError
        As :class:`rnndyn.VARMA`; for a model that is not stationary.

    Examples
    --------
    >>> inputs, targets, _ = series(0, batch=1, steps=4, ar=(0.5, 0.2))
    >>> bool((inputs[:, 1:].values == targets[:, :-1].values).all())
    True
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    ar, ma = (_matrices(coefficients) for coefficients in (ar, ma))
    noise_cov = np.reshape(noise_cov, (1, 1)) if np.ndim(noise_cov) == 0 else noise_cov
    y = VARMA(ar, ma, noise_cov).simulate(steps + 1, batch=batch, rng=rng)
    return task(y[:, :-1], y[:, 1:])


def _matrices(coefficients):
    """Coefficients of one output as matrices."""
    flat = coefficients is not None and np.ndim(coefficients) < 2
    return np.reshape(coefficients, (-1, 1, 1)) if flat else coefficients
