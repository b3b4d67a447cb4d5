"""Networks as numerical methods: where they are stable, where their errors come from, what the step invents."""

from __future__ import annotations

import json

import numpy as np

from rnndyn.equivalence.ode.stability import stability_function
from rnndyn.plot.style import BLACK, BLUE, GREY, LIGHT, VERMILLION, drawing, label, line, require

GRID = 200  # points along each axis of a region


def ode_stability(ds, ax=None):
    """Draw the eigenvalues, times the step size, in the complex plane with the method's region of stability in grey.

    Filled dots lie in the region, open ones outside: there the step amplifies the mode.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.ode.stability`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the dots as lines "inside" and "outside", where there are any.

    Raises
    ------
    ValueError
        `ds` is no stability of a network.

    Examples
    --------
    >>> from rnndyn.equivalence.ode import stability
    >>> from rnndyn.networks import Leaky
    >>> ds = stability(Leaky(None, [[0.0, -3.0], [3.0, 0.0]], alpha=0.1), [[0.0, 0.0]], method="heun", dt=0.1)
    >>> ode_stability(ds).get_title("left")
    'heun, dt = 0.1: 100 % of modes inside'
    """
    require(ds, "eigenvalue", "amplification", "critical_step")
    call = json.loads(ds.attrs["arguments"])
    z = call["dt"] * ds["eigenvalue"].values.ravel()
    inside = ds["amplification"].values.ravel() <= 1
    finite = np.isfinite(z)
    with drawing(ax) as ax:
        left, right, height = _frame(z[finite])
        x, y = np.linspace(left, right, GRID), np.linspace(-height, height, GRID)
        R = np.abs(stability_function(call["method"], x + 1j * y[:, None]))
        ax.contourf(x, y, R, levels=[0, 1], colors=[LIGHT])
        ax.axhline(0, color=GREY, linewidth=0.4)
        ax.axvline(0, color=GREY, linewidth=0.4)
        for which, name, look in ((inside, "inside", BLUE), (~inside, "outside", "none")):
            shown = z[finite & which]
            if shown.size:
                color = BLUE if name == "inside" else VERMILLION
                ax.plot(shown.real, shown.imag, "o", markersize=3, color=color, markerfacecolor=look, label=name)
        ax.set(xlim=(left, right), ylim=(-height, height))
        ax.set_xlabel("Re(eigenvalue) · dt")
        ax.set_ylabel("Im(eigenvalue) · dt")
        share = 100 * inside[finite].mean() if finite.any() else 0.0
        ax.set_title(f"{call['method']}, dt = {call['dt']:.3g}: {share:.0f} % of modes inside", color=GREY)
    return ax


def _frame(z):
    """Left, right and top of a plane that holds the eigenvalues and the regions of the explicit methods."""
    left = 1.1 * min(z.real.min(initial=0), -3.2)
    right = 1.1 * max(z.real.max(initial=0), 0.6)
    return left, right, 1.1 * max(np.abs(z.imag).max(initial=0), 3.2)


def error_ledger(ds, ax=None):
    """Draw the part of each local error in the last error, beside the same by the products of backpropagation.

    The state variable with the largest last error is drawn, of several sequences that of the first.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.ode.error_ledger`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the lines "mean Jacobians", "backpropagation" and "local error".

    Raises
    ------
    ValueError
        `ds` is no ledger.

    Examples
    --------
    >>> from rnndyn.equivalence.ode import VectorField, error_ledger as compute
    >>> ds = compute(VectorField(lambda y, x, p: y - y**3, 1), dt=0.1, steps=40, initial_state=[0.1])
    >>> [line.get_label() for line in error_ledger(ds).lines]
    ['mean Jacobians', 'backpropagation', 'local error']
    """
    require(ds, "error", "contribution", "bptt_contribution", "local_error", "time")
    first = ds.isel(batch=0) if "batch" in ds.dims else ds
    last = np.abs(first["error"].values[-1])
    k = int(np.argmax(np.where(np.isfinite(last), last, -1)))
    one = first.isel(state=k)
    with drawing(ax) as ax:
        time, made, back, local = (
            one[name].values for name in ("time", "contribution", "bptt_contribution", "local_error")
        )
        line(ax, time, made, color=BLUE, label="mean Jacobians")
        line(ax, time, back, linestyle="--", color=VERMILLION, label="backpropagation")
        line(ax, time, local, linestyle=":", color=BLACK, label="local error")
        ax.set_xlabel("Time (step)")
        ax.set_ylabel("Part of the last error")
        ax.set_title(f"component {k} of {first.sizes['state']}: last error {one['error'].values[-1]:.3g}", color=GREY)
        ax.legend()
    return ax


def spurious_dynamics(ds, ax=None):
    """Draw the largest Lyapunov exponent against the step size: what the step invents goes away as it shrinks.

    Parameters
    ----------
    ds : Dataset
        From `rnndyn.ode.spurious_dynamics`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        With one line and its errors; the title counts the points.

    Raises
    ------
    ValueError
        `ds` is no search for spurious dynamics.

    Examples
    --------
    >>> from rnndyn.equivalence.ode import VectorField, spurious_dynamics as compute
    >>> field = VectorField(lambda y, x, p: 2 * y * (1 - y), 1)
    >>> ds = compute(field, dt=0.5, starts=[[0.1], [0.9]], max_period=1, duration=50, initial_state=[0.3], rng=0)
    >>> spurious_dynamics(ds).get_title("left")
    'points: 2 shared, 0 invented'
    """
    require(ds, "exponent", "stderr", "step_size", "origin")
    origin = ds["origin"].values
    exponent, error = (np.where(np.isfinite(v), v, np.nan) for v in (ds["exponent"].values, ds["stderr"].values))
    with drawing(ax) as ax:
        ax.errorbar(ds["step_size"], exponent, np.nan_to_num(error), fmt="o-", color=BLUE, markersize=3, capsize=2)
        ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        ax.set_xscale("log")
        ax.set_xlabel(label(ds["step_size"], "step size"))
        ax.set_ylabel(label(ds["exponent"], "largest Lyapunov exponent"))
        counts = ", ".join(f"{(origin == what).sum()} {what}" for what in ("shared", "invented"))
        ax.set_title(f"points: {counts}", color=GREY)
    return ax
