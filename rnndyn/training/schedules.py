"""Schedules of the learning rate: small immutable functions of the number of steps done."""

from __future__ import annotations

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
