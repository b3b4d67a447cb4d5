"""Lyapunov spectra of networks and of sequences of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import schema
from rnndyn.analysis import front
from rnndyn.analysis.eigen import spectrum
from rnndyn.analysis.measure import Measure, Summary, mover, summarise
from rnndyn.analysis.pooling import pooled
from rnndyn.devices import resolve_for, running_on
from rnndyn.frontdoor import on_processor
from rnndyn.networks.base import Network
from rnndyn.networks.elman import Elman, Linear
from rnndyn.progress import telling
from rnndyn.schema import Status
from rnndyn.tangents import Course, GivenCourse, course, device_of
from rnndyn.validate import as_array, as_generator, as_integer, as_number

if TYPE_CHECKING:
    from xarray import Dataset

FEWEST = 256  # steps before an error is believed
PILE = 1000  # matrices of an iterator that are pushed together
FIRST_GUESS = 8  # directions, where the dimension decides how many


def lyapunov_spectrum(
    net: Any,
    inputs: Any = None,
    *,
    k: int | str | None = None,
    steps: int = 10_000,
    warmup: int = 1_000,
    until: float | None = None,
    initial_state: Any = None,
    trajectories: int = 1,
    qr_interval: int | str = "auto",
    time_step: float = 1.0,
    rng: Any = None,
    device: str = "cpu",
    progress: bool | Callable[[int, int], Any] | None = None,
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
        Number of leading exponents; None for all; "dimension" for as many as the Kaplan-Yorke dimension takes, which is
        tried out with 8, 16, ... directions.
    steps, warmup
        Steps that count, and steps before them in which the state settles and the tangent vectors align.
    until
        A standard error per unit of time: the run ends before `steps` once no exponent's is larger. It is looked at
        whenever the run has doubled, from 1/64 of `steps` (at least 256) on.
    initial_state : (S,) or (B, S), optional
        Random by default: uniform in [-1, 1), for a `Map` in [0, 0.1).
    trajectories
        Number of independent initial states; more than one gives the dimension ``batch``.
    qr_interval
        Steps between orthonormalisations; "auto" takes as many as the measured spread of the growth allows without
        losing more than a quarter of the digits of any growth factor. Long computations on the processor, in compiled
        code, take as many as cost least, often two for full spectra: where more than a third of the digits would be
        lost, they go back and orthonormalise after every step. So the least growth factor of a window may be off by
        some 4e-11 of itself (for float32 networks 2e-5), the larger ones by less.
    time_step
        Duration of a step: exponents are in nats per unit of time.
    rng
        Seed or Generator of the random initial states and of the first frame.
    device
        "cpu"; "cuda" runs states, tangents and their orthonormalisation on a GPU, for networks of one cell that are not
        linear; "auto" takes the GPU where there is one that can. Inputs that are on a GPU already are read where they
        are, if :func:`rnndyn.run` would; initial states are copied to the processor.
    progress
        True shows a bar; a callable is called with the number of steps done, those of the warmup included, and their
        total. With `until` the run may end before; ``k="dimension"`` begins anew with each number of directions.

    Returns
    -------
    Dataset
        ``exponent (index)`` falling; -inf for directions that a singular Jacobian destroys. ``stderr``: from 64 to 128
        blocks and their correlation at lag 1; it speaks of sampling on one attractor, not of other attractors.
        ``dimension`` (Kaplan-Yorke) and ``entropy_rate`` with ``dimension_stderr`` and ``entropy_stderr``, from the
        same blocks, correlations between exponents included: NaN where k is too small to know. ``sum_rule_defect``:
        |sum of exponents - mean log |det J||, of independent computations, a check of the whole calculation; NaN for
        k < S or an exponent of -inf. Where a determinant costs as much as a good part of a step, it is taken of every
        16th step at the least, and compared with the growth in that step. ``status``: 1 (not converged) where the two
        halves of the run disagree by more than 5 standard errors and 20 nats over the run; 2 (diverged), with NaN; 5
        (ill-conditioned) where a `qr_interval` was too long for the spread; 13 (check failed) where the sum rule is
        off. Of several trajectories also ``exponent_mean``, ``dimension_mean`` and ``entropy_mean``, each with a
        standard error ``..._stderr`` from the scatter between them, which needs no blocks: the mean plus and minus
        ``interval_factor`` (Student's, of ``dof`` degrees of freedom: 12.7 for two trajectories, 2.3 for ten) of them
        is a 95 % interval. ``agreement`` is "differ" where exponents scatter more than their own errors allow, by an F
        test of ``variance_ratio`` that errs once in 1000 networks, or where a trajectory diverged: they are on
        different attractors, under inputs of different kinds, or too short to have seen all of one; the means are then
        NaN. Attractors with equal exponents, mirror images say, are not told apart.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    DeviceError
        For ``device="cuda"`` without a usable GPU, and for networks that have no kernels there: linear ones, whose
        exponents are those of eigenvalues, and `Map`, `Stack`, `ClosedLoop` and `LayerNormLSTM`.

    Notes
    -----
    Method of Benettin et al. ([benettin1980]_). Long runs are compiled: all tangent vectors go through the weights in
    one product, and block Gram-Schmidt keeps them orthonormal, repeated where it loses digits ([giraud2005]_); where it
    cannot tell a growth from rounding, Householder's QR decides. An error in one R_ii changes the length of the next
    tangent vector by as much, so it does not add up over the run. Small runs go step by step through NumPy. On a GPU
    one block of threads takes one trajectory of one network, and modified Gram-Schmidt is repeated until no vector
    loses more than 30 % of its length: an R_ii has a relative error of about S eps ||J q_i|| / R_ii, as by
    Householder's QR, which decides where that exceeds 1/4. Where CuPy is installed, frames of 65 536 numbers or more of
    a single network go by products of cuBLAS and Householder's QR of cuSOLVER instead, one trajectory after the other.
    The sum rule is checked in about 64 windows there. No GPU has run this yet: the kernels are compiled without one,
    and compared with the processor's in a simulator, with NumPy in the place of CuPy. Cost per step: O(S^2 k) for the
    tangents, O(S k^2) for the QR; memory O(S k), whatever the number of steps. A linear network has a constant
    Jacobian: its exponents are ln |eig W_hh| and no run is made. In other networks at rest, exponents of complex pairs
    converge as 1/steps only.

    Examples
    --------
    >>> from rnndyn.networks.map import Map
    >>> logistic = Map(lambda s, x, p: 4 * s * (1 - s), 1)
    >>> ds = lyapunov_spectrum(logistic, initial_state=[0.3], steps=2000, warmup=100)
    >>> bool(abs(ds.exponent.item() - np.log(2)) < 5 * ds.stderr.item() + 1e-2)
    True
    """
    nets = front.networks(net)
    device = _device_for(device, nets[0])
    call = {name: value for name, value in locals().items() if name not in ("net", "nets", "progress")}
    size = nets[0].state_size
    number = None if k == "dimension" else front.count(k, "k", size)
    with running_on(device):
        initial_state = on_processor(initial_state, "initial_state")
        x, rows, batched = front.trajectories_of(nets[0], inputs, initial_state, trajectories)
    length, start = front.duration(x, steps, warmup)
    interval = None if qr_interval == "auto" else as_integer(qr_interval, "qr_interval", minimum=1)
    dt, rng = as_number(time_step, "time_step", above=0), as_generator(rng)
    until = None if until is None else as_number(until, "until", above=0) * dt
    drawn = [(front.initial_states(one, initial_state, rows, rng), front.random_frame(one, rng)) for one in nets]
    s, frames = (np.stack(parts) for parts in zip(*drawn, strict=True))

    def measured(k: int) -> tuple[Summary, int]:
        if _is_linear(nets[0]):
            parts = [_constant(one, rows, k) for one in nets]
            return Summary(*(np.concatenate(values) for values in zip(*parts, strict=True))), length
        Q = np.repeat(frames[..., :k], rows, axis=0)
        with telling(start + length, progress, "Lyapunov spectrum") as tell:
            return _measured(course(nets, x, s, device), Q, start, length, interval, until, tell)

    found, taken = _until_passed(measured, size) if number is None else measured(number)
    by_run = {name: v.reshape(len(nets), rows, *v.shape[1:]) for name, v in found._asdict().items()}
    return _dataset(by_run, net, call, dt, batched, {"steps_used": taken, "warmup_used": start})


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
        matrix on: for stationary sequences the exponents have a bias of order 1/T. Where singular matrices take one of
        its vectors to zero that another order would have kept, it is a frame in general position.

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
    first = list(islice(matrices, PILE))
    if not first:
        raise ValueError("jacobians is empty: at least one matrix is wanted")
    size = len(first[0])
    k = front.count(k, "k", size)
    frames = [np.eye(size, k)]
    if (np.linalg.slogdet(np.stack(first))[0] == 0).any():
        frames.append(np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0][:, :k])
    found, number = _side_by_side(chain(first, matrices), frames, interval)
    kept = [np.isfinite(summary.exponent).sum() for summary in found]
    summary = found[int(np.argmax(kept))]  # the first of equals
    result = {name: value[None] for name, value in summary._asdict().items()}
    return _dataset(result, None, call, 1.0, False, {"steps_used": number})


def _side_by_side(matrices: Iterator[np.ndarray], frames: list, interval: int | None) -> tuple[list[Summary], int]:
    """Results by each frame (N, k) of one sequence that is read once; how many matrices it had."""
    size, k = frames[0].shape
    streams = tee(matrices, len(frames))
    moves = [mover(GivenCourse(m, size), Q[None], interval, PILE) for m, Q in zip(streams, frames, strict=True)]
    measures = [Measure(1, k, k == size) for _ in frames]
    number = 0
    with np.errstate(over="ignore", invalid="ignore"):
        while taken := [move.advance(PILE, measure) for move, measure in zip(moves, measures, strict=True)][0]:
            number += taken
    return [measure.summary() for measure in measures], number


# ---- the measurement -------------------------------------------------------------------------------------------------


def _measured(
    way: Course, Q, warmup: int, steps: int, interval: int | None, until: float | None, tell: Callable[[int], Any]
) -> tuple[Summary, int]:
    """Results of runs of warmup + steps, or of fewer if the errors fall below ``until``; how many steps it took."""
    rows, size, k = Q.shape
    move = mover(way, Q, interval, warmup + steps)
    with np.errstate(over="ignore", invalid="ignore"):
        settling, measure = Measure(rows, k, False, tell), Measure(rows, k, k == size, tell)
        move.advance(warmup, settling)
        measure.diverged |= settling.diverged
        done, part = 0, steps
        if until is not None:
            part = min(steps, max(FEWEST, steps // 64))
        while done < steps:
            move.advance(min(part, steps - done), measure)
            done += min(part, steps - done)
            part = done
            found = measure.summary()
            if until is not None and np.nanmax(found.stderr, initial=0.0) <= until:
                break
    return found, done


def _until_passed(measured: Callable[[int], tuple[Summary, int]], size: int) -> tuple[Summary, int]:
    """Measure with more and more directions, until the sum of their exponents is negative."""
    k = min(size, FIRST_GUESS)
    while True:
        found, done = measured(k)
        unknown = np.isnan(found.dimension) & (found.status != Status.DIVERGED)
        if k == size or not unknown.any():
            return found, done
        k = min(size, 2 * k)


def _constant(net: Any, rows: int, k: int) -> Summary:
    """The result for a linear network, from the eigenvalues of its constant Jacobian."""
    W = net.W_hh.astype(np.float64)
    values, bounds = spectrum(W[None])[:2]
    modulus = np.abs(values)
    with np.errstate(divide="ignore"):
        exponent = np.log(np.where(modulus > bounds, modulus, 0))
        stderr = np.where(modulus > bounds, bounds / np.where(modulus > 0, modulus, 1), 0)
        determinant = np.linalg.slogdet(W)[1]
    defect = np.where(np.isfinite(exponent), exponent, 0).sum(axis=-1) - (
        determinant if np.isfinite(determinant) else 0
    )
    exponent, stderr = (np.repeat(v[:, :k], rows, axis=0) for v in (exponent, stderr))
    return summarise(exponent, stderr, np.repeat(defect, rows), k == len(W))


# ---- arguments and result --------------------------------------------------------------------------------------------


def _device_for(device: str, net: Network) -> str:
    """Name of the device that takes such networks."""
    if _is_linear(net):
        return resolve_for(device, False, "a linear network, whose exponents are those of eigenvalues,")
    return device_of(device, net)


def _is_linear(net: Network) -> bool:
    return isinstance(net, Linear) or (isinstance(net, Elman) and net.activation == "identity")


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
    for name in ("exponent", "stderr", "entropy_rate", "entropy_stderr", "sum_rule_defect"):
        result[name] = result[name] / dt
    together = pooled(result, dt * attrs["steps_used"])
    if not batched:
        result = {name: values[:, 0] for name, values in result.items()}
    result |= together
    if not isinstance(front.plural(net), list):
        result = {name: values[0] for name, values in result.items()}
    return schema.build("lyapunov_spectrum", result, net=front.plural(net), call=call, attrs=attrs)
