"""Slow points of networks under constant input, and the slow manifolds that they lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.arcs import Arc, describe
from rnndyn.analysis.completeness import Box, invariant_box
from rnndyn.analysis.eigen import eigenvalues
from rnndyn.analysis.manifolds import project, slow_modes, slow_vector, trace
from rnndyn.analysis.minima import KNOWN, Minima, in_parts, merged, minima
from rnndyn.analysis.newton import Equation, solve
from rnndyn.analysis.starts import visited
from rnndyn.errors import check_device
from rnndyn.networks.map import Map
from rnndyn.schema import Status
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

MOST_MANIFOLDS = 64
ALONG = ("arc_length", "drift", "drift_error", "multiplier_along", "modulus_across")
OF_MANIFOLD: dict[str, Any] = {"dimension": int, "topology": "U10", "length": float, "length_error": float}
OF_MANIFOLD |= {"first_end": "U10", "last_end": "U10", "manifold_status": int}


def slow_points(
    net: Any,
    input: Any = None,
    *,
    starts: Any = 1024,
    max_speed: float = 1e-2,
    separation: float = 5.0,
    samples: int = 128,
    limit: float = 10.0,
    rng: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Slow points of a network under constant input, and slow manifolds: line, ring and plane attractors as one object.

    A slow point is a local minimum of the speed |F(x) - x| ([sussillo2013]_); a fixed point is one of speed zero. Where
    slow points fill a line or a ring, they are no points but samples: the curve is then followed from end to end, and
    described as one manifold. Its definition has no tolerance: the motion F(x) - x is along the slow eigenvector of the
    Jacobian ([maas1992]_), and the slow mode is `separation` times slower than all others.

    Parameters
    ----------
    net
        A network.
    input : (I,), optional
        The constant input; zero by default.
    starts : number or (n, S)
        Starts of the search: given states, or how many to draw from states that the network visits, with noise.
    max_speed
        Points whose speed |F(x) - x| (2-norm, per step) is larger are not listed. Manifolds do not depend on it.
    separation
        With mu the multipliers (eigenvalues of the Jacobian) by rising |mu - 1|: a manifold of dimension d reaches as
        far as ``separation |mu_d - 1| <= min(|mu_d+1 - 1|, 1)``.
    samples
        States along each manifold at which it is described, at equal arc length.
    limit
        Cells without bounds (linear, ReLU) are searched where no component of the state exceeds this; a linear line
        attractor ends there.
    rng
        Seed or Generator of the starts.
    device
        "cpu".

    Returns
    -------
    Dataset
        Points: ``state (point, state)``, ``kind (point)`` "fixed" or "slow", ``speed (point)`` and its rounding error
        ``speed_error``, ``gradient_norm (point)`` of 1/2 |F(x) - x|^2, ``error_bound (point)`` on the distance to the
        true point (an estimate), ``eigenvalue (point, mode)``, ``n_unstable``, ``stability`` as in
        `rnndyn.fixed_points`, ``manifold (point)`` that it lies on (-1: none) and its ``position (point)`` there (arc
        length), ``status (point)``: 0, 4 (singular), or 1 (not converged). States on a manifold that no error bound
        tells from their neighbours are not listed.

        Manifolds: ``dimension (manifold)``, ``topology (manifold)`` "line", "ring", or "unknown" (two dimensions or
        more, of which no more is said), ``length`` with ``length_error``, ``first_end`` and ``last_end`` (why it ends:
        "separation" lost, "box" left, "closed", "lost"; or "length" or "turn" where it was given up),
        ``manifold_status``; along each of the samples: ``arc_length (manifold, sample)``, ``sample_state (manifold,
        sample, state)``, ``drift`` (signed speed along the tangent, per step) with ``drift_error``, ``tangent``,
        ``multiplier_along`` (of the slow mode) and ``modulus_across`` (largest of all others: below 1 the manifold
        attracts).

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Levenberg-Marquardt and Newton from all starts, O(starts S^3) per iteration; then some hundred nodes of O(S^3) for
    each manifold. Nobody can promise that all points and manifolds are found.

    Examples
    --------
    >>> from rnndyn.networks.elman import Linear
    >>> ds = slow_points(Linear(None, [[1.0, 0.0], [0.0, 0.5]]), starts=16, rng=0)
    >>> ds.topology.values.tolist(), ds.dimension.values.tolist(), ds.length.values.round(4).tolist()
    (['line'], [1], [20.0])
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    (net,) = front.networks([net])
    max_speed = as_number(max_speed, "max_speed", above=0)
    separation, limit = as_number(separation, "separation", above=1), as_number(limit, "limit", above=0)
    samples, rng = as_integer(samples, "samples", minimum=4), as_generator(rng)
    x = front.constant_input(net, input)
    x = None if x is None else x.astype(np.float64)
    double = net if isinstance(net, Map) else net.astype("float64")
    known = invariant_box(double, Box(*[np.zeros(0) if x is None else x] * 2))
    box = known or Box(np.full(net.state_size, -limit), np.full(net.state_size, limit))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if np.ndim(starts):
            first = as_array(starts, "starts", ("point", "state"), sizes={"state": net.state_size}, dtype="float64")
        else:
            first = box.fold(visited(double, x, as_integer(starts, "starts", minimum=1), rng))
        equation = Equation(double, x, 1, 1.0)
        states, _ = solve(equation, first, None)
        states = states[np.isfinite(states).all(axis=1)]
        states = states[box.holds(states)]
        manifolds, on_them = _manifolds(equation, box, states, separation, samples)
        points = merged(minima(equation, np.concatenate([states, on_them]), max_speed), equation.scale)
        data = _point_variables(equation, points, manifolds)
    data |= _manifold_variables(manifolds, samples, net.state_size)
    return schema.build("slow_points", data, net=net, call=call, attrs={"n_starts": len(first)})


class Manifold(NamedTuple):
    """One slow manifold, as the result describes it; `arc` is None unless it is a curve."""

    arc: Arc | None
    described: dict[str, Any]


def _manifolds(equation, box: Box, states, separation, samples) -> tuple[list[Manifold], np.ndarray]:
    """The slow manifolds through states, and the fixed points that were found on the way."""
    size = float(np.linalg.norm(box.high - box.low)) / 2
    G, A, _ = in_parts(equation.at, states)
    modes = in_parts(lambda A: slow_modes(A + np.eye(A.shape[1]), separation), A)
    near = np.flatnonzero(modes == 1)
    near = near[np.argsort(np.linalg.norm(G[near], axis=1), kind="stable")]
    feet = in_parts(lambda A, x: project(equation, x, slow_vector(A)), A[near], states[near])
    feet = feet.take(np.isfinite(feet.error) & box.holds(feet.x))
    found, fixed = [], [np.empty((0, states.shape[1]))]
    while len(feet.x) and len(found) < MOST_MANIFOLDS:
        curve, left = trace(equation, box, feet.take([0]), separation), np.arange(len(feet.x)) > 0
        if len(curve.nodes) > 3:
            arc = Arc(curve, size)
            described, on_it = describe(equation, arc, curve.ends, samples)
            found.append(Manifold(arc, described))
            fixed.append(on_it)
            left &= ~arc.nearest(feet.x)[1]
        feet = feet.take(left)
    return found, np.concatenate(fixed)


def _manifold_variables(manifolds: list[Manifold], samples: int, size: int) -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(ALONG, (samples,))
    shapes |= {"sample_state": (samples, size), "tangent": (samples, size)}
    return {
        name: np.array([m.described[name] for m in manifolds], dtype).reshape(-1, *shapes.get(name, ()))
        for name, dtype in (OF_MANIFOLD | dict.fromkeys(shapes, "f8")).items()
    }


def _point_variables(equation, points: Minima, manifolds: list[Manifold]) -> dict[str, np.ndarray]:
    manifold, position = np.full(len(points.x), -1), np.full(len(points.x), np.nan)
    for k, one in enumerate(manifolds):
        if one.arc is not None and len(points.x):
            s, on_it = one.arc.nearest(points.x)
            manifold[on_it], position[on_it] = k, s[on_it]
    listed = (points.bound < KNOWN * equation.scale) | (manifold < 0)
    points, manifold, position = points.take(listed), manifold[listed], position[listed]
    values, bounds = eigenvalues(points.J, points.J_error)
    off = np.abs(values) - 1
    undecided, outside = (np.abs(off) <= bounds).any(axis=1), (off > 0).sum(axis=1)
    known = points.bound < KNOWN * equation.scale
    return {
        "state": points.x,
        "kind": np.where(points.fixed, "fixed", "slow"),
        "speed": points.speed,
        "speed_error": points.speed_error,
        "gradient_norm": points.gradient_norm,
        "error_bound": points.bound,
        "eigenvalue": values,
        "n_unstable": outside,
        "stability": np.where(undecided, "undecided", np.where(outside > 0, "unstable", "stable")),
        "manifold": manifold,
        "position": position,
        "status": np.where(known, Status.OK, np.where(points.fixed, Status.SINGULAR, Status.NOT_CONVERGED)),
    }
