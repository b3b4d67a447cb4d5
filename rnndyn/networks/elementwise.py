"""Networks whose recurrence is elementwise: each unit sees the input and itself, so that Jacobians are diagonal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np

from rnndyn.networks.base import Network, network, refuse_unknown
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.validate import as_array, as_integer

GATES = {"f": ("z", "f"), "fo": ("z", "f", "o")}  # of a QRNN, by its pooling


class ElementwiseNetwork(CellNetwork):
    """Base of the networks that only the input drives: they have no recurrent weights."""

    memory_gates = {"f": 1}

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        if "W_xh" not in arrays:
            raise TypeError("W_xh is None: the input weights are wanted, which alone drive the units")
        Network._complete(self, arrays)

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        (rows, inputs), blocks = arrays["W_xh"].shape, len(self.gates)
        if not rows or rows % blocks:
            wanted = f"{blocks} blocks of H rows are wanted, {', '.join(self.gates)}"
            raise ValueError(f"W_xh has {rows} rows: {wanted}; correct its shape")
        sizes = {"gate": rows, "unit": rows // blocks, "input": inputs}
        return sizes | ({"output": arrays["W_hy"].shape[0]} if "W_hy" in arrays else {})

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return len(self.W_xh) // len(self.gates)

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return self.cell.states * self.hidden_size

    @property
    def W_hh(self) -> np.ndarray:
        """Zeros (G*H, H), under the name that all networks share; they take no memory."""
        return np.broadcast_to(self.dtype.type(0), (len(self.W_xh), self.hidden_size))

    @classmethod
    def _recurrent_fields(cls, H: int, G: int, gain: float, kind: str, rng: np.random.Generator) -> dict[str, Any]:
        return {}

    @classmethod
    def random(cls, hidden_size: int, input_size: int = 0, output_size: int = 0, **fields: Any) -> Self:
        """Draw a random network, as `CellNetwork.random` does, without recurrent weights.

        Parameters
        ----------
        hidden_size, input_size, output_size
            As in `CellNetwork.random`.
        **fields
            ``rng``, ``dtype`` and the fields of the class; there is no ``gain`` and no ``recurrent``.

        Returns
        -------
        Network
            Of this class.
        """
        refuse_unknown(cls, fields, ["rng", "dtype", *cls._fields()])
        return super().random(hidden_size, input_size, output_size, **fields)


@network
class SRU(ElementwiseNetwork):  # numpydoc ignore=PR02
    """Simple recurrent unit ([lei2018]_, equations 1 to 4); the equations are in `rnndyn.cells.sru`.

    Parameters
    ----------
    W_xh : (4H, I)
        Input weights of the candidate c, the forget gate f, the reset gate r and the highway k, stacked by rows in this
        order. The source's highway is the input itself: the identity in the rows of k, where H = I.
    b_h : (4H,), optional
        Biases, stacked likewise; the source has those of f and r.
    v : (2, H), optional
        Weights from the unit's own cell state to its gates f and r.
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
    The state is [h, c], (2H,). No unit sees another, so the Jacobian of c is diagonal: without v it is diag(f), and
    the Lyapunov exponents are the means of log f, for each unit one, and H times minus infinity, for h.

    Examples
    --------
    >>> SRU.random(8, 3, rng=0)
    SRU(hidden_size=8, input_size=3, output_size=0, dtype=float64)
    """

    W_xh: Any
    b_h: Any = None
    _: KW_ONLY
    v: Any = None
    W_hy: Any = None
    b_y: Any = None

    gates = ("c", "f", "r", "k")
    per_unit = "v"
    _dims = {name: dims for name, dims in CellNetwork._dims.items() if name != "W_hh"} | {"v": ("seeing", "unit")}

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        return super()._measure(arrays) | {"seeing": 2}

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import sru

        return sru.cell(self.v is not None)

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        return {"v": np.zeros((2, H))}


@network
class QRNN(ElementwiseNetwork):  # numpydoc ignore=PR02
    """Quasi-recurrent network ([bradbury2017]_, section 2); the equations are in `rnndyn.cells.qrnn`.

    Parameters
    ----------
    W_xh : (3H, I)
        Input weights of the candidate z, the forget gate f and the output gate o, stacked by rows in this order; (2H,
        I) with f-pooling, which has no o. With a convolution over k steps its matrices stand side by side, those of the
        oldest step first: (3H, kI'), see `QRNN.windows`.
    b_h : (3H,), optional
        Biases, stacked likewise.
    pooling : {"fo", "f"}
        With an output gate, or without.
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
    The state is h with f-pooling, else [h, c], (2H,). The Jacobian of h, or of c, is diag(f), which the input alone
    decides: the Lyapunov exponents are the means of log f (and, with fo-pooling, H times minus infinity, for h).

    Examples
    --------
    >>> QRNN.random(8, 3, pooling="f", rng=0)
    QRNN(hidden_size=8, input_size=3, output_size=0, dtype=float64, pooling='f')
    """

    W_xh: Any
    b_h: Any = None
    _: KW_ONLY
    pooling: str = "fo"
    W_hy: Any = None
    b_y: Any = None

    _choices = {"pooling": ("fo", "f")}
    _dims = {name: dims for name, dims in CellNetwork._dims.items() if name != "W_hh"}

    @property
    def gates(self) -> tuple[str, ...]:  # type: ignore[override]  # an option decides it
        """The blocks of H rows in W_xh and b_h, in order."""
        return GATES[self.pooling]

    @classmethod
    def _gates_with(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return GATES.get(str(options.get("pooling")), GATES["fo"])

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import qrnn

        return qrnn.cell(self.pooling)

    @staticmethod
    def windows(inputs: Any, width: int = 2) -> np.ndarray:
        """Inputs of several consecutive steps side by side: with these, W_xh is a masked convolution over time.

        Parameters
        ----------
        inputs : (B, T, I) or (T, I)
            Input sequences.
        width
            Number of steps k that each output sees: the present one and those before it.

        Returns
        -------
        (B, T, kI) or (T, kI) array
            At each time x_{t-k+1}, ..., x_t; zeros stand before the first step.

        Examples
        --------
        >>> QRNN.windows([[1.0], [2.0], [3.0]]).tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
        """
        dims = ("batch", "time", "input")
        x, width = as_array(inputs, "inputs", dims, optional=("batch",)), as_integer(width, "width", minimum=1)
        padded = np.concatenate([np.zeros((*x.shape[:-2], width - 1, x.shape[-1]), x.dtype), x], axis=-2)
        return np.concatenate([padded[..., k : k + x.shape[-2], :] for k in range(width)], axis=-1)
