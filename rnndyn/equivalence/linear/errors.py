"""How well data determine a linear network: standard errors of what does not depend on its basis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.equivalence.linear.coordinates import pull_back, to_model, to_vector
from rnndyn.equivalence.linear.filtering import Series
from rnndyn.equivalence.linear.kalman import as_series
from rnndyn.equivalence.linear.score import score
from rnndyn.equivalence.linear.state_space import StateSpace, check_stable, innovations, state_space, stationary
from rnndyn.networks import Linear
from rnndyn.schema import Status
from rnndyn.validate import as_integer

if TYPE_CHECKING:
    from xarray import Dataset

STEP = 1e-5  # of central differences of the score, in coordinates of size 1
IDLE = 1e-6  # singular value, of the largest, below which a direction of the coordinates changes nothing


def standard_errors(linear: Linear, y: Any, *, inputs: Any = None, lags: int = 20) -> Dataset:
    """Standard errors of a linear network that was fitted to data, from the curvature of its likelihood.

    Parameters
    ----------
    linear
        From `fit_linear`: stable, with noise on every mode.
    y, inputs
        The data that it was fitted to, as for `fit_linear`.
    lags
        Number of lags of the weights.

    Returns
    -------
    Dataset
        ``psi (lag)``, the weights of the innovations as of `rnndyn.VARMA.psi`; ``input_response (lag)``;
        ``output_mean``; ``innovation_cov``; ``modulus`` of the eigenvalues of W_hh, falling; each with its ``_stderr``.
        ``loglik``; ``score_norm``, the derivative's size in standard errors, small at a maximum; the attribute
        ``n_parameters``: directions in which the model changes. ``status``: 7 (not_pd), with errors NaN, where the
        likelihood is not at a maximum, or flat.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for an unstable network or one with a mode that no noise reaches.

    Notes
    -----
    The elements of W_hh and W_hy have no standard errors, for the same network in another basis fits as well. So the
    observed information, by central differences of the exact score, is taken in those directions only in which some of
    the above change; their errors follow by the delta method ([lutkepohl2005]_, appendix C). They hold for long data,
    and not where a noise variance ends at zero. Cost some 4 (H + O + I) H scores.

    Examples
    --------
    >>> from rnndyn.equivalence.linear.simulation import simulate
    >>> net = Linear(None, [[0.8]], W_hy=[[1.0]], process_noise=[[0.36]], observation_noise=[[0.25]])
    >>> ds = standard_errors(net, simulate(net, 4000, rng=0).output)
    >>> round(ds.modulus_stderr.item(), 3), ds.attrs["n_parameters"]
    (0.014, 4)
    """
    call = {"y": y, "inputs": inputs, "lags": lags}
    lags = as_integer(lags, "lags", minimum=1)
    model = state_space(linear)
    check_stable(model.A, "standard errors are those of stable ones")
    series, _ = as_series(y, inputs, len(model.V), model.B.shape[1])
    try:
        vector = to_vector(model)
    except np.linalg.LinAlgError:
        raise ValueError(
            "process_noise leaves a mode without noise: its likelihood is flat; leave the mode out"
        ) from None
    n, O, I = sizes = len(model.A), len(model.V), model.B.shape[1]
    values = _invariants(to_model(vector, sizes), lags)
    J = _differences(
        lambda v: np.concatenate(list(map(np.ravel, _invariants(to_model(v, sizes), lags).values()))), vector
    )
    _, singular, directions = np.linalg.svd(J / _spread(J))
    T = directions[: int((singular > IDLE * singular[0]).sum())].T
    loglik, slope = _slope(vector, sizes, series)
    H = -T.T @ _differences(lambda v: _slope(v, sizes, series)[1], vector) @ T
    information = np.linalg.eigvalsh(0.5 * (H + H.T))
    good = information.min() > 0
    cov = np.linalg.inv(0.5 * (H + H.T)) if good else np.full_like(H, np.nan)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", J @ T, cov, J @ T))
    data: dict[str, Any] = dict(values)
    ends = np.cumsum([v.size for v in values.values()])[:-1]
    data |= {
        f"{k}_stderr": e.reshape(v.shape) for (k, v), e in zip(values.items(), np.split(errors, ends), strict=True)
    }
    data |= {"loglik": loglik, "score_norm": np.sqrt(slope @ T @ cov @ T.T @ slope)}
    data["status"] = Status.OK if good else Status.NOT_PD
    if not I:
        data = {name: value for name, value in data.items() if "input" not in name}
    lag = ("lag", np.arange(lags + 1), {"long_name": "lag", "units": "step"})
    attrs = {"n_parameters": T.shape[1]}
    return schema.build("standard_errors", data, net=linear, call=call, coords={"lag": lag}, attrs=attrs)


def _invariants(model: StateSpace, lags: int) -> dict[str, np.ndarray]:
    """What does not depend on the basis of the state."""
    steady = innovations(model)
    psi, response = [np.eye(len(model.V))], []
    later, driven = model.A @ steady.K, model.B
    for _ in range(lags):
        psi.append(model.V @ later)
        response.append(model.V @ driven)
        later, driven = model.A @ later, model.A @ driven
    response.append(model.V @ driven)
    return {
        "psi": np.array(psi),
        "innovation_cov": steady.S,
        "input_response": np.array(response),
        "output_mean": model.c + model.V @ stationary(model)[0],
        "modulus": np.sort(np.abs(np.linalg.eigvals(model.A)))[::-1],
    }


def _slope(vector: np.ndarray, sizes: tuple[int, int, int], series: Series) -> tuple[float, np.ndarray]:
    loglik, gradient = score(to_model(vector, sizes), series)
    return loglik, pull_back(vector, sizes, gradient)


def _differences(function: Any, x: np.ndarray) -> np.ndarray:
    """Jacobian by central differences."""
    columns = []
    for k in range(len(x)):
        step = np.zeros_like(x)
        step[k] = STEP
        columns.append((function(x + step) - function(x - step)) / (2 * STEP))
    return np.array(columns).T


def _spread(J: np.ndarray) -> np.ndarray:
    """Sizes of the rows, those that are zero left alone."""
    size = np.linalg.norm(J, axis=1, keepdims=True)
    return np.where(size > 0, size, 1.0)
