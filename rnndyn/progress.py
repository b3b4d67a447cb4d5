"""Progress of long work: a bar, a caller's function, or nothing."""

from __future__ import annotations


def progressing(steps, progress, name):
    """Iterate over ``steps``, telling ``progress`` about it.

    Parameters
    ----------
    steps : sequence
        What to iterate over.
    progress : bool or callable, or None
        True shows a bar on standard error; a callable is called with the number of steps done and their total.
    name : str
        Text before the bar.

    Yields
    ------
    object
        The steps.
    """
    if callable(progress):
        for k, step in enumerate(steps, start=1):
            yield step
            progress(k, len(steps))
    elif progress:
        from tqdm import tqdm

        yield from tqdm(steps, desc=name)
    else:
        yield from steps
