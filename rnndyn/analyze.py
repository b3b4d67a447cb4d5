"""The whole analysis of a network in one call, as `rnndyn analyze` runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnndyn import schema
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.validate import as_array, as_generator

if TYPE_CHECKING:
    from xarray import Dataset

    from rnndyn.networks.base import Network

PRODUCTS = 50  # lags at which the products are decomposed
PULSE_RATE = 0.05  # of the pulses that stand in for inputs nobody gave, per channel and step


class Effort(NamedTuple):
    """How much is computed: sequences and their steps, starts of the fixed-point search, steps of the exponents."""

    sequences: int
    steps: int
    starts: int
    exponent_steps: int
    warmup: int
    full_spectrum: int  # largest state whose exponents are all computed
    exponents: int  # of larger ones


QUICK = Effort(4, 100, 128, 1_000, 200, 96, 16)
THOROUGH = Effort(16, 200, 1024, 10_000, 1_000, 256, 64)


def analyze(
    net,
    inputs=None,
    *,
    quick: bool = False,
    rng: int | np.random.Generator = 0,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Dataset]:
    """Run a network and measure it: fixed points and what joins them, Lyapunov exponents, Jacobian products, gradients.

    Parameters
    ----------
    net : Network
        The network.
    inputs : (B, T, I) or (T, I), optional
        What drives it. Without them, a network that has inputs is run on sparse random pulses of +1 and -1, a channel's
        chance of one being 5 % a step, and its exponents are those under zero input.
    quick : bool
        Fewer starts and shorter runs, for a first look: `QUICK` instead of `THOROUGH`.
    rng : int or Generator
        Of the pulses, the initial states of autonomous networks, and the starts of the searches.
    progress : callable, optional
        Called with the name of each stage as it begins.

    Returns
    -------
    dict of str to Dataset
        `run`, `fixed_points`, `transitions`, `lyapunov_spectrum`, `jacobian_products` and `gradient_flow`, in this
        order. Fixed points are those at the median input of each channel (zero without inputs). For the exponents the
        given sequences are joined end to end. Gradients are of the sum of the last outputs. A result that the network
        does not allow (a bidirectional network is no dynamical system) is a Dataset without variables that says why in
        its attribute `omitted`.

    Raises
    ------
    ValueError, TypeError
        The network or the inputs are not what is wanted.

    Notes
    -----
    The exponents dominate the cost: O(steps S^2 k) for the tangents of k exponents of a state of size S.

    Examples
    --------
    >>> import rnndyn as rd
    >>> results = analyze(rd.Elman.random(4, gain=0.5, rng=0), quick=True)
    >>> results["lyapunov_spectrum"].exponent.item(0) < 0
    True
    """
    if isinstance(net, EncoderDecoder):
        raise TypeError("net is an EncoderDecoder, two systems one after the other: analyse its .encoder or .decoder")
    effort = QUICK if quick else THOROUGH
    generator = as_generator(rng)
    given = _given(net, inputs, effort)
    driven = _pulses(net, effort, generator) if given is None else given
    states = None if driven is not None else generator.uniform(-1, 1, (effort.sequences, net.state_size))
    results: dict[str, Dataset] = {}
    task = _Task(net, given, driven, states, effort, results)
    for name, stage in STAGES.items():
        if progress is not None:
            progress(name)
        results[name] = _attempt(name, stage, task, int(generator.integers(2**31)))
    return results


class _Task(NamedTuple):
    """What every stage works on."""

    net: Network
    given: np.ndarray | None  # (batch, time, input), the user's
    driven: np.ndarray | None  # the same, or pulses; None for an autonomous network
    states: np.ndarray | None  # (batch, state), where an autonomous network starts
    effort: Effort
    results: dict[str, Dataset]  # of the stages before

    @property
    def steps(self):
        return self.effort.steps if self.driven is None else None

    @property
    def constant(self):
        return None if self.given is None else np.median(self.given, axis=(0, 1))


def _attempt(name, stage, task, seed):
    try:
        return stage(task, seed)
    except TypeError as refusal:
        if not str(refusal).startswith("net "):  # the front door names the argument; anything else is a fault
            raise
        return schema.omitted(name, str(refusal), net=task.net)


def _given(net, inputs, effort):
    """Take as many of the user's sequences as the effort allows."""
    if inputs is None:
        return None
    dims, sizes = ("batch", "time", "input"), {"input": net.input_size}
    array = as_array(inputs, "inputs", dims, sizes=sizes, dtype=net.dtype, optional=("batch",))
    if not array.size:
        raise ValueError(f"inputs has shape {array.shape}: at least one sequence and one time step are wanted")
    return array.reshape(-1, *array.shape[-2:])[: effort.sequences]


def _pulses(net, effort, generator):
    """Draw sparse pulses of +1 and -1, the usual probe of a network whose task is not known."""
    if not net.input_size:
        return None
    shape = (effort.sequences, effort.steps, net.input_size)
    return (generator.choice([-1.0, 1.0], shape) * (generator.random(shape) < PULSE_RATE)).astype(net.dtype)


def _run(task, seed):
    from rnndyn.running import run

    return run(task.net, task.driven, initial_state=task.states, steps=task.steps)


def _fixed_points(task, seed):
    from rnndyn.analysis.fixed_points import fixed_points

    return fixed_points(task.net, task.constant, starts=task.effort.starts, rng=seed)


def _transitions(task, seed):
    from rnndyn.analysis.transitions import transitions

    points = task.results["fixed_points"]
    if "omitted" in points.attrs:
        return schema.omitted("transitions", points.attrs["omitted"], net=task.net)
    return transitions(task.net, points, task.constant, steps=task.effort.exponent_steps)


def _lyapunov_spectrum(task, seed):
    from rnndyn.analysis.lyapunov import lyapunov_spectrum

    effort = task.effort
    joined = None if task.given is None else task.given.reshape(-1, task.net.input_size)
    k = None if task.net.state_size <= effort.full_spectrum else effort.exponents
    return lyapunov_spectrum(task.net, joined, k=k, steps=effort.exponent_steps, warmup=effort.warmup, rng=seed)


def _jacobian_products(task, seed):
    from rnndyn.analysis.jacobians import jacobian_products

    steps = task.effort.steps if task.driven is None else task.driven.shape[1]
    every = max(1, steps // PRODUCTS)
    return jacobian_products(task.net, task.driven, initial_state=task.states, steps=task.steps, every=every)


def _gradient_flow(task, seed):
    from rnndyn.analysis.gradient_flow import gradient_flow

    inputs = task.steps if task.driven is None else task.driven
    return gradient_flow(task.net, inputs, None, loss=_last_outputs, initial_state=task.states)


def _last_outputs(outputs):
    """Sum the outputs of the last step: a loss that no output can silence."""
    derivative = np.zeros_like(outputs)
    derivative[:, -1] = 1
    return float(outputs[:, -1].sum()), derivative


STAGES = {
    "run": _run,
    "fixed_points": _fixed_points,
    "transitions": _transitions,
    "lyapunov_spectrum": _lyapunov_spectrum,
    "jacobian_products": _jacobian_products,
    "gradient_flow": _gradient_flow,
}
