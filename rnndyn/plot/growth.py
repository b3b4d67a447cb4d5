"""How tangent vectors lie to one another, how their growth scatters, and how distances fade."""

from __future__ import annotations

import json

import numpy as np

from rnndyn.plot.style import BLUE, GREY, PALETTE, VERMILLION, curve, drawing, label, require, rows

MOST = 4  # exponents whose scatter is drawn


def covariant_lyapunov_vectors(ds, ax=None):
    """Draw how often the growing and the shrinking covariant vectors stand at what angle.

    The spaces of the vectors with positive and with negative exponents; where there are not both, the two vectors that
    are closest. Weight near 0 tells of tangencies: the attractor is not hyperbolic. Times, trajectories and networks
    count together.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.covariant_lyapunov_vectors`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With one histogram.

    Raises
    ------
    ValueError
        `ds` holds no covariant vectors.

    Examples
    --------
    >>> from rnndyn.analysis.covariant import covariant_lyapunov_vectors as compute
    >>> from rnndyn.networks.map import Map
    >>> ds = compute(Map(lambda s, x, p: (1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]), 2), steps=5, warmup=9, tail=9, rng=0)
    >>> covariant_lyapunov_vectors(ds).get_xlabel()
    'Angle between growing and shrinking vectors (rad)'
    """
    require(ds, "splitting_angle", "min_angle")
    split = np.isfinite(ds["splitting_angle"].values).any()
    angles = ds["splitting_angle" if split else "min_angle"]
    values = angles.values[np.isfinite(angles.values)]
    with drawing(ax) as ax:
        ax.hist(values, bins=_bins(values.size), range=(0, np.pi / 2), density=values.size > 0, color=BLUE)
        ax.set_xlim(0, np.pi / 2)
        ax.set_xticks(np.pi / 8 * np.arange(5), ["0", "π/8", "π/4", "3π/8", "π/2"])
        name = "angle between growing and shrinking vectors" if split else "angle between the closest vectors"
        ax.set_xlabel(label(angles, name))
        ax.set_ylabel("Density (1/rad)")
        smallest = f"smallest {values.min():.2g} rad" if values.size else "no angle is known"
        ax.set_title(f"{smallest}, {values.size} times", color=GREY)
    return ax


def _bins(count):
    """Number of bins for so many values."""
    return int(np.clip(np.sqrt(count), 5, 60))


def finite_time_exponents(ds, ax=None):
    """Draw the distributions of the first exponents over the blocks, each with its mean as a line.

    Trajectories and networks count together.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.finite_time_exponents`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a histogram and a line for each of at most four exponents.

    Raises
    ------
    ValueError
        `ds` holds no exponents of blocks.

    Examples
    --------
    >>> from rnndyn.analysis.finite_time import finite_time_exponents as compute
    >>> from rnndyn.networks.map import Map
    >>> ds = compute(Map(lambda s, x, p: 4 * s * (1 - s), 1), window=5, steps=50, warmup=5, rng=0)
    >>> finite_time_exponents(ds).get_xlabel()
    'Exponent over one block (nat/step)'
    """
    require(ds, "local_exponent", "diffusion")
    local = rows(ds["local_exponent"], last="index").T[:MOST]
    with drawing(ax) as ax:
        for number, (values, color) in enumerate(zip(local, PALETTE, strict=False), 1):
            values = values[np.isfinite(values)]
            if not values.size:
                continue
            ax.hist(values, bins=_bins(values.size), density=True, histtype="stepfilled", color=color, alpha=0.4)
            ax.axvline(values.mean(), color=color, label=str(number))
        ax.set_xlabel(label(ds["local_exponent"]))
        ax.set_ylabel(f"Density ({'/'.join(reversed(ds['local_exponent'].attrs['units'].split('/')))})")
        if ax.lines:
            ax.legend(title="number")
    return ax


def echo_state_test(ds, ax=None):
    """Draw the distance of trajectories under the same inputs against time, and the slope of the conditional exponent.

    Of several sequences or networks the median is drawn, and the band that holds them all.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.echo_state_test`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "distance" and "exponent".

    Raises
    ------
    ValueError
        `ds` is no echo state test.

    Examples
    --------
    >>> from rnndyn import schema
    >>> variables = {"exponent": -0.69, "low": -0.7, "high": -0.68, "decay_rate": -0.69, "status": 0}
    >>> variables |= {"verdict": np.array("contracting"), "distance": 0.5 ** np.arange(9)}
    >>> ds = schema.build("echo_state_test", variables)
    >>> echo_state_test(ds).get_title("left")
    'contracting, exponent -0.69 [-0.7, -0.68]'
    """
    require(ds, "distance", "exponent", "low", "high", "verdict")
    time, distance = ds["time"].values, rows(ds["distance"], last="time")
    distance = np.where(distance > 0, distance, -np.inf)  # nothing on a logarithmic axis, but the lowest of several
    exponent, low, high = (np.median(ds[name].values) for name in ("exponent", "low", "high"))
    with drawing(ax) as ax:
        curve(ax, time, distance, BLUE, "distance")
        first = np.median(distance[:, 0])
        seen = distance[np.isfinite(distance)]
        duration = 1.0 if "/step" in ds["exponent"].attrs["units"] else _time_step(ds)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # an exponent of -inf has no slope
            slope = first * np.exp(exponent * duration * (time - time[0]))
        if seen.size:
            inside = (slope >= seen.min() / 2) & (slope <= 2 * seen.max())
            ax.plot(time[inside], slope[inside], "--", color=VERMILLION, label="exponent")
            ax.legend()
        ax.set_yscale("log")
        ax.set_xlim(time[0], max(time[-1], time[0] + 1))
        ax.set_xlabel("Time (step)")
        ax.set_ylabel("Distance of trajectories")
        verdicts = " / ".join(sorted({str(v) for v in np.ravel(ds["verdict"].values)}))
        ax.set_title(f"{verdicts}, exponent {exponent:.3g} [{low:.3g}, {high:.3g}]", color=GREY)
    return ax


def _time_step(ds):
    """Duration of a step, from the arguments of the call."""
    return json.loads(ds.attrs["arguments"])["time_step"]
