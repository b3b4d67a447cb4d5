"""How the gradient of a loss flows back through time: its size at each step, its paths, its rate, a bound on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front, paths
from rnndyn.analysis.growth import BLOCKS, mean_and_error
from rnndyn.analysis.slopes import log_slope
from rnndyn.errors import check_device
from rnndyn.frontdoor import as_sequences
from rnndyn.gradients import state_gradients
from rnndyn.networks.base import Network
from rnndyn.networks.layer_norm import LayerNormLSTM
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.schema import Status

if TYPE_CHECKING:
    from xarray import Dataset


def gradient_flow(
    net: Network,
    inputs: Any,
    targets: Any,
    *,
    loss: Any = "mse",
    initial_state: Any = None,
    lengths: Any = None,
    mask: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Size of dL/ds_t, the whole derivative of a loss by the state at each time.

    Parameters
    ----------
    net
        A network.
    inputs, targets, loss, initial_state, lengths, mask
        As in `value_and_grad`. A mask that is 1 at the last step only shows the flow from there.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``gradient_norm (time)``: the 2-norm of dL/ds_t. ``log_gradient_norm (time)``: its logarithm, also where
        gradient_norm underflows to 0; -inf only where the gradient is exactly 0 (after the end of a sequence, behind a
        singular Jacobian). For an LSTM (SRU, QRNN) ``gradient_norm_hidden`` and ``gradient_norm_cell``, of dL/dh_t and
        dL/dc_t alone. ``bound (time)``: the sum over i >= t of the size of the loss's own derivative at step i times
        (gamma rho)^(i-t) for `Elman` and `Linear` (see `jacobian_products`), for other cells times the product of
        ||J||_2; inf or 0 where it leaves the range of numbers. ``status``: 2 (diverged) where a gradient is not finite.
        Coordinate ``lag (time)`` = T - t. The dimension ``batch`` is there for a batch of inputs; the loss is the mean
        over it.

        ``log_path_norm (time, path)``, for networks of cells: what reaches dL/ds_t from dL/ds_{t+1} by each path
        through the step between, log of its 2-norm, -inf where nothing does. The paths are "direct", at fixed
        pre-activations, and the gates, each by its recurrent weights; for an LSTM "i", "f", "g", "o", for a GRU "r",
        "z", "n" (what passes the reset gate's weights is r's); in a `Stack` "0.direct" and so on. The parts, as
        vectors, add up to dL/ds_t less the loss's own derivative by s_t.

        ``rate``: growth of log_gradient_norm per step back in time, negative where gradients vanish: its mean from the
        first lag with a gradient to the last; -inf if the gradient becomes exactly 0, NaN where fewer than two are
        known. ``rate_stderr``: from the scatter of about sqrt(T) blocks, NaN for fewer than four steps. ``rate_drift``:
        the rate over the larger half of the lags minus that over the smaller; where it is much more than rate_stderr,
        the decay is no exponential, and one rate doesn't describe it.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The gradients are those of backpropagation; the bound is that of [pascanu2013]_. With a loss at the last step only,
    `rate` tends to the largest Lyapunov exponent as T grows, for a product of Jacobians and its transpose have the same
    singular values, unless the loss is blind to that direction. With a loss at every step it says how the whole
    gradient changes, often little.

    An LSTM's dL/dc_t is often written as ``dL/dh_t o_t (1 - tanh^2 c_t) + f_{t+1} dL/dc_{t+1}``, which is so if dL/dh_t
    holds the paths through the gates of the next step; with the loss's own derivative alone it is the direct path only.
    Cost O(B T S^2), for cells other than Elman's O(B T S^3).

    Examples
    --------
    >>> from rnndyn.networks.elman import Linear
    >>> mask = np.arange(1, 1001) == 1000
    >>> ds = gradient_flow(Linear([[1.0]], [[0.1]]), np.ones((1000, 1)), np.zeros((1000, 1)), mask=mask)
    >>> ds.gradient_norm.values[0].item(), round(ds.log_gradient_norm.values[0].item() / float(np.log(0.1)), 3)
    (0.0, 998.954)
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    if len(front.networks(net)) != 1 or not isinstance(net, Network):
        raise TypeError("net is a sequence of networks: one network is wanted")
    given = {"loss": loss, "initial_state": initial_state, "lengths": lengths, "mask": mask}
    gradients, own = (part.astype(np.float64) for part in state_gradients(net, inputs, targets, **given))
    x, s0, steps, single = as_sequences(net, inputs, initial_state)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        data = {"gradient_norm": np.exp(_log_norm(gradients))}
        states = dynamics.forward(net, x, s0, steps)
        data["log_gradient_norm"], log_bound, log_parts = _backward(net, x, states, own)
        data["bound"] = np.exp(log_bound)
        if by := paths.names(net):
            data["log_path_norm"] = log_parts
        if isinstance(net, LayerNormLSTM) or (isinstance(net, CellNetwork) and net.cell.states == 2):
            data["gradient_norm_hidden"] = np.exp(_log_norm(gradients[..., : net.hidden_size]))
            data["gradient_norm_cell"] = np.exp(_log_norm(gradients[..., net.hidden_size :]))
    rates = np.array([_rate(row[::-1]) for row in data["log_gradient_norm"]]).reshape(-1, 3)
    data |= dict(zip(("rate", "rate_stderr", "rate_drift"), rates.T, strict=True))
    data["status"] = np.where(np.isfinite(gradients).all(axis=(1, 2)), Status.OK, Status.DIVERGED)
    if single:
        data = {name: values[0] for name, values in data.items()}
    lag = ("time", np.arange(steps)[::-1], {"long_name": "steps to the last", "units": "step"})
    path = {"path": ("path", by, {"long_name": "path through one step", "units": "1"})} if by else {}
    return schema.build("gradient_flow", data, net=net, call=call, coords={"lag": lag} | path)


def _rate(logs: np.ndarray) -> tuple[float, float, float]:
    """Mean growth per step of log norms in the order of the lags, its standard error, and its drift."""
    logs = logs[np.argmax(np.isfinite(logs)) :] if len(logs) else logs  # from the first lag with a gradient
    if len(logs) < 2 or not np.isfinite(logs[0]) or not (logs < np.inf).all():
        return np.nan, np.nan, np.nan
    if np.isneginf(logs[-1]):
        return -np.inf, 0.0, 0.0
    rate = (logs[-1] - logs[0]) / (len(logs) - 1)
    if not np.isfinite(logs).all():
        return rate, np.nan, np.nan
    growth = np.diff(logs)
    blocks = np.array_split(growth, min(int(np.sqrt(len(growth))), BLOCKS))
    sums, steps = (np.array([of(block) for block in blocks], np.float64) for of in (np.sum, len))
    half = len(growth) // 2
    drift = growth[-half:].mean() - growth[:half].mean() if half else np.nan
    return rate, float(mean_and_error(sums, steps)[1]), drift


def _backward(net: Network, x, states: np.ndarray, of_loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithms of the norms and of their bounds (B, T), and of the norms of the parts by path (B, T, P).

    The adjoint ``g_t = e_t + J_{t+1}' g_{t+1}`` is run again with its size kept apart, as exp(scale) times a unit
    vector; e_t is the loss's own derivative by the hidden units, (B, T, H).
    """
    batch, steps, size = states.shape
    hidden = dynamics.hidden_of(net, np.arange(size))
    logs, bounds = np.empty((batch, steps)), np.empty((batch, steps))
    parts = np.full((batch, steps, len(paths.names(net))), -np.inf)
    unit, scale, bound = np.zeros((batch, size)), np.full(batch, -np.inf), np.full(batch, -np.inf)
    for t in range(steps - 1, -1, -1):
        own = np.zeros((batch, size))
        own[:, hidden] = of_loss[:, t]
        if t < steps - 1:
            x_next, s = None if x is None else np.ascontiguousarray(x[:, t + 1]), np.ascontiguousarray(states[:, t])
            J = dynamics.jacobian(net, s, x_next).astype(np.float64)
            back = np.swapaxes(J, 1, 2)
            if parts.size:
                parts[:, t] = scale[:, None] + _log_norm(paths.pull(net, s, x_next, unit))
            unit, bound = (back @ unit[..., None])[..., 0], bound + log_slope(net, J)
        log_own, own = _split(own)
        top = np.maximum(scale, log_own)
        finite = np.where(np.isneginf(top), 0, top)
        growth, unit = _split(unit * np.exp(scale - finite)[:, None] + own * np.exp(log_own - finite)[:, None])
        scale = top + growth
        bound = np.logaddexp(bound, log_own)
        logs[:, t], bounds[:, t] = scale, bound
    return logs, bounds, parts


def _split(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the norms of vectors (B, S), and the unit vectors (or zeros)."""
    logs = _log_norm(v)
    largest = np.abs(v).max(axis=1, initial=0.0)
    scaled = v / np.where(largest > 0, largest, 1)[:, None]
    return logs, scaled / np.where(largest > 0, np.linalg.norm(scaled, axis=1), 1)[:, None]


def _log_norm(v: np.ndarray) -> np.ndarray:
    """Logarithm of the 2-norm along the last axis; neither squares underflow nor overflow."""
    largest = np.abs(v).max(axis=-1, initial=0.0)
    scaled = v / np.where(largest > 0, largest, 1)[..., None]
    return np.log(largest) + np.log(np.where(largest > 0, np.linalg.norm(scaled, axis=-1), 1))
