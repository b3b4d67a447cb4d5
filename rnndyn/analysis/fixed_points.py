"""Fixed points and cycles of networks under constant input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.certificate import distinct
from rnndyn.analysis.completeness import Box, invariant_box, missing_estimate
from rnndyn.analysis.eigen import eigenvalues
from rnndyn.analysis.newton import Equation, solve
from rnndyn.analysis.starts import visited
from rnndyn.errors import check_device
from rnndyn.networks.base import Network
from rnndyn.networks.map import Map
from rnndyn.schema import Status
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset


def fixed_points(
    net: Any,
    input: Any = None,
    *,
    starts: Any = 1024,
    period: int = 1,
    tol: float | None = None,
    rng: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Fixed points of a network under constant input, with error bounds, eigenvalues and stability.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size: the points of all of them are then listed one after
        the other, with the coordinate ``network``.
    input : (I,), optional
        The constant input; zero by default.
    starts : number or (n, S)
        Starts of the search: given states, or how many to draw from states that the network visits, with noise.
    period
        p: fixed points of the p-th iterate F^p are listed, which are the points of all cycles whose period divides p,
        fixed points included; each point of a cycle is listed by itself.
    tol
        A start is converged when max |F^p(x) - x| is at most this. By default each goes on to its own rounding error.
    rng
        Seed or Generator of the starts.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``state (point, state)``; ``residual (point)`` = max |F^p(x) - x|; ``error_bound (point)``, an estimate (not a
        proof) of the distance to the true point, in the 2-norm; ``eigenvalue (point, mode)`` of the Jacobian J of F^p,
        by falling modulus; ``n_unstable (point)``, the number outside the unit circle; ``stability (point)``: "stable",
        "unstable", or "undecided" where an eigenvalue is within its error of the unit circle; ``index (point)`` = sign
        det(I - J), 0 where it is not decided; ``status (point)``: 0, or 4 (singular) where I - J is singular to within
        the error: at a bifurcation, or on a continuum of fixed points, whose number then means nothing. Points are
        sorted by their first components. attrs: ``n_starts``, ``n_converged``, ``index_sum``, ``expected_index_sum`` (1
        for bounded cells, else "unknown": if they differ, points are missing; if they agree, some may be),
        ``estimated_missing`` (how many more such starts would find, at least); for an ensemble a list of each.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Damped Newton with analytic Jacobians in float64, also for float32 networks; points are merged where their error
    bounds overlap. Nobody can promise that all points are found. Cost O(starts (p + 1) S^3) per iteration, 5 to 20
    of them; memory is bounded. Definition and use of fixed points in networks: [sussillo2013]_.

    Examples
    --------
    >>> from rnndyn.networks.elman import Elman
    >>> ds = fixed_points(Elman(None, [[2.0]]), starts=64, rng=0)
    >>> ds.state.values.ravel().round(6).tolist(), ds.stability.values.tolist(), ds.attrs["index_sum"]
    ([-0.957504, 0.0, 0.957504], ['stable', 'unstable', 'stable'], 1)
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    nets = front.networks(net)
    period, rng = as_integer(period, "period", minimum=1), as_generator(rng)
    tol = None if tol is None else as_number(tol, "tol", above=0)
    found = [_of_one(one, input, starts, period, tol, rng) for one in nets]
    data = {name: np.concatenate([variables[name] for variables, _ in found]) for name in found[0][0]}
    attrs = {name: [values[name] for _, values in found] for name in found[0][1]}
    if isinstance(front.plural(net), list):
        data["network"] = np.repeat(np.arange(len(nets)), [len(variables["residual"]) for variables, _ in found])
    else:
        attrs = {name: values[0] for name, values in attrs.items()}
    return schema.build("fixed_points", data, net=front.plural(net), call=call, attrs=attrs)


def _of_one(net: Network, input: Any, starts: Any, period: int, tol: float | None, rng) -> tuple[dict, dict]:
    """Variables and attrs of the result for one network."""
    x = front.constant_input(net, input)
    if not isinstance(net, Map):
        net = net.astype("float64")
    x = None if x is None else x.astype(np.float64)
    box = invariant_box(net, Box(*[np.zeros(0) if x is None else x] * 2))
    with np.errstate(over="ignore", invalid="ignore"):
        if np.ndim(starts):
            first = as_array(starts, "starts", ("point", "state"), sizes={"state": net.state_size}, dtype="float64")
        else:
            first = visited(net, x, as_integer(starts, "starts", minimum=1), rng)
            first = first if box is None else box.fold(first)
        scale = float(np.median(np.abs(first).max(axis=1))) if isinstance(net, Map) and len(first) else 1.0
        equation = Equation(net, x, period, scale or 1.0)
        states, converged = solve(equation, first, tol)
        if box is not None:
            converged &= box.holds(states)  # outside, saturated gates can hold a state to rounding, but none is fixed
        points, certificate, hits = distinct(equation, states[converged])
    variables = _variables(points, certificate)
    attrs = {
        "n_starts": len(first),
        "n_converged": int(converged.sum()),
        "index_sum": int(variables["index"].sum()),
        "expected_index_sum": "unknown" if box is None else 1,
        "estimated_missing": missing_estimate(hits),
    }
    return variables, attrs


def _variables(points: np.ndarray, certificate) -> dict[str, np.ndarray]:
    size = points.shape[1]
    values, bounds = eigenvalues(certificate.J, certificate.J_error)
    off = np.abs(values) - 1
    outside = (off > 0).sum(axis=1)
    undecided = (np.abs(off) <= bounds).any(axis=1)
    sign = np.linalg.slogdet(np.eye(size) - certificate.J)[0].astype(int)
    return {
        "state": points,
        "residual": certificate.residual,
        "status": np.where(certificate.singular, Status.SINGULAR, Status.OK),
        "error_bound": certificate.radius,
        "eigenvalue": values,
        "n_unstable": outside,
        "stability": np.where(undecided, "undecided", np.where(outside > 0, "unstable", "stable")),
        "index": np.where(certificate.singular, 0, sign),
    }
