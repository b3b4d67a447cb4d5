"""Networks made of networks: layers on top of each other, and two directions of time side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from rnndyn.networks.base import Gradients, Network, network
from rnndyn.networks.elman import Elman
from rnndyn.validate import as_generator, as_integer

DROP = "drop it with .replace(W_hy=None, b_y=None)"


@network
class Stack(Network):  # numpydoc ignore=PR02
    """Layers on top of each other: within a time step the hidden state of layer k is the input of layer k + 1.

    Parameters
    ----------
    layers
        Networks; the input size of each is the hidden size of the one before. Only the last may have a read-out,
        which is then the read-out of the stack. Layers of different dtypes become float64.

    Raises
    ------
    TypeError, ValueError
        For an empty stack, layers that are no networks or do not fit, read-outs below the top, a stack in a stack.

    Notes
    -----
    The state is the layers' states, concatenated from the bottom up. `hidden_size` is that of the last layer.

    Examples
    --------
    >>> stack = Stack([Elman.random(8, 3, rng=0), Elman.random(4, 8, 2, rng=1)])
    >>> stack.input_size, stack.hidden_size, stack.state_size, stack.output_size
    (3, 4, 12, 2)
    """

    layers: Any

    def __post_init__(self) -> None:
        if isinstance(self.layers, Network) or not isinstance(self.layers, Sequence):
            raise TypeError(f"layers is a {type(self.layers).__name__}: a list of networks is wanted")
        if not self.layers:
            raise ValueError("layers is empty: at least one network is wanted")
        for k, layer in enumerate(self.layers):
            _check_part(layer, f"layers[{k}]", refused=Stack)
        for k, (below, layer) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if below.output_size:
                raise ValueError(f"layers[{k}] has a read-out: only the last layer may have one; {DROP}")
            if layer.input_size != below.hidden_size:
                wanted = f"wanted {below.hidden_size}, the hidden size of layers[{k}]"
                raise ValueError(f"layers[{k + 1}] has {layer.input_size} inputs, {wanted}: correct its W_xh")
        self._set("layers", one_dtype(self.layers))

    def parts(self) -> dict[str, Network]:
        """Return the networks that this network is made of.

        Returns
        -------
        dict of Network
            By the prefix of their arrays: the number of the layer from "0".
        """
        return {str(k): layer for k, layer in enumerate(self.layers)}

    def _part_fields(self, parts: dict[str, Network]) -> dict[str, Any]:
        return {"layers": tuple(parts[str(k)] for k in range(len(self.layers)))}

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return self.layers[-1].hidden_size

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return sum(layer.state_size for layer in self.layers)

    @property
    def input_size(self) -> int:
        """Number of inputs I; 0: autonomous."""
        return self.layers[0].input_size

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.layers[0].dtype

    @property
    def W_hy(self) -> np.ndarray | None:
        """Read-out weights of the last layer."""
        return self.layers[-1].W_hy

    @property
    def b_y(self) -> np.ndarray | None:
        """Read-out bias of the last layer."""
        return self.layers[-1].b_y

    @property
    def output_activation(self) -> str:
        """Activation of the last layer's read-out."""
        return self.layers[-1].output_activation

    def fold_gradients(self, layers: Sequence[Gradients]) -> Gradients:
        """Join the gradients of the stack from those of its layers.

        Parameters
        ----------
        layers
            One for each layer, from the bottom up.

        Returns
        -------
        Gradients
            With the field ``layers``.
        """
        return Gradients({"layers": tuple(layers)})

    @classmethod
    def random(
        cls,
        hidden_size: int,
        input_size: int = 0,
        output_size: int = 0,
        *,
        layers: int = 2,
        cell: Any = Elman,
        rng: Any = None,
        **fields: Any,
    ) -> Stack:
        """Draw random layers, all of one class and one hidden size.

        Parameters
        ----------
        hidden_size, input_size, output_size
            Of each layer; of the first; of the last.
        layers
            Their number.
        cell
            Their class.
        rng, **fields
            As in ``cell.random``.

        Returns
        -------
        Stack
            A new one.

        Examples
        --------
        >>> Stack.random(4, 2, 1, layers=3, rng=0)
        Stack(Elman x 3, hidden_size=4, input_size=2, output_size=1, state_size=12, dtype=float64)
        """
        count, rng = as_integer(layers, "layers", minimum=1), as_generator(rng)
        widths = [input_size] + [hidden_size] * (count - 1)
        outputs = [0] * (count - 1) + [output_size]
        return cls([cell.random(hidden_size, i, o, rng=rng, **fields) for i, o in zip(widths, outputs, strict=True)])

    def __repr__(self) -> str:
        names = [type(layer).__name__ for layer in self.layers]
        shown = f"{names[0]} x {len(names)}" if len(set(names)) == 1 else ", ".join(names)
        return f"Stack({shown}, {_sizes(self)})"


@network
class Bidirectional(Network):  # numpydoc ignore=PR02
    """Two networks that read the same inputs, one forward in time and one backward ([schuster1997]_).

    Their hidden states are put side by side. It has no step of its own (the backward half needs the future), so it
    can be run and trained, but analyses of dynamics refuse it: analyse `forward` or `backward`.

    Parameters
    ----------
    forward, backward
        Networks with the same number of inputs and no read-out. Different dtypes become float64.
    W_hy : (O, H_forward + H_backward), optional
        Read-out weights, applied to both hidden states, forward first.
    b_y : (O,), optional
        Read-out bias.

    Raises
    ------
    TypeError, ValueError
        For parts that are no networks, have a read-out or different inputs; for a read-out as in `Elman`.

    Notes
    -----
    The state is [forward state, backward state]; `hidden_size` is the sum of both.

    Examples
    --------
    >>> Bidirectional(Elman.random(4, 3, rng=0), Elman.random(4, 3, rng=1)).hidden_size
    8
    """

    forward: Any
    backward: Any
    _: KW_ONLY
    W_hy: Any = None
    b_y: Any = None

    _dims = {"W_hy": ("output", "unit"), "b_y": ("output",)}

    def __post_init__(self) -> None:
        for name in ("forward", "backward"):
            _check_part(getattr(self, name), name, refused=Bidirectional)
            if getattr(self, name).output_size:
                raise ValueError(f"{name} has a read-out: give it to Bidirectional as W_hy and b_y, and {DROP}")
        if self.forward.input_size != self.backward.input_size:
            wanted = f"wanted {self.forward.input_size}, as forward has"
            raise ValueError(f"backward has {self.backward.input_size} inputs, {wanted}: correct its W_xh")
        forward, backward = one_dtype((self.forward, self.backward))
        super().__post_init__()
        readout = self._own()
        if readout and readout["W_hy"].dtype != forward.dtype:  # mixed: everything float64
            forward, backward = forward.astype("float64"), backward.astype("float64")
            for name, array in readout.items():
                wide = array.astype(np.float64)
                wide.flags.writeable = False
                self._set(name, wide)
        self._set("forward", forward)
        self._set("backward", backward)

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        outputs = {"output": arrays["W_hy"].shape[0]} if arrays else {}
        return outputs | {"unit": self.hidden_size}

    def parts(self) -> dict[str, Network]:
        """Return the networks that this network is made of.

        Returns
        -------
        dict of Network
            By the prefix of their arrays: "forward" and "backward".
        """
        return {"forward": self.forward, "backward": self.backward}

    def _part_fields(self, parts: dict[str, Network]) -> dict[str, Any]:
        return parts

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return self.forward.hidden_size + self.backward.hidden_size

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return self.forward.state_size + self.backward.state_size

    @property
    def input_size(self) -> int:
        """Number of inputs I; 0: autonomous."""
        return self.forward.input_size

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.forward.dtype

    def fold_gradients(self, forward: Gradients, backward: Gradients, W_hy=None, b_y=None) -> Gradients:
        """Join the gradients of both directions and of the read-out, as one.

        Parameters
        ----------
        forward, backward
            Gradients of the parts.
        W_hy, b_y
            dL/d of the read-out; None where the loss does not depend on it, which gives zeros.

        Returns
        -------
        Gradients
            With the fields ``forward``, ``backward``, ``W_hy``, ``b_y``.
        """
        given = {"W_hy": W_hy, "b_y": b_y}
        present = {n: np.zeros_like(a) if given[n] is None else given[n] for n, a in self._own().items()}
        return Gradients({"forward": forward, "backward": backward, "W_hy": None, "b_y": None} | present)

    @classmethod
    def random(
        cls,
        hidden_size: int,
        input_size: int = 0,
        output_size: int = 0,
        *,
        cell: Any = Elman,
        rng: Any = None,
        **fields: Any,
    ) -> Bidirectional:
        """Draw two random networks of one class and size.

        Parameters
        ----------
        hidden_size
            Of each of the two.
        input_size, output_size
            Numbers of inputs and outputs.
        cell
            Class of the two.
        rng, **fields
            As in ``cell.random``.

        Returns
        -------
        Bidirectional
            A new one.
        """
        rng, outputs = as_generator(rng), as_integer(output_size, "output_size", minimum=0)
        forward, backward = (cell.random(hidden_size, input_size, rng=rng, **fields) for _ in range(2))
        width = forward.hidden_size + backward.hidden_size
        if not outputs:
            return cls(forward, backward)
        W_hy = rng.standard_normal((outputs, width)) / np.sqrt(width)
        return cls(forward, backward, W_hy=W_hy.astype(forward.dtype), b_y=np.zeros(outputs, forward.dtype))

    def __repr__(self) -> str:
        return f"Bidirectional({type(self.forward).__name__}, {type(self.backward).__name__}, {_sizes(self)})"


def looks_ahead(net: Network) -> bool:
    """Whether a network, or one of its parts, reads sequences from their ends.

    Parameters
    ----------
    net
        Any network.

    Returns
    -------
    bool
        Whether there is a `Bidirectional` in it: then it has no step in time.
    """
    return isinstance(net, Bidirectional) or any(looks_ahead(part) for part in net.parts().values())


def _check_part(part: Any, name: str, *, refused: type) -> None:
    if not isinstance(part, Network):
        raise TypeError(f"{name} is a {type(part).__name__}: a network is wanted")
    if isinstance(part, refused):
        raise TypeError(f"{name} is itself a {refused.__name__}: pass the networks that it is made of")


def one_dtype(parts: Sequence[Network]) -> tuple[Network, ...]:
    """Networks of one dtype: that of all, or float64.

    Parameters
    ----------
    parts
        Networks.

    Returns
    -------
    tuple of Network
        Those that differ, converted.
    """
    wide = np.result_type(*(part.dtype for part in parts))
    return tuple(part if part.dtype == wide else part.astype(wide) for part in parts)


def _sizes(net: Network) -> str:
    names = ("hidden_size", "input_size", "output_size", "state_size", "dtype")
    return ", ".join(f"{name}={getattr(net, name)}" for name in names)
