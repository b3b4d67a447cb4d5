"""Lyapunov exponents over blocks of a run, and how they scatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.growth import mean_and_error
from rnndyn.analysis.measure import Measure, mover
from rnndyn.devices import running_on
from rnndyn.frontdoor import on_processor
from rnndyn.schema import Status
from rnndyn.tangents import course, device_of
from rnndyn.validate import as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset


def finite_time_exponents(
    net: Any,
    inputs: Any = None,
    *,
    window: int = 100,
    k: int | None = None,
    steps: int = 10_000,
    warmup: int = 1_000,
    initial_state: Any = None,
    trajectories: int = 1,
    qr_interval: int | str = "auto",
    time_step: float = 1.0,
    rng: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Lyapunov exponents of one block of steps after the other, with the moments of their large deviations.

    Parameters
    ----------
    net, inputs
        As in `lyapunov_spectrum`.
    window
        Steps of a block.
    k
        As in `lyapunov_spectrum`.
    steps, warmup
        As in `lyapunov_spectrum`; what is left of `steps` after the last whole block is not used.
    initial_state, trajectories
        As in `lyapunov_spectrum`.
    qr_interval
        As in `lyapunov_spectrum`. Every block ends with an orthonormalisation.
    time_step, rng
        As in `lyapunov_spectrum`.
    device
        As in `lyapunov_spectrum`; here a GPU takes linear networks too.

    Returns
    -------
    Dataset
        ``local_exponent (block, index)``: the growth of the i-th column of the frame, 1/window log R_ii, in the order
        of the frame (not sorted); it depends on the frame that enters the block, which the past of the run has aligned
        (`covariant_lyapunov_vectors` gives the growth of vectors that belong to a state). Over the blocks ``exponent
        (index)`` and its ``stderr``; ``variance``, ``skewness``, and ``diffusion``, the variance times the duration of
        a block, which tends to a constant as blocks grow longer than the correlations ([grassberger1988]_). Of n
        independent blocks the variance has a relative error of sqrt(2/n), the skewness an error of sqrt(6/n), if they
        are close to normal. -inf where a direction vanishes in every step; NaN for moments that this, or having fewer
        blocks than two (three for the skewness), leaves undefined, and for the skewness of equal blocks. ``status``: 2
        (diverged), with NaN; 5 (ill-conditioned) where `qr_interval` is too long for the spread of the growth.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    DeviceError
        For ``device="cuda"`` without a usable GPU, and for networks of more than one cell, or none.

    Notes
    -----
    Cost as that of `lyapunov_spectrum`, and O(k) memory a block.

    Examples
    --------
    >>> from rnndyn.networks.map import Map
    >>> logistic = Map(lambda s, x, p: 4 * s * (1 - s), 1)
    >>> ds = finite_time_exponents(logistic, window=10, steps=2000, warmup=100, rng=0)
    >>> ds.sizes["block"], bool(abs(ds.exponent.item() - np.log(2)) < 0.02)
    (200, True)
    """
    nets = front.networks(net)
    device = device_of(device, nets[0])
    call = {name: value for name, value in locals().items() if name not in ("net", "nets")}
    k = front.count(k, "k", nets[0].state_size)
    window = as_integer(window, "window", minimum=1)
    with running_on(device):
        initial_state = on_processor(initial_state, "initial_state")
        x, rows, batched = front.trajectories_of(nets[0], inputs, initial_state, trajectories)
    length, start = front.duration(x, steps, warmup)
    blocks = length // window
    if not blocks:
        raise ValueError(f"window is {window}: at most steps = {length} are wanted, so that one block is whole")
    interval = None if qr_interval == "auto" else as_integer(qr_interval, "qr_interval", minimum=1)
    dt, rng = as_number(time_step, "time_step", above=0), as_generator(rng)
    drawn = [(front.initial_states(one, initial_state, rows, rng), front.random_frame(one, rng)) for one in nets]
    s, frames = (np.stack(parts) for parts in zip(*drawn, strict=True))
    Q = np.repeat(frames[..., :k], rows, axis=0)
    with np.errstate(all="ignore"):
        move = mover(course(nets, x, s, device), Q, interval, start + length)
        settling, *measures = (Measure(len(Q), k, False) for _ in range(1 + blocks))
        move.advance(start, settling)
        for measure in measures:
            move.advance(window, measure)
        found = _moments(measures, settling.diverged, window, dt)
    found = {name: v.reshape(len(nets), rows, *v.shape[1:]) for name, v in found.items()}
    for axis, kept in ((1, batched), (0, isinstance(front.plural(net), list))):
        if not kept:
            found = {name: np.take(v, 0, axis=axis) for name, v in found.items()}
    attrs = {"warmup_used": start, "steps_used": blocks * window}
    return schema.build("finite_time_exponents", found, net=front.plural(net), call=call, attrs=attrs)


def _moments(measures: list[Measure], diverged: np.ndarray, window: int, dt: float) -> dict[str, np.ndarray]:
    """The variables of the result, with the axis of the runs first."""
    local = np.stack([np.where(m.zeros == m.windows, -np.inf, m.logs.mean()) for m in measures]) / dt
    diverged = diverged | np.any([m.diverged for m in measures], axis=0)
    unresolved = np.any([m.unresolved for m in measures], axis=0)
    exponent, stderr = local.mean(axis=0), mean_and_error(local, np.ones(len(local)))[1]
    off = local - exponent
    variance = (off**2).sum(axis=0) / (len(local) - 1)
    third = (off**3).mean(axis=0) / (off**2).mean(axis=0) ** 1.5
    count = len(local)
    skewness = third * np.sqrt(count * (count - 1)) / (count - 2) if count > 2 else np.full_like(exponent, np.nan)
    equal = np.sqrt(variance) <= 1e-12 * np.abs(local).max(axis=0)  # what differs is rounding
    skewness[equal] = np.nan
    status = np.where(unresolved, Status.ILL_CONDITIONED, Status.OK)
    status[diverged] = Status.DIVERGED
    found = {
        "local_exponent": np.moveaxis(local, 0, 1),
        "exponent": exponent,
        "stderr": stderr,
        "variance": variance,
        "skewness": skewness,
        "diffusion": variance * window * dt,
    }
    for values in found.values():
        values[diverged] = np.nan
    return found | {"status": status}
