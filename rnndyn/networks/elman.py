"""Elman's simple recurrent network, and the linear network."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import network
from rnndyn.networks.recurrent import ACTIVATIONS, OUTPUT_ACTIVATIONS, CellNetwork


@network
class Elman(CellNetwork):  # numpydoc ignore=PR02
    """Simple recurrent network ([elman1990]_, section "Networks with memory"); the equation is in `rnndyn.cells.elman`.

    Parameters
    ----------
    W_xh : (H, I)
        Input weights; None or I = 0 for an autonomous network.
    W_hh : (H, H)
        Recurrent weights, ``W_hh[to, from]``.
    b_h : (H,), optional
        Bias.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the hidden units.
    W_hy : (O, H), optional
        Read-out weights.
    b_y : (O,), optional
        Read-out bias.
    output_activation : {"identity", "softmax", "sigmoid"}
        Of the read-out.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for arrays of the wrong type or shape, values that are not finite, unknown options.

    Notes
    -----
    The state is h, (H,). As xarray DataArrays the arrays have the dimensions ``gate`` (the rows), ``unit`` (the
    columns of W_hh and W_hy), ``input`` and ``output``.

    Examples
    --------
    >>> Elman([[1.0], [0.5]], [[0.0, 1.0], [-1.0, 0.0]], activation="relu")
    Elman(hidden_size=2, input_size=1, output_size=0, dtype=float64, activation='relu', output_activation='identity')
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    activation: str = "tanh"
    W_hy: Any = None
    b_y: Any = None
    output_activation: str = "identity"

    _choices = {"activation": ACTIVATIONS, "output_activation": OUTPUT_ACTIVATIONS}

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import elman

        return elman.cell(self.activation)


@network
class Linear(CellNetwork):  # numpydoc ignore=PR02
    """Linear network, with Gaussian noise if wanted: a linear state-space model ([kalman1960]_).

    Its step is that of `rnndyn.cells.elman` without a nonlinearity, plus noise of covariance `process_noise`; its
    output is the read-out plus noise of covariance `observation_noise`. Running and training leave the noise out;
    `kalman_filter`, `to_varma` and their companions use it.

    Parameters
    ----------
    W_xh : (H, I)
        Input weights; None or I = 0 for an autonomous network.
    W_hh : (H, H)
        State transition.
    b_h : (H,), optional
        Bias.
    W_hy : (O, H), optional
        Read-out weights. Without them the outputs are the hidden states.
    b_y : (O,), optional
        Read-out bias.
    process_noise : (H, H), optional
        Covariance of the noise of the state; symmetric and positive semidefinite.
    observation_noise : (O, O), optional
        Covariance of the noise of the outputs, (H, H) without a read-out.

    Raises
    ------
    TypeError, ValueError
        As `Elman`, and for covariances that are not symmetric or not positive semidefinite (up to rounding).

    Notes
    -----
    As xarray DataArrays the covariances have the dimensions ``unit, unit_2`` and ``output, output_2``, the other arrays
    those of `Elman`.

    Examples
    --------
    >>> Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[0.1]])
    Linear(hidden_size=1, input_size=0, output_size=1, dtype=float64)
    """

    W_xh: Any
    W_hh: Any
    b_h: Any = None
    _: KW_ONLY
    W_hy: Any = None
    b_y: Any = None
    process_noise: Any = None
    observation_noise: Any = None

    _constant = ("process_noise", "observation_noise")
    _dims = CellNetwork._dims | {"process_noise": ("unit", "unit_2"), "observation_noise": ("output", "output_2")}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, covariance in self.constants().items():
            check_covariance(covariance, name)

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        sizes = super()._measure(arrays)
        sizes.setdefault("output", sizes["unit"])
        return sizes | {"unit_2": sizes["unit"], "output_2": sizes["output"]}

    @property
    def cell(self) -> Any:
        """Class in `rnndyn.cells` that holds the equation."""
        from rnndyn.cells import elman

        return elman.cell("identity")


def check_covariance(matrix: np.ndarray, name: str) -> None:
    """Raise ValueError for a matrix that is not symmetric or not positive semidefinite, up to rounding.

    Parameters
    ----------
    matrix
        What was passed.
    name
        Name of the argument, for messages.
    """
    if not matrix.size:
        return
    scale = float(np.abs(matrix).max())
    rounding = 100 * len(matrix) * float(np.finfo(matrix.dtype).eps) * scale
    gap = float(np.abs(matrix - matrix.T).max())
    if gap > rounding:
        raise ValueError(f"{name} is not symmetric (it differs from its transpose by {gap:.3g}): pass (P + P.T) / 2")
    lowest = float(np.linalg.eigvalsh(matrix.astype(np.float64)).min())
    if lowest < -rounding:
        raise ValueError(f"{name} has the eigenvalue {lowest:.3g}: a covariance is positive semidefinite; correct it")
