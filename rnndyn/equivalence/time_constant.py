"""The time constant that a forget gate stands for, by four conventions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.validate import as_array, as_number, choice

# tau / dt from the factor f of one step; each is the inverse of the formula beside it.
CONVENTIONS = {
    "exact": lambda f: -1 / np.log(f),  # f = exp(-dt / tau): the decay itself, sampled
    "euler": lambda f: 1 / (1 - f),  # f = 1 - dt / tau
    "trapezoid": lambda f: (1 + f) / (2 * (1 - f)),  # f = (1 - dt / 2 tau) / (1 + dt / 2 tau)
    "backward_euler": lambda f: f / (1 - f),  # f = 1 / (1 + dt / tau)
}


def time_constant(f: Any, dt: Any, convention: str = "exact") -> Any:
    """Time constant of a leak ``tau dh/dt = -h`` whose state keeps the share `f` over a step.

    Parameters
    ----------
    f
        Number or array of values in [0, 1]: a forget gate, 1 - alpha of `Leaky`, a factor of decay.
    dt
        Duration of a step, positive.
    convention : {"exact", "euler", "trapezoid", "backward_euler"}
        What the step is taken for: the decay itself (f = exp(-dt/tau), zero-order hold), or a step of Euler's method
        (f = 1 - dt/tau), of the trapezoidal rule, or of implicit Euler (f = 1/(1 + dt/tau)). For dt << tau all agree.

    Returns
    -------
    float or ndarray
        tau in the units of `dt`, of the shape of `f`. f = 1 keeps for ever: inf. f = 0 gives 0 by "exact" and
        "backward_euler"; the other two take it for a finite step: dt and dt/2.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for an `f` below 0 or above 1, which is the decay of no real time constant.

    Notes
    -----
    The half-life is tau ln 2 where tau is exact. Cost O(size of f).

    Examples
    --------
    >>> round(time_constant(0.95, 0.02), 6), time_constant([0.0, 0.5, 1.0], 1.0).round(3).tolist()
    (0.389915, [0.0, 1.443, inf])
    """
    share, step = as_array(f, "f"), as_number(dt, "dt", above=0)
    formula = CONVENTIONS[choice(convention, "convention", CONVENTIONS)]
    outside = ~((share >= 0) & (share <= 1))
    if outside.any():
        at = tuple(int(i) for i in np.unravel_index(np.argmax(outside), share.shape))
        where = f"[{', '.join(map(str, at))}]" if at else ""
        raise ValueError(f"f{where} is {share[at]}: a share from 0 to 1 is wanted; no real time constant decays so")
    with np.errstate(divide="ignore"):
        tau = np.where(share == 1, np.inf, step * np.abs(formula(share)))  # abs: 1 / log(0) is -0
    return tau.astype(share.dtype) if tau.ndim else float(tau)
