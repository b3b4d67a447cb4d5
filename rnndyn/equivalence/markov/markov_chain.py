"""A Markov chain read out of a network: a partition of the states that it visits, and how Markovian that is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn import dynamics, schema
from rnndyn.analysis import front
from rnndyn.dims import in_order
from rnndyn.equivalence.markov.ngram import NGram
from rnndyn.errors import check_device
from rnndyn.networks.base import Network
from rnndyn.schema import Status
from rnndyn.validate import as_generator, as_integer, as_integers

if TYPE_CHECKING:
    from xarray import Dataset

MOST = 20_000  # states that k-means looks at
RESTARTS = 5
LARGEST = 4095  # number of a cell: transitions are held as a matrix
BLOCKS = 32  # of fresh data, for the error of a mean over correlated steps
SMOOTHING = 0.5  # of the models that are compared on fresh data, which may hold steps that were never counted


def to_markov_chain(
    net: Network,
    inputs: Any = None,
    *,
    labels: Callable | None = None,
    cells: int = 8,
    steps: int = 10_000,
    warmup: int = 1_000,
    initial_state: Any = None,
    memory: int = 3,
    rng: Any = None,
    device: str = "cpu",
) -> Dataset:
    """Read a Markov chain out of a network, and measure what it leaves out.

    Parameters
    ----------
    net
        The network.
    inputs : (B, T, I) or (T, I), optional
        Inputs of the run, of which the first half behind the `warmup` is counted, and the second half is fresh data.
        Without inputs they are zero.
    labels : callable, optional
        The partition: ``labels(states)`` takes (n, S) states, and comes back with the number of the cell of each, from
        0. None for the cells of k-means ([arthur2007]_) of the states counted.
    cells
        Number of cells of k-means; fewer where there are not so many states.
    steps
        Steps that are counted, of a run without inputs; as many follow as fresh data.
    warmup
        Steps before, that are left out.
    initial_state : (S,) or (B, S), optional
        Random by default, as in `lyapunov_spectrum`.
    memory
        Symbols that the model remembers which the chain is compared with; at least 2.
    rng
        Seed or `numpy.random.Generator` of initial state and k-means.
    device
        "cpu".

    Returns
    -------
    Dataset
        ``transition`` (cell, next_cell), with the ``count`` it comes from; NaN in the row of a cell that was never
        left, whose ``status`` is 1 (not converged). ``occupation`` and ``center``, the mean state, of each cell.

        ``lumpability_residual`` (cell): a chain of cells is Markov only if the law of the next cell does not depend on
        how the cell was reached ([kemeny1960]_); this is the mean distance, in total variation, of that law by the cell
        before from the row of `transition`. ``lumpability_floor``: its expected value for a true chain, from finite
        counts alone.

        ``entropy_rate`` of the chain; ``entropy_rate_gap``: by how much it exceeds that with `memory`, both corrected
        for the bias of counting. 0 for a Markov partition, positive for others, where the cells' past tells more than
        the last cell ([geiger2014]_). For an autonomous network and a generating partition the entropy rate of the
        symbols is at most the sum of the positive Lyapunov exponents.

        ``loglik`` of a fresh step under the chain, ``loglik_gap``: what `memory` adds to it, with
        ``loglik_gap_stderr``; both models add 1/2 to each count. The gap is negative where the data are too few for the
        longer memory.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for a run that diverged.

    Notes
    -----
    Exact only for a Markov partition, as piecewise-linear expanding maps may have one; k-means gives an approximation.
    A slope of few binary digits, such as 2 or 3/2, is a trap: floats run out of digits, and the map comes to rest. Cost
    of the run, O(T S cells) for the labels, O(T log T + cells^2) for the counts.

    Examples
    --------
    >>> from rnndyn.networks import PiecewiseLinear
    >>> slope = (1 + 5**0.5) / 2  # a tent with a Markov partition
    >>> tent = PiecewiseLinear([slope], [[-2 * slope]], [(slope - 1) / 2])
    >>> right = lambda states: (states[:, 0] > 0).astype(int)
    >>> chain = to_markov_chain(tent, labels=right, steps=5000, initial_state=[0.1])
    >>> chain.transition.values.round(1).tolist()
    [[0.0, 1.0], [0.4, 0.6]]
    >>> bool(abs(chain.entropy_rate - np.log(slope)) < 0.01)
    True
    """
    check_device(device)
    call = {name: value for name, value in locals().items() if name != "net"}
    if not isinstance(net, Network) or len(front.networks(net)) != 1:
        raise TypeError(f"net is a {type(net).__name__}: one network is wanted")
    if labels is not None and not callable(labels):
        raise TypeError(f"labels is a {type(labels).__name__}: a function of states (n, S) is wanted")
    memory, rng = as_integer(memory, "memory", minimum=2), as_generator(rng)
    most = as_integer(cells, "cells", minimum=1)
    states, fresh = _run(net, inputs, steps, as_integer(warmup, "warmup", minimum=0), initial_state, memory, rng)
    if labels is None:
        labels = _nearest(_centers(states.reshape(-1, net.state_size), most, rng))
    counted, later = (_labelled(labels, part) for part in (states, fresh))
    number = int(max(counted.max(), later.max())) + 1
    found = _chain(counted, number) | _lumpability(counted, number) | _gaps(counted, later, number, memory)
    found["center"] = _means(states.reshape(-1, net.state_size), counted.ravel(), number)
    attrs = {"steps_counted": counted.size, "steps_fresh": later.size}
    return schema.build("markov_chain", found, net=net, call=call, attrs=attrs)


# ---- the run and its labels --------------------------------------------------------------------------------------


def _run(net: Network, inputs, steps, warmup, initial_state, memory, rng) -> tuple[np.ndarray, np.ndarray]:
    """States (B, T, S) to count, and fresh ones."""
    x, _ = front.sequences(net, inputs)
    half = as_integer(steps, "steps", minimum=1) if x is None else (x.shape[1] - warmup) // 2
    if half <= memory:
        raise ValueError(
            f"{half} steps would be counted (half of those behind the warmup): more than memory={memory} are wanted"
        )
    initial_state = in_order(initial_state, "batch", "state")
    rows = len(x) if x is not None else len(initial_state) if np.ndim(initial_state) == 2 else 1
    s = front.initial_states(net, initial_state, rows, rng)
    total = warmup + 2 * half
    if x is None and net.input_size:
        x = np.zeros((rows, total, net.input_size), net.dtype)
    x = None if x is None else np.ascontiguousarray(x[:, :total])
    states = dynamics.forward(net, x, s, total)[:, warmup:]
    if not np.isfinite(states).all():
        raise ValueError("net runs to states that are not finite: pass an initial_state from which it stays bounded")
    return states[:, :half], states[:, half:]


def _labelled(labels: Callable, states: np.ndarray) -> np.ndarray:
    flat = states.reshape(-1, states.shape[-1])
    found = as_integers(
        labels(flat.copy()), "labels(states)", ("state",), sizes={"state": len(flat)}, minimum=0, maximum=LARGEST
    )
    return found.reshape(states.shape[:-1])


def _centers(states: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Centres of k-means: of several starts the one with the least sum of squares; without cells that are empty."""
    from scipy.cluster.vq import kmeans2

    some = states if len(states) <= MOST else states[rng.choice(len(states), MOST, replace=False)]
    some = some.astype(np.float64)
    most = min(most, len(np.unique(some, axis=0)))
    best, least = some[:1], np.inf
    for _ in range(RESTARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty cell, which is dropped here
            centers, label = kmeans2(some, most, iter=50, minit="++", rng=rng)
        squares = ((some - centers[label]) ** 2).sum()
        if squares < least:
            best, least = centers[np.unique(label)], squares
    return best[np.lexsort(best.T[::-1])]


def _nearest(centers: np.ndarray) -> Callable:
    def labels(states):
        from scipy.cluster.vq import vq

        return vq(states.astype(np.float64), centers)[0].astype(np.int64)

    return labels


def _means(states: np.ndarray, label: np.ndarray, number: int) -> np.ndarray:
    """Mean state of each cell, NaN for one without."""
    sums = np.zeros((number, states.shape[1]))
    np.add.at(sums, label, states)
    visits = np.bincount(label, minlength=number)[:, None]
    return np.where(visits > 0, sums / np.maximum(visits, 1), np.nan)


# ---- what is measured --------------------------------------------------------------------------------------------


def _chain(label: np.ndarray, number: int) -> dict[str, Any]:
    """Counts, transition matrix, and the chain's own entropy rate."""
    count = np.zeros((number, number), np.int64)
    np.add.at(count, (label[:, :-1], label[:, 1:]), 1)
    left = count.sum(axis=1, keepdims=True)
    transition = np.where(left > 0, count / np.maximum(left, 1), np.nan)
    plain = np.where(count > 0, transition, 1.0)
    return {
        "count": count,
        "transition": transition,
        "occupation": np.bincount(label.ravel(), minlength=number) / label.size,
        "entropy_rate": -(count * np.log(plain)).sum() / count.sum(),
        "status": np.where(left[:, 0] > 0, Status.OK, Status.NOT_CONVERGED),
    }


def _lumpability(label: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """Mean distance of the law of the next cell by the cell before from that by the cell alone, and its floor."""
    triples = NGram.fit(label, 2, n_symbols=number)
    before, here, after = triples.grams.T
    pair = before * number + here
    by_pair = np.bincount(pair, triples.counts, number * number)
    by_cell = by_pair.reshape(number, number).sum(axis=0)
    row = np.zeros((number, number))
    np.add.at(row, (here, after), triples.counts)
    row /= np.maximum(by_cell, 1)[:, None]
    share, law = triples.counts / by_pair[pair], row[here, after]
    # Half the sum of |difference| is the sum of its positive part, which only cells that were seen have.
    distance = np.bincount(pair, np.maximum(share - law, 0), number * number).reshape(number, number)
    weight = by_pair.reshape(number, number) / np.maximum(by_cell, 1)
    spread = np.sqrt(row * (1 - row)).sum(axis=1) / np.sqrt(2 * np.pi)
    with np.errstate(divide="ignore"):
        deviation = np.sqrt(np.maximum(1 / by_pair.reshape(number, number) - 1 / np.maximum(by_cell, 1), 0))
    floor = np.where(weight > 0, weight * np.where(weight > 0, deviation, 0), 0).sum(axis=0) * spread
    known = by_cell > 0
    residual = (weight * distance).sum(axis=0)
    return {name: np.where(known, v, np.nan) for name, v in
            (("lumpability_residual", residual), ("lumpability_floor", floor))}  # fmt: skip


def _gaps(label: np.ndarray, later: np.ndarray, number: int, memory: int) -> dict[str, float]:
    """What a longer memory adds: to the entropy of what was counted, to the likelihood of what was not."""
    models = [NGram.fit(label, order, n_symbols=number, smoothing=SMOOTHING) for order in (1, memory)]
    chain, longer = (model.log_probabilities(later) for model in models)
    gain = (longer - chain)[:, memory:]
    blocks = [part.mean() for part in np.array_split(gain.ravel(), min(BLOCKS, gain.size))]
    return {
        "entropy_rate_gap": models[0].entropy_rate - models[1].entropy_rate,
        "loglik": float(np.nanmean(chain)),
        "loglik_gap": float(gain.mean()),
        "loglik_gap_stderr": float(np.std(blocks, ddof=1) / np.sqrt(len(blocks))) if len(blocks) > 1 else np.nan,
    }
