"""The echo state test: whether a driven network forgets where it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.analysis.measure import Measure, mover
from rnndyn.errors import check_device
from rnndyn.networks.base import Network
from rnndyn.schema import Status
from rnndyn.tangents import course, inputs_at
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

TOGETHER = 1000  # steps of a run whose states are held
ROUNDED = 1e3  # rounding units of the state, below which a distance means nothing
APART = 1e4  # times as much, above which it is beyond doubt


def echo_state_test(
    net: Any,
    inputs: Any = None,
    *,
    trajectories: int = 8,
    steps: int = 10_000,
    warmup: int = 1_000,
    initial_state: Any = None,
    confidence: float = 0.95,
    time_step: float = 1.0,
    rng: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Whether a network's state becomes a function of its inputs alone, whatever the state was at the start.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size.
    inputs : (B, T, I) or (T, I), optional
        Inputs, the same for all trajectories; as in `lyapunov_spectrum` `steps` and `warmup` shrink to their length.
        Without them they are zero.
    trajectories
        Number of random initial states, at least 2.
    steps, warmup
        Steps that count for the exponent, and steps before them. Distances count from the first step on.
    initial_state : (n, S), optional
        Initial states in place of the random ones. The test tells of nothing beyond these.
    confidence
        Of the interval.
    time_step
        Duration of a step: exponents are in nats per unit of time.
    rng
        Seed or Generator of the initial states.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``exponent``: the largest conditional Lyapunov exponent ([pecora1990]_), that of the response to these inputs,
        and the largest over the trajectories; ``low`` and ``high``: its interval, from the blocks of
        `lyapunov_spectrum`, Student's t, and rounding. ``distance (time)``: the largest distance of any trajectory from
        the first, ``decay_rate`` its slope over the second half of the time until it is lost in rounding (1000 units of
        the state's size), which is about ``exponent`` once distances are small; NaN with fewer than two times.
        ``verdict``: "contracting" if the interval lies below 0 and all trajectories met; "not contracting" if it lies
        above 0, or if it lies below 0, but trajectories are apart that would have met at the slowest rate in it (there
        are several responses, or very long transients); else "undecided". ``status``: 2 (diverged), with NaN, and
        "undecided". Dimensions ``network`` and ``batch`` as in `lyapunov_spectrum`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The echo state property of Jaeger ([jaeger2001]_) asks for this from every initial state and for every input; this
    is what a sample of both says. Cost per step and trajectory O(S^2).

    Examples
    --------
    >>> from rnndyn.networks import Elman
    >>> net = Elman.random(20, 1, gain=0.5, recurrent="orthogonal", rng=0)
    >>> inputs = np.random.default_rng(0).standard_normal((300, 1))
    >>> ds = echo_state_test(net, inputs, warmup=50, rng=0)
    >>> ds.verdict.item(), bool(ds.high < np.log(0.5))  # W_hh is half a rotation: no step shrinks less
    ('contracting', True)
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    nets = front.networks(net)
    count, dt = as_integer(trajectories, "trajectories", minimum=2), as_number(time_step, "time_step", above=0)
    confidence = as_number(confidence, "confidence", above=0)
    if confidence >= 1:
        raise ValueError(f"confidence is {confidence}: a number below 1 is wanted, such as 0.95")
    x, batched = front.sequences(nets[0], inputs)
    length, start = front.duration(x, steps, warmup)
    rng = as_generator(rng)
    if initial_state is not None:
        sizes = {"state": nets[0].state_size}
        initial_state = as_array(initial_state, "initial_state", ("batch", "state"), sizes=sizes, dtype=nets[0].dtype)
        count = len(initial_state)
        if count < 2:
            raise ValueError("initial_state has 1 row: at least two states are wanted, whose trajectories may meet")
    rows = 1 if x is None else len(x)
    x = None if x is None else np.repeat(x, count, axis=0)
    parts = [_of_one(one, x, initial_state, (rows, count), start, length, confidence, rng) for one in nets]
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    for name in ("exponent", "low", "high", "decay_rate"):
        found[name] = found[name] / dt
    for axis, kept in ((1, batched), (0, isinstance(front.plural(net), list))):
        if not kept:
            found = {name: np.take(v, 0, axis=axis) for name, v in found.items()}
    attrs = {"steps_used": length, "warmup_used": start}
    return schema.build("echo_state_test", found, net=front.plural(net), call=call, attrs=attrs)


def _of_one(net: Network, x, given, shape: tuple[int, int], start: int, length: int, confidence: float, rng) -> dict:
    """The variables of the result for one network: sequences by trajectories is the shape of its runs."""
    rows, count = shape
    s = np.tile(front.initial_states(net, given, count, rng), (rows, 1))
    Q = np.repeat(front.random_frame(net, rng)[None, :, :1], len(s), axis=0)
    with np.errstate(all="ignore"):
        move = mover(course([net], x, s[None]), Q, None, start + length)
        settling, measure = Measure(len(s), 1, False), Measure(len(s), 1, False)
        move.advance(start, settling)
        move.advance(length, measure)
        distance, floor = _distances(net, x, s, shape, start + length)
    summary = measure.summary()
    exponent, blocks = summary.exponent[:, 0], int((measure.logs.steps > 0).sum())
    reach = student.ppf((1 + confidence) / 2, max(blocks - 1, 1)) * summary.stderr[:, 0]
    reach[np.isnan(reach) & ~np.isnan(exponent)] = np.inf  # a single block says nothing of its error
    reach += ROUNDED * np.finfo(net.dtype).eps  # blocks without scatter are known to rounding all the same
    ends = exponent, exponent - reach, exponent + reach
    exponent, low, high = (values.reshape(shape).max(axis=1) for values in ends)
    lost = (settling.diverged | measure.diverged).reshape(shape).any(axis=1) | ~np.isfinite(distance).all(axis=1)
    verdict = [_verdict(*row) for row in zip(low, high, distance, floor, strict=True)]
    found = {
        "exponent": exponent,
        "low": low,
        "high": high,
        "distance": distance,
        "decay_rate": np.array([_slope(*row) for row in zip(distance, floor, strict=True)]),
    }
    for values in found.values():
        values[lost] = np.nan
    status = np.where(lost, Status.DIVERGED, Status.OK)
    return found | {"verdict": np.where(lost, "undecided", verdict), "status": status}


def _distances(net: Network, x, s, shape: tuple[int, int], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest distances (rows, time) from the first trajectory of each sequence, and where rounding hides them."""
    parts, largest = [], np.zeros(shape[0])
    for t in range(0, steps, TOGETHER):
        part = min(TOGETHER, steps - t)
        states = dynamics.forward(net, inputs_at(net, x, t, part, len(s)), s, part)
        s = np.ascontiguousarray(states[:, -1])
        runs = states.reshape(*shape, part, -1).astype(np.float64)
        parts.append(np.linalg.norm(runs - runs[:, :1], axis=3).max(axis=1))
        largest = np.maximum(largest, np.linalg.norm(runs, axis=3).max(axis=(1, 2)))
    return np.concatenate(parts, axis=1), ROUNDED * float(np.finfo(net.dtype).eps) * largest


def _verdict(low: float, high: float, distance: np.ndarray, floor: float) -> str:
    """What the interval and the distances say together."""
    met = distance[-max(1, len(distance) // 10) :].max() <= floor
    if high < 0 and met:
        return "contracting"
    if low > 0:
        return "not contracting"
    apart = distance[len(distance) // 2 :].min() > APART * floor
    several = high < 0 and apart and np.log(distance[0]) + high * len(distance) < np.log(floor)
    return "not contracting" if several else "undecided"


def _slope(distance: np.ndarray, floor: float) -> float:
    """Slope of the log distance, by least squares over the second half of the times before it falls below the floor."""
    below = np.flatnonzero(~(distance > floor))
    end = below[0] if len(below) else len(distance)
    t = np.arange(end // 2, end)
    return float(np.polyfit(t, np.log(distance[t]), 1)[0]) if len(t) > 1 and np.isfinite(distance).all() else np.nan
