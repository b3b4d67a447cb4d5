"""Beliefs about hidden states against time, and the transition matrix of a Markov chain."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import LIGHT, PALETTE, VERMILLION, chosen, drawing, label, line, require

MOST = 6  # lines that an eye can follow


def hmm_filter(ds, ax=None, *, sequence=0):
    """Draw the probability of each hidden state, given the symbols so far.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.HMM.filter`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    sequence : int
        Which sequence of a batch.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each of the first six states.

    Raises
    ------
    TypeError, ValueError
        `ds` holds no filtered beliefs, or not this sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn.equivalence.markov.hmm import HMM
    >>> hmm = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], np.eye(2))
    >>> len(hmm_filter(hmm.filter([0, 0, 1])).lines)
    2
    """
    return _beliefs(ds, "filtered_belief", ax, sequence)


def hmm_smoother(ds, ax=None, *, sequence=0):
    """Draw the probability of each hidden state, given all symbols.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.HMM.smooth`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    sequence : int
        Which sequence of a batch.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each of the first six states.

    Raises
    ------
    TypeError, ValueError
        `ds` holds no smoothed beliefs, or not this sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn.equivalence.markov.hmm import HMM
    >>> hmm = HMM([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], np.eye(2))
    >>> hmm_smoother(hmm.smooth([0, 0, 1])).get_xlabel()
    'Time (step)'
    """
    return _beliefs(ds, "smoothed_belief", ax, sequence)


def _beliefs(ds, name, ax, sequence):
    require(ds, name, "time")
    belief = chosen(ds[name], "batch", sequence, "sequence")
    with drawing(ax) as ax:
        for k, color in zip(range(min(belief.sizes["state"], MOST)), PALETTE, strict=False):
            line(ax, ds["time"].values, belief.isel(state=k).values, color=color, label=f"{k}", linewidth=1.0)
        shown = "" if belief.sizes["state"] <= MOST else f", {MOST} of {belief.sizes['state']}"
        ax.set_xlabel("Time (step)")
        ax.set_ylabel("Probability of the state" + shown)
        ax.set_xlim(1, max(2, belief.sizes["time"]))
        ax.set_ylim(-0.02, 1.02)
        ax.legend(title="state", ncols=MOST, loc="lower left", bbox_to_anchor=(0, 1), alignment="left", columnspacing=1)
        if not np.isfinite(belief.values).all():
            ax.set_title("not known at some times", loc="right")
    return ax


def markov_chain(ds, ax=None):
    """Draw the lumpability residual of each cell over what finite counts would make of it.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.to_markov_chain`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a bar for the floor of each cell and a point for its residual.

    Raises
    ------
    ValueError
        `ds` is no Markov chain.

    Examples
    --------
    >>> import numpy as np
    >>> from rnndyn.equivalence.markov.markov_chain import to_markov_chain
    >>> from rnndyn.networks import PiecewiseLinear
    >>> tent = PiecewiseLinear([1.9], [[-3.8]], [0.45])
    >>> ds = to_markov_chain(tent, labels=lambda s: (s[:, 0] > 0).astype(int), steps=500, initial_state=[0.1])
    >>> markov_chain(ds).get_xlabel()
    'Cell'
    """
    require(ds, "lumpability_residual", "lumpability_floor", "occupation")
    cell = np.arange(ds.sizes["cell"])
    with drawing(ax) as ax:
        ax.bar(cell, ds["lumpability_floor"].values, color=LIGHT, label="from finite counts")
        ax.plot(cell, ds["lumpability_residual"].values, "o", color=VERMILLION, label="measured")
        ax.set_xlabel("Cell")
        ax.set_ylabel(label(ds["lumpability_residual"], "lumpability residual"))
        ax.set_xticks(cell if len(cell) <= 16 else cell[:: len(cell) // 8])
        ax.set_ylim(bottom=0)
        ax.legend()
    return ax
