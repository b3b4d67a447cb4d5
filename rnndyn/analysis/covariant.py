"""Covariant Lyapunov vectors: the directions that the Jacobians carry into one another, each at its own exponent.

A frame Q that goes forward in time with ``J Q = Q' R`` spans the right subspaces, but only its first column is
covariant. The vectors are ``V = Q C`` with C upper triangular and ``C' ~ R C``; run backward, ``C ~ R^-1 C'`` forgets
where it began ([ginelli2007]_). Everything is done twice, from two random frames and two random C: what the two results
differ by is how far they are from the vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.growth import Tally
from rnndyn.analysis.pushing import Push
from rnndyn.dims import in_order
from rnndyn.errors import check_device
from rnndyn.progress import telling
from rnndyn.schema import Status
from rnndyn.tangents import course
from rnndyn.validate import as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

TWICE = 2  # computations of everything, from independent beginnings


def covariant_lyapunov_vectors(
    net: Any,
    inputs: Any = None,
    *,
    k: int | None = None,
    steps: int = 1_000,
    warmup: int = 1_000,
    tail: int = 1_000,
    every: int = 1,
    initial_state: Any = None,
    qr_interval: int = 1,
    time_step: float = 1.0,
    rng: Any = None,
    device: str = "cpu",
    progress: bool | Callable[[int, int], Any] | None = None,
) -> Dataset:
    """Covariant Lyapunov vectors along a run, their exponents, angles and localisation.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size.
    inputs : (B, T, I) or (T, I), optional
        Inputs of the run, of at least warmup + steps + tail time steps. Without them they are zero.
    k
        Number of vectors, from the largest exponent on; None for all.
    steps
        Steps along which the vectors are given.
    warmup, tail
        Steps before, in which the state settles and the frames align, and steps after, from whose end the vectors come
        back in time. Vectors i and i + 1 are told apart as exp(-gap t), by the gap between their exponents.
    every
        Steps between the times at which vectors are given, a multiple of `qr_interval`. `warmup`, `steps` and `tail`
        are rounded up to multiples of it.
    initial_state : (S,) or (B, S), optional
        Random by default, as in `lyapunov_spectrum`.
    qr_interval
        Steps between orthonormalisations.
    time_step
        Duration of a step: exponents are in nats per unit of time.
    rng
        Seed or Generator of initial states and of the frames.
    device
        "cpu".
    progress
        True shows a bar; a callable is called with the number of steps done, there and back, and their total.

    Returns
    -------
    Dataset
        ``vector (time, state, index)``: of norm 1, t steps after the warmup, at ``state (time, state)``. The Jacobian
        of the steps between takes a vector to a positive multiple of the later one. ``error (time, index)``: the
        distance between two computations from independent beginnings, the second with random errors of the size of
        rounding in each of its factors; where it is not small, the vector is not
        determined: exponents are as good as degenerate (of a complex pair only the plane is covariant), or `warmup` or
        `tail` is too short. ``exponent (index)``, with ``stderr``: the mean growth of the vectors themselves,
        ``local_exponent (time, index)`` that over the `every` steps before. ``min_angle (time)``: the smallest angle
        between two vectors; ``splitting_angle (time)``: the smallest between the spaces of the
        vectors with positive and with negative exponents, NaN if one is empty. ``participation (time, index)``:
        1 / sum v_i^4, the number of state variables that take part.
        ``status``: 1 (not converged) where an error is above the square root of the rounding unit; 2 (diverged), with
        NaN; 4 (singular), with NaN, where a product of Jacobians has no k independent columns left: choose a smaller k;
        5 (ill-conditioned) where `qr_interval` is too long for the spread of the growth.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The dynamic algorithm of Ginelli et al. ([ginelli2007]_, [ginelli2013]_; [kuptsov2012]_ for its relatives). Frames
    are kept at checkpoints, and what lies between is computed again on the way back. Cost per step O(S^2 k) for the
    tangents and O(S k^2) for the factors and their inverses, with a factor 4 for the way back and the second
    computation; memory O(sqrt(T) S k), and O(S k) for each time given.

    Examples
    --------
    >>> from rnndyn.networks.map import Map
    >>> cat = Map(lambda s, x, p: (p @ s) % 1.0, 2, parameters=np.array([[2.0, 1.0], [1.0, 1.0]]),
    ...     jacobian=lambda s, x, p: p)
    >>> ds = covariant_lyapunov_vectors(cat, steps=10, warmup=30, tail=30, rng=0)
    >>> ds.exponent.values.round(6).tolist(), round(float(ds.splitting_angle[0]), 6)  # ln of the eigenvalues; pi/2
    ([0.962424, -0.962424], 1.570796)
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name not in ("net", "progress")}
    nets = front.networks(net)
    size = nets[0].state_size
    k, rng = front.count(k, "k", size), as_generator(rng)
    plan = _plan(steps, warmup, tail, every, qr_interval)
    dt = as_number(time_step, "time_step", above=0)
    x, batched = front.sequences(nets[0], inputs)
    initial_state = in_order(initial_state, "batch", "state")
    given = np.ndim(initial_state) == 2
    rows = len(x) if x is not None and batched else len(initial_state) if given else 1
    if x is not None:
        if x.shape[1] < plan.total * plan.every:
            wanted = f"warmup + steps + tail = {plan.total * plan.every} are wanted"
            raise ValueError(f"inputs has {x.shape[1]} time steps: {wanted}; shorten these, or pass longer inputs")
        x = np.broadcast_to(x, (rows, *x.shape[1:]))
    s = np.stack([front.initial_states(one, initial_state, rows, rng) for one in nets])
    frames = np.linalg.qr(rng.standard_normal((len(nets) * rows * TWICE, size, k)))[0].astype(s.dtype)
    ends = np.triu(rng.standard_normal((len(frames), k, k)))
    with np.errstate(all="ignore"):
        push = Push(course(nets, x, s), frames, plan.interval)
        ends /= np.linalg.norm(ends, axis=1, keepdims=True)
        with telling(2 * plan.total * plan.every, progress, "covariant vectors") as tell:
            found = _measured(push, plan, ends, dt, tell)
    found = {name: v.reshape(len(nets), rows, *v.shape[1:]) for name, v in found.items()}
    for axis, kept in ((1, batched or given), (0, isinstance(front.plural(net), list))):
        if not kept:
            found = {name: np.take(v, 0, axis=axis) for name, v in found.items()}
    times = plan.every * np.arange(1, plan.steps + 1)
    coords = {"time": ("time", times, {"long_name": "time step after the warmup", "units": "step"})}
    used = {f"{name}_used": plan.every * getattr(plan, name) for name in ("warmup", "steps", "tail")}
    return schema.build(
        "covariant_lyapunov_vectors", found, net=front.plural(net), call=call, attrs=used, coords=coords
    )


class _Plan(NamedTuple):
    """Numbers of groups of `every` steps, at whose ends vectors may be given."""

    warmup: int
    steps: int
    tail: int
    every: int
    interval: int

    @property
    def total(self) -> int:
        return self.warmup + self.steps + self.tail


def _plan(steps: Any, warmup: Any, tail: Any, every: Any, qr_interval: Any) -> _Plan:
    every, interval = as_integer(every, "every", minimum=1), as_integer(qr_interval, "qr_interval", minimum=1)
    if every % interval:
        raise ValueError(f"every is {every}: a multiple of qr_interval = {interval} is wanted")
    counts = [as_integer(steps, "steps", minimum=1)]
    counts += [as_integer(value, name, minimum=0) for value, name in ((warmup, "warmup"), (tail, "tail"))]
    groups = [-(-count // every) for count in counts]
    return _Plan(groups[1], groups[0], groups[2], every, interval)


def _measured(push: Push, plan: _Plan, C: np.ndarray, dt: float, tell: Callable[[int], Any]) -> dict[str, np.ndarray]:
    """The variables of the result, with the axis of the runs first."""
    rows, size, k = push.Q.shape
    chunk = math.isqrt(plan.total) + 1
    starts = range(0, plan.total, chunk)
    checkpoints = []
    for a in starts:
        checkpoints.append(push.checkpoint())
        steps = plan.every * min(chunk, plan.total - a)
        push.ahead(steps, plan.every * chunk)
        tell(steps)
    windows = plan.every // plan.interval
    tally = Tally((rows, k))
    vector, state = np.empty((rows, plan.steps, size, k)), np.empty((rows // TWICE, plan.steps, size))
    local = np.zeros((rows, plan.steps, k))
    noise, unit = np.random.default_rng(0), size * np.finfo(push.Q.dtype).eps
    for a, checkpoint in zip(reversed(starts), reversed(checkpoints), strict=True):
        push.restore(checkpoint)
        steps = plan.every * min(chunk, plan.total - a)
        R, frames, states = push.ahead(steps, plan.every)
        # Different beginnings end in the same bits: the second computation is given errors as a factorisation makes.
        second = R[:, 1::TWICE]
        second += unit * np.linalg.norm(second, axis=2, keepdims=True) * np.triu(noise.uniform(-1, 1, second.shape))
        for g in reversed(range(len(frames))):
            n = a + g - plan.warmup
            if 0 <= n < plan.steps:
                vector[:, n], state[:, n] = frames[g] @ C, states[g]
            logs = np.zeros((windows, rows, k))
            for w in reversed(range(windows)):
                C, logs[w] = _backward(R[g * windows + w], C)
            if 0 <= n < plan.steps:
                local[:, n] = logs.sum(axis=0) / plan.every
                tally.add_many(logs[::-1], np.full(windows, plan.interval))
        tell(steps)
    return _results(push, vector, state, local / dt, tally.stderr() / dt)


def _backward(R: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (rows, k, k) one window earlier, and the logarithms of the growth in the window."""
    X = np.linalg.solve(R, C)  # the LU factors of a triangle are itself: this is back substitution, in one call
    norms = np.linalg.norm(X, axis=1)
    return X / norms[:, None], -np.log(norms)


def _results(push: Push, vector, state, local, stderr) -> dict[str, np.ndarray]:
    """Join the two computations of each run: the first is given, the second tells its error."""
    V, W = vector[::TWICE], vector[1::TWICE]
    local, stderr = local[::TWICE], stderr[::TWICE]
    aligned = np.sign(np.einsum("rtsk,rtsk->rtk", V, W))[:, :, None] * W
    error, exponent = np.linalg.norm(V - aligned, axis=2), local.mean(axis=1)
    status = np.full(len(V), int(Status.OK))
    status[(error > np.finfo(push.Q.dtype).eps ** 0.5).any(axis=(1, 2))] = Status.NOT_CONVERGED
    for rows_lost, code in (
        (push.unresolved, Status.ILL_CONDITIONED),
        (push.singular, Status.SINGULAR),
        (push.diverged, Status.DIVERGED),
    ):
        status[rows_lost.reshape(-1, TWICE).any(axis=1)] = code
    found = {
        "vector": V,
        "state": state,
        "error": error,
        "exponent": exponent,
        "stderr": stderr,
        "local_exponent": local,
        "min_angle": _min_angle(V),
        "splitting_angle": np.stack([_splitting(*pair) for pair in zip(V, exponent, strict=True)]),
        "participation": 1 / (V**4).sum(axis=2),
    }
    for values in found.values():
        values[np.isin(status, (Status.SINGULAR, Status.DIVERGED))] = np.nan
    return found | {"status": status}


def _min_angle(V: np.ndarray) -> np.ndarray:
    """Smallest angle between two columns of V (R, T, S, k); NaN for a single one."""
    if V.shape[-1] == 1:
        return np.full(V.shape[:-2], np.nan)
    cosines = np.swapaxes(V, -1, -2) @ V
    first, second = np.triu_indices(V.shape[-1], 1)
    closest = np.abs(cosines[..., first, second]).argmax(axis=-1)[..., None, None]
    u, v = (np.take_along_axis(V, pair[closest], axis=-1)[..., 0] for pair in (first, second))
    apart = np.sort([np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)], axis=0)
    return 2 * np.arctan2(*apart)  # the arc cosine would lose half the digits


def _splitting(V: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Smallest angle between the spaces of the growing and of the shrinking columns of V (T, S, k)."""
    growing, shrinking = V[..., exponent > 0], V[..., exponent < 0]
    if not (growing.shape[-1] and shrinking.shape[-1] and np.isfinite(V).all()):
        return np.full(len(V), np.nan)
    U, S = np.linalg.qr(growing)[0], np.linalg.qr(shrinking)[0]
    within = np.swapaxes(U, 1, 2) @ S
    outside = S - U @ within
    cosine, sine = (np.linalg.svd(part, compute_uv=False) for part in (within, outside))
    return np.arctan2(sine[:, -1], cosine[:, 0])
