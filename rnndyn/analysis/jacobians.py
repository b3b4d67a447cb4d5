"""Products of the Jacobians along a run: their singular values and norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front, paths
from rnndyn.analysis.graded import Product, log_singular_values
from rnndyn.analysis.slopes import log_slope
from rnndyn.devices import resolve_for, running_on
from rnndyn.frontdoor import as_sequences, on_processor
from rnndyn.networks.base import Network
from rnndyn.schema import Status
from rnndyn.tangents import walked
from rnndyn.validate import as_integer

if TYPE_CHECKING:
    from xarray import Dataset

CHUNK_ELEMENTS = 1_000_000  # of the Jacobians, and of the products whose singular values are, computed together
PATHS: dict[str, Callable[[paths.Split], np.ndarray]] = {
    "log_direct_path": paths.Split.log_direct,
    "log_direct_norm": lambda split: split.log_direct().max(axis=1),
    "log_recurrent_norm": paths.Split.log_recurrent_norm,
}


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
        "cpu"; "cuda" computes the states, and the derivatives of each unit's update that the Jacobians are made of, on
        a GPU, for networks of one cell and a `Stack` of them; products and singular values stay on the processor.
        "auto" takes the GPU where there is one that can. Arrays that are on a GPU already are copied to the processor.

    Returns
    -------
    Dataset
        ``log_singular_value (time, index)``, falling, in nats; -inf for a product that is singular, exactly or to
        rounding. ``log_norm (time)``, the log of the 2-norm, is the first of them. ``rate (time, index)``: the same
        over t, the finite-time Lyapunov exponents; they tend to those of `lyapunov_spectrum`, the difference falling as
        1/t or, in chaos, as 1/sqrt(t). ``bound (time)``: an upper bound on log_norm, for `Elman` and `Linear` ``t
        log(gamma rho)``, gamma the steepest slope of the activation, rho = ||W_hh||_2; for other cells the sum of log
        ||J_i||_2.

        For networks of cells, the product is taken apart. ``log_direct_path (time, state)``: log of the product of
        each state variable's derivative by its own old value at fixed pre-activations, so of f_1 ... f_t for the c of
        an LSTM (with peepholes, of all that c_t owes to c_{t-1} within its unit), of z_1 ... z_t for a GRU that keeps
        (1 - z for one that writes), ``t log(1 - alpha)`` for `Leaky`; -inf where there is none, as for `Elman` and the
        h of an LSTM. ``log_direct_norm (time)`` is the largest. ``log_recurrent_norm (time)``: log of the 2-norm of all
        other paths, those that pass recurrent weights at least once, which is ``J_t ... J_1 - D_t ... D_1`` with D the
        Jacobians at fixed pre-activations.

        ``status``: 5 (ill-conditioned) where a value of -inf rests on rounding alone; 2 (diverged) and NaN from the
        step on where the state or its Jacobian is not finite. Dimensions ``network`` and ``batch`` are added as in
        `lyapunov_spectrum`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    DeviceError
        For ``device="cuda"`` without a usable GPU, and for networks that have no kernels there: `Map`, `ClosedLoop` and
        `LayerNormLSTM`.

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
    nets = front.networks(net)
    device = resolve_for(device, bool(paths.names(nets[0])), f"the run of a {type(nets[0]).__name__}")
    call = {name: value for name, value in locals().items() if name not in ("net", "nets")}
    every = as_integer(every, "every", minimum=1)
    with running_on(device):
        given = on_processor(inputs, "inputs"), on_processor(initial_state, "initial_state")
    x, s0, steps, single = as_sequences(nets[0], *given, steps)
    if not steps:
        raise ValueError("steps is 0: a product of at least one Jacobian is wanted")
    times = np.array([t for t in range(1, steps + 1) if t % every == 0 or t == steps])
    with running_on(device):
        results = [_along(one, x, s0, times) for one in nets]
    data = {name: np.stack([result[name] for result in results]) for name in results[0]}
    for axis, kept in ((1, not single), (0, isinstance(front.plural(net), list))):
        if not kept:
            data = {name: np.take(values, 0, axis=axis) for name, values in data.items()}
    coords = {"time": ("time", times, {"long_name": "time step", "units": "step"})}
    return schema.build("jacobian_products", data, net=front.plural(net), call=call, coords=coords)


def _along(net: Network, x: np.ndarray | None, s: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of the result for one network, with the axes batch, time, index or state."""
    batch, size = s.shape
    product, bound = Product(batch, size), np.zeros(batch)
    split = paths.Split(batch, size) if paths.names(net) else None
    diverged_at = np.full(batch, times[-1] + 1)
    chunk = max(1, CHUNK_ELEMENTS // max(1, batch * size * size))
    pending: list[tuple[np.ndarray, np.ndarray]] = []
    values: list[np.ndarray] = []
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("bound", *(PATHS if split else ()))}
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (D, R, after) in enumerate(_linearised(net, x, s, times[-1]), 1):
            lost = ~(np.isfinite(D + R).all(axis=(1, 2)) & np.isfinite(after).all(axis=1))
            diverged_at[lost] = np.minimum(diverged_at[lost], t)
            lost = lost[:, None, None]
            D, R = np.where(lost, np.eye(size), D), np.where(lost, 0, R)
            product.push(D + R)
            bound = bound + log_slope(net, D + R)
            if split:
                split.push(D, R)
            if t != times[len(kept["bound"])]:
                continue
            kept["bound"].append(bound)
            if split:
                for name, of in PATHS.items():
                    kept[name].append(of(split))
            pending.append((product.log_rows, product.rows))
            if len(pending) == chunk or t == times[-1]:
                values.append(_values(pending))
                pending = []
    data = {"log_singular_value": np.concatenate(values, axis=1)}
    data |= {name: np.stack(arrays, axis=1) for name, arrays in kept.items()}
    data |= {"log_norm": data["log_singular_value"][..., 0], "rate": data["log_singular_value"] / times[:, None]}
    gone = times >= diverged_at[:, None]
    data = {name: np.where(gone.reshape(*gone.shape, *(1,) * (v.ndim - 2)), np.nan, v) for name, v in data.items()}
    status = np.where(product.unresolved, Status.ILL_CONDITIONED, Status.OK)
    status[gone.any(axis=1)] = Status.DIVERGED
    return data | {"status": status}


def _linearised(net: Network, x: np.ndarray | None, s: np.ndarray, steps: int) -> Iterator[tuple]:
    """Direct and recurrent part (B, S, S) of the Jacobian of each step, and the state (B, S) after it.

    Where there is no telling the parts, the first is zero. States that have left the range of numbers count as zero
    before the next step. Many steps are taken at a time.
    """
    batch, size = s.shape
    many = max(1, CHUNK_ELEMENTS // max(1, batch * size * size))
    for start in range(0, steps, many):
        count = min(many, steps - start)
        given = None if x is None else np.ascontiguousarray(x[:, start : start + count])
        after = walked(net, given, s, count).swapaxes(0, 1)
        finite = np.where(np.isfinite(after).all(axis=2, keepdims=True), after, after.dtype.type(0))
        before = np.concatenate([s[None], finite[:-1]]).reshape(count * batch, size)
        rows = (
            None if given is None else np.ascontiguousarray(given.swapaxes(0, 1)).reshape(count * batch, net.input_size)
        )
        parts = dynamics.split_jacobian(net, before, rows) if paths.names(net) else _whole(net, before, rows)
        yield from zip(*(part.reshape(count, batch, size, size) for part in parts), after, strict=True)
        s = np.ascontiguousarray(finite[-1])


def _whole(net: Network, s: np.ndarray, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    J = dynamics.jacobian(net, s, x)
    return np.zeros_like(J), J


def _values(products: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Singular values (B, n, S) of n products of B sequences."""
    log_rows, rows = (np.stack(parts, axis=1) for parts in zip(*products, strict=True))
    batch, count, size = log_rows.shape
    return log_singular_values(log_rows.reshape(-1, size), rows.reshape(-1, size, size)).reshape(batch, count, size)
