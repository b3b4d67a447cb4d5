"""What is known of the hidden state of a linear network: its mean and two standard deviations against time."""

from __future__ import annotations

import numpy as np

from rnndyn.plot.style import BLUE, GREY, ORANGE, chosen, drawing, label, line, require


def kalman_filter(ds, ax=None, *, state=0, sequence=0):
    """Draw the filtered mean of one state variable, and the band of two standard deviations around it.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.kalman_filter`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    state : int
        Which state variable.
    sequence : int
        Which sequence of a batch.

    Returns
    -------
    matplotlib.axes.Axes
        With the line "filtered".

    Raises
    ------
    TypeError, ValueError
        `ds` is no filter, or holds not this state variable or sequence.

    Examples
    --------
    >>> from rnndyn.equivalence.linear.kalman import kalman_filter as filtered
    >>> from rnndyn.networks import Linear
    >>> net = Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]], observation_noise=[[0.4]])
    >>> kalman_filter(filtered(net, [0.3, 0.1])).lines[0].get_label()
    'filtered'
    """
    return _bands(ds, ax, {"filtered": BLUE}, state, sequence)


def rts_smoother(ds, ax=None, *, state=0, sequence=0):
    """Draw the smoothed mean of one state variable over the filtered one, each with two standard deviations.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.rts_smoother`.
    ax, state, sequence
        As in `kalman_filter`.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "filtered" and "smoothed".

    Raises
    ------
    TypeError, ValueError
        `ds` is no smoother, or holds not this state variable or sequence.
    """
    return _bands(ds, ax, {"filtered": ORANGE, "smoothed": BLUE}, state, sequence)


def steady_filter(ds, ax=None):
    """Draw the variance of each state variable that is left after predicting, filtering and smoothing.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.steady_filter`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "predicted", "filtered" and, of a stable network, "smoothed".

    Raises
    ------
    ValueError
        `ds` is no steady filter.
    """
    require(ds, "filter_gain", "predicted_cov", "filtered_cov")
    with drawing(ax) as ax:
        for name, color, marker in (("predicted", GREY, "v"), ("filtered", ORANGE, "s"), ("smoothed", BLUE, "o")):
            if f"{name}_cov" in ds:
                variance = np.diagonal(ds[f"{name}_cov"].values)
                ax.plot(np.arange(1, len(variance) + 1), variance, marker, color=color, label=name, markersize=4)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("State variable")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylabel("Variance given the outputs")
        ax.legend()
    return ax


def standard_errors(ds, ax=None, *, output=0, innovation=0):
    """Draw the weights of one innovation in one output against the lag, with two standard errors.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.standard_errors`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    output, innovation : int
        Which element of the weights.

    Returns
    -------
    matplotlib.axes.Axes
        With one line.

    Raises
    ------
    TypeError, ValueError
        `ds` holds no standard errors of weights, or not this element.
    """
    require(ds, "psi", "psi_stderr", "lag")
    one = chosen(chosen(ds, "output", output, "output"), "output_2", innovation, "innovation")
    psi, stderr = one["psi"].values, one["psi_stderr"].values
    with drawing(ax) as ax:
        ax.errorbar(ds["lag"].values, psi, 2 * stderr, color=BLUE, marker="o", markersize=3, linewidth=0.9, capsize=2)
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        ax.set_xlabel("Lag (step)")
        ax.set_ylabel(label(ds["psi"]))
    return ax


def _bands(ds, ax, curves, state, sequence):
    require(ds, "time", *(f"{name}_{what}" for name in curves for what in ("mean", "cov")))
    one = chosen(chosen(ds, "batch", sequence, "sequence"), "state", state, "state")
    time = one["time"].values
    with drawing(ax) as ax:
        for name, color in curves.items():
            mean, variance = one[f"{name}_mean"].values, one[f"{name}_cov"].isel(state_2=state).values
            width = 2 * np.sqrt(np.where(np.isfinite(variance), variance, np.nan))  # a diffuse state has no band
            ax.fill_between(time, mean - width, mean + width, color=color, alpha=0.18, linewidth=0)
            line(ax, time, mean, color=color, label=name, linewidth=1.0)
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        ax.set_xlabel("Time (step)")
        ax.set_ylabel(label(ds["filtered_mean"], f"mean of state variable {state + 1}"))
        ax.set_xlim(1, max(2, len(time)))
        ax.legend()
    return ax
