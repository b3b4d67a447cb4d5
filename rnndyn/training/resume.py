"""A training in progress, in a file: written all at once every few steps, taken up again to the last bit.

The file is safetensors: the arrays of the network, of the best one so far, of the optimiser, of the history, and what
was watched. Its metadata hold one entry, JSON: ``version``, ``call`` (what was asked for), ``facts`` (where the
training stands) and ``sha256`` (of arrays and facts). Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnndyn.io.safetensors import TRAINING, read_file, write_file
from rnndyn.provenance import describe

VERSION = 2


@dataclass
class Progress:
    """What a training is after ``step`` steps; the arrays of ``history`` are as long as the training will be."""

    latest: Any  # the network, but for its values if there are newer ones
    optimizer: Any
    history: dict[str, np.ndarray]
    step: int = 0
    best: dict[str, np.ndarray] = field(default_factory=dict)  # the network that did best on the validation data
    best_step: int = 0
    best_loss: float = float("inf")
    waited: int = 0  # looks at the validation data since then
    seed: int | None = None  # of what a feeding, and the masks of dropout, draw
    watched: dict[str, list[np.ndarray]] = field(default_factory=dict)  # what a Watch found, look by look
    newer: Callable[[], dict[str, np.ndarray]] | None = None  # gives them

    @property
    def net(self):
        """The network after the last step, made when it is asked for."""
        if self.newer is not None:
            self.latest, self.newer = self.latest.with_values(self.newer()), None
        return self.latest


FACTS = ("step", "best_step", "best_loss", "waited", "seed")


def write_progress(path, progress, batches, call):
    """Write a training to its file.

    Parameters
    ----------
    path : path-like
        The file.
    progress : Progress
        The training.
    batches : Batches
        The batches it draws.
    call : dict
        What was asked for; a file is taken up only by an equal call.
    """
    arrays = {f"net.{name}": array for name, array in progress.net.arrays().items()}
    arrays |= {f"best.{name}": array for name, array in progress.best.items()}
    arrays |= {f"optimizer.{k}": np.asarray(leaf, _dtype(leaf)) for k, leaf in enumerate(leaves(progress.optimizer))}
    arrays |= {f"history.{name}": array[: progress.step] for name, array in progress.history.items()}
    arrays |= {f"watched.{name}": np.stack(values) for name, values in progress.watched.items()}
    facts = {name: getattr(progress, name) for name in FACTS} | {"batches": batches.state()}
    ours = {"version": VERSION, "call": describe(call), "facts": facts, "sha256": _digest(arrays, facts)}
    write_file(path, arrays, {TRAINING: json.dumps(ours, sort_keys=True)})


def read_progress(path, progress, batches, call):
    """Take up a training from its file; without a file nothing happens.

    Parameters
    ----------
    path : path-like
        The file.
    progress : Progress
        The training before its first step; becomes what the file holds.
    batches : Batches
        Its batches, likewise, with their generator.
    call : dict
        What is asked for.

    Raises
    ------
    ValueError
        Naming the file and its fault: damaged, no training, or another one.
    """
    if not Path(path).exists():
        return
    metadata, arrays = read_file(path)
    try:
        ours = json.loads(metadata[TRAINING])
        version, asked, facts, digest = (ours[name] for name in ("version", "call", "facts", "sha256"))
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: holds no training (save_to wants a file of its own): name another file") from error
    if version != VERSION or digest != _digest(arrays, facts):
        raise ValueError(f"{path}: is damaged, or of another version of rnndyn: name another file, or remove it")
    differing = [name for name, value in describe(call).items() if asked.get(name) != value]
    if differing:
        raise ValueError(f"{path}: is of a training with other {', '.join(differing)}: name another file, or remove it")
    if facts["step"] > len(progress.history["loss"]):
        raise ValueError(f"{path}: holds {facts['step']} steps, more than steps: name another file, or raise steps")
    try:
        _take_up(progress, batches, arrays, facts)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: does not fit this training ({error}): name another file, or remove it") from error


def _take_up(progress, batches, arrays, facts):
    for name in FACTS:
        setattr(progress, name, facts[name])
    progress.latest = progress.net.with_arrays(_under(arrays, "net"))
    progress.best = _under(arrays, "best")
    numbers = _under(arrays, "optimizer")
    progress.optimizer = rebuilt(progress.optimizer, iter([numbers[str(k)] for k in range(len(numbers))]))
    for name, array in _under(arrays, "history").items():
        progress.history[name][: progress.step] = array
    progress.watched = {name: list(array) for name, array in _under(arrays, "watched").items()}
    batches.restore(facts["batches"])


def leaves(state):
    """Numbers and arrays of an optimiser's state, whatever tuples, lists and dicts it is made of, in order.

    Examples
    --------
    >>> list(leaves((3, {"W": np.zeros(2)}, None)))
    [3, array([0., 0.])]
    """
    if isinstance(state, dict):
        state = state.values()
    if isinstance(state, (int, float, np.generic, np.ndarray)):
        yield state
    elif state is not None:
        for part in state:
            yield from leaves(part)


def rebuilt(state, numbers):
    """State of the same form with other numbers in it, from an iterator: the inverse of `leaves`.

    Examples
    --------
    >>> rebuilt((3, {"W": np.zeros(1)}, None), iter([np.array(4.0), np.array([1.0])]))
    (4, {'W': array([1.])}, None)
    """
    if isinstance(state, dict):
        return {key: rebuilt(part, numbers) for key, part in state.items()}
    if isinstance(state, (tuple, list)):
        return type(state)([rebuilt(part, numbers) for part in state])
    if state is None:
        return None
    return next(numbers) if isinstance(state, np.ndarray) else type(state)(next(numbers))


def _dtype(leaf):
    return leaf.dtype if isinstance(leaf, np.ndarray) else np.float64


def _under(arrays, prefix):
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def _digest(arrays, facts):
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, list(array.shape)]).encode() + array.tobytes())
    return digest.hexdigest()
