"""Tasks: sequences with known answers, to train networks on and to analyse what they learnt.

Each function draws from ``rng`` and gives a `Task`: ``inputs, targets, mask = rd.tasks.flip_flop(0)``, ready for
``rd.train(net, inputs, targets, mask=mask)``. Targets with an output axis are for ``loss="mse"``, those without are
labels for ``loss="cross_entropy"``. The mask says at which steps an answer is wanted.
"""

from rnndyn.tasks.memory import adding, copy_memory, delayed_match, flip_flop
from rnndyn.tasks.series import series
from rnndyn.tasks.signals import context_integration, sine_generator
from rnndyn.tasks.symbols import characters, parentheses
from rnndyn.tasks.task import Task

__all__ = [
    "Task",
    "adding",
    "characters",
    "context_integration",
    "copy_memory",
    "delayed_match",
    "flip_flop",
    "parentheses",
    "series",
    "sine_generator",
]
