"""Fixed points and cycles of networks under constant input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.analysis.certificate import Certificate
from rnndyn.analysis.completeness import Box, invariant_box
from rnndyn.analysis.eigen import mode_types, nonnormality, spectrum, stability, time_constants, transient_growth
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.finding import find
from rnndyn.analysis.newton import solve_together
from rnndyn.analysis.starts import visited
from rnndyn.devices import resolve_for, running_on
from rnndyn.frontdoor import on_processor
from rnndyn.kernels.threads import small_matrices
from rnndyn.networks.base import Network
from rnndyn.networks.map import Map
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.progress import progressing
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

AT_ONCE = 4_000_000  # numbers in the starts of searches that begin together


def fixed_points(
    net: Any,
    input: Any = None,
    *,
    starts: Any = 1024,
    period: int = 1,
    tol: float | None = None,
    rng: Any = None,
    device: str = "cpu",
    progress: bool | Callable[[int, int], Any] | None = None,
) -> Dataset:
    """Fixed points of a network under constant input, with error bounds, eigenvalues and stability.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size: the points of all of them are then listed one after
        the other, with the coordinate ``network``.
    input : (I,) or (n, I), optional
        The constant input; zero by default. Of several, in rows (in a DataArray: along ``input_index``), the points
        under each are listed one after the other, network by network, with the coordinate ``input_index``.
    starts : number or (n, S)
        Starts of the search: given states, or how many to draw from states that the network visits, with noise.
    period
        p: fixed points of the p-th iterate F^p are listed, which are the points of all cycles whose period divides p,
        fixed points included; each point of a cycle is listed by itself. Cycles are sought by multiple shooting, and
        those of shorter periods first.
    tol
        A start is converged when max |F^p(x) - x| is at most this. By default each goes on to its own rounding error.
    rng
        Seed or Generator of the starts. The search of each network under each input begins with it as it is here, so it
        gives what it gives alone, up to rounding: many starts, of all searches together, are iterated otherwise than
        few.
    device
        "cpu"; "cuda" runs Newton's iteration for fixed points of networks of one cell on a GPU, the first starts of all
        networks and inputs at once. Multiple shooting for cycles, every other search, certificates and eigenvalues stay
        on the processor, to which inputs and starts that are on a GPU already are copied. "auto" takes the GPU where
        there is one that can.
    progress
        True shows a bar over the searches, one for each network and input; a callable is called with the number of
        those done and their total.

    Returns
    -------
    Dataset
        ``state (point, state)``; ``residual (point)`` = max |F^p(x) - x|. ``status (point)``: "certified" where it is
        proved, rounding included, that exactly one true point is within ``unique_radius`` (in every component) of the
        state, and that it is within ``error_bound`` (2-norm; of cycles both hold for all p points together);
        "converged" where these are estimates; "degenerate" where I - J is singular to within the error: at a
        bifurcation, or on a continuum of fixed points, whose number then means nothing. ``eigenvalue (point, mode)`` of
        the Jacobian J of F^p, by falling modulus, with ``eigenvalue_error``, ``eigenvalue_condition``,
        ``right_eigenvector`` and ``left_eigenvector (point, mode, state)``, ``mode_type`` ("monotone", "flip" or
        "rotation") and ``time_constant`` = -p / ln |mu| in steps, which
        is negative for unstable modes. ``n_unstable (point)``, the number outside the unit circle (of a saddle: its
        index); ``stability (point)``: "stable", "unstable", or "undecided" where the errors leave it open; ``index
        (point)`` = sign det(I - J), 0 where it is not decided; ``transient_growth (point)`` = max over k of ||J^k||_2,
        infinite unless the point is stable; ``nonnormality (point)``, from 0 (normal) to 1; for networks with inputs
        ``input_jacobian (point, state, input)`` of F^p. Points are sorted by their first components. attrs:
        ``n_starts``, ``n_converged``, ``index_sum``, ``expected_index_sum`` (1 for bounded cells, else "unknown": if
        they differ, points are missing; if they agree, some may be), ``estimated_missing`` (at least so many),
        ``completeness`` ("proved", "consistent", "incomplete" or "unknown": see `claim`); for an ensemble, or several
        inputs, a list of each, one value for each search, in the order of the points.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    DeviceError
        For ``device="cuda"`` without a usable GPU, and for networks that have no kernels there: `Map`, `Stack`,
        `ClosedLoop` and `LayerNormLSTM`.

    Notes
    -----
    Damped Newton with analytic Jacobians in float64, also for float32 networks, whose weights are taken as exact. Each
    point is certified by Krawczyk's test on enclosures of the network's own equations ([krawczyk1969]_), and points are
    merged where it proves them the same; a `Map`, a `LayerNormLSTM` and a `ClosedLoop` have no enclosure, so their
    points are "converged" at best. Nobody can promise that all points are found. Cost O(starts (p + 1) S^3) per
    iteration, 5 to 20 of them; memory is bounded. The first starts of all networks and inputs share the cores.
    Definition and use of fixed points in networks: [sussillo2013]_.

    On a GPU one block of threads takes one start after the other. Each of its steps is solved by LU factors for up to
    48 states, by GMRES with up to 32 vectors for more ([saad1986]_), O(S^2) for each vector. Memory there: the first
    starts of all searches, and some 40 S numbers for each of 1024 blocks. No GPU has run this yet: the kernel is
    compiled without one, and compared with the processor's in a simulator.

    Examples
    --------
    >>> from rnndyn.networks.elman import Elman
    >>> ds = fixed_points(Elman(None, [[2.0]]), starts=64, rng=0)
    >>> ds.state.values.ravel().round(6).tolist(), ds.stability.values.tolist(), ds.attrs["index_sum"]
    ([-0.957504, 0.0, 0.957504], ['stable', 'unstable', 'stable'], 1)
    """
    nets = front.networks(net)
    device = resolve_for(device, isinstance(nets[0], CellNetwork), f"the search of a {type(nets[0]).__name__}")
    call = {name: value for name, value in locals().items() if name not in ("net", "nets", "progress")}
    with running_on(device):
        starts = on_processor(starts, "starts")
        inputs, several = front.constant_inputs(nets[0], on_processor(input, "input"))
    period, rng = as_integer(period, "period", minimum=1), as_generator(rng)
    tol = None if tol is None else as_number(tol, "tol", above=0)
    searches = list(product(range(len(nets)), range(len(inputs))))
    # The last takes the caller's own generator, which so moves on.
    rngs = [*(deepcopy(rng) for _ in searches[1:]), rng]
    doubles = [one if isinstance(one, Map) else one.astype("float64") for one in nets]
    posed = (
        _search(doubles[k], inputs[j], starts, period, own, device) for (k, j), own in zip(searches, rngs, strict=True)
    )
    with small_matrices(period * nets[0].state_size):
        work = zip(progressing(searches, progress, "fixed points"), _begun(posed, tol), strict=False)
        found = [_of_one(search, states, tol) for _, (search, states) in work]
    data = {name: np.concatenate([variables[name] for variables, _ in found]) for name in found[0][0]}
    attrs = {name: [values[name] for _, values in found] for name in found[0][1]}
    of_point = np.repeat(searches, [len(variables["residual"]) for variables, _ in found], axis=0)
    ensemble = isinstance(front.plural(net), list)
    if ensemble:
        data["network"] = of_point[:, 0]
    if several:
        data["input_index"] = of_point[:, 1]
    if not (ensemble or several):
        attrs = {name: values[0] for name, values in attrs.items()}
    return schema.build("fixed_points", data, net=front.plural(net), call=call, attrs=attrs)


class Search(NamedTuple):
    """What is sought, where all of it lies, the starts (n, S), and the generator to draw from."""

    equation: Equation
    box: Box | None
    starts: np.ndarray
    rng: np.random.Generator


def _search(
    net: Network, x: np.ndarray | None, starts: Any, period: int, rng: np.random.Generator, device: str
) -> Search:
    x = None if x is None else x.astype(np.float64)
    box = invariant_box(net, Box(*[np.zeros(0) if x is None else x] * 2))
    with np.errstate(over="ignore", invalid="ignore"):
        if np.ndim(starts):
            first = as_array(starts, "starts", ("point", "state"), sizes={"state": net.state_size}, dtype="float64")
        else:
            first = visited(net, x, as_integer(starts, "starts", minimum=1), rng)
            first = first if box is None else box.fold(first)
        scale = float(np.median(np.abs(first).max(axis=1))) if isinstance(net, Map) and len(first) else 1.0
    return Search(Equation(net, x, period, scale or 1.0, device), box, first, rng)


def _begun(posed: Iterable[Search], tol: float | None) -> Iterator[tuple[Search, tuple[np.ndarray, np.ndarray]]]:
    """Searches, each with what Newton's iteration makes of its starts: those of many searches at once."""
    some: list[Search] = []
    for search in posed:
        some.append(search)
        if sum(one.starts.size for one in some) >= AT_ONCE:
            yield from _solved(some, tol)
            some = []
    yield from _solved(some, tol)


def _solved(some: list[Search], tol: float | None) -> Iterator[tuple[Search, tuple[np.ndarray, np.ndarray]]]:
    if not some:
        return iter(())
    with np.errstate(over="ignore", invalid="ignore"):
        states = solve_together([search.equation for search in some], [search.starts for search in some], tol)
    return zip(some, states, strict=True)


def _of_one(search: Search, begun: tuple[np.ndarray, np.ndarray], tol: float | None) -> tuple[dict, dict]:
    """Variables and attrs of the result of one search, begun with these states and whether they have converged."""
    equation, box, first, rng = search
    with np.errstate(over="ignore", invalid="ignore"):
        found = find(equation, box, first, tol, rng, begun)
    variables = _variables(equation, found.points, found.certificate)
    attrs = {
        "n_starts": len(first),
        "n_converged": found.converged,
        "index_sum": int(variables["index"].sum()),
        "expected_index_sum": "unknown" if box is None else 1,
        "estimated_missing": found.claim.missing,
        "completeness": found.claim.ground,
    }
    return variables, attrs


def _variables(equation: Equation, points: np.ndarray, certificate: Certificate) -> dict[str, np.ndarray]:
    J = certificate.J
    modes = spectrum(J, certificate.J_error)
    decided = stability(modes.values, modes.error)
    variables = {
        "state": points,
        "residual": certificate.residual,
        "status": certificate.status,
        "error_bound": certificate.radius,
        "unique_radius": certificate.unique,
        "eigenvalue": modes.values,
        "eigenvalue_error": modes.error,
        "eigenvalue_condition": modes.condition,
        "right_eigenvector": modes.right,
        "left_eigenvector": modes.left,
        "mode_type": mode_types(modes.values, modes.error),
        "time_constant": time_constants(modes.values, equation.period),
        "n_unstable": (np.abs(modes.values) > 1).sum(axis=1),
        "stability": decided,
        "index": np.where(certificate.singular, 0, certificate.sign).astype(int),
        "transient_growth": transient_growth(J, decided == "stable"),
        "nonnormality": nonnormality(J, modes.values),
    }
    if equation.x is not None:
        variables["input_jacobian"] = _input_jacobian(equation, equation.x, points)
    return variables


def _input_jacobian(equation: Equation, x: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Derivatives of F^p in the constant input, (n, S, I)."""
    total, x = np.zeros((*s.shape, len(x))), np.repeat(x[None], len(s), axis=0)
    for _ in range(equation.period):
        total = dynamics.jacobian(equation.net, s, x) @ total + dynamics.jacobian(equation.net, s, x, "input")
        s = dynamics.step(equation.net, s, x)
    return total
