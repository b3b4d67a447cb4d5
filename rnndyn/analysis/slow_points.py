"""Slow points of networks under constant input, and the slow manifolds that they lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.arcs import Arc, describe
from rnndyn.analysis.completeness import Box, invariant_box
from rnndyn.analysis.eigen import spectrum
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.manifolds import in_parts, project, slow_modes, slow_vector, trace
from rnndyn.analysis.minima import KNOWN, Minima, merged, minima, stationary
from rnndyn.analysis.newton import solve
from rnndyn.analysis.sheets import sheets
from rnndyn.analysis.starts import visited
from rnndyn.errors import check_device
from rnndyn.networks.map import Map
from rnndyn.schema import Status
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

MOST_MANIFOLDS = 64
SAME, SHORT = 1e-6, 1e-4  # distance of states that are one; length of a curve that is none, of the size of the box
ALONG = ("arc_length", "drift", "drift_error", "multiplier_along", "modulus_across")
STATES_ALONG = ("sample_state", "tangent")
OF_MANIFOLD: dict[str, tuple[Any, Any]] = {  # dtype, and what stands where it is not known
    "dimension": (int, 0),
    "topology": ("U7", "unknown"),
    "length": (float, np.nan),
    "length_error": (float, np.nan),
    "max_drift": (float, np.nan),
    "first_end": ("U10", "unknown"),
    "last_end": ("U10", "unknown"),
    "manifold_status": (int, Status.OK),
}


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
        `rnndyn.fixed_points`, ``on_manifold (point)``, the one that it lies on (-1: none) and its ``position (point)``
        there (arc length), ``status (point)``: 0, 4 (singular), or 1 (not converged). States on a manifold that no
        error bound tells from their neighbours are not listed.

        Manifolds: ``dimension (manifold)``, ``topology (manifold)`` "line", "ring", or "unknown" (two dimensions or
        more, of which no more is said), ``length`` with ``length_error``, ``max_drift`` (the largest speed anywhere
        along it), ``first_end`` and ``last_end`` (why it ends: "separation" lost, "box" left, "closed", "lost"; or
        "length" or "turn" where it was given up), ``manifold_status``; along each of the samples: ``arc_length
        (manifold, sample)``, ``sample_state (manifold, sample, state)``, ``drift`` (signed speed along the tangent, per
        step) with ``drift_error``, ``tangent``, ``multiplier_along`` (of the slow mode) and ``modulus_across`` (largest
        of all others: below 1 the manifold attracts).

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
    if isinstance(front.plural(net), list):
        raise TypeError("net is a list: one network is wanted; call slow_points for each")
    (net,) = front.networks(net)
    max_speed = as_number(max_speed, "max_speed", above=0)
    separation, limit = as_number(separation, "separation", above=1), as_number(limit, "limit", above=0)
    samples, rng = as_integer(samples, "samples", minimum=4), as_generator(rng)
    x = front.constant_input(net, input)
    x = None if x is None else x.astype(np.float64)
    double = net if isinstance(net, Map) else net.astype("float64")
    inputs = Box(*[np.zeros(0) if x is None else x] * 2)
    box = invariant_box(double, inputs) or Box(np.full(net.state_size, -limit), np.full(net.state_size, limit))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if np.ndim(starts):
            first = as_array(starts, "starts", ("point", "state"), sizes={"state": net.state_size}, dtype="float64")
        else:
            first = box.fold(visited(double, x, as_integer(starts, "starts", minimum=1), rng))
        equation = Equation(double, x, 1, 1.0)
        states, _ = solve(equation, first, None)
        states = states[np.isfinite(states).all(axis=1)]
        states = states[box.holds(states)]
        manifolds, on_them, bounds = _manifolds(equation, box, states, separation, samples)
        known = np.append(np.full(len(states), np.inf), bounds)
        points = minima(equation, np.concatenate([states, on_them]), max_speed, known)
        points = merged(points, equation.scale)
        data = _point_variables(equation, points, manifolds)
    data |= _manifold_variables(manifolds, samples, net.state_size)
    return schema.build("slow_points", data, net=net, call=call, attrs={"n_starts": len(first)})


class Manifold(NamedTuple):
    """One slow manifold, as the result describes it: a curve, or only states that lie on it."""

    described: dict[str, Any]
    arc: Arc | None
    states: np.ndarray

    def holds(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of states (n, S): arc length (NaN if there is none), and whether they lie on it."""
        from scipy.spatial import cKDTree

        if self.arc is not None:
            return self.arc.nearest(x)
        return np.full(len(x), np.nan), cKDTree(self.states).query(x)[0] <= SAME


def _manifolds(equation, box: Box, states, separation, samples) -> tuple[list[Manifold], np.ndarray, np.ndarray]:
    """The slow manifolds through states, the fixed points that were found on the way, and their error bounds."""
    G, A, rounding = in_parts(equation.at, states)
    still = (np.abs(G) <= rounding).all(axis=1) | stationary(G, A)
    G, A, states = G[still], A[still], states[still]
    modes = in_parts(lambda A: slow_modes(A + np.eye(A.shape[1]), separation), A)
    order = np.argsort(np.linalg.norm(G, axis=1), kind="stable")
    states, A, modes = states[order], A[order], modes[order]
    curves, fixed, bounds = _curves(equation, box, states[modes == 1], A[modes == 1], separation, samples)
    found = list(curves)
    for d in np.unique(modes[modes > 1]):
        on_none = np.flatnonzero(modes == d)
        for curve in curves:
            on_none = on_none[~curve.holds(states[on_none])[1]]
        label = sheets(equation, states[on_none], int(d), separation) if len(on_none) else np.empty(0, int)
        for k in range(label.max(initial=-1) + 1):
            found.append(Manifold({"dimension": d, "topology": "unknown"}, None, states[on_none[label == k]]))
    return found, fixed, bounds


def _curves(equation, box: Box, states, A, separation, samples) -> tuple[list[Manifold], np.ndarray, np.ndarray]:
    """The slow curves through states with one slow mode; the fixed points on them, and their error bounds."""
    size = float(np.linalg.norm(box.high - box.low)) / 2
    feet = in_parts(lambda A, x: project(equation, x, slow_vector(A)), A, states)
    feet = feet.take(np.isfinite(feet.error) & box.holds(feet.x))
    found: list[Manifold] = []
    fixed, bounds = [np.empty((0, states.shape[1]))], [np.empty(0)]
    while len(feet.x) and len(found) < MOST_MANIFOLDS:
        curve, left = trace(equation, box, feet.take([0]), separation), np.arange(len(feet.x)) > 0
        if len(curve.nodes) > 3:
            arc = Arc(curve, size)
            left &= ~arc.nearest(feet.x)[1]
            if arc.length > SHORT * size:
                described, (on_it, bound) = describe(equation, arc, curve.ends, samples)
                found.append(Manifold(described, arc, arc.at(described["arc_length"])[0]))
                fixed.append(on_it)
                bounds.append(bound)
        feet = feet.take(left)
    return found, np.concatenate(fixed), np.concatenate(bounds)


def _manifold_variables(manifolds: list[Manifold], samples: int, size: int) -> dict[str, np.ndarray]:
    data = {}
    for name, (dtype, missing) in OF_MANIFOLD.items():
        data[name] = np.array([m.described.get(name, missing) for m in manifolds], dtype)
    for name in (*ALONG, *STATES_ALONG):
        shape = (samples, size) if name in STATES_ALONG else (samples,)
        data[name] = np.array([m.described.get(name, np.full(shape, np.nan)) for m in manifolds]).reshape(-1, *shape)
    return data


def _point_variables(equation, points: Minima, manifolds: list[Manifold]) -> dict[str, np.ndarray]:
    manifold, position = np.full(len(points.x), -1), np.full(len(points.x), np.nan)
    for k, one in enumerate(manifolds):
        if len(points.x):
            s, on_it = one.holds(points.x)
            on_it &= manifold < 0
            manifold[on_it], position[on_it] = k, s[on_it]
    listed = (points.bound < KNOWN * equation.scale) | (manifold < 0)
    points, manifold, position = points.take(listed), manifold[listed], position[listed]
    values, bounds = spectrum(points.J, points.J_error)[:2]
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
        "on_manifold": manifold,
        "position": position,
        "status": np.where(known, Status.OK, np.where(points.fixed, Status.SINGULAR, Status.NOT_CONVERGED)),
    }
