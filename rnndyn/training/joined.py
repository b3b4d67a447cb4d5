"""Arrays of a network joined to few: an optimiser works number by number, so those that it treats alike go as one."""

from __future__ import annotations

import math

import numpy as np

from rnndyn.training.optimisers import SGD, Adam


class Joined:
    """How the arrays of a network are joined for an optimiser; one that is not ours sees each by itself.

    Parameters
    ----------
    optimizer : object
        What makes the steps.
    arrays : dict of ndarray
        What will be trained.
    """

    def __init__(self, optimizer, arrays):
        alike: dict[tuple, list[str]] = {}
        for name, array in arrays.items():
            kind = (*optimizer.decay(name), array.dtype) if type(optimizer) in (SGD, Adam) else (name,)
            alike.setdefault(kind, []).append(name)
        self.groups = {names[0]: [(name, arrays[name].shape) for name in names] for names in alike.values()}

    def join(self, arrays):
        """Arrays by the first name of each group."""
        return {
            first: np.concatenate([arrays[name].ravel() for name, _ in group]) if len(group) > 1 else arrays[first]
            for first, group in self.groups.items()
        }

    def split(self, joined):
        """Arrays by their names: views of the joined ones."""
        arrays = {}
        for first, group in self.groups.items():
            if len(group) == 1:
                arrays[first] = joined[first]
                continue
            start = 0
            for name, shape in group:
                stop = start + math.prod(shape)
                arrays[name] = joined[first][start:stop].reshape(shape)
                start = stop
        return arrays

    def cut(self, numbers):
        """Joined arrays from all their numbers, one array after the other."""
        joined, start = {}, 0
        for first, group in self.groups.items():
            sizes = [math.prod(shape) for _, shape in group]
            part = numbers[start : start + sum(sizes)]
            joined[first] = part if len(group) > 1 else part.reshape(group[0][1])
            start += sum(sizes)
        return joined
