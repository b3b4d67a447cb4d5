"""The piecewise-linear network, of which fixed points and cycles can be found exactly."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np

from rnndyn.networks.base import Gradients, network, refuse_unknown
from rnndyn.networks.elman import Elman
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.validate import as_generator


@network
class PiecewiseLinear(CellNetwork):  # numpydoc ignore=PR02
    """Piecewise-linear network ``h' = A h + W relu(h) + W_xh x + b`` ([durstewitz2017]_), linear where no sign changes.

    Parameters
    ----------
    A : (H,)
        Diagonal of the linear part: what each unit keeps of itself.
    W : (H, H)
        Weights of the rectified units, ``W[to, from]``. The literature sets the diagonal to zero; it need not be.
    b : (H,), optional
        Bias.
    W_xh : (H, I), optional
        Input weights; None or I = 0 for an autonomous network.
    W_hy : (O, H), optional
        Read-out weights, applied to the state.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        As `Elman`.

    Notes
    -----
    The state is h, (H,). As xarray DataArrays the arrays have the dimensions ``unit`` (A, the columns of W and W_hy),
    ``gate`` (the rows of W and W_xh, and b), ``input`` and ``output``. `W_hh` and `b_h` are other names of W and b.

    Examples
    --------
    >>> PiecewiseLinear([0.5, 0.9], [[0.0, -0.6], [0.5, 0.0]], [0.4, -1.0])
    PiecewiseLinear(hidden_size=2, input_size=0, output_size=0, dtype=float64)
    """

    A: Any
    W: Any
    b: Any = None
    _: KW_ONLY
    W_xh: Any = None
    W_hy: Any = None
    b_y: Any = None

    _dims = {
        "A": ("unit",),
        "W": ("gate", "unit"),
        "b": ("gate",),
        "W_xh": ("gate", "input"),
        "W_hy": ("output", "unit"),
        "b_y": ("output",),
    }

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        for name, what in (("A", "the diagonal of the linear part"), ("W", "the recurrent weights")):
            if name not in arrays:
                raise TypeError(f"{name} is None: {what} is wanted, an array")
        super()._complete(arrays | {"W_hh": arrays["W"]})
        arrays.setdefault("W_xh", np.zeros((len(arrays["W"]), 0), arrays["W"].dtype))

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        units = len(arrays["A"])
        if not units:
            raise ValueError("A has shape (0,): at least one hidden unit is wanted")
        sizes = {"unit": units, "gate": units, "input": arrays["W_xh"].shape[1]}
        return sizes | ({"output": arrays["W_hy"].shape[0]} if "W_hy" in arrays else {})

    @property
    def W_hh(self) -> np.ndarray:
        """The recurrent weights W, under the name that all networks share."""
        return self.W

    @property
    def b_h(self) -> np.ndarray | None:
        """The bias b, under the name that all networks share."""
        return self.b

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells.piecewise import Piecewise

        return Piecewise

    def _unit_parameters(self) -> np.ndarray:
        return self.A[None]

    def fold_gradients(self, W_xh, W_hh, b_h, b_hn=None, q=None, W_hy=None, b_y=None) -> Gradients:
        """Return gradients by field, as `CellNetwork.fold_gradients` does, those of W and b under their own names.

        Parameters
        ----------
        W_xh, W_hh, b_h, b_hn, q, W_hy, b_y
            As in `CellNetwork.fold_gradients`.

        Returns
        -------
        Gradients
            For each field that is present dL/dfield, of the shape of the field.
        """
        given = {"A": q[0], "W": W_hh, "b": b_h, "W_xh": W_xh, "W_hy": W_hy, "b_y": b_y}
        present = {
            name: np.zeros_like(own) if given[name] is None else given[name] for name, own in self._own().items()
        }
        return Gradients(dict.fromkeys(self._dims) | present)

    @classmethod
    def random(cls, hidden_size: int, input_size: int = 0, output_size: int = 0, **fields: Any) -> Self:
        """Draw a random network as `CellNetwork.random` does, W in the place of W_hh.

        A is uniform in [0, 1/2): with Gaussian weights of gain g a large network then keeps the size of its states
        bounded for g^2 < 3/2, because A^2 <= 1/4 and half of the units pass their square on.

        Parameters
        ----------
        hidden_size, input_size, output_size, **fields
            As in `CellNetwork.random`.

        Returns
        -------
        PiecewiseLinear
            A new one.
        """
        how = {name: fields.pop(name) for name in ("gain", "recurrent", "dtype") if name in fields}
        rng = as_generator(fields.pop("rng", None))
        refuse_unknown(cls, fields, cls._fields())
        drawn = Elman.random(hidden_size, input_size, output_size, rng=rng, **how)
        A = rng.uniform(0, 0.5, drawn.hidden_size).astype(drawn.dtype)
        own = {"A": A, "W": drawn.W_hh, "b": drawn.b_h} | {k: getattr(drawn, k) for k in ("W_xh", "W_hy", "b_y")}
        return cls(**(own | fields))
