"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import Gradients, network
from rnndyn.networks.recurrent import CellNetwork


@network
class GRU(CellNetwork):  # numpydoc ignore=PR02
    """Gated recurrent unit ([cho2014]_, section 2.3); the equations are in `rnndyn.cells.gru`.

    Parameters
    ----------
    W_xh : (3H, I)
        Input weights of the gates r, z, n, stacked by rows in this order (PyTorch's); None or I = 0: autonomous.
    W_hh : (3H, H)
        Recurrent weights, stacked likewise.
    b_h : (3H,), optional
        Biases, stacked likewise.
    b_hn : (H,), optional
        Second bias of n, inside the product with the reset gate where `reset` is ``"after"``.
    reset : {"after", "before"}
        Whether the reset gate multiplies the recurrent sum of n (PyTorch, cuDNN) or h before it ([cho2014]_).
    update : {"keep", "write"}
        Whether the update gate z weighs the old state (PyTorch) or the new one.
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
    The state is h, (H,). ``"write"`` is ``"keep"`` with the signs of the update gate's weights reversed, because
    1 - sigmoid(a) = sigmoid(-a); one equation in `rnndyn.cells` serves both.

    Examples
    --------
    >>> GRU.random(8, 3, rng=0, update="write").update
    'write'
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    b_hn: Any = None
    _: KW_ONLY
    reset: str = "after"
    update: str = "keep"
    W_hy: Any = None
    b_y: Any = None

    gates = ("r", "z", "n")
    _choices = {"reset": ("after", "before"), "update": ("keep", "write")}
    _dims = CellNetwork._dims | {"b_hn": ("unit",)}

    @property
    def memory_gates(self) -> dict[str, int]:  # type: ignore[override]  # an option decides it
        """The update gate, which keeps the state or writes over it."""
        return {"z": 1 if self.update == "keep" else -1}

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import gru

        return gru.cell(self.reset)

    def cell_weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what the equation takes: the weights with the signs that `update` implies.

        Returns
        -------
        W_xh, W_hh, b_h, b_hn, q
            As `CellNetwork.cell_weights` describes them.
        """
        W_xh, W_hh, b_h, _, q = super().cell_weights()
        b_hn = np.zeros(self.hidden_size, self.dtype) if self.b_hn is None else self.b_hn
        if self.reset == "before":  # both biases of n stand in one sum
            b_h = np.concatenate([b_h[: 2 * self.hidden_size], b_h[2 * self.hidden_size :] + b_hn])
            b_hn = None
        return self._signed(W_xh), self._signed(W_hh), self._signed(b_h), b_hn, q

    def fold_gradients(self, W_xh, W_hh, b_h, b_hn=None, q=None, W_hy=None, b_y=None) -> Gradients:
        """Gradients by field, with the signs that `update` implies.

        Parameters
        ----------
        W_xh, W_hh, b_h, b_hn, q, W_hy, b_y
            As `CellNetwork.fold_gradients` describes them.

        Returns
        -------
        Gradients
            For each field that is present dL/dfield, of the shape of the field.
        """
        if self.reset == "before":
            b_hn = b_h[2 * self.hidden_size :].copy()
        return super().fold_gradients(self._signed(W_xh), self._signed(W_hh), self._signed(b_h), b_hn, q, W_hy, b_y)

    def _signed(self, rows: np.ndarray) -> np.ndarray:
        """With the rows of z negated where `update` is "write"; a copy then."""
        if self.update == "keep":
            return rows
        H = self.hidden_size
        return np.concatenate([rows[:H], -rows[H : 2 * H], rows[2 * H :]])

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        return {"b_hn": np.zeros(H)}
