"""Which attractors the saddles connect: unstable manifolds followed to where they lead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.analysis.capture import Balls, trapping_balls
from rnndyn.networks.map import Map
from rnndyn.schema import Status
from rnndyn.validate import as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

EPS = np.finfo(np.float64).eps
CHUNK = 64  # iterates between two looks at where the orbits are
MARGIN = 0.01  # an orbit has arrived in this part of a ball that is seen to shrink
RETURNED = 1e-12  # relative change of a state that has come back to where it was
DEPARTED = 100  # times the displacement: a path of this length has left the saddle


def transitions(
    net: Any,
    points: Dataset,
    input: Any = None,
    *,
    steps: int = 10_000,
    displacement: float | None = None,
    orbits: int = 8,
) -> Dataset:
    """Attractors to which the unstable manifolds of the saddles lead.

    Parameters
    ----------
    net
        A network.
    points
        Its fixed points, from `rnndyn.fixed_points`; with ``period=p`` there, F^p is iterated here.
    input : (I,), optional
        The constant input under which they were found; zero by default.
    steps
        Time steps after which an orbit is given up.
    displacement
        Distance from the saddle at which orbits start. By default the geometric mean of the error of the saddle along
        its unstable direction and the distance to the nearest other point, where neither rounding nor curvature counts.
    orbits
        Followed on each side of a saddle: they start at equal ratios over one fundamental segment of the manifold, so
        that a branch which leads to several attractors is seen to.

    Returns
    -------
    Dataset
        A row `transition` for each way that orbits were seen to take from a saddle with one unstable direction:
        ``saddle`` and ``target``, numbers of points; ``branch``, the side (+1 where the largest entry of the unstable
        eigenvector is positive); ``share`` of this branch's orbits; ``displacement`` of the first of them, and its
        ``steps`` and ``path_length`` until it arrived or was given up; ``status``, and ``period`` of the attractor in
        iterates of F^p. Target -1 is none in the list: with status 0, an attractor of that period (1: a fixed point
        that is not listed as stable); with 1 (not converged), the steps ran out, and nothing is known; with 2, the
        orbit diverged; with 5 (ill-conditioned), the saddle is not known well enough for the displacement to have a
        side. ``state``, ``stability`` and ``n_unstable`` of the points are copied. attrs: ``n_saddles`` followed, and
        ``n_not_followed``: unstable or undecided points with other than one unstable direction.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; also where the points are not fixed points of this network under this input.

    Notes
    -----
    The unstable manifold of such a saddle is a curve of two branches, tangent to the eigenvector (the stable manifold
    theorem, [guckenheimer1983]_, section 1.4). An orbit has arrived when it is deep in a ball, in a norm adapted to the
    attractor's Jacobian, which the map is seen to take into itself, shrunk (sampled, not proved). If the multiplier is
    below -1, each iterate changes sides: both branches then lead to the same attractor of F^p. Cost: that of running 2
    n_saddles orbits sequences until they arrive.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = rd.Elman(None, [[2.0]])
    >>> ds = rd.transitions(net, rd.fixed_points(net, starts=64, rng=0))
    >>> ds.saddle.values.tolist(), ds.branch.values.tolist(), ds.target.values.tolist()
    ([1, 1], [-1, 1], [0, 2])
    """
    call = {"input": input, "steps": steps, "displacement": displacement, "orbits": orbits}
    steps, orbits = as_integer(steps, "steps", minimum=1), as_integer(orbits, "orbits", minimum=1)
    given = None if displacement is None else as_number(displacement, "displacement", above=0)
    F, states = _problem(net, points, input)
    stability, n_unstable = points["stability"].values, points["n_unstable"].values
    gap = _gaps(states)
    stable, saddle = stability == "stable", (stability == "unstable") & (n_unstable == 1)
    with np.errstate(over="ignore", invalid="ignore"):
        balls = trapping_balls(F, states[stable], F.jacobian(states[stable]), gap[stable])
        starts = _starts(F, states, np.flatnonzero(saddle), points["error_bound"].values, gap, given, orbits)
        fate = _follow(F, starts, balls, -(-steps // F.period))
    fate["target"] = np.append(np.flatnonzero(stable), -1)[fate["target"]]
    data = _ways(starts, fate, orbits, F.period)
    data |= {"state": states, "stability": stability, "n_unstable": n_unstable}
    attrs = {"n_saddles": int(saddle.sum()), "n_not_followed": int((~stable & ~saddle).sum())}
    return schema.build("transitions", data, net=net, call=call, attrs=attrs)


def transition_graph(ds: Dataset) -> np.ndarray:
    """Pairs of attractors that a saddle joins.

    Parameters
    ----------
    ds
        From `transitions`.

    Returns
    -------
    (n, 3) int array
        Attractor, saddle, attractor, as numbers of points; sorted, the smaller attractor first. A saddle of which a
        branch arrives nowhere joins nothing; one of which a branch leads to several attractors joins several pairs.

    Raises
    ------
    ValueError
        For what is no result of `transitions`.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = rd.Elman(None, [[2.0]])
    >>> transition_graph(rd.transitions(net, rd.fixed_points(net, starts=64, rng=0))).tolist()
    [[0, 1, 2]]
    """
    _check_kind(ds, "ds", "transitions")
    ways = [ds[name].values.tolist() for name in ("saddle", "branch", "target")]
    left, right = ({(s, a) for s, b, a in zip(*ways, strict=True) if b == side and a >= 0} for side in (-1, 1))
    edges = {(min(a, b), s, max(a, b)) for s, a in left for other, b in right if other == s}
    return np.array(sorted(edges), int).reshape(-1, 3)


# ---- the map ---------------------------------------------------------------------------------------------------------


class _Iterate:
    """The p-th iterate F^p of a network under constant input x, (I,) or None, of states (n, S)."""

    def __init__(self, net, x: np.ndarray | None, period: int) -> None:
        self.net, self.x, self.period = net, x, period

    def __call__(self, states: np.ndarray) -> np.ndarray:
        return self.orbit(states, 1)[:, 0]

    def orbit(self, states: np.ndarray, count: int) -> np.ndarray:
        """States (n, count, S) after each of so many iterates."""
        steps = count * self.period
        x = None if self.x is None else np.ascontiguousarray(np.broadcast_to(self.x, (len(states), steps, len(self.x))))
        return dynamics.forward(self.net, x, np.ascontiguousarray(states), steps)[:, self.period - 1 :: self.period]

    def jacobian(self, states: np.ndarray) -> np.ndarray:
        """Jacobians (n, S, S) of the iterate."""
        product, x = np.eye(states.shape[1]), front.row(self.x, len(states))
        for _ in range(self.period):
            product = dynamics.jacobian(self.net, states, x) @ product
            states = dynamics.step(self.net, states, x)
        return product


def _problem(net: Any, points: Dataset, input: Any) -> tuple[_Iterate, np.ndarray]:
    """The map and its fixed points (n, S), checked against each other."""
    if len(front.networks(net)) > 1 or isinstance(front.plural(net), list):
        raise TypeError("net is an ensemble: one network is wanted, with the points of that network")
    _check_kind(points, "points", "fixed_points")
    if points.attrs.get("network_hash", net.content_hash()) != net.content_hash():
        raise ValueError("points are those of another network: give the network with which they were found")
    x = front.constant_input(net, input)
    period = json.loads(points.attrs.get("arguments", "{}")).get("period", 1)
    F = _Iterate(net if isinstance(net, Map) else net.astype("float64"), None if x is None else x.astype(float), period)
    states = points["state"].transpose("point", "state").values.astype(np.float64)
    off = np.abs(F(states) - states).max(axis=1, initial=0.0)
    size = np.abs(states).max(axis=1, initial=1.0)
    if not (off <= 2 * points["residual"].values + 1e-9 * size).all():  # far above rounding, far below another input
        wanted = "give the input under which they were found"
        raise ValueError(f"points are not fixed under this input: the state moves by {off.max():.2g}; {wanted}")
    return F, states


def _check_kind(ds: Any, name: str, kind: str) -> None:
    if getattr(ds, "attrs", {}).get("kind") != kind:
        raise ValueError(f"{name} is a {type(ds).__name__}: the result of rnndyn.{kind} is wanted")


def _gaps(states: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest other; of a single one, its size, or 1."""
    if len(states) == 1:
        return np.array([np.linalg.norm(states[0]) or 1.0])
    apart = np.stack([np.linalg.norm(states - x, axis=1) for x in states]) if len(states) else np.empty((0, 0))
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1, initial=np.inf)


# ---- the orbits ------------------------------------------------------------------------------------------------------


class _Starts(NamedTuple):
    """Where n orbits start: state (n, S), saddle, branch and displacement of each, and whether its side is certain."""

    state: np.ndarray
    saddle: np.ndarray
    branch: np.ndarray
    displacement: np.ndarray
    certain: np.ndarray


def _starts(F, states, saddles, error, gap, given: float | None, orbits: int) -> _Starts:
    """Starts at both sides of each saddle, the first orbit of a branch nearest to it.

    With y the left eigenvector, y'v = 1, the coordinate along the manifold is y'(x - x*): it is known to within
    ||y|| times the error of x*. A side is certain if that and what one step does beside multiplying the coordinate are
    together less than half of what the step adds to it.
    """
    x = states[saddles]
    multiplier, v, y = _unstable(F.jacobian(x))
    error = np.linalg.norm(y, axis=1) * np.maximum(error[saddles], EPS * gap[saddles])
    first = np.sqrt(error * gap[saddles]) if given is None else np.full(len(x), given)
    distance = first[:, None] * np.abs(multiplier)[:, None] ** (np.arange(orbits) / orbits)
    shape = (len(x), 2, orbits)
    side = np.broadcast_to(np.array([-1.0, 1.0])[:, None], shape)
    distance = np.broadcast_to(distance[:, None], shape)
    start = x[:, None, None] + (side * distance)[..., None] * v[:, None, None]
    after = F(start.reshape(-1, states.shape[1])).reshape(start.shape)
    along = np.einsum("ks,kbos->kbo", y, after - x[:, None, None])
    growth = np.abs(multiplier)[:, None, None]
    off = np.abs(along - multiplier[:, None, None] * side * distance) + (1 + growth) * error[:, None, None]
    certain = off < (growth - 1) / 2 * distance
    number = np.broadcast_to(saddles[:, None, None], shape)
    return _Starts(
        start.reshape(-1, states.shape[1]), *(a.ravel() for a in (number, side.astype(int), distance, certain))
    )


def _unstable(J: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The one eigenvalue outside the unit circle, real, and its right and left eigenvectors, |v| = 1 and y'v = 1."""
    rows = np.arange(len(J))

    def leading(matrices):
        values, vectors = np.linalg.eig(matrices)
        mode = np.abs(values).argmax(axis=1)
        return values[rows, mode].real, vectors[rows, :, mode].real

    multiplier, v = leading(J)
    _, y = leading(np.swapaxes(J, 1, 2))
    largest = np.take_along_axis(v, np.abs(v).argmax(axis=1)[:, None], axis=1)
    v = v * np.sign(largest) / np.linalg.norm(v, axis=1)[:, None]
    return multiplier, v, y / (y * v).sum(axis=1)[:, None]


def _follow(F: _Iterate, starts: _Starts, balls: Balls, iterates: int) -> dict[str, np.ndarray]:
    """What becomes of each orbit; the target is the number of a ball, or -1."""
    n = len(starts.state)
    fate = {name: np.zeros(n, int) for name in ("period", "steps")}
    fate["target"] = np.full(n, -1)
    fate["status"] = np.where(starts.certain, Status.NOT_CONVERGED, Status.ILL_CONDITIONED).astype(int)
    fate["path_length"] = np.where(starts.certain, starts.displacement, 0)
    active = np.flatnonzero(starts.certain)
    state, done, path = starts.state[active], 0, starts.state[active, None]
    while len(active) and done < iterates:
        path = np.concatenate([state[:, None], F.orbit(state, min(CHUNK, iterates - done))], axis=1)
        ball = balls.holding(path[:, 1:], MARGIN)
        ends = (ball >= 0) | ~np.isfinite(path[:, 1:]).all(axis=2)
        ended = ends.any(axis=1)
        last = np.where(ended, ends.argmax(axis=1), ends.shape[1] - 1)[:, None]
        length = np.linalg.norm(np.diff(path, axis=1), axis=2).cumsum(axis=1)
        fate["steps"][active] += last[:, 0] + 1
        fate["path_length"][active] += np.take_along_axis(length, last, 1)[:, 0]
        fate["target"][active] = np.take_along_axis(ball, last, 1)[:, 0]
        arrived = fate["target"][active] >= 0
        fate["status"][active[ended]] = np.where(arrived, Status.OK, Status.DIVERGED)[ended]
        fate["period"][active[arrived]] = 1
        active, path, done = active[~ended], path[~ended], done + ends.shape[1]
        state = path[:, -1]
    fate["path_length"][fate["status"] == Status.DIVERGED] = np.inf
    period = _recurrence(path) * (fate["path_length"][active] > DEPARTED * starts.displacement[active])
    fate["period"][active] = period
    fate["status"][active[period > 0]] = Status.OK
    return fate


def _recurrence(path: np.ndarray) -> np.ndarray:
    """Smallest k with which each path (n, T, S) repeats itself, at most T / 2; 0 for none."""
    period = np.zeros(len(path), int)
    for k in range(path.shape[1] // 2, 0, -1):
        change = np.abs(path[:, k:] - path[:, :-k]).max(axis=(1, 2), initial=0.0)
        period[change <= RETURNED * np.abs(path).max(axis=(1, 2), initial=0.0)] = k
    return period


def _ways(starts: _Starts, fate: dict[str, np.ndarray], orbits: int, period: int) -> dict[str, np.ndarray]:
    """Orbits of one branch that share a fate, as one row: that of the first of them."""
    keys = [starts.saddle, starts.branch, fate["status"], fate["target"], fate["period"]]
    _, first, count = np.unique(np.stack(keys, axis=1), axis=0, return_index=True, return_counts=True)
    ways = {name: values[first] for name, values in fate.items()}
    ways["steps"] = ways["steps"] * period
    ways |= {name: getattr(starts, name)[first] for name in ("saddle", "branch", "displacement")}
    return ways | {"share": count / orbits}
