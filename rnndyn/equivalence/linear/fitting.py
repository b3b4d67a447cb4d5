"""Linear networks with noise from data, by maximum likelihood."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from rnndyn.equivalence.linear.coordinates import pull_back, to_model, to_vector
from rnndyn.equivalence.linear.filtering import Series
from rnndyn.equivalence.linear.kalman import as_series
from rnndyn.equivalence.linear.score import score
from rnndyn.equivalence.linear.state_space import StateSpace
from rnndyn.equivalence.linear.subspace import subspace
from rnndyn.networks import Linear
from rnndyn.validate import as_generator, as_integer

log = logging.getLogger("rnndyn")

APART = 0.3  # size of the random changes of further starts
FAR = 1e6  # loss of what is no model
FLAT = 1e-6  # largest derivative of the mean log-likelihood of a value, at a maximum


def fit_linear(
    y: Any, hidden_size: int, *, inputs: Any = None, starts: int = 3, steps: int = 2000, rng: Any = None
) -> Linear:
    """Linear network with noise that makes the outputs most likely.

    Parameters
    ----------
    y : (B, T, O) or (T, O); (T,) for one output
        Outputs; NaN is a missing value.
    hidden_size
        Number H of hidden units.
    inputs : (B, T, I) or (T, I), optional
        Inputs; x_t acts on h_t, and those before are zero.
    starts
        Number of searches: from an estimate by subspace methods, and from random changes of it.
    steps
        Most steps of a search; the log says if one did not converge.
    rng
        Seed or Generator of these changes.

    Returns
    -------
    Linear
        Stable, with ``process_noise`` and ``observation_noise``. Its basis is arbitrary, up to this: the stationary
        covariance of the hidden state is the identity. Double precision.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for outputs that are constant or too short.

    Notes
    -----
    The likelihood is the exact one from the stationary start, its derivative the exact score ([koopman1992]_), from one
    pass back through the filter. The search (L-BFGS) begins with the estimate of Larimore ([larimore1990]_) and runs in
    coordinates in which every point is a stable network. `standard_errors` says how well the result is known. Cost O(T)
    a step and series, O(T H^3) with missing values.

    Examples
    --------
    >>> from rnndyn.equivalence.linear.simulation import simulate
    >>> true = Linear(None, [[0.8]], W_hy=[[1.0]], process_noise=[[0.36]], observation_noise=[[0.25]])
    >>> net = fit_linear(simulate(true, 2000, rng=0).output, 1, rng=0)
    >>> net.W_hh.round(1).tolist(), net.observation_noise.round(1).tolist()
    ([[0.8]], [[0.3]])
    """
    n, starts = as_integer(hidden_size, "hidden_size", minimum=1), as_integer(starts, "starts", minimum=1)
    steps, rng = as_integer(steps, "steps", minimum=1), as_generator(rng)
    series, _ = as_series(y, inputs)
    scaled, mean, deviation, units = _standardised(series)
    sizes = n, series.y.shape[2], 0 if series.x is None else series.x.shape[2]
    first = to_vector(subspace(scaled, n))
    best, least = first, np.inf
    for k in range(starts):
        begin = first + (APART * rng.standard_normal(len(first)) if k else 0)
        found, value = _search(begin, sizes, scaled, steps)
        if value < least:
            best, least = found, value
    m = to_model(best, sizes)
    V, R = deviation[:, None] * m.V, deviation[:, None] * m.R * deviation
    return StateSpace(m.A, m.B / units, m.b, V, mean + deviation * m.c, m.Q, R).network()


def _search(begin: np.ndarray, sizes: tuple[int, int, int], series: Series, steps: int) -> tuple[np.ndarray, float]:
    """A minimum of the mean negative log-likelihood of a value."""
    from scipy.optimize import minimize

    count = int((~np.isnan(series.y)).sum())

    def loss(vector: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            loglik, gradient = score(to_model(vector, sizes), series)
        except (ValueError, LinAlgError):  # a step too far, to where there is no density
            return FAR, np.zeros_like(vector)
        return -loglik / count, -pull_back(vector, sizes, gradient) / count

    options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-15, "gtol": FLAT, "maxcor": 30}
    result = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options)
    slope = float(np.abs(result.jac).max())
    if slope > 10 * FLAT:
        log.warning("fit_linear: a search ended with a slope of %.1e a value: %s", slope, result.message)
    return result.x, float(result.fun)


def _standardised(series: Series) -> tuple[Series, np.ndarray, np.ndarray, np.ndarray]:
    """Series with outputs of mean 0 and variance 1 and inputs of mean square 1; mean and deviation, units of inputs."""
    flat = series.y.reshape(-1, series.y.shape[2])
    there = ~np.isnan(flat)
    if (there.sum(axis=0) < 2).any():
        raise ValueError(f"y has no values of output {int(np.argmin(there.sum(axis=0)))}: leave that output out")
    mean, deviation = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
    constant = deviation <= 1e-12 * np.abs(mean)
    if constant.any():
        raise ValueError(
            f"y is constant in output {int(np.argmax(constant))}: its likelihood has no bound; leave it out"
        )
    scaled = (series.y - mean) / deviation
    together = np.nan_to_num(scaled).reshape(-1, flat.shape[1])
    if np.linalg.eigvalsh(together.T @ together / len(together)).min() < 1e-10:
        raise ValueError("y has outputs that follow from one another: they have no density; leave one of them out")
    if series.x is None:
        return Series(scaled, None), mean, deviation, np.ones(0)
    units = np.sqrt((series.x**2).mean(axis=(0, 1)))
    units = np.where(units > 0, units, 1.0)
    return Series(scaled, series.x / units), mean, deviation, units
