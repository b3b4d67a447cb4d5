"""Schedules: small immutable functions of the number of steps done.

They give a learning rate, the probability of a :class:`rnndyn.ScheduledSampling`, or the length of a curriculum.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from rnndyn.validate import as_integer, as_number


@dataclass(frozen=True)
class ByEpoch:
    """What schedules share whose rate stays through an epoch of ``every`` steps."""

    initial: float
    decay: float
    every: int = 1

    def __post_init__(self):
        as_number(self.initial, "initial", minimum=0.0)
        as_integer(self.every, "every", minimum=1)


@dataclass(frozen=True)
class TimeBased(ByEpoch):  # numpydoc ignore=PR02
    """Time-based decay, ``initial / (1 + decay * epoch)``.

    Parameters
    ----------
    initial : float
        Rate of the first epoch.
    decay : float
        Decay, an epoch.
    every : int
        Steps of an epoch, through which the rate stays.

    Examples
    --------
    >>> rate = TimeBased(0.1, 1.0, every=2)
    >>> [rate(step) for step in range(5)]
    [0.1, 0.1, 0.05, 0.05, 0.03333333333333333]
    """

    def __post_init__(self):
        super().__post_init__()
        as_number(self.decay, "decay", minimum=0.0)

    def __call__(self, step):
        """Learning rate after ``step`` steps."""
        return self.initial / (1 + self.decay * (step // self.every))


@dataclass(frozen=True)
class Exponential(ByEpoch):  # numpydoc ignore=PR02
    """Exponential decay, ``initial * decay ** epoch``.

    Parameters
    ----------
    initial : float
        Rate of the first epoch.
    decay : float
        Factor of each epoch, in (0, 1].
    every : int
        Steps of an epoch, through which the rate stays.

    Examples
    --------
    >>> rate = Exponential(1.0, 0.5, every=2)
    >>> [rate(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __post_init__(self):
        super().__post_init__()
        as_number(self.decay, "decay", above=0.0, maximum=1.0)

    def __call__(self, step):
        """Learning rate after ``step`` steps."""
        return self.initial * self.decay ** (step // self.every)


@dataclass(frozen=True)
class Linear:  # numpydoc ignore=PR02
    """A straight line, ``initial + slope * epoch``, kept between bounds.

    Parameters
    ----------
    initial : float
        Value of the first epoch.
    slope : float
        What an epoch adds.
    every : int
        Steps of an epoch, through which the value stays.
    lowest, highest : float
        Bounds.

    Examples
    --------
    >>> length = Linear(5, 2, every=2, highest=8)
    >>> [length(step) for step in range(6)]
    [5, 5, 7, 7, 8, 8]
    """

    initial: float
    slope: float
    every: int = 1
    lowest: float = 0.0
    highest: float = math.inf

    def __post_init__(self):
        as_number(self.slope, "slope")
        as_integer(self.every, "every", minimum=1)
        if not self.lowest <= as_number(self.initial, "initial") <= self.highest:
            raise ValueError(
                f"initial is {self.initial}: between lowest={self.lowest} and highest={self.highest} wanted"
            )

    def __call__(self, step):
        """Value after ``step`` steps."""
        return min(max(self.initial + self.slope * (step // self.every), self.lowest), self.highest)


@dataclass(frozen=True)
class InverseSigmoid:  # numpydoc ignore=PR02
    """A slow fall from near 1 to 0, ``k / (k + exp(step / k))`` (Bengio et al. [bengio2015]_, section 2.4).

    Parameters
    ----------
    k : float
        Speed, at least 1; half is reached after ``k ln k`` steps.

    Examples
    --------
    >>> probability = InverseSigmoid(10.0)
    >>> [round(probability(step), 3) for step in (0, 23, 100)]
    [0.909, 0.501, 0.0]
    """

    k: float

    def __post_init__(self):
        as_number(self.k, "k", minimum=1.0)

    def __call__(self, step):
        """Value after ``step`` steps."""
        return self.k / (self.k + math.exp(min(step / self.k, 700.0)))  # beyond, exp would overflow


@dataclass(frozen=True)
class Step:  # numpydoc ignore=PR02
    """One rate after the other, each up to a given step.

    Parameters
    ----------
    rates : tuple of float
        The rates.
    at : tuple of int
        Steps after which the next rate holds, rising; one fewer than there are rates.

    Examples
    --------
    >>> rate = Step((0.1, 0.01), at=(2,))
    >>> [rate(step) for step in range(4)]
    [0.1, 0.1, 0.01, 0.01]
    """

    rates: tuple[float, ...]
    at: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "rates", tuple(as_number(rate, "rates", minimum=0.0) for rate in self.rates))
        object.__setattr__(self, "at", tuple(as_integer(step, "at", minimum=1) for step in self.at))
        if len(self.at) != len(self.rates) - 1 or list(self.at) != sorted(set(self.at)):
            raise ValueError(f"at is {self.at}: {len(self.rates) - 1} rising steps are wanted, between the rates")

    def __call__(self, step):
        """Learning rate after ``step`` steps."""
        return self.rates[bisect_right(self.at, step)]
