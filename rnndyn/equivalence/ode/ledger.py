"""The ledger of errors: the global error of a method as the sum of what each local error has become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.equivalence.ode.fields import as_field
from rnndyn.equivalence.ode.network import network
from rnndyn.equivalence.ode.reference import LOOSER, TIGHTEST, trajectory
from rnndyn.frontdoor import as_sequences
from rnndyn.schema import Status
from rnndyn.validate import as_array

if TYPE_CHECKING:
    from xarray import Dataset

NODES = (4, 8, 16, 32, 64)  # of the quadrature of the mean Jacobian: the first number that leaves rounding only
EPS = float(np.finfo(np.float64).eps)
ROUNDINGS = 32  # rounding units of a step that the bound allows for


def error_ledger(
    field: Any,
    inputs: Any = None,
    *,
    method: str = "euler",
    dt: float,
    steps: int | None = None,
    initial_state: Any = None,
    reference: Any = None,
) -> Dataset:
    """Account for the error of a network that solves an ODE, beside the products of backpropagation through time.

    Parameters
    ----------
    field
        A `VectorField`, or a `Leaky` network for its continuous time.
    inputs : (B, T, I) or (T, I), optional
        Inputs, each held over one step.
    method, dt
        As in `network`.
    steps
        T, without inputs.
    initial_state : (S,) or (B, S), optional
        Zeros by default.
    reference : (T, S) or (B, T, S), optional
        Exact solution at dt, 2 dt, ..., T dt; by default SciPy's DOP853 at its tightest tolerance. The identity holds
        for any reference, but local errors smaller than the error of the reference mean nothing.

    Returns
    -------
    Dataset
        With e_n the ``error`` (exact solution minus state) and d_n the ``local_error`` (the exact solution minus one
        step from the exact solution before), ``e_n = M_n e_{n-1} + d_n``, M_n the mean of the step's Jacobian over the
        segment between the two states. So ``e_T = sum_n M_T ... M_{n+1} d_n``: these are the ``contribution``.
        Backpropagation forms the same products, of Jacobians at the states alone: ``bptt_contribution``, with the log
        norms of both products and their relative difference ``product_gap``; they are equal for a linear field, and
        O(e) apart otherwise.

        ``defect`` of the identity, to be compared with ``rounding``; ``bptt_defect``, what backpropagation's products
        miss. ``status``: 13 (check failed) where the defect is larger, because the Jacobian is not smooth on the way or
        errors are huge; 2 (diverged), with NaN, where run or reference is not finite. Attr ``reference_error``: largest
        difference to the reference of a 100 times looser tolerance, NaN for a given one.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Lady Windermere's fan ([hairer1993]_, section II.3), made an identity by the mean value theorem. The mean is taken
    by Gauss and Legendre's rule with 4 to 64 nodes, as many as it takes. Cost O(T S^3) and a Jacobian for each node.

    Examples
    --------
    >>> from rnndyn.equivalence.ode.fields import VectorField
    >>> ds = error_ledger(VectorField(lambda y, x, p: y - y**3, 1), dt=0.1, steps=40, initial_state=[0.1])
    >>> bool(ds.defect <= ds.rounding), bool(ds.bptt_defect > 1e3 * ds.rounding)
    (True, True)
    """
    call = {name: value for name, value in locals().items() if name != "field"}
    field = as_field(field)
    net = network(field, method, dt=dt)
    x, s0, T, single = as_sequences(net, inputs, initial_state, steps)
    if not T:
        raise ValueError("steps is 0: at least one step is wanted")
    run = np.concatenate([s0[:, None], dynamics.forward(net, x, s0, T)], axis=1)
    exact, doubt = _exact(field, x, s0, T, float(dt), reference)
    lost = ~(np.isfinite(run) & np.isfinite(exact)).all(axis=(1, 2))
    run[lost] = exact[lost] = s0[lost, None]  # where the field is defined
    numbers = _account(net, x, run, exact)
    lost |= ~np.isfinite(numbers["rounding"])  # products beyond the range of numbers
    for values in numbers.values():
        values[lost] = np.nan
    failed = numbers["defect"] > numbers["rounding"]
    status = np.where(lost, Status.DIVERGED, np.where(failed, Status.CHECK_FAILED, Status.OK))
    data = numbers | {"status": status}
    if single:
        data = {name: values[0] for name, values in data.items()}
    return schema.build("error_ledger", data, net=net, call=call, attrs={"reference_error": doubt})


def _exact(field, x, s0, steps, dt, reference) -> tuple[np.ndarray, float]:
    """Exact states (B, T + 1, S), and their error."""
    if reference is not None:
        dims, sizes = ("batch", "time", "state"), {"batch": len(s0), "time": steps, "state": s0.shape[1]}
        given = as_array(reference, "reference", dims, sizes=sizes, dtype="float64", optional=("batch",))
        given = np.broadcast_to(given, (len(s0), *given.shape[-2:]))
        return np.concatenate([s0[:, None], given], axis=1), np.nan
    rows = range(len(s0))
    tight, loose = (
        np.array([trajectory(field, s0[b], dt, steps, tolerance, None if x is None else x[b]) for b in rows])
        for tolerance in (TIGHTEST, LOOSER * TIGHTEST)
    )
    return np.concatenate([s0[:, None], tight], axis=1), float(np.fmax.reduce(np.abs(tight - loose), axis=None))


def _account(net, x, run, exact) -> dict[str, np.ndarray]:
    """All numbers of the ledger, from states and exact states (B, T + 1, S)."""
    batch, steps, size = run.shape[0], run.shape[1] - 1, run.shape[2]
    flat = None if x is None else x.reshape(batch * steps, -1)

    def rows(states):
        return np.ascontiguousarray(states[:, :-1]).reshape(-1, size)

    error = exact - run
    stepped = dynamics.step(net, rows(exact), flat).reshape(batch, steps, size)
    local = exact[:, 1:] - stepped
    # A step, its twin from the exact state, and the mean Jacobian's product each round by units of the states.
    sizes = np.linalg.norm(exact, axis=2) + np.linalg.norm(run, axis=2)
    pointwise = dynamics.jacobian(net, rows(run), flat).reshape(batch, steps, size, size)
    for nodes in NODES:
        mean = _mean_jacobian(net, rows(run), rows(error), flat, nodes).reshape(pointwise.shape)
        rounding = ROUNDINGS * EPS * (sizes[:, 1:] + _norm(mean) * sizes[:, :-1])
        missed = stepped - run[:, 1:] - np.einsum("btij,btj->bti", mean, error[:, :-1])
        if (np.linalg.norm(missed, axis=2) <= rounding).all():
            break
    P, B = _products(mean), _products(pointwise)
    contribution, bptt = (np.einsum("btij,btj->bti", product, local) for product in (P, B))
    norm, bptt_norm, apart = (_norm(product) for product in (P, B, P - B))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {"log_product": np.log(norm), "log_bptt_product": np.log(bptt_norm)}
        gap = np.where(apart > 0, apart / norm, 0.0)
    return logs | {
        "error": error[:, 1:],
        "local_error": local,
        "contribution": contribution,
        "bptt_contribution": bptt,
        "product_gap": gap,
        "defect": np.linalg.norm(error[:, -1] - contribution.sum(axis=1), axis=1),
        "rounding": (norm * rounding).sum(axis=1),
        "bptt_defect": np.linalg.norm(error[:, -1] - bptt.sum(axis=1), axis=1),
    }


def _norm(A: np.ndarray) -> np.ndarray:
    """2-norms of matrices, NaN for those that are not finite."""
    finite = np.isfinite(A).all(axis=(-2, -1))
    return np.where(finite, np.linalg.norm(np.where(finite[..., None, None], A, 0.0), 2, axis=(-2, -1)), np.nan)


def _mean_jacobian(net, start, along, x, nodes: int) -> np.ndarray:
    """Mean of the step's Jacobian over the segments from ``start`` to ``start + along``, by Gauss and Legendre."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    at = ((w / 2, start + (1 + point) / 2 * along) for point, w in zip(points, weights, strict=True))
    return sum(w * dynamics.jacobian(net, states, x) for w, states in at)


def _products(J: np.ndarray) -> np.ndarray:
    """``J_T ... J_{n+1}`` for each step n of (B, T, S, S); the last is 1."""
    products = np.empty_like(J)
    products[:, -1] = np.eye(J.shape[-1])
    for t in range(J.shape[1] - 2, -1, -1):
        products[:, t] = products[:, t + 1] @ J[:, t + 1]
    return products
