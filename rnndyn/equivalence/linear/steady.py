"""The steady state of filter and smoother: their gains by name, and the recurrent networks that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnndyn import schema
from rnndyn.equivalence.linear.state_space import (
    Innovations,
    StateSpace,
    check_stable,
    innovations,
    radius,
    state_space,
    stationary,
)
from rnndyn.networks import Bidirectional, Linear

if TYPE_CHECKING:
    from xarray import Dataset


class TwoFilters(NamedTuple):
    """The smoothed deviation from the mean is `forward` times the filtered one plus `backward` times the predicted one.

    The latter is that of the backward model, with transition A_b and filter gain K_b. `cov` is of the error.
    """

    forward: np.ndarray
    backward: np.ndarray
    A_b: np.ndarray
    K_b: np.ndarray
    cov: np.ndarray


def steady_filter(linear: Linear) -> Dataset:
    """Gains and covariances of the Kalman filter and smoother of a linear network, far from both ends of a sequence.

    Parameters
    ----------
    linear
        A `Linear` with noise on every output. It may be unstable, if its outputs show what is.

    Returns
    -------
    Dataset
        ``filter_gain`` K, with which ``filtered_mean = predicted_mean + K innovation``; ``predictor_gain`` A K, with
        which the next prediction is A times this one plus A K times the innovation (programs for control often call
        this one K); ``predicted_cov``, ``filtered_cov``, ``innovation_cov``, and of a stable network ``smoothed_cov``.
        ``eigenvalue``: of the filter's own recurrence (I - K V) A; ``exponent``: the logarithms of their moduli, the
        Lyapunov exponents of `filter_network`. They are the MA eigenvalues of `to_varma`.

    Raises
    ------
    TypeError, ValueError
        For other networks; for one without a steady filter, with the reason.

    Notes
    -----
    By the stabilising solution of the Riccati equation ([kailath2000]_, chapter 14). Cost O(H^3).

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> ds = steady_filter(net)
    >>> round(ds.filter_gain.item(), 4), round(ds.predictor_gain.item(), 4), round(ds.exponent.item(), 4)
    (0.3468, 0.3121, -0.5312)
    """
    model = state_space(linear)
    steady = innovations(model)
    loop = _loop(model, steady)
    values = np.linalg.eigvals(loop)
    values = values[np.argsort(-np.abs(values), kind="stable")]
    with np.errstate(divide="ignore"):
        exponents = np.log(np.abs(values))
    data = {
        "filter_gain": steady.K,
        "predictor_gain": model.A @ steady.K,
        "predicted_cov": steady.P,
        "filtered_cov": _filtered(model, steady),
        "innovation_cov": steady.S,
        "eigenvalue": values,
        "exponent": exponents,
    }
    if radius(model.A) < 1:
        data["smoothed_cov"] = _two_filters(model, steady).cov
    return schema.build("steady_filter", data, net=linear)


def filter_network(linear: Linear) -> Linear:
    """The steady Kalman filter as a linear network: its inputs are outputs and inputs of `linear`, its state the mean.

    Parameters
    ----------
    linear
        As for `steady_filter`.

    Returns
    -------
    Linear
        ``f_t = (I - K V) (A f_{t-1} + B x_t + b) + K (y_t - c)``: run on ``[y_t, x_t]`` its state is the filtered mean,
        up to what is left of its start.

    Raises
    ------
    TypeError, ValueError
        As `steady_filter`.

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> f = filter_network(net)
    >>> f.W_xh.round(4).tolist(), f.W_hh.round(4).tolist()
    ([[0.3468]], [[0.5879]])
    """
    model = state_space(linear)
    steady = innovations(model)
    rest = np.eye(len(model.A)) - steady.K @ model.V
    return Linear(np.hstack([steady.K, rest @ model.B]), rest @ model.A, rest @ model.b - steady.K @ model.c)


def smoother_network(linear: Linear) -> Bidirectional:
    """The steady smoother as a pair of linear networks, one forward and one backward in time, with a read-out.

    Parameters
    ----------
    linear
        A stable `Linear` without inputs, with noise on every output and on every mode.

    Returns
    -------
    Bidirectional
        Run on y its output is the smoothed mean of `rts_smoother`, up to what is left of both ends. ``forward`` is
        `filter_network`. ``backward`` has 2 H units: the filtered mean of the model backward in time, and its
        prediction before it has seen y_t, which is what the read-out adds to the forward filter; both as deviations
        from the mean.

    Raises
    ------
    TypeError, ValueError
        As `steady_filter`; for an unstable network, one with inputs, and one with a mode that no noise drives.

    Notes
    -----
    The two-filter smoother ([fraser1969]_). Backward in time a stationary state is ``h_t = A_b h_{t+1} + noise``, with
    ``A_b = P A' P^-1``, P its covariance. Given h_t, what comes before and what comes after are independent, so the two
    filters' means have known covariances with h_t and with each other, and the read-out is the regression of h_t on
    both. No network of fixed weights is the smoother at the ends, where the gains of that vary.

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> smoother_network(net).W_hy.round(4).tolist()
    [[0.7196, 0.0, 0.4701]]
    """
    model = state_space(linear)
    if linear.input_size:
        raise ValueError(
            f"linear has {linear.input_size} inputs: the backward network cannot know what they did before"
        )
    check_stable(model.A, "it has no smoother of fixed weights")
    steady = innovations(model)
    n, pair = len(model.A), _two_filters(model, steady)
    mean, _ = stationary(model)
    W_hh = np.zeros((2 * n, 2 * n))
    W_hh[:n, :n] = pair.A_b - pair.K_b @ model.V @ pair.A_b
    W_hh[n:, :n] = pair.A_b
    W_xh = np.vstack([pair.K_b, np.zeros_like(pair.K_b)])
    backward = Linear(W_xh, W_hh, -W_xh @ (model.c + model.V @ mean))
    W_hy = np.hstack([pair.forward, np.zeros((n, n)), pair.backward])
    return Bidirectional(filter_network(linear), backward, W_hy=W_hy, b_y=mean - pair.forward @ mean)


def _loop(model: StateSpace, steady: Innovations) -> np.ndarray:
    return model.A - steady.K @ model.V @ model.A


def _filtered(model: StateSpace, steady: Innovations) -> np.ndarray:
    """Joseph's form, which is positive."""
    rest = np.eye(len(model.A)) - steady.K @ model.V
    return rest @ steady.P @ rest.T + steady.K @ model.R @ steady.K.T


def _two_filters(model: StateSpace, steady: Innovations) -> TwoFilters:
    _, P = stationary(model)
    scale = np.sqrt(np.diagonal(P))
    if not scale.all() or np.linalg.eigvalsh(P / np.outer(scale, scale)).min() < 1e-13:
        raise ValueError("process_noise leaves a mode without noise: its covariance is singular; leave the mode out")
    A_b = np.linalg.solve(P, model.A @ P).T
    Q_b = P - A_b @ P @ A_b.T
    behind = innovations(model._replace(A=A_b, Q=0.5 * (Q_b + Q_b.T)))
    # Covariances of h_t with the filtered mean, and with the backward prediction; given h_t the two are independent.
    both = np.hstack([P - _filtered(model, steady), P - behind.P])
    n = len(P)
    cross = both[:, :n] @ np.linalg.solve(P, both[:, n:])
    own = np.block([[both[:, :n], cross], [cross.T, both[:, n:]]])
    W = np.linalg.lstsq(own, both.T, rcond=1e-13)[0].T
    cov = P - W @ both.T
    return TwoFilters(W[:, :n], W[:, n:], A_b, behind.K, 0.5 * (cov + cov.T))
