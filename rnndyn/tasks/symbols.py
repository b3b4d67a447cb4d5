"""Tasks with symbols: nested parentheses, and the characters of a text."""

from __future__ import annotations

import numpy as np

from rnndyn.tasks.task import one_hot, sizes, task
from rnndyn.validate import as_generator, as_integer

PAIRS = ("()", "[]", "{}", "<>")


def parentheses(rng=None, *, batch=64, steps=50, kinds=2, depth=4):
    """Write parentheses of several kinds, well nested; wanted at each step is which kind would have to close next.

    The language of Dyck: a network has to keep a stack. At each step one opens or closes, as likely where both may be.

    Parameters
    ----------
    rng : int or numpy.random.Generator, optional
        Draws the sequences.
    batch, steps : int
        Number and length of the sequences, which may end before all is closed.
    kinds : int
        Kinds of parentheses, 1 to 4.
    depth : int
        Most that are open at once.

    Returns
    -------
    Task
        Inputs (batch, time, 2 kinds), one for each sign, named by ``inputs.input``; labels (batch, time): 0 if none is
        open, else the kind, from 1.

    Examples
    --------
    >>> inputs, targets, _ = parentheses(2, batch=1, steps=8)
    >>> "".join(inputs.input.values[inputs[0].argmax("input").values]), "".join(map(str, targets.values[0]))
    ('[()[]]((', '21222011')
    """
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    kinds = as_integer(kinds, "kinds", minimum=1, maximum=len(PAIRS))
    depth = as_integer(depth, "depth", minimum=1)
    opens, drawn = rng.random((batch, steps)) < 0.5, rng.integers(kinds, size=(batch, steps))
    signs, labels = np.empty((batch, steps), int), np.empty((batch, steps), int)
    for b in range(batch):
        stack: list[int] = []
        for t in range(steps):
            if not stack or (opens[b, t] and len(stack) < depth):
                stack.append(int(drawn[b, t]))
                signs[b, t] = 2 * stack[-1]
            else:
                signs[b, t] = 2 * stack.pop() + 1
            labels[b, t] = stack[-1] + 1 if stack else 0
    return task(one_hot(signs, 2 * kinds), labels, symbols=list("".join(PAIRS[:kinds])))


def characters(text, rng=None, *, batch=64, steps=50):
    """Cut passages out of a text; wanted at each step is the next character.

    Parameters
    ----------
    text : str
        The text.
    rng : int or numpy.random.Generator, optional
        Draws where the passages begin.
    batch, steps : int
        Number and length of the passages.

    Returns
    -------
    Task
        Inputs (batch, time, character), one for each character of the text in the order of Unicode, named by
        ``inputs.input``; labels (batch, time) by the same order.

    Raises
    ------
    ValueError
        For a text no longer than ``steps``.

    Examples
    --------
    >>> inputs, targets, _ = characters("abracadabra", 0, batch=1, steps=10)
    >>> inputs.input.values.tolist(), targets.values[0].tolist()
    (['a', 'b', 'c', 'd', 'r'], [1, 4, 0, 2, 0, 3, 0, 1, 4, 0])
    """
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}: a string is wanted")
    rng, (batch, steps) = as_generator(rng), sizes(batch, steps)
    if len(text) <= steps:
        raise ValueError(f"text has {len(text)} characters: more than steps={steps} are wanted")
    codes, labels = np.unique([ord(character) for character in text], return_inverse=True)
    begins = rng.integers(len(text) - steps, size=batch)
    passages = labels[begins[:, None] + np.arange(steps + 1)]
    return task(one_hot(passages[:, :-1], len(codes)), passages[:, 1:], symbols=list(map(chr, codes)))
