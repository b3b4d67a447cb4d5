"""The derivative of a gated scalar recurrence as a sum over paths: each step is direct, or through the weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front, paths
from rnndyn.analysis.floats import Float
from rnndyn.errors import check_device
from rnndyn.frontdoor import as_sequences
from rnndyn.networks.base import Network
from rnndyn.schema import Status
from rnndyn.validate import as_array

if TYPE_CHECKING:
    from xarray import Dataset

AUTOMATIC = 1 << 16  # paths that are listed without asking, of all sequences together
MOST = 1 << 24  # paths that are listed at all: 300 MB
EPS = float(np.finfo(np.float64).eps)
DOUBTFUL = 1e-6  # relative error from which on a sum is called ill-conditioned


def gradient_paths(
    net: Network,
    inputs: Any = None,
    *,
    steps: int | None = None,
    initial_state: Any = None,
    terms: bool | None = None,
    device: str = "cpu",
) -> Dataset:
    """Expand dh_T/dh_0 of a network with one state variable into its 2^T paths, by how often they pass the weights.

    Parameters
    ----------
    net
        A network of cells with a single state variable: one unit, and no LSTM, which has two.
    inputs : (B, T, I) or (T, I), optional
        Inputs of the run.
    steps
        T, for a network without inputs.
    initial_state : (1,) or (B, 1), optional
        Zeros by default.
    terms
        As in `gradient_paths_from_terms`.
    device
        "cpu".

    Returns
    -------
    Dataset
        That of `gradient_paths_from_terms`, for the derivative at fixed pre-activations (z of a GRU that keeps, 1 -
        alpha of `Leaky`, 0 of `Elman`) and for what passes the recurrent weights, of all gates together.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for a network with more state variables, whose paths are products of matrices:
        `jacobian_products` tells their direct part from the rest.

    Examples
    --------
    >>> from rnndyn.networks import Leaky
    >>> net = Leaky(None, [[0.5]], alpha=0.25, activation="identity")  # h' = (0.75 + 0.125) h
    >>> ds = gradient_paths(net, steps=3)
    >>> np.exp(ds.log_sum).values.round(6).tolist()
    [0.421875, 0.210938, 0.035156, 0.001953]
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    if len(front.networks(net)) != 1 or not isinstance(net, Network):
        raise TypeError("net is a sequence of networks: one network is wanted")
    if not paths.names(net):
        raise TypeError(f"net is a {type(net).__name__}: its terms are not known; use gradient_paths_from_terms")
    if net.state_size != 1:
        raise ValueError(
            f"net has {net.state_size} state variables: one is wanted, for paths of numbers; "
            "rnndyn.jacobian_products tells direct from recurrent paths of any network"
        )
    x, s0, steps, single = as_sequences(net, inputs, initial_state, steps)
    if not steps:
        raise ValueError("steps is 0: at least one step is wanted")
    before = np.concatenate([s0[:, None], dynamics.forward(net, x, s0, steps)[:, :-1]], axis=1)
    batch = len(s0)
    flat = None if x is None else x.reshape(batch * steps, net.input_size)
    by_path = paths.pull(net, before.reshape(-1, 1), flat, np.ones((batch * steps, 1)))[..., 0]
    both = np.stack([by_path[:, 0], by_path[:, 1:].sum(axis=1)]).reshape(2, batch, steps)
    direct, recurrent = both[:, 0] if single else both
    return _dataset(direct, recurrent, terms, call, net)


def gradient_paths_from_terms(direct: Any, recurrent: Any, *, terms: bool | None = None) -> Dataset:
    """Expand the product of ``direct_t + recurrent_t`` over time into its paths, one term from each step.

    Parameters
    ----------
    direct, recurrent : (B, T) or (T,)
        The two terms of dh_t/dh_{t-1}: for ``h_t = a h_{t-1} + g_t b tanh(h_{t-1})``, a and ``g_t b (1 -
        tanh^2(h_{t-1}))``. One of them may be (T,) for all sequences.
    terms
        Whether to list the paths one by one. None does where there are at most 2^16 in all; True refuses more than
        2^24.

    Returns
    -------
    Dataset
        By the number ``length`` = 0..T of recurrent factors of a path: ``log_sum`` and ``sign``, of the sum of all
        paths of this length; ``log_mass``, of the sum of their absolute values; ``log_count``, of their number, those
        with a factor 0 left out; ``relative_error``, a bound on that of the sum, inf where the paths cancel so far that
        nothing can be said. ``n_active``: steps with both terms, which are all that a path can choose at: there are
        2^n_active paths, or none where both terms of a step are 0. ``log_product`` and ``product_sign``: of the product
        of the sums, which is the sum of all paths.

        With ``terms``, for each ``path``: ``log_term``, ``term_sign`` and ``term_length``. Bit j of the path's number
        tells whether it takes the recurrent term at ``active_steps[j]`` (an attr; steps count from 1).

        ``status``: 5 (ill-conditioned) where a relative_error is above 1e-6; 2 (diverged), with NaN, where a network
        ran to terms that are not finite.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for more paths to list than fit in memory.

    Notes
    -----
    The sums are the coefficients of the polynomial ``prod_t (direct_t + recurrent_t q)`` in q, multiplied out one
    factor after the other: cost O(T^2), memory O(T), nothing is enumerated. Numbers are held as a fraction and an
    exponent of their own, so nothing over- or underflows and only additions round.

    There are 2^T paths only if all T gates are active. Their number alone makes no gradient unstable: it is their sum
    that counts, and it is a product of T numbers.

    Examples
    --------
    >>> ds = gradient_paths_from_terms([0.5, 0.5, 0.5], [0.25, 0.0, 0.25])
    >>> np.exp(ds.log_count).values.round().tolist(), ds.n_active.item()
    ([1.0, 2.0, 1.0, 0.0], 2)
    >>> np.exp(ds.log_term).values.round(6).tolist()
    [0.125, 0.0625, 0.0625, 0.03125]
    """
    call = {"direct": direct, "recurrent": recurrent, "terms": terms}
    dims = ("batch", "time")
    d = as_array(direct, "direct", dims, dtype="float64", optional=("batch",))
    sizes = {"time": d.shape[-1]} | ({"batch": len(d)} if d.ndim == 2 else {})
    r = as_array(recurrent, "recurrent", dims, sizes=sizes, dtype="float64", optional=("batch",))
    if not d.shape[-1]:
        raise ValueError("direct has no time steps: at least one is wanted")
    d, r = np.broadcast_arrays(d, r)
    return _dataset(d, r, terms, call, None)


def _dataset(d: np.ndarray, r: np.ndarray, terms: bool | None, call: dict, net: Network | None) -> Dataset:
    single, steps = d.ndim == 1, d.shape[-1]
    d, r = np.atleast_2d(d), np.atleast_2d(r)
    lost = ~(np.isfinite(d) & np.isfinite(r)).all(axis=1)
    d, r = (np.where(lost[:, None], 1, term) for term in (d, r))
    active = (d != 0) & (r != 0)
    sums, mass = _polynomial(d, r), _polynomial(np.abs(d), np.abs(r))
    with np.errstate(invalid="ignore", over="ignore"):
        # Of each path T products and at most T additions round, by half an eps; half as much again for `mass` itself.
        error = 1.5 * steps * EPS * np.exp(mass.log() - sums.log())
    error = np.where(mass.fraction == 0, 0, np.where(error < 1, error, np.inf))
    product = _product(d, r)
    numbers = {
        "log_sum": sums.log(),
        "log_mass": mass.log(),
        "log_count": _log_count(d, r),
        "relative_error": error,
        "log_product": product.log(),
    }
    signs = {"sign": sums.sign(), "product_sign": product.sign(), "n_active": active.sum(axis=1)}
    chosen = np.flatnonzero(active.any(axis=0))
    if _listed(terms, len(d), len(chosen)):
        path, signs["term_length"] = _terms(d, r, chosen)
        numbers["log_term"], signs["term_sign"] = path.log(), path.sign()
    for array in numbers.values():
        array[lost] = np.nan
    status = np.where((error > DOUBTFUL).any(axis=1), Status.ILL_CONDITIONED, Status.OK)
    data = numbers | signs | {"status": np.where(lost, Status.DIVERGED, status)}
    if single:
        data = {name: values[0] for name, values in data.items()}
    coords = {"length": ("length", np.arange(steps + 1), {"long_name": "recurrent factors of a path", "units": "1"})}
    attrs = {"active_steps": chosen + 1}
    return schema.build("gradient_paths", data, net=net, call=call, coords=coords, attrs=attrs)


def _listed(terms: bool | None, batch: int, active: int) -> bool:
    """Whether to list the paths."""
    number = batch << active
    if terms and number > MOST:
        raise ValueError(f"terms=True would list 2^{active} paths for each of {batch} sequences: at most 2^24 in all")
    return number <= AUTOMATIC if terms is None else bool(terms)


def _terms(d: np.ndarray, r: np.ndarray, chosen: np.ndarray) -> tuple[Float, np.ndarray]:
    """Every path (B, 2^n) and its length: where a sequence has one term only at a step, all its paths take that."""
    value, length = Float.of(np.ones((len(d), 1))), np.zeros((len(d), 1), int)
    first, second = Float.of(d), Float.of(r)
    only, forced = Float.of(np.where(d != 0, d, r)), (d == 0) & (r != 0)
    for t in range(d.shape[1]):
        at = np.s_[:, t, None]
        if t in chosen:
            value = (value * first[at]).beside(value * second[at])
            length = np.concatenate([length, length + 1], axis=1)
        else:
            value, length = value * only[at], length + forced[at]
    return value, length


def _log_count(d: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Logarithm of the number of paths by length, a binomial coefficient."""
    steps = d.shape[1]
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, steps + 1)))])
    n = ((d != 0) & (r != 0)).sum(axis=1)[:, None]
    k = np.arange(steps + 1) - ((d == 0) & (r != 0)).sum(axis=1)[:, None]
    possible = (k >= 0) & (k <= n) & ((d != 0) | (r != 0)).all(axis=1)[:, None]
    k = np.clip(k, 0, n)
    return np.where(possible, factorial[n] - factorial[k] - factorial[n - k], -np.inf)


def _polynomial(d: np.ndarray, r: np.ndarray) -> Float:
    """Coefficients (B, T + 1) of ``prod_t (d_t + r_t q)``."""
    first, second = Float.of(d), Float.of(r)
    c, nothing = Float.of(np.ones((len(d), 1))), Float.of(np.zeros((len(d), 1)))
    for t in range(d.shape[1]):
        c = (c * first[:, t, None]).beside(nothing) + nothing.beside(c * second[:, t, None])
    return c


def _product(d: np.ndarray, r: np.ndarray) -> Float:
    """``prod_t (d_t + r_t)``, (B,)."""
    value, both = Float.of(np.ones(len(d))), Float.of(d) + Float.of(r)
    for t in range(d.shape[1]):
        value = value * both[:, t]
    return value
