"""Lyapunov spectra of networks and of sequences of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.analysis.eigen import spectrum
from rnndyn.analysis.growth import Frame, Tally, entropy_rate, kaplan_yorke
from rnndyn.errors import check_device
from rnndyn.networks.base import Network
from rnndyn.networks.elman import Elman, Linear
from rnndyn.schema import Status
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

NAMES = ("exponent", "stderr", "dimension", "entropy_rate", "sum_rule_defect", "status")
SUM_RULE = 1e-6  # nats per step; a larger defect is the fault of the QR, not of the run


def lyapunov_spectrum(
    net: Any,
    inputs: Any = None,
    *,
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
    """Lyapunov exponents of a network, with error bars and a check.

    Parameters
    ----------
    net
        A network, or a sequence of networks of one class and size: the results then gain the dimension ``network``.
    inputs : (B, T, I) or (T, I), optional
        A driven network: the exponents are those of the response to these inputs. Without inputs they are zero. The run
        takes the first ``warmup + steps`` of them; where they are fewer, `steps` shrinks, and `warmup` to a tenth of
        them if nothing would be left. The attrs ``steps_used`` and ``warmup_used`` tell.
    k
        Number of leading exponents; None for all.
    steps, warmup
        Steps that count, and steps before them in which the state settles and the tangent vectors align.
    initial_state : (S,) or (B, S), optional
        Random by default: uniform in [-1, 1), for a `Map` in [0, 0.1).
    trajectories
        Number of independent initial states; more than one gives the dimension ``batch``.
    qr_interval
        Steps between orthonormalisations; "auto" takes as many as the measured spread of the growth allows without
        losing more than a quarter of the digits, often one for full spectra.
    time_step
        Duration of a step: exponents are in nats per unit of time.
    rng
        Seed or Generator of the random initial states and of the first frame.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``exponent (index)`` falling; -inf for directions that a singular Jacobian destroys. ``stderr``: from 64 to 128
        blocks and their correlation at lag 1; it speaks of sampling on one attractor, not of other attractors.
        ``dimension`` (Kaplan-Yorke) and ``entropy_rate``: NaN where k is too small to know. ``sum_rule_defect``:
        |sum of exponents - mean log |det J||, of independent computations, a check of the whole calculation; NaN for
        k < S or an exponent of -inf. ``status``: 1 (not converged) where the two halves of the run disagree by more
        than 5 standard errors and 20 nats over the run; 2 (diverged), with NaN; 5 (ill-conditioned) where a
        `qr_interval` was too long for the spread; 13 (check failed) where the sum rule is off.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    Method of Benettin et al. ([benettin1980]_) with QR for Gram-Schmidt. Cost per step: O(S^2 k) for the tangents,
    O(S k^2) for the QR; memory O(S k), whatever the number of steps. A linear network has a constant Jacobian: its
    exponents are ln |eig W_hh| and no run is made. In other networks at rest, exponents of complex pairs converge as
    1/steps only.

    Examples
    --------
    >>> from rnndyn.networks.map import Map
    >>> logistic = Map(lambda s, x, p: 4 * s * (1 - s), 1)
    >>> ds = lyapunov_spectrum(logistic, initial_state=[0.3], steps=2000, warmup=100)
    >>> bool(abs(ds.exponent.item() - np.log(2)) < 5 * ds.stderr.item() + 1e-2)
    True
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    nets = front.networks(net)
    k = front.count(k, "k", nets[0].state_size)
    x, rows, batched = _sequences(nets[0], inputs, initial_state, trajectories)
    length, start = _length(x, steps, warmup)
    interval = None if qr_interval == "auto" else as_integer(qr_interval, "qr_interval", minimum=1)
    dt, rng = as_number(time_step, "time_step", above=0), as_generator(rng)
    results = []
    for one in nets:
        s = front.initial_states(one, initial_state, rows, rng)
        Q = _random_frame(one, rows, k, rng)
        linear = isinstance(one, Linear) or (isinstance(one, Elman) and one.activation == "identity")
        results.append(_constant(one, rows, k) if linear else _measured(one, x, s, Q, start, length, interval))
    stacked = {name: np.stack([result[name] for result in results]) for name in NAMES}
    return _dataset(stacked, net, call, dt, batched, {"steps_used": length, "warmup_used": start})


def lyapunov_from_jacobians(jacobians: Any, *, k: int | None = None, qr_interval: int | str = "auto") -> Dataset:
    """Lyapunov exponents of the product of a sequence of matrices, the first of which acts first.

    Parameters
    ----------
    jacobians : (T, N, N) or an iterator of (N, N)
        The matrices. An iterator is read once, and nothing of it is kept.
    k
        Number of leading exponents; None for all.
    qr_interval
        As in `lyapunov_spectrum`.

    Returns
    -------
    Dataset
        As that of `lyapunov_spectrum`, in nats per matrix. The first frame is the identity and counts from the first
        matrix on: for stationary sequences the exponents have a bias of order 1/T.

    Raises
    ------
    TypeError, ValueError
        Naming the argument and, for a matrix that is not finite or of another shape, its place.

    Examples
    --------
    >>> cat = np.array([[2.0, 1.0], [1.0, 1.0]])
    >>> lyapunov_from_jacobians(np.repeat(cat[None], 1000, axis=0)).exponent.values.round(3).tolist()
    [0.962, -0.962]
    """
    call = {"k": k, "qr_interval": qr_interval}
    interval = None if qr_interval == "auto" else as_integer(qr_interval, "qr_interval", minimum=1)
    matrices = _matrices(jacobians)
    first = next(matrices, None)
    if first is None:
        raise ValueError("jacobians is empty: at least one matrix is wanted")
    k = front.count(k, "k", len(first))
    measure = _Measure(np.eye(len(first), k)[None], len(first) == k, interval)
    with np.errstate(over="ignore", invalid="ignore"):
        for number, J in enumerate(chain([first], matrices), 1):  # noqa: B007
            measure.push(J @ measure.pushed, partial(np.expand_dims, J, 0))
    result = {name: value[None] for name, value in measure.result().items()}
    return _dataset(result, None, call, 1.0, False, {"steps_used": number})


# ---- the measurement -------------------------------------------------------------------------------------------------


class _Measure:
    """Tangent vectors of B sequences on their way: the frame, the open window, and the sums."""

    def __init__(self, Q: np.ndarray, complete: bool, interval: int | None) -> None:
        self.frame, self.pushed, self.open = Frame(Q), Q, 0
        self.complete, self.fixed = complete, interval
        self.diverged = np.zeros(len(Q), bool)
        self.restart()

    def restart(self) -> None:
        """Close the window and count from here."""
        self.close()
        rows, _, k = self.frame.Q.shape
        self.logs, self.determinants = Tally((rows, k)), np.zeros(rows)
        self.frame.restart()

    def push(self, pushed: np.ndarray, jacobian: Callable[[], np.ndarray]) -> None:
        """Take the frame as it is after one more step, and what gives the Jacobians of that step."""
        self.pushed, self.jacobian, self.open = pushed, jacobian, self.open + 1
        if self.complete:
            with np.errstate(divide="ignore", invalid="ignore"):
                self.determinants += np.linalg.slogdet(jacobian().astype(np.float64))[1]
        if self.open >= (self.fixed or self.frame.interval()):
            self.close()

    def close(self) -> None:
        """End the window with a QR."""
        if not self.open:
            return
        bad = ~np.isfinite(self.pushed).all(axis=(-2, -1))
        self.diverged |= bad
        pushed = np.where(bad[:, None, None], self.frame.Q, self.pushed)
        self.logs.add(self.frame.orthonormalise(pushed, self.open, self.jacobian), self.open)
        self.pushed, self.open = self.frame.Q, 0

    def result(self) -> dict[str, np.ndarray]:
        """The variables of the result, with the axis of the sequences first."""
        self.close()
        exponent, stderr = self.logs.mean(), self.logs.stderr()
        drift, error = self.logs.drift()
        exponent[self.frame.dead()] = -np.inf
        stderr[np.isneginf(exponent)] = 0
        # 20 nats: so much a transient may leave in any run.
        restless = (np.abs(drift) > 5 * error + 20 / self.logs.total) & np.isfinite(exponent)
        result = _summary(exponent, stderr, self.determinants / self.logs.total, self.complete)
        status = result["status"]
        status[restless.any(axis=-1)] = Status.NOT_CONVERGED
        status[self.frame.unresolved] = Status.ILL_CONDITIONED
        status[result["sum_rule_defect"] > SUM_RULE] = Status.CHECK_FAILED
        status[self.diverged] = Status.DIVERGED
        for name in NAMES[:-1]:
            result[name][self.diverged] = np.nan
        return result


def _measured(net: Network, x, s, Q, warmup: int, steps: int, interval: int | None) -> dict[str, np.ndarray]:
    """The result of a run of warmup + steps from the states s (B, S) and the frames Q."""
    measure = _Measure(Q, Q.shape[-1] == net.state_size, interval)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(warmup + steps):
            if t == warmup:
                measure.restart()
            x_t = _input_at(net, x, t, len(s))
            s = _advance(net, s, x_t, measure)
            lost = ~np.isfinite(s).all(axis=-1)
            measure.diverged |= lost
            s[lost] = 0  # a row that has diverged goes on from anywhere; its result is NaN
    return measure.result()


def _advance(net: Network, s: np.ndarray, x: np.ndarray | None, measure: _Measure) -> np.ndarray:
    """One step of states and frames. A full frame is multiplied by the Jacobian, which the sum rule needs anyway."""
    if measure.complete:
        J = dynamics.jacobian(net, s, x)
        measure.push(J @ measure.pushed, lambda: J)
        return dynamics.step(net, s, x)
    after, pushed = dynamics.tangent(net, s, x, measure.pushed)
    measure.push(pushed, lambda: dynamics.jacobian(net, s, x))
    return after


def _constant(net: Any, rows: int, k: int) -> dict[str, np.ndarray]:
    """The result for a linear network, from the eigenvalues of its constant Jacobian."""
    W = net.W_hh.astype(np.float64)
    values, bounds = spectrum(W[None])[:2]
    modulus = np.abs(values)
    with np.errstate(divide="ignore"):
        exponent = np.log(np.where(modulus > bounds, modulus, 0))
        stderr = np.where(modulus > bounds, bounds / np.where(modulus > 0, modulus, 1), 0)
        determinant = np.linalg.slogdet(W)[1]
    exponent, stderr = (np.repeat(v[:, :k], rows, axis=0) for v in (exponent, stderr))
    return _summary(exponent, stderr, np.full(rows, determinant), k == len(W))


def _summary(exponent, stderr, determinant, complete: bool) -> dict[str, np.ndarray]:
    """Sort the exponents (B, k), and derive the rest from them and the mean log |det J| (B,); every status is OK."""
    order = np.argsort(-exponent, axis=-1, kind="stable")
    exponent, stderr = (np.take_along_axis(v, order, -1) for v in (exponent, stderr))
    known = complete & np.isfinite(exponent).all(axis=-1)
    sums = np.where(np.isfinite(exponent), exponent, 0).sum(axis=-1)
    return {
        "exponent": exponent,
        "stderr": stderr,
        "dimension": np.array([kaplan_yorke(row, complete) for row in exponent]),
        "entropy_rate": np.array([entropy_rate(row, complete) for row in exponent]),
        "sum_rule_defect": np.abs(np.where(known, sums - np.where(known, determinant, 0), np.nan)),
        "status": np.full(len(exponent), int(Status.OK)),
    }


# ---- arguments and result --------------------------------------------------------------------------------------------


def _sequences(net: Network, inputs: Any, initial_state: Any, trajectories: Any) -> tuple[np.ndarray | None, int, bool]:
    """Inputs (B, T, I) or None, the number of sequences B, and whether the result has a batch dimension."""
    rows = as_integer(trajectories, "trajectories", minimum=1)
    x, batched = front.sequences(net, inputs)
    if x is not None and batched and rows not in (1, len(x)):
        raise ValueError(f"trajectories is {rows}, but inputs holds {len(x)} sequences: leave trajectories out")
    given = np.ndim(initial_state) == 2
    if x is not None and batched:
        rows = len(x)
    elif given and rows == 1:
        rows = len(initial_state)
    return (None if x is None else np.broadcast_to(x, (rows, *x.shape[1:]))), rows, batched or given or rows > 1


def _length(x: np.ndarray | None, steps: Any, warmup: Any) -> tuple[int, int]:
    """Steps and warmup, as far as the inputs reach."""
    steps, warmup = as_integer(steps, "steps", minimum=1), as_integer(warmup, "warmup", minimum=0)
    if x is None or x.shape[1] >= warmup + steps:
        return steps, warmup
    total = x.shape[1]
    warmup = warmup if total > warmup else total // 10
    front.log.info("inputs has %d time steps: %d are used for the warmup, %d count", total, warmup, total - warmup)
    return total - warmup, warmup


def _input_at(net: Network, x: np.ndarray | None, t: int, rows: int) -> np.ndarray | None:
    if not net.input_size:
        return None
    return np.zeros((rows, net.input_size), net.dtype) if x is None else np.ascontiguousarray(x[:, t])


def _random_frame(net: Network, rows: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Orthonormal vectors in general position, the same for every sequence."""
    Q = np.linalg.qr(rng.standard_normal((net.state_size, k)))[0]
    return np.repeat(Q[None].astype(net.dtype), rows, axis=0)


def _matrices(jacobians: Any) -> Iterator[np.ndarray]:
    """The matrices, one after the other, checked."""
    if not isinstance(jacobians, Iterator):
        array = as_array(jacobians, "jacobians", ("time", "state", "state_2"), dtype="float64")
        jacobians = iter(as_array(array, "jacobians", ("time", "state", "state_2"), sizes={"state": array.shape[-1]}))
    size = None
    for t, matrix in enumerate(jacobians):
        sizes: dict[str, int] = {} if size is None else {"state": size, "state_2": size}
        matrix = as_array(matrix, f"jacobians[{t}]", ("state", "state_2"), sizes=sizes, dtype="float64")
        size = len(matrix)
        if matrix.shape != (size, size) or not size:
            raise ValueError(f"jacobians[{t}] has shape {matrix.shape}: square matrices are wanted")
        yield matrix


def _dataset(result: dict[str, np.ndarray], net: Any, call: dict, dt: float, batched: bool, attrs: dict) -> Dataset:
    """From arrays with the axes network, batch, [index]."""
    result = dict(result)
    for name in ("exponent", "stderr", "entropy_rate", "sum_rule_defect"):
        result[name] = result[name] / dt
    for axis, kept in ((1, batched), (0, isinstance(front.plural(net), list))):
        if not kept:
            result = {name: np.take(values, 0, axis=axis) for name, values in result.items()}
    return schema.build("lyapunov_spectrum", result, net=front.plural(net), call=call, attrs=attrs)
