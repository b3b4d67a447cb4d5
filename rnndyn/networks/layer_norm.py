"""The long short-term memory network with layer normalisation."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import network
from rnndyn.networks.recurrent import RecurrentNetwork


@network
class LayerNormLSTM(RecurrentNetwork):  # numpydoc ignore=PR02
    """LSTM with layer normalisation in its gates and of its cell state ([ba2016]_, supplement, equations 20 to 22).

    With ``N(z) = (z - mean z) / sqrt(var z + 1e-5)``, over the components of z::

        (a_i, a_f, a_g, a_o) = gain_x N(W_xh x) + gain_h N(W_hh h) + b_h
        c' = sigmoid(a_f) c + sigmoid(a_i) tanh(a_g)
        h' = sigmoid(a_o) tanh(gain_c N(c') + b_c)

    Parameters
    ----------
    W_xh : (4H, I)
        Input weights of the gates i, f, g, o, stacked by rows in this order; None or I = 0: autonomous.
    W_hh : (4H, H)
        Recurrent weights, stacked likewise.
    b_h : (4H,), optional
        Biases, stacked likewise: the sum of those of both normalisations and of the gates.
    gain_x, gain_h : (4H,), optional
        Gains of the normalised input and recurrent sums; ones by default.
    gain_c : (H,), optional
        Gain of the normalised cell state; ones by default.
    b_c : (H,), optional
        Its bias.
    W_hy : (O, H), optional
        Read-out weights, applied to h.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        As `Elman`.

    Notes
    -----
    The state is [h, c], (2H,). Each step and its derivatives are exact and go through NumPy
    (`rnndyn.passes_layer_norm`): a step is slower than a compiled one, numbers may differ in the last digits with the
    size of the batch, there is no GPU, and fixed points come without a proof. A single input (I = 1) and a single
    state decide only the signs of what is normalised: their size is lost.

    Examples
    --------
    >>> LayerNormLSTM.random(8, 3, rng=0)
    LayerNormLSTM(hidden_size=8, input_size=3, output_size=0, dtype=float64)
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    gain_x: Any = None
    gain_h: Any = None
    gain_c: Any = None
    b_c: Any = None
    W_hy: Any = None
    b_y: Any = None

    gates = ("i", "f", "g", "o")
    memory_gates = {"f": 1, "i": -1}
    _dims = RecurrentNetwork._dims | {"gain_x": ("gate",), "gain_h": ("gate",), "gain_c": ("unit",), "b_c": ("unit",)}

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        super()._complete(arrays)
        (rows, units), dtype = arrays["W_hh"].shape, arrays["W_hh"].dtype
        for name, size in (("gain_x", rows), ("gain_h", rows), ("gain_c", units)):
            arrays.setdefault(name, np.ones(size, dtype))

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return 2 * self.hidden_size

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        return {"b_h": np.repeat([0.0, 1.0, 0.0, 0.0], H), "b_c": np.zeros(H)}  # a forget gate that starts open
