"""Products of the Jacobians along a run: their singular values and norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.analysis.graded import Product, log_singular_values
from rnndyn.analysis.slopes import log_slope
from rnndyn.errors import check_device
from rnndyn.frontdoor import as_sequences
from rnndyn.networks.base import Network
from rnndyn.schema import Status
from rnndyn.validate import as_integer

if TYPE_CHECKING:
    from xarray import Dataset

CHUNK_ELEMENTS = 1_000_000  # of the products whose singular values are computed together


def jacobian_products(
    net: Any,
    inputs: Any = None,
    *,
    steps: int | None = None,
    initial_state: Any = None,
    every: int = 1,
    device: str = "cpu",
) -> Dataset:
    """Singular values of the products ``J_t ... J_1`` of the Jacobians along a run, for all t.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size.
    inputs : (B, T, I) or (T, I), optional
        Inputs of the run.
    steps
        T, for a network without inputs.
    initial_state : (S,) or (B, S), optional
        Zeros by default.
    every
        Report every so many steps, and the last; the product takes them all.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``log_singular_value (time, index)``, falling, in nats; -inf for a product that is singular, exactly or to
        rounding. ``log_norm (time)``, the log of the 2-norm, is the first of them. ``bound (time)``: an upper bound on
        log_norm, for `Elman` and `Linear` ``t log(gamma rho)``, gamma the steepest slope of the activation, rho =
        ||W_hh||_2; for other cells the sum of log ||J_i||_2. ``status``: 5 (ill-conditioned) where a value of -inf
        rests on rounding alone; 2 (diverged) and NaN from the step on where the state or its Jacobian is not finite.
        Dimensions ``network`` and ``batch`` are added as in `lyapunov_spectrum`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Neither overflow nor underflow, whatever T. Each singular value is that of a product of slightly changed Jacobians,
    ||dJ_i|| about S eps ||J_i||: its logarithm is wrong by about eps times the sum of the condition numbers of the J_i,
    at most, and by 1e-16 of its size. For well-conditioned Jacobians this is 1e-13 over 1000 steps, for the smallest as
    for the largest. See `rnndyn.analysis.graded` for the method. Cost O(S^3) per step, and about 10 times that per
    reported time.

    Examples
    --------
    >>> from rnndyn.networks.map import Map
    >>> rotate = Map(lambda s, x, p: (-2.0 * s[1], 2.0 * s[0]), 2)
    >>> ds = jacobian_products(rotate, steps=3000, every=1000)
    >>> (ds.log_norm / ds.time / np.log(2)).values.round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    nets = front.networks(net)
    every = as_integer(every, "every", minimum=1)
    x, s0, steps, single = as_sequences(nets[0], inputs, initial_state, steps)
    if not steps:
        raise ValueError("steps is 0: a product of at least one Jacobian is wanted")
    times = np.array([t for t in range(1, steps + 1) if t % every == 0 or t == steps])
    results = [_along(one, x, s0, times) for one in nets]
    data = {name: np.stack([result[name] for result in results]) for name in results[0]}
    for axis, kept in ((1, not single), (0, isinstance(front.plural(net), list))):
        if not kept:
            data = {name: np.take(values, 0, axis=axis) for name, values in data.items()}
    coords = {"time": ("time", times, {"long_name": "time step", "units": "step"})}
    return schema.build("jacobian_products", data, net=front.plural(net), call=call, coords=coords)


def _along(net: Network, x: np.ndarray | None, s: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of the result for one network, with the axes batch, time, index."""
    batch, size = s.shape
    values, bounds = np.empty((batch, len(times), size)), np.empty((batch, len(times)))
    product, bound = Product(batch, size), np.zeros(batch)
    diverged_at = np.full(batch, times[-1] + 1)
    chunk = max(1, CHUNK_ELEMENTS // (batch * size * size))
    pending: list[tuple[np.ndarray, np.ndarray]] = []
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, times[-1] + 1):
            x_t = None if x is None else np.ascontiguousarray(x[:, t - 1])
            J = dynamics.jacobian(net, s, x_t).astype(np.float64)
            s = dynamics.step(net, s, x_t)
            lost = ~(np.isfinite(J).all(axis=(1, 2)) & np.isfinite(s).all(axis=1))
            diverged_at[lost] = np.minimum(diverged_at[lost], t)
            s, J = np.where(lost[:, None], 0, s).astype(net.dtype), np.where(lost[:, None, None], np.eye(size), J)
            product.push(J)
            bound = bound + log_slope(net, J)
            if t != times[done + len(pending)]:
                continue
            bounds[:, done + len(pending)] = bound
            pending.append((product.log_rows, product.rows))
            if len(pending) == chunk or t == times[-1]:
                values[:, done : done + len(pending)] = _values(pending)
                done, pending = done + len(pending), []
    gone = times >= diverged_at[:, None]
    values[gone], bounds[gone] = np.nan, np.nan
    status = np.where(product.unresolved, Status.ILL_CONDITIONED, Status.OK)
    status[gone.any(axis=1)] = Status.DIVERGED
    return {"log_singular_value": values, "log_norm": values[..., 0].copy(), "bound": bounds, "status": status}


def _values(products: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Singular values (B, n, S) of n products of B sequences."""
    log_rows, rows = (np.stack(parts, axis=1) for parts in zip(*products, strict=True))
    batch, count, size = log_rows.shape
    return log_singular_values(log_rows.reshape(-1, size), rows.reshape(-1, size, size)).reshape(batch, count, size)
