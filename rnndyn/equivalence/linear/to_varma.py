"""From a linear network to the VARMA model of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnndyn.equivalence.linear.state_space import (
    StateSpace,
    check_stable,
    factor,
    innovations,
    listed,
    radius,
    state_space,
    unseen_modes,
)
from rnndyn.equivalence.linear.varma import VARMA, Conversion, companion, expand, memory
from rnndyn.networks import Linear
from rnndyn.validate import choice

METHODS = ("auto", "observability", "cayley_hamilton")
EXACT = 1e-10  # largest error of a weight that is as good as none
REFUSED = 1e-7  # and from which on a form is refused
NOTHING = 1e-12  # coefficients up to here are zero
LAGS = 100, 10_000  # over which the error is measured, at least and at most


class Weights(NamedTuple):
    """Responses of the outputs, in units of the innovations' standard deviations: to innovations and to inputs.

    ``markov`` (lags, O, O + I) holds ``V A^j G``, G = [A K, B]; ``reach`` (n, n) is a factor of the sum of ``A^j G G'
    A'^j``, whose columns span the modes that noise and inputs drive.
    """

    A: np.ndarray
    V: np.ndarray
    markov: np.ndarray
    reach: np.ndarray
    deviations: np.ndarray
    units: np.ndarray


def to_varma(linear: Linear, *, method: str = "auto") -> VARMA:
    """The VARMA model with the same outputs, in law and in response to inputs, as a stable linear network with noise.

    Parameters
    ----------
    linear
        A `Linear` whose spectral radius is below 1, with noise on every output. Its read-out need be neither square nor
        invertible.
    method
        "observability": orders (nu, nu), nu the least number of lags from which the outputs of a noiseless network
        follow; "cayley_hamilton": orders (n, n), n hidden units, ``ar_i`` a multiple of the identity from the
        characteristic polynomial ("final equations form", [lutkepohl2005]_, section 12.1); "auto": the first of them,
        where modes that no output shows are left out.

    Returns
    -------
    VARMA
        Its ``conversion`` tells the measured error of the weights, McMillan's degree, and the modes that no output
        shows or that neither noise nor input drives. Where the lowest order would not give the weights to 1e-10, as
        with many slow units, it is the next one that does.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for an unstable network; for fewer noises than outputs; for a form whose weights are wrong
        by more than 1e-7, which that of Cayley and Hamilton is for ten slow units; for "observability" where some mode
        does not show in the outputs.

    Notes
    -----
    With K and S of the steady Kalman filter, ``psi_j = V A^j K`` and Cov(e) = S. Any AR polynomial that takes the
    outputs of the noiseless network to zero leaves ``ma_j = psi_j - ar_j - sum_{i<j} ar_i psi_{j-i}``, and the inputs
    likewise. It comes from the Hankel matrix of the weights by least squares, or from the characteristic polynomial by
    the recursion of Faddeev and LeVerrier. An invertible read-out without read-out noise gives a pure autoregression of
    order 1. Cost O(n^3) for the filter, O(n^3) for each order tried.

    The AR coefficients are those of least norm, whose polynomial has no root inside the unit circle, so that the model
    is stationary as the network is.

    Examples
    --------
    >>> noise = {"process_noise": np.eye(2), "observation_noise": [[1.0]]}
    >>> model = to_varma(Linear(None, [[0.5, 0.2], [0.0, 0.8]], W_hy=[[1.0, 1.0]], **noise))
    >>> model, model.ar.ravel().round(10).tolist()
    (VARMA(outputs=1, p=2, q=2, inputs=0, r=0), [1.3, -0.4])
    """
    choice(method, "method", METHODS)
    model = state_space(linear)
    check_stable(model.A, "scale W_hh down")
    steady = innovations(model)
    unobservable = unseen_modes(model.A, model.V)
    unreachable = unseen_modes(model.A.T, np.hstack([model.B, factor(model.Q)]).T)
    if method == "observability" and unobservable:
        raise ValueError(
            f"linear has modes that W_hy does not show (it is unobservable), of eigenvalues {listed(unobservable)}, "
            "and no observability index; method='auto' leaves them out"
        )
    weights = _weights(model, steady.S, steady.K)
    name = "cayley_hamilton" if method == "cayley_hamilton" else "observability"
    ar, error = _best(weights, name)
    if not error <= REFUSED:
        remedy = "use method='auto'" if name == "cayley_hamilton" else "it has too many slow units for its outputs"
        raise ValueError(
            f"method={name!r}: the weights of the best form found are wrong by {error:.1e} innovations' standard "
            f"deviations, more than {REFUSED}: {remedy}"
        )
    conversion = Conversion(name, error, len(weights.markov), _degree(weights), unobservable, unreachable)
    return _varma(model, steady.S, weights, ar, conversion)


def _weights(model: StateSpace, S: np.ndarray, K: np.ndarray) -> Weights:
    n = len(model.A)
    deviations = np.sqrt(np.diagonal(S))
    V = model.V / deviations[:, None]
    G = np.hstack([model.A @ K * deviations, model.B])
    lags = int(np.clip(memory(radius(model.A), 4 * n), *LAGS))
    reached = np.empty((lags, *G.shape))
    reached[0] = G
    for j in range(1, lags):
        reached[j] = model.A @ reached[j - 1]
    markov = V @ reached
    units = np.ones(G.shape[1])
    size = np.abs(markov).max(axis=(0, 1))
    units[len(V) :] = np.where(size > 0, size, 1.0)[len(V) :]
    reach = np.transpose(np.linalg.qr((reached / units).transpose(0, 2, 1).reshape(-1, n), mode="r"))
    return Weights(model.A, V, markov / units, reach, deviations, units)


def _observable_forms(w: Weights) -> Iterator[np.ndarray]:
    """AR coefficients (k, O, O) of rising order: ``V A^k = sum_i ar_i V A^{k-i}`` on what is reached, of least norm."""
    O, n = w.V.shape
    rows = [w.V @ w.reach]
    state = w.V
    orders = [*range(_degree(w) // O, n + 1), 3 * n // 2, 2 * n, 3 * n]
    yield np.zeros((0, O, O))
    for k in range(1, 3 * n + 1):
        state = state @ w.A
        rows.append(state @ w.reach)
        if k in orders:
            before = np.concatenate(rows[:k])
            ar = np.linalg.lstsq(before.T, rows[k].T, rcond=np.finfo(float).eps)[0].T
            yield ar.reshape(O, k, O).transpose(1, 0, 2)[::-1]


def _final_form(w: Weights) -> Iterator[np.ndarray]:
    """AR coefficients from det(I - A L) by the recursion of Faddeev and LeVerrier."""
    n, M, found = len(w.A), np.eye(len(w.A)), []
    for k in range(1, n + 1):
        AM = w.A @ M
        found.append(np.trace(AM) / k)
        M = AM - found[-1] * np.eye(n)
    yield np.array(found)[:, None, None] * np.eye(len(w.V))


def form_error(linear: Linear, method: str) -> float:
    """Error of the weights of the form that `to_varma` would give; it refuses one above 1e-7."""
    model = state_space(linear)
    steady = innovations(model)
    return _best(_weights(model, steady.S, steady.K), method)[1]


def _best(w: Weights, method: str) -> tuple[np.ndarray, float]:
    """The first form that is exact, else the one with the smallest error."""
    best, least = np.zeros((0, len(w.V), len(w.V))), np.inf
    for ar in _final_form(w) if method == "cayley_hamilton" else _observable_forms(w):
        error = _error(w, ar)
        if error < least:
            best, least = ar, error
        if error <= EXACT:
            break
    return best, least


def _error(w: Weights, ar: np.ndarray) -> float:
    """Largest error of the weights that the form gives back; inf for a good one that is not stationary."""
    with np.errstate(over="ignore", invalid="ignore"):
        again = expand(ar, _numerator(w, ar), len(w.markov))
        error = float(np.abs(again[1:] - w.markov).max())
    if not np.isfinite(error) or (error <= REFUSED and radius(companion(ar)) >= 1):
        return np.inf
    return error


def _numerator(w: Weights, ar: np.ndarray) -> np.ndarray:
    """Coefficients (k + 1, O, O + I) that with this AR part give the weights; those of lag 0 of innovations are zero.

    The response to an innovation comes a step later than that to an input: the inputs' columns count from lag 1 here.
    """
    k, O = len(ar), len(w.V)
    whole = np.concatenate([np.zeros((1, *w.markov.shape[1:])), w.markov[:k]])
    whole[0, :, :O] = np.eye(O)
    out = whole.copy()
    for j in range(1, k + 1):
        for i in range(1, j + 1):
            out[j] -= ar[i - 1] @ whole[j - i]
    return out


def _varma(model: StateSpace, S: np.ndarray, w: Weights, ar: np.ndarray, conversion: Conversion) -> VARMA:
    O = len(w.V)
    numerator = _numerator(w, ar)
    d = w.deviations
    ma, exog = _trimmed(numerator[1:, :, :O]), _trimmed(numerator[1:, :, O:])
    ar = _trimmed(ar) * d[:, None] / d
    mean = model.c + model.V @ np.linalg.solve(np.eye(len(model.A)) - model.A, model.b)
    const = (np.eye(O) - ar.sum(axis=0)) @ mean
    exog = exog * d[:, None] * w.units[O:]
    return VARMA(ar, ma * d[:, None] / d, S, exog=exog, const=const, conversion=conversion)


def _trimmed(coefficients: np.ndarray) -> np.ndarray:
    """Without the last lags, where they are zero up to rounding."""
    there = np.flatnonzero(np.abs(coefficients).max(axis=(1, 2), initial=0.0) > NOTHING)
    return coefficients[: there[-1] + 1] if there.size else coefficients[:0]


def _degree(w: Weights) -> int:
    """McMillan's degree: the rank of the Hankel matrix of the weights, up to 1e-10 of its largest singular value."""
    rows = [w.V @ w.reach]
    state = w.V
    for _ in range(len(w.A) - 1):
        state = state @ w.A
        rows.append(state @ w.reach)
    values = np.linalg.svd(np.concatenate(rows), compute_uv=False)
    return int((values > 1e-10 * values[0]).sum()) if values[0] > 0 else 0
