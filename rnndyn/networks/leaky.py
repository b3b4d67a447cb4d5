"""The leaky network: a continuous-time rate network in steps of Euler's method."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np

from rnndyn.networks.base import network
from rnndyn.networks.recurrent import ACTIVATIONS, CellNetwork


@network
class Leaky(CellNetwork):  # numpydoc ignore=PR02
    """Leaky (continuous-time) recurrent network ([jaeger2007]_, section 2); the equations are in `rnndyn.cells.leaky`.

    Parameters
    ----------
    W_xh : (H, I)
        Input weights; None or I = 0 for an autonomous network.
    W_hh : (H, H)
        Recurrent weights, ``W_hh[to, from]``.
    b_h : (H,), optional
        Bias.
    alpha : number or (H,)
        dt/tau, positive, for all units or for each. Values above 1 are legal, but there a step overshoots. It is a
        constant in training (its gradient is reported).
    form : {"rate", "voltage"}
        Whether the nonlinearity stands around the recurrent sum or inside it; the state is a rate or a voltage.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the hidden units.
    W_hy : (O, H), optional
        Read-out weights, applied to the state.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        As `Elman`, and for an alpha that is not positive.

    Examples
    --------
    >>> net = Leaky.random(8, 2, alpha=0.1, rng=0)
    >>> net
    Leaky(hidden_size=8, input_size=2, output_size=0, dtype=float64, alpha=0.1, form='rate', activation='tanh')
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    alpha: Any
    form: str = "rate"
    activation: str = "tanh"
    W_hy: Any = None
    b_y: Any = None

    per_unit = "alpha"
    _choices = {"form": ("rate", "voltage"), "activation": ACTIVATIONS}
    _constant = ("alpha",)
    _scalar = ("alpha",)
    _dims = CellNetwork._dims | {"alpha": ("unit",)}

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        super()._complete(arrays)
        if "alpha" not in arrays:
            raise TypeError("alpha is None: dt/tau is wanted, a positive number or one for each unit")
        if not (arrays["alpha"] > 0).all():
            raise ValueError(f"alpha is {arrays['alpha'].min()}: dt/tau is positive; pass a value above 0")

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import leaky

        return leaky.cell(self.form, self.activation)

    @classmethod
    def random(cls, hidden_size: int, input_size: int = 0, output_size: int = 0, **fields: Any) -> Self:
        """Draw a random network, as `CellNetwork.random` does; ``alpha`` is 0.2 unless given.

        Parameters
        ----------
        hidden_size, input_size, output_size, **fields
            As in `CellNetwork.random`.

        Returns
        -------
        Leaky
            A new one.
        """
        return super().random(hidden_size, input_size, output_size, **({"alpha": 0.2} | fields))
