"""Networks that approximate a given map: a layer of units which, fed its own output, iterates the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnndyn.networks.elman import Elman
from rnndyn.validate import as_array, as_generator, as_integer, as_number

STEEPNESS = 1.0  # standard deviation, over states and units, of the arguments of tanh


def interpolating_network(function: Callable, low: float, high: float, units: int) -> Elman:
    """Interpolate a scalar map by a layer of rectified units: straight between its values at equal distances.

    Parameters
    ----------
    function : callable
        ``function(x) -> values``, both (n,): the map on numbers from `low` to `high`.
    low, high
        Ends of the interval. Below, the network keeps its value at `low`; above, its last piece goes on.
    units
        Number n of units, which is that of the pieces.

    Returns
    -------
    Elman
        Without recurrent weights: input x, output ``f(x_0) + sum_i c_i relu(x - x_i)``. ``rnndyn.ClosedLoop`` of it
        iterates the map.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for values of the function that are not finite.

    Notes
    -----
    The error is at most ``max |f''| (high - low)^2 / (8 n^2)`` for a function with two derivatives. Cost O(n).

    Examples
    --------
    >>> import rnndyn as rd
    >>> tent = interpolating_network(lambda x: 1 - np.abs(2 * x - 1), 0, 1, 2)  # it has two pieces: there is no error
    >>> rd.run(tent, [[0.1], [0.75]]).output.values.ravel().round(12).tolist()
    [0.2, 0.5]
    """
    n, left = as_integer(units, "units", minimum=1), as_number(low, "low")
    knots = np.linspace(left, as_number(high, "high", above=left), n + 1)
    values = as_array(function(knots.copy()), "function(x)", ("x",), sizes={"x": n + 1}, dtype="float64")
    bends = np.diff(np.diff(values) / np.diff(knots), prepend=0.0)  # changes of slope at the knots
    inwards, none = np.ones((n, 1)), np.zeros((n, n))
    return Elman(inwards, none, -knots[:-1], activation="relu", W_hy=bends[None], b_y=values[:1])


def fitted_network(states: Any, targets: Any, units: int, *, rng: Any = None) -> Elman:
    """Fit a map by a layer of random tanh units and a read-out by least squares.

    Parameters
    ----------
    states : (n, S)
        States, spread over where the map is wanted; more than there are units.
    targets : (n, O)
        What the map makes of them; with O = S ``rnndyn.ClosedLoop`` of the network iterates the map.
    units
        Number of units.
    rng
        Seed or Generator of the input weights.

    Returns
    -------
    Elman
        Without recurrent weights: input a state, output its image. Its error is to be measured on states of their own.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for too few states, and for states that do not vary.

    Notes
    -----
    Weights and biases are normal, scaled so that the argument of tanh has a standard deviation of 1 over the states and
    over the units. Cost O(n units^2).

    Examples
    --------
    >>> import rnndyn as rd
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> net = fitted_network(x, np.sin(3 * x), 20, rng=0)
    >>> bool(np.abs(rd.run(net, x).output - np.sin(3 * x)).max() < 1e-4)
    True
    """
    s = as_array(states, "states", ("sample", "state"), dtype="float64")
    y = as_array(targets, "targets", ("sample", "output"), sizes={"sample": len(s)}, dtype="float64")
    n, rng = as_integer(units, "units", minimum=1), as_generator(rng)
    if len(s) <= n:
        raise ValueError(f"states has {len(s)} rows for {n} units: more rows than units are wanted")
    varies = np.ptp(s, axis=0) > 0  # a standard deviation of equal numbers can be that of rounding
    if not varies.all():
        raise ValueError(f"states does not vary in column {int(np.argmin(varies))}: spread them over the map's domain")
    spread = s.std(axis=0)
    weights = STEEPNESS * rng.standard_normal((n, s.shape[1])) / (spread * np.sqrt(s.shape[1]))
    biases = STEEPNESS * rng.standard_normal(n) - weights @ s.mean(axis=0)
    features = np.column_stack([np.tanh(s @ weights.T + biases), np.ones(len(s))])
    read = np.linalg.lstsq(features, y, rcond=None)[0].T
    return Elman(weights, np.zeros((n, n)), biases, W_hy=read[:, :-1], b_y=read[:, -1])
