"""Networks of one cell with a linear recurrence: common fields and sizes, what the kernels take, random weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from rnndyn.networks.base import Gradients, Network, refuse_unknown
from rnndyn.validate import as_dtype, as_generator, as_integer, as_number, check_shape, choice

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
OUTPUT_ACTIVATIONS = ("identity", "softmax", "sigmoid")
RECURRENT = ("gaussian", "orthogonal", "identity", "xavier")


class RecurrentNetwork(Network):
    """Base of the networks of one layer with a linear recurrence ``W_xh x``, ``W_hh h``: fields, sizes, random ones."""

    gates: ClassVar[tuple[str, ...]] = ("h",)
    """The blocks of H rows in W_xh, W_hh and b_h, in order."""
    memory_gates: ClassVar[Mapping[str, int]] = {}
    """The gates that decide how long a state lasts: 1 for one that keeps it, -1 for one that writes over it."""

    W_xh: Any
    W_hh: Any
    b_h: Any

    _dims = {
        "W_xh": ("gate", "input"),
        "W_hh": ("gate", "unit"),
        "b_h": ("gate",),
        "W_hy": ("output", "unit"),
        "b_y": ("output",),
    }

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        if "W_hh" not in arrays:
            raise TypeError("W_hh is None: the recurrent weights are wanted")
        arrays.setdefault("W_xh", np.zeros((arrays["W_hh"].shape[0], 0), arrays["W_hh"].dtype))
        super()._complete(arrays)

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        rows, columns = arrays["W_hh"].shape
        if not rows or not columns:
            raise ValueError(f"W_hh has shape {rows, columns}: at least one hidden unit is wanted")
        units = rows if columns == len(self.gates) * rows else columns  # the first: it was passed transposed
        sizes = {"unit": units, "gate": len(self.gates) * units, "input": arrays["W_xh"].shape[1]}
        check_shape(arrays["W_hh"], "W_hh", self._dims["W_hh"], sizes)  # before the others, which are measured by it
        return sizes | ({"output": arrays["W_hy"].shape[0]} if "W_hy" in arrays else {})

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return self.W_hh.shape[1]

    @property
    def input_size(self) -> int:
        """Number of inputs I; 0: autonomous."""
        return self.W_xh.shape[1]

    # --- random networks ----------------------------------------------------------------------------------------------

    @classmethod
    def random(
        cls,
        hidden_size: int,
        input_size: int = 0,
        output_size: int = 0,
        *,
        gain: float = 1.0,
        recurrent: str = "gaussian",
        rng: Any = None,
        dtype: Any = "float64",
        **fields: Any,
    ) -> Self:
        """Random network.

        Recurrent weights are drawn gate by gate. Input weights are normal with variance 1/I, read-out weights normal
        with variance 1/H, so that inputs of unit variance drive every unit with unit variance ([lecun1998]_, section
        4.6). Biases are zero, except that an LSTM's forget bias is 1 ([jozefowicz2015]_).

        Parameters
        ----------
        hidden_size, input_size, output_size
            H, I, O. With ``output_size=0`` there is no read-out.
        gain
            g, the scale of the recurrent weights. A large ``tanh`` network is chaotic for g > 1 ([sompolinsky1988]_).
        recurrent
            ``"gaussian"`` normal with variance g^2/H; ``"orthogonal"`` g times a random orthogonal matrix, uniform
            over all ([mezzadri2007]_); ``"identity"`` g times the identity ([le2015]_); ``"xavier"`` uniform in +-g
            sqrt(3/H), which has the same variance g^2/H ([glorot2010]_, equation 16).
        rng
            Seed or `numpy.random.Generator`. W_hh is drawn first: it is the same whatever the inputs and outputs are.
        dtype
            ``"float64"`` or ``"float32"``; a float32 network is the float64 network rounded.
        **fields
            Any field of the class, such as ``activation="relu"``; it takes the place of the random one.

        Returns
        -------
        Network
            Of this class. Cost O(G H (H + I)), for ``"orthogonal"`` O(G H^3).

        Raises
        ------
        TypeError, ValueError
            For sizes that are no positive integers, unknown kinds and unknown fields.

        Examples
        --------
        >>> from rnndyn.networks import GRU
        >>> GRU.random(16, 3, 2, gain=1.5, rng=0)
        GRU(hidden_size=16, input_size=3, output_size=2, dtype=float64, reset='after', update='keep')
        """
        H = as_integer(hidden_size, "hidden_size", minimum=1)
        inputs = as_integer(input_size, "input_size", minimum=0)
        outputs = as_integer(output_size, "output_size", minimum=0)
        gain = as_number(gain, "gain", minimum=0.0)
        choice(recurrent, "recurrent", RECURRENT)
        dtype, rng = as_dtype(dtype), as_generator(rng)
        refuse_unknown(cls, fields, cls._fields())
        G = len(cls._gates_with(fields))
        drawn = cls._recurrent_fields(H, G, gain, recurrent, rng)
        drawn["W_xh"] = rng.standard_normal((G * H, inputs)) / math.sqrt(max(inputs, 1))
        drawn |= {"b_h": np.zeros(G * H)} | cls._initial_fields(H)
        if outputs:
            drawn |= {"W_hy": rng.standard_normal((outputs, H)) / math.sqrt(H), "b_y": np.zeros(outputs)}
        return cls(**({name: array.astype(dtype) for name, array in drawn.items()} | fields))

    @classmethod
    def _gates_with(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """`gates` of a network with these options."""
        return cls.gates

    @classmethod
    def _recurrent_fields(cls, H: int, G: int, gain: float, kind: str, rng: np.random.Generator) -> dict[str, Any]:
        """Random recurrent weights of G gates."""
        return {"W_hh": np.concatenate([recurrent_weights(H, gain, kind, rng) for _ in range(G)])}

    @classmethod
    def _initial_fields(cls, H: int) -> dict[str, np.ndarray]:
        """Fields that a random network has besides its weights, and biases that are not zero."""
        return {}


class CellNetwork(RecurrentNetwork):
    """Base of the networks that have one cell, which kernels run.

    The equation of the cell is in `rnndyn.cells`; `cell` names it, `cell_weights` gives its parameters in the one
    form in which it is written, and `fold_gradients` takes gradients from that form back to the fields.
    """

    _of_shapes = ("dtype", "sizes")
    per_unit: ClassVar[str | None] = None
    """The field, if there is one, of the cell's per-unit parameters: a number, (H,), or (Q, H)."""

    @property
    @abstractmethod
    def cell(self) -> Any:
        """The class in `rnndyn.cells` that holds the equation."""

    def cell_weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
        """Return what the cell's equation takes, in the one form in which it is written.

        Returns
        -------
        W_xh : (G*H, I)
            Input weights.
        W_hh : (G*H, H)
            Recurrent weights.
        b_h : (G*H,)
            Zeros where the network has no biases.
        b_hn : (H,) or None
            Second bias of a GRU's candidate, zeros where it has none; None for other cells.
        q : (Q, H)
            Per-unit parameters: alpha of `Leaky` (Q = 1), peepholes of `LSTM` (Q = 3), else Q = 0.
        """
        b_h = np.zeros(len(self.W_hh), self.dtype) if self.b_h is None else self.b_h
        return self.W_xh, self.W_hh, b_h, None, self._unit_parameters()

    def _unit_parameters(self) -> np.ndarray:
        """Per-unit parameters other than biases, (Q, H)."""
        given = None if self.per_unit is None else getattr(self, self.per_unit)
        if given is None:
            return np.zeros((0, self.hidden_size), self.dtype)
        return given if given.ndim == 2 else np.broadcast_to(given, (1, self.hidden_size)).copy()

    def _unit_gradients(self, q: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of the fields that `_unit_parameters` is made of, from that of q (Q, H)."""
        given = None if self.per_unit is None else getattr(self, self.per_unit)
        if self.per_unit is None or given is None:
            return {}
        return {self.per_unit: (np.asarray(q[0].sum()), q[0], q)[given.ndim]}

    def fold_gradients(self, W_xh, W_hh, b_h, b_hn=None, q=None, W_hy=None, b_y=None) -> Gradients:
        """Return gradients by field, from gradients with respect to what `cell_weights` gives and to the read-out.

        Parameters
        ----------
        W_xh, W_hh, b_h, b_hn, q
            dL/d of what `cell_weights` gives, of the same shapes.
        W_hy, b_y
            dL/d of the read-out; None where the loss does not depend on it, which gives zeros.

        Returns
        -------
        Gradients
            For each field that is present dL/dfield, of the shape of the field.
        """
        given = {"W_xh": W_xh, "W_hh": W_hh, "b_h": b_h, "b_hn": b_hn, "W_hy": W_hy, "b_y": b_y}
        if q is not None:
            given |= self._unit_gradients(q)
        present = {name: given.get(name) for name in self._own()}
        for name in self.arrays():
            if present[name] is None:  # an array that the loss does not depend on
                present[name] = np.zeros_like(getattr(self, name))
        return Gradients(dict.fromkeys(self._dims) | present, constant=self._constant)

    @cached_property
    def sizes(self) -> Any:
        """Sizes that the kernels need at every call.

        Returns
        -------
        Layout
            See `rnndyn.kernels.pack`; without weights.
        """
        from rnndyn.kernels.jit import WIDTH
        from rnndyn.kernels.pack import blocks_of, describe

        return describe(self, None, blocks_of(self.hidden_size, self.dtype), WIDTH[self.dtype])

    @cached_property
    def layout(self) -> Any:
        """Weights in the layout that the kernels read, made once a network.

        Returns
        -------
        Layout
            See `rnndyn.kernels.pack`.
        """
        from rnndyn.kernels.pack import pack

        return self.sizes._replace(weights=pack(self.cell, *self.cell_weights()))

    def with_layout(self, layout: Any) -> Network:
        """Network that kernels run with these packed weights, whatever its own are.

        Parameters
        ----------
        layout
            As `layout`.

        Returns
        -------
        Network
            A new one.
        """
        new = self.with_values({})
        new.__dict__["layout"] = layout
        return new

    @cached_property
    def cuda_layout(self) -> Any:
        """The same in device memory.

        Returns
        -------
        Layout
            See `rnndyn.kernels.cuda.pack`.
        """
        from rnndyn.kernels.cuda.pack import layout

        return layout(self)


def recurrent_weights(H: int, gain: float, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draw recurrent weights of one gate.

    Parameters
    ----------
    H
        Number of hidden units.
    gain, kind
        Scale and kind, as in `CellNetwork.random`.
    rng
        Source of the random numbers; ``"identity"`` takes none.

    Returns
    -------
    ndarray
        (H, H), float64.
    """
    if kind == "identity":
        return gain * np.eye(H)
    if kind == "xavier":
        bound = gain * math.sqrt(3.0 / H)
        return rng.uniform(-bound, bound, (H, H))
    normal = rng.standard_normal((H, H))
    if kind == "gaussian":
        return gain / math.sqrt(H) * normal
    Q, R = np.linalg.qr(normal)
    return gain * Q * np.where(np.diagonal(R) < 0, -1.0, 1.0)  # without these signs Q is not uniformly distributed
