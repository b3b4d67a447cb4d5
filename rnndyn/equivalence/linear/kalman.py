"""The Kalman filter and the Rauch-Tung-Striebel smoother of a linear network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.equivalence.linear import filtering
from rnndyn.equivalence.linear.filtering import Gains, Series, Start
from rnndyn.equivalence.linear.state_space import StateSpace, check_stable, factor, radius, state_space, stationary
from rnndyn.networks import Linear
from rnndyn.networks.elman import check_covariance
from rnndyn.schema import Status
from rnndyn.validate import as_array

if TYPE_CHECKING:
    from xarray import Dataset


def kalman_filter(
    linear: Linear, y: Any, *, inputs: Any = None, initial_mean: Any = None, initial_cov: Any = None
) -> Dataset:
    """Mean and covariance of the hidden state of a linear network given its outputs so far, and their likelihood.

    Parameters
    ----------
    linear
        A `Linear`; without read-out the outputs are the hidden states.
    y : (B, T, O) or (T, O); (T,) for one output
        Outputs. NaN is a missing value.
    inputs : (B, T, I) or (T, I), optional
        Inputs; x_t acts on h_t. Needed where the network has any.
    initial_mean : (H,) or (B, H), optional
        Mean of h_1 before the input x_1 acts on it. By default the stationary one; zero for an unstable network.
    initial_cov : (H, H) or "diffuse", optional
        Covariance of h_1; "diffuse": nothing is known about it. By default the stationary one.

    Returns
    -------
    Dataset
        By ``batch`` (where y has it) and ``time``: ``predicted_mean`` and ``predicted_cov`` of h_t given the outputs
        before t, ``filtered_mean`` and ``filtered_cov`` given those up to t, ``innovation`` (NaN where y is) and
        ``innovation_cov``, ``loglik_t`` and its sum ``loglik``, in nats. Double precision, whatever the network's.
        Covariances of a diffuse start are inf where nothing is known yet, and its likelihood is the diffuse one
        ([durbin2012]_, section 7.2). ``status``: 2 (diverged) where an unstable network overflowed.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for the default start of an unstable network; where some output is known without error, so
        that there is no density.

    Notes
    -----
    The filter of Kalman ([kalman1960]_) in square-root form ([kailath2000]_, chapter 12): covariances are held as
    factors and updated by orthogonal transformations, so they stay positive, and ill-conditioned ones keep twice the
    digits. A diffuse start is the limit of large variances, taken in the transformations themselves.

    Covariances do not depend on the values of y. They are computed once for all series that lack the same values, and
    no longer than they change by more than rounding: cost O(H^3) a step until then, O(H (H + O)) a step and series.

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> ds = kalman_filter(net, [0.3, np.nan, -0.2])
    >>> ds.filtered_mean.values.ravel().round(4).tolist(), round(ds.loglik.item(), 4)
    ([0.1705, 0.1534, -0.0148], -1.7692)
    """
    call = {name: value for name, value in locals().items() if name != "linear"}
    model, series, start, single = problem(linear, y, inputs, initial_mean, initial_cov)
    gains = filtering.gains(model, start, series.y, smoothing=False)
    data = _filter_data(gains, filtering.filter_means(model, start, series, gains))
    return schema.build("kalman_filter", _rows(data, single), net=linear, call=call)


def rts_smoother(
    linear: Linear, y: Any, *, inputs: Any = None, initial_mean: Any = None, initial_cov: Any = None
) -> Dataset:
    """Mean and covariance of the hidden state of a linear network given all outputs, past and future.

    Parameters
    ----------
    linear, y, inputs, initial_mean, initial_cov
        As in `kalman_filter`.

    Returns
    -------
    Dataset
        That of `kalman_filter`, and ``smoothed_mean``, ``smoothed_cov`` of h_t given all outputs. At the last time they
        are the filtered ones; before it ``filtered_cov - smoothed_cov`` is positive semidefinite.

    Raises
    ------
    TypeError, ValueError
        As `kalman_filter`.

    Notes
    -----
    The smoother of Rauch, Tung and Striebel ([rauch1965]_), ``P_s = C + J P_s(t+1) J'``, where C, the covariance of h_t
    given h_{t+1}, and the gain J come out of the filter's own transformations: a sum of what is positive, without the
    inverse of a covariance and without the difference of the usual form. Cost about twice the filter's.

    Examples
    --------
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> rts_smoother(net, [0.3, np.nan, -0.2]).smoothed_mean.values.ravel().round(4).tolist()
    [0.0852, 0.035, -0.0148]
    """
    call = {name: value for name, value in locals().items() if name != "linear"}
    model, series, start, single = problem(linear, y, inputs, initial_mean, initial_cov)
    gains = filtering.gains(model, start, series.y, smoothing=True)
    means = filtering.filter_means(model, start, series, gains)
    smoothed, covariances = filtering.smooth(gains, means)
    data = _filter_data(gains, means) | {"smoothed_mean": smoothed, "smoothed_cov": gains.spread(covariances)}
    return schema.build("rts_smoother", _rows(data, single), net=linear, call=call)


def problem(linear: Any, y: Any, inputs: Any, mean: Any, cov: Any) -> tuple[StateSpace, Series, Start, bool]:
    """Check the arguments of a filter; whether y came without a batch axis is told last."""
    model = state_space(linear)
    series, single = as_series(y, inputs, len(model.V), model.B.shape[1])
    return model, series, as_start(model, mean, cov, len(series.y)), single


def as_series(y: Any, inputs: Any, outputs: int | None = None, width: int | None = None) -> tuple[Series, bool]:
    """Outputs, inputs, and whether the outputs came without a batch axis; any number of either where None is wanted."""
    if np.ndim(y) == 1 and outputs in (None, 1):
        y = np.asarray(y)[:, None]
    dims, sizes = ("batch", "time", "output"), {} if outputs is None else {"output": outputs}
    given = as_array(y, "y", dims, sizes=sizes, dtype="float64", optional=("batch",), missing=True)
    single = given.ndim == 2
    values = given[None] if single else given
    if inputs is None:
        if width:
            raise ValueError(f"inputs is missing: the network has {width} inputs; pass an array (batch, time, input)")
        return Series(values, None), single
    sizes = {"time": values.shape[1]} | ({} if width is None else {"input": width})
    x = as_array(inputs, "inputs", ("batch", "time", "input"), sizes=sizes, dtype="float64", optional=("batch",))
    if x.ndim == 3 and len(x) != len(values):
        raise ValueError(f"inputs has {len(x)} sequences, y has {len(values)}: give one a sequence, or (time, input)")
    return Series(values, x[None] if x.ndim == 2 else x), single


def as_start(model: StateSpace, mean: Any, cov: Any, batch: int) -> Start:
    """Law of the first state."""
    n = len(model.A)
    if cov is None:
        check_stable(model.A, "give initial_cov, or initial_cov='diffuse'")
    own_mean, own_cov = stationary(model) if radius(model.A) < 1 else (np.zeros(n), np.zeros((n, n)))
    if mean is not None:
        own_mean = as_array(
            mean, "initial_mean", ("batch", "state"), sizes={"state": n}, dtype="float64", optional=("batch",)
        )
        if own_mean.ndim == 2 and len(own_mean) != batch:
            raise ValueError(f"initial_mean has {len(own_mean)} rows, y has {batch} sequences: give one row a sequence")
    if isinstance(cov, str):
        if cov != "diffuse":
            raise ValueError(f"initial_cov is {cov!r}: a covariance matrix or 'diffuse' is wanted")
        return Start(own_mean, np.eye(n), n)
    if cov is not None:
        own_cov = as_array(cov, "initial_cov", ("state", "state_2"), sizes={"state": n, "state_2": n}, dtype="float64")
        check_covariance(own_cov, "initial_cov")
    return Start(own_mean, factor(0.5 * (own_cov + own_cov.T)), 0)


def _filter_data(gains: Gains, means: filtering.Filtered) -> dict[str, np.ndarray]:
    lost = ~np.isfinite(means.loglik).all(axis=1)
    return {
        "predicted_mean": means.predicted,
        "predicted_cov": gains.over_time("Pp"),
        "filtered_mean": means.filtered,
        "filtered_cov": gains.over_time("Pf"),
        "innovation": means.innovation,
        "innovation_cov": gains.over_time("S"),
        "loglik": means.loglik.sum(axis=1),
        "loglik_t": means.loglik,
        "status": np.where(lost, Status.DIVERGED, Status.OK),
    }


def _rows(data: dict[str, np.ndarray], single: bool) -> dict[str, np.ndarray]:
    """Without the batch axis where the caller gave none."""
    return {name: values[0] for name, values in data.items()} if single else data
