"""Progress of long work: a bar, a caller's function, or nothing."""

from __future__ import annotations


def progressing(steps, progress, name, done=0, facts=None):
    """Iterate over ``steps``, telling ``progress`` about it.

    Parameters
    ----------
    steps : sequence
        What to iterate over.
    progress : bool or callable, or None
        True shows a bar on standard error; a callable is called with the number of steps done and their total.
    name : str
        Text before the bar.
    done : int
        Steps that were done before these.
    facts : dict, optional
        Numbers that stand after the bar, as they are when a step is done.

    Yields
    ------
    object
        The steps.
    """
    total = done + len(steps)
    if callable(progress):
        for k, step in enumerate(steps, start=done + 1):
            yield step
            progress(k, total)
    elif progress:
        from tqdm import tqdm

        with tqdm(steps, desc=name, initial=done, total=total) as bar:
            for step in bar:
                yield step
                if facts:
                    bar.set_postfix(facts, refresh=False)
    else:
        yield from steps
