"""What a network is fed while it is trained, where that is not the data alone: its own outputs.

A feeding takes the problem of a batch and gives the one that the step is made of: other inputs, and for `Reinforce`
other targets and weights. Backpropagation does not know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnndyn.generation import check_writer, fed, symbols
from rnndyn.gradients import Problem
from rnndyn.losses import CrossEntropy, activate
from rnndyn.readout import Readout
from rnndyn.validate import as_number


@dataclass(frozen=True)
class ScheduledSampling:  # numpydoc ignore=PR02
    """Feed a network, at each step, its true input or its own output of the step before (Bengio et al. [bengio2015]_).

    For networks trained to predict their next input. Each step of each sequence has a coin of its own. Of a
    ``cross_entropy`` network the next input is a symbol drawn from its outputs, else the outputs themselves. After a
    step that the mask leaves out, the input is always the true one. With a `Dropout` what is fed back comes from the
    network with its parts left out. No gradient flows through what is fed back; for that, train a
    :class:`rnndyn.ClosedLoop`.

    Parameters
    ----------
    probability : float or callable
        Probability of the true input: 1 is teacher forcing, 0 is running freely; or a schedule, such as
        ``rd.schedules.Linear(1.0, -0.01)``, ``Exponential(1.0, 0.99)`` or ``InverseSigmoid(50.0)``.
    temperature : float
        Of the symbols, as in `rnndyn.generate`.

    Examples
    --------
    >>> import rnndyn as rd
    >>> ScheduledSampling(rd.schedules.InverseSigmoid(100.0))
    ScheduledSampling(probability=InverseSigmoid(k=100.0), temperature=1.0)
    """

    probability: float | Callable[[int], float]
    temperature: float = 1.0

    def __post_init__(self):
        if not callable(self.probability):
            as_number(self.probability, "probability", minimum=0.0, maximum=1.0)
        as_number(self.temperature, "temperature", minimum=0.0)

    def check(self, problem):
        """Raise an error unless outputs can be fed back."""
        check_writer(problem.net)

    def __call__(self, problem, step, rng):
        """Problem of the batch with the inputs of this step."""
        chance = self.probability(step) if callable(self.probability) else self.probability
        chance = as_number(chance, "probability", minimum=0.0, maximum=1.0)
        net, own = problem.net, (rng.random(problem.x.shape[:2]) >= chance) & after(asked(problem))
        choose = symbols(net, self.temperature, rng) if isinstance(problem.loss, CrossEntropy) else _output(net)
        return problem.changed(x=_fed(problem, own, choose)[0])


@dataclass(frozen=True)
class Reinforce:  # numpydoc ignore=PR02
    """Train on a reward of whole sequences that the network draws itself (REINFORCE, Williams [williams1992]_).

    With symbols y drawn from a ``cross_entropy`` network, each the next input, the step goes along ``mean((R(y) - b)
    grad log p(y))``, an unbiased estimate of the gradient of the expected reward. The first input is that of the data;
    after a step that the mask leaves out, so is the next, and the target stands for the symbol.

    Parameters
    ----------
    reward : callable
        From symbols (B, T) and targets (B, T), both integers, to rewards (B,).
    baseline : float or "others"
        b: a number, or of each sequence the mean reward of the others in its batch ([kool2019]_), which lowers the
        variance and leaves no bias.

    Notes
    -----
    The ``loss`` of the history is minus the mean reward.

    Examples
    --------
    >>> Reinforce(lambda symbols, targets: (symbols == targets).mean(axis=1), baseline=0.5).baseline
    0.5
    """

    reward: Callable
    baseline: float | str = "others"

    def __post_init__(self):
        if not callable(self.reward):
            raise TypeError(f"reward is a {type(self.reward).__name__}: a function (symbols, targets) is wanted")
        if self.baseline != "others":
            as_number(self.baseline, "baseline")

    def check(self, problem):
        """Raise an error unless the network draws symbols that it can be fed."""
        check_writer(problem.net)
        if not isinstance(problem.loss, CrossEntropy):
            raise ValueError(f"feeding by Reinforce with loss={problem.loss!r}: loss='cross_entropy' is wanted")

    def __call__(self, problem, step, rng):
        """Problem whose gradient is the estimate for a batch of sequences drawn."""
        counts = asked(problem)
        x, drawn = _fed(problem, after(counts), symbols(problem.net, 1.0, rng))
        labels = np.where(counts, drawn.argmax(axis=-1), problem.targets)
        rewards = self._rewards(labels, problem.targets)
        estimate = problem.changed(x=x, targets=labels, weight=self._advantage(rewards)[:, None] * counts)
        return Rewarded(estimate, -float(rewards.mean()))

    def _rewards(self, labels, targets):
        rewards = np.asarray(self.reward(labels, targets), np.float64)
        if rewards.shape != (len(labels),) or not np.isfinite(rewards).all():
            raise ValueError(f"reward gave {rewards!r}: {len(labels)} finite numbers are wanted, one a sequence")
        return rewards

    def _advantage(self, rewards):
        if self.baseline != "others":
            return rewards - self.baseline
        if len(rewards) < 2:
            raise ValueError("baseline='others' with a batch of one: more sequences are wanted, or a number")
        return rewards - (rewards.sum() - rewards) / (len(rewards) - 1)


class Rewarded:
    """A problem whose gradient is that of another value, which is known.

    Parameters
    ----------
    problem : Problem
        Its gradient.
    value : float
        The value.
    """

    def __init__(self, problem: Problem, value: float):
        self.problem, self.known, self.steps = problem, value, problem.steps

    def value(self):
        """The value."""
        return self.known

    def solve(self, plan):
        """Value and gradients."""
        return self.known, self.problem.solve(plan)[1]


def asked(problem):
    """Whether an output counts, (batch, time)."""
    shape = (len(problem.s0), problem.steps)
    return np.ones(shape, bool) if problem.weight is None else problem.weight != 0


def after(counts):
    """Whether the output of the step before counts, (batch, time); none is before the first."""
    return np.concatenate([np.zeros_like(counts[:, :1]), counts[:, :-1]], axis=1)


def _fed(problem, own, choose):
    """Inputs and choices, as `fed` gives them, of the network of a problem, with what it leaves out."""
    return fed(problem.net, problem.x, problem.s0, own, choose, problem.taken, problem.shown)


def _output(net):
    """Return a function that gives the outputs at hidden states (batch, unit)."""
    sums = Readout(net).sums
    return lambda hidden: activate(sums(np.ascontiguousarray(hidden[:, None])), net.output_activation)[:, 0]
