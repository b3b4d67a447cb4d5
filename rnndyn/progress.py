"""Progress of long work: a bar, a caller's function, or nothing."""

from __future__ import annotations

from contextlib import contextmanager


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
    with telling(len(steps), progress, name, done, facts) as tell:
        for step in steps:
            yield step
            tell(1)


@contextmanager
def telling(total, progress, name, done=0, facts=None):
    """Tell ``progress`` about work that comes in parts.

    Parameters
    ----------
    total : int
        Number of steps to do.
    progress : bool or callable, or None
        As in `progressing`.
    name : str
        Text before the bar.
    done : int
        Steps that were done before these.
    facts : dict, optional
        As in `progressing`.

    Yields
    ------
    callable
        To be called with the number of steps of each part when it is done.
    """
    if callable(progress):
        total += done

        def tell(steps):
            nonlocal done
            done += steps
            progress(done, total)

        yield tell
    elif progress:
        from tqdm import tqdm

        with tqdm(desc=name, initial=done, total=done + total) as bar:

            def tell(steps):
                if facts:
                    bar.set_postfix(facts, refresh=False)
                bar.update(steps)

            yield tell
    else:
        yield lambda steps: None
