"""The long short-term memory network."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import network
from rnndyn.networks.recurrent import CellNetwork


@network
class LSTM(CellNetwork):  # numpydoc ignore=PR02
    """Long short-term memory ([hochreiter1997]_) with forget gate ([gers2000]_); equations in `rnndyn.cells.lstm`.

    Parameters
    ----------
    W_xh : (4H, I)
        Input weights of the gates i, f, g, o, stacked by rows in this order (PyTorch's); None or I = 0: autonomous.
    W_hh : (4H, H)
        Recurrent weights, stacked likewise.
    b_h : (4H,), optional
        Biases, stacked likewise.
    peephole : (3, H), optional
        Diagonal weights from the memory cells to the gates i, f (which see c of the step before) and o (which sees
        the new c) ([gers2002]_).
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
    The state is [h, c], (2H,).

    Examples
    --------
    >>> LSTM.random(8, 3, rng=0).state_size
    16
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    peephole: Any = None
    W_hy: Any = None
    b_y: Any = None

    gates = ("i", "f", "g", "o")
    per_unit = "peephole"
    memory_gates = {"f": 1, "i": -1}
    _dims = CellNetwork._dims | {"peephole": ("peephole", "unit")}

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        return super()._measure(arrays) | {"peephole": 3}

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return 2 * self.hidden_size

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import lstm

        return lstm.cell(self.peephole is not None)

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        # A forget gate that starts open lets gradients through ([jozefowicz2015]_).
        return {"b_h": np.repeat([0.0, 1.0, 0.0, 0.0], H)}
