"""Networks whose state takes a way around the nonlinearity: highway and residual recurrence."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import network
from rnndyn.networks.recurrent import ACTIVATIONS, CellNetwork


@network
class Highway(CellNetwork):  # numpydoc ignore=PR02
    """Highway recurrence ([srivastava2015]_, [zilly2017]_ with depth 1); the equation is in `rnndyn.cells.highway`.

    A transform gate t says how much of the old state a candidate replaces: ``h' = t phi(a_h) + (1 - t) h``.

    Parameters
    ----------
    W_xh : (2H, I)
        Input weights of the candidate h and of the gate t, stacked by rows in this order; None or I = 0: autonomous.
    W_hh : (2H, H)
        Recurrent weights, stacked likewise.
    b_h : (2H,), optional
        Biases, stacked likewise.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the candidate.
    W_hy : (O, H), optional
        Read-out weights.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        As `Elman`.

    Notes
    -----
    `Highway.random` sets the bias of the gate to -1, so that the network first carries its state
    ([srivastava2015]_, section 2.2).

    Examples
    --------
    >>> Highway.random(8, 2, rng=0)
    Highway(hidden_size=8, input_size=2, output_size=0, dtype=float64, activation='tanh')
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    activation: str = "tanh"
    W_hy: Any = None
    b_y: Any = None

    gates = ("h", "t")
    memory_gates = {"t": -1}
    _choices = {"activation": ACTIVATIONS}

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import highway

        return highway.cell(self.activation)

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        return {"b_h": np.repeat([0.0, -1.0], H)}


@network
class Residual(CellNetwork):  # numpydoc ignore=PR02
    """Residual recurrence ([he2016]_), ``h' = skip h + phi(W_hh h + W_xh x + b_h)``.

    Parameters
    ----------
    W_xh : (H, I)
        Input weights; None or I = 0 for an autonomous network.
    W_hh : (H, H)
        Recurrent weights, ``W_hh[to, from]``.
    b_h : (H,), optional
        Bias.
    skip : number or (H,)
        What the state keeps of itself, for all units or for each; 1 is the plain sum. It is a constant in training
        (its gradient is reported).
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the hidden units.
    W_hy : (O, H), optional
        Read-out weights.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        As `Elman`.

    Notes
    -----
    With ``skip`` below 1 in modulus and bounded units the state is bounded; with 1 it can grow by one a step, as an
    integrator does. `Leaky` weighs both terms by alpha instead.

    Examples
    --------
    >>> Residual(None, [[-0.5]], skip=1.0, activation="identity")  # h' = h / 2
    Residual(hidden_size=1, input_size=0, output_size=0, dtype=float64, skip=1, activation='identity')
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    skip: Any = 1.0
    activation: str = "tanh"
    W_hy: Any = None
    b_y: Any = None

    per_unit = "skip"
    _choices = {"activation": ACTIVATIONS}
    _constant = ("skip",)
    _scalar = ("skip",)
    _dims = CellNetwork._dims | {"skip": ("unit",)}

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        super()._complete(arrays)
        if "skip" not in arrays:
            raise TypeError("skip is None: what the state keeps of itself is wanted, a number or one for each unit")

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import residual

        return residual.cell(self.activation)
