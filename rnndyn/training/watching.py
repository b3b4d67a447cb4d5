"""What is looked at while a network is trained, and at which steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnndyn.schema import DIMENSIONS, RESULTS, WATCHED
from rnndyn.validate import as_integer

TABLE = RESULTS["training"]
TAKEN = {name for name, variable in TABLE.items() if WATCHED not in variable.dims} | set(DIMENSIONS)


@dataclass(frozen=True, eq=False)
class Watch:  # numpydoc ignore=PR02
    """Looks at a network at chosen steps of its training; what they find goes into the history.

    Parameters
    ----------
    probes : callable or sequence of callable
        Each takes the network and gives a dict of numbers or arrays by name, of the same shapes at every look. Those of
        `rnndyn.probes` give Lyapunov exponents, fixed points and the flow of gradients. Training goes on from a file to
        the same bits if a probe depends on nothing but the network.
    every : int, optional
        Look after every so many steps, and before the first.
    at : sequence of int, optional
        Look after so many steps, too; 0 is before the first.

    Raises
    ------
    TypeError, ValueError
        For what is no probe, no steps, and neither `every` nor `at`.

    Examples
    --------
    >>> import rnndyn as rd
    >>> watch = Watch(lambda net: {"gain": np.linalg.norm(net.W_hh, 2)}, every=10)
    >>> x = np.random.default_rng(0).standard_normal((8, 5, 1))
    >>> _, history = rd.train(rd.Elman.random(4, 1, 1, rng=0), x, x, steps=25, watch=watch)
    >>> history.gain.dims, history.watched_step.values.tolist()
    (('watched_step',), [0, 10, 20])
    """

    probes: Any
    every: int | None = None
    at: Sequence[int] = ()

    def __post_init__(self):
        probes = tuple(self.probes) if isinstance(self.probes, (list, tuple)) else (self.probes,)
        if not probes or not all(map(callable, probes)):
            raise TypeError(f"probes is {self.probes!r}: functions of a network are wanted, such as rnndyn.probes")
        if not hasattr(self.at, "__len__"):
            raise TypeError(f"at is {self.at!r}: a list of steps is wanted, such as [100]")
        if self.every is None and not len(self.at):
            raise ValueError("neither every nor at is given: pass one, or there is no step to look at")
        object.__setattr__(self, "probes", probes)
        object.__setattr__(self, "at", tuple(as_integer(step, "at", minimum=0) for step in self.at))
        if self.every is not None:
            as_integer(self.every, "every", minimum=1)

    def due(self, step):
        """Whether to look after so many steps."""
        return step in self.at or (self.every is not None and step % self.every == 0)

    def look(self, net, step, seen):
        """Look at a network, and append what is found.

        Parameters
        ----------
        net : Network
            The network after ``step`` steps.
        step : int
            Steps done.
        seen : dict of list
            What was found before, by name; the steps themselves under ``"watched_step"``.
        """
        found = {WATCHED: np.asarray(step, np.float64)}
        for probe in self.probes:
            found |= _checked(probe(net), found)
        shapes, before = ({n: np.shape(v) for n, v in one.items()} for one in (found, _last(seen)))
        if seen and shapes != before:
            raise ValueError(f"watch: got {shapes} at step {step}, {before} before: equal names and shapes are wanted")
        for name, value in found.items():
            seen.setdefault(name, []).append(value)


def _last(seen: dict) -> dict:
    return {name: values[-1] for name, values in seen.items()}


def _checked(result: Any, taken: dict) -> dict[str, np.ndarray]:
    """What a probe found, as arrays."""
    if not isinstance(result, dict):
        raise TypeError(f"watch: a probe gave a {type(result).__name__}: a dict of numbers or arrays by name is wanted")
    arrays = {str(name): np.asarray(value) for name, value in result.items()}
    for name, array in arrays.items():
        if name in taken or name in TAKEN:
            raise ValueError(f"watch: a probe gave {name!r}, a name that is taken: name it otherwise")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"watch: {name!r} is of type {array.dtype}: real numbers are wanted")
        if name in TABLE and array.ndim != len(TABLE[name].dims) - 1:
            raise ValueError(f"watch: {name!r} is of shape {array.shape}, the name of another array: name it otherwise")
    return {name: array.astype(np.float64) for name, array in arrays.items()}
