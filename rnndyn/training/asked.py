"""What a training was asked for, checked: its optimiser, clipping, validation data and batches."""

from __future__ import annotations

import numpy as np

from rnndyn.gradients import Problem
from rnndyn.losses import Called, SequenceLoss
from rnndyn.training.batches import Batches
from rnndyn.training.dropout import Dropout
from rnndyn.training.optimisers import Adam
from rnndyn.training.watching import Watch
from rnndyn.validate import as_integer, as_number


def as_optimizer(optimizer):
    """Optimiser; Adam by default."""
    optimizer = Adam() if optimizer is None else optimizer
    if isinstance(optimizer, type):
        raise TypeError(f"optimizer is the class {optimizer.__name__}: an object is wanted, {optimizer.__name__}()")
    if not (hasattr(optimizer, "start") and hasattr(optimizer, "step")):
        kind = type(optimizer).__name__
        raise TypeError(f"optimizer is a {kind}: one with start and step is wanted, such as rnndyn.Adam(1e-3)")
    return optimizer


def as_dropout(dropout, net):
    """Dropout that fits the network, or None."""
    if dropout is not None and not isinstance(dropout, Dropout):
        kind = type(dropout).__name__
        raise TypeError(f"dropout is a {kind}: an rnndyn.Dropout is wanted, such as Dropout(inputs=0.2)")
    if dropout is not None:
        dropout.check(net)
    return dropout


def as_clipping(norm, value):
    """Return a function of gradients and their norm that clips them."""
    if norm is not None and value is not None:
        raise ValueError("clip_norm and clip_value are both given: choose one")
    if norm is not None:
        largest = as_number(norm, "clip_norm", above=0.0)
        # The small number is that of PyTorch, and of the source document 004.
        return lambda gradients, size: _scaled(gradients, min(1.0, largest / (size + 1e-6)))
    if value is not None:
        bound = as_number(value, "clip_value", above=0.0)
        return lambda gradients, _: {name: np.clip(g, -bound, bound) for name, g in gradients.items()}
    return lambda gradients, _: gradients


def _scaled(gradients, factor):
    return gradients if factor == 1.0 else {name: factor * g for name, g in gradients.items()}


def as_validation(net, validation, loss, patience):
    """Return the validation data as a problem, and what to feed on it; None for what is not asked for."""
    if patience is not None:
        as_integer(patience, "patience", minimum=1)
    if validation is None:
        if patience is not None:
            raise ValueError("patience without validation: pass validation=(inputs, targets)")
        return None, None
    if isinstance(validation, tuple) and len(validation) == 2:
        validation = dict(zip(("inputs", "targets"), validation, strict=True))
    if not isinstance(validation, dict):
        raise TypeError(f"validation is a {type(validation).__name__}: (inputs, targets) or a dict of them is wanted")
    known = ("inputs", "targets", "initial_state", "lengths", "mask", "feeding")
    if unknown := [name for name in validation if name not in known]:
        raise ValueError(f"validation has {', '.join(map(str, unknown))}: only {', '.join(known)} are known")
    data = {name: validation.get(name) for name in known}
    feeding = data.pop("feeding")
    try:
        problem = Problem.checked(net, loss=loss, **data)
        return problem, as_feeding(feeding, problem)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from error


def as_batches(problem, size, by_length, rng):
    """Batches of the sequences of a problem."""
    if size is not None and isinstance(problem.loss, Called):
        raise ValueError(
            "batch_size with a callable loss: it could not tell which sequences it sees; pass batch_size=None"
        )
    if size is not None and not len(problem.s0):
        raise ValueError("inputs has no sequences, so there are no batches: pass some, or batch_size=None")
    if by_length and (problem.lengths is None or size is None):
        raise ValueError("by_length without lengths and batch_size: pass both, or by_length=False")
    return Batches(len(problem.s0), size, rng, problem.lengths if by_length else None)


def as_feeding(feeding, problem):
    """What to feed in place of the data, or None."""
    if feeding is not None and not hasattr(feeding, "check"):
        kind = type(feeding).__name__
        raise TypeError(f"feeding is a {kind}: a rnndyn.ScheduledSampling or rnndyn.Reinforce is wanted")
    if feeding is not None:
        feeding.check(problem)
    return feeding


def as_curriculum(curriculum, problem):
    """Function of the step that gives a length; all of it without a curriculum."""
    if curriculum is None:
        return lambda step: None
    if not callable(curriculum):
        raise TypeError(f"curriculum is a {type(curriculum).__name__}: a function of the step is wanted, a schedule")
    if isinstance(problem.loss, SequenceLoss):
        raise ValueError(f"curriculum with loss={problem.loss!r}, which sees whole sequences: pass curriculum=None")
    return lambda step: as_integer(int(as_number(curriculum(step), "curriculum")), "curriculum", minimum=1)


def as_watch(watch):
    """What to look at, or None."""
    if watch is not None and not isinstance(watch, Watch):
        raise TypeError(f"watch is a {type(watch).__name__}: a rnndyn.Watch is wanted, as in Watch(probe, every=100)")
    return watch
