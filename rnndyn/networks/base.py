"""What every network is: an immutable object of checked arrays and options; and what a gradient of it is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from rnndyn.validate import as_array, as_dtype, check_shape, choice


@dataclass_transform(frozen_default=True, eq_default=False)
def network(cls: type) -> Any:
    """Decorate a class of networks: a frozen dataclass that compares and shows itself as `Network` does.

    Parameters
    ----------
    cls
        A subclass of `Network`.

    Returns
    -------
    type
        The same class.
    """
    return dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)


class Network(ABC):
    """Base of all networks: arrays and options, checked when the network is made; nothing can be changed afterwards.

    Array fields are copied, converted to one dtype (float64 unless all are float32), C-contiguous, finite and
    read-only. A subclass is decorated with `network`, declares its fields, and describes them in the class attributes
    below.

    Attributes
    ----------
    state_size, hidden_size, input_size, output_size
        Numbers of state variables, hidden units, inputs (0: autonomous) and outputs (0: no read-out).
    dtype
        float32 or float64.
    W_hy, b_y, output_activation
        The read-out ``y = output_activation(W_hy h + b_y)``; W_hy is None where there is none.
    """

    _dims: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # array field -> its dimensions
    _scalar: ClassVar[tuple[str, ...]] = ()  # array fields that may also be a single number
    _constant: ClassVar[tuple[str, ...]] = ()  # array fields that training leaves alone
    _choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # option -> its values
    _of_shapes: ClassVar[tuple[str, ...]] = ("dtype",)  # cached properties that other values of the arrays leave alone

    def __post_init__(self) -> None:
        for name, allowed in self._choices.items():
            self._set(name, choice(getattr(self, name), name, allowed))
        given = {name: getattr(self, name) for name in self._dims if getattr(self, name) is not None}
        arrays = {name: self._converted(name, value) for name, value in given.items()}
        self._complete(arrays)
        sizes = self._measure(arrays)
        for name, array in arrays.items():
            check_shape(array, name, self._dims[name][-array.ndim :] if array.ndim else (), sizes)
        # A single number takes the type of the arrays; it does not decide it.
        decisive = [array.dtype for array in arrays.values() if array.ndim] or [np.dtype(np.float64)]
        for name, array in arrays.items():
            frozen = np.array(array, dtype=np.result_type(*decisive), order="C", copy=True)
            frozen.flags.writeable = False
            self._set(name, frozen)

    def _converted(self, name: str, value: Any) -> np.ndarray:
        dims = self._dims[name]
        return as_array(value, name, dims, optional=dims if name in self._scalar else ())

    def _complete(self, arrays: dict[str, np.ndarray]) -> None:
        """Check which arrays go together, and add what is implied by the others."""
        if "b_y" in arrays and "W_hy" not in arrays:
            raise ValueError("b_y is given without W_hy: a read-out needs weights; pass W_hy, or leave b_y out")
        if self.output_activation != "identity" and "W_hy" not in arrays:
            raise ValueError(f"output_activation={self.output_activation!r} without W_hy: pass W_hy, or use 'identity'")

    def _measure(self, arrays: dict[str, np.ndarray]) -> dict[str, int]:
        """Length of each dimension, from the arrays that decide it."""
        return {}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen: only its making may write

    # --- sizes --------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def hidden_size(self) -> int:
        """Number of hidden units H."""

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return self.hidden_size

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Number of inputs I; 0: autonomous."""

    @property
    def output_size(self) -> int:
        """Number of outputs O; 0: no read-out."""
        return 0 if self.W_hy is None else self.W_hy.shape[0]

    @property
    def W_hy(self) -> Any:
        """The weights of the read-out, (O, H), or None."""
        return None

    @property
    def b_y(self) -> Any:
        """The bias of the read-out, (O,), or None."""
        return None

    @property
    def output_activation(self) -> str:
        """Activation of the read-out."""
        return "identity"

    @cached_property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return next(array.dtype for array in self._own().values() if array.ndim)

    # --- contents -----------------------------------------------------------------------------------------------------

    def parts(self) -> dict[str, Network]:
        """Return the networks that this network is made of.

        Returns
        -------
        dict of Network
            By the prefix of their arrays; empty for a single network.
        """
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Trainable arrays that are present, by field name; those of parts as ``"0.W_xh"``, ``"forward.W_xh"``.

        Returns
        -------
        dict of ndarray
            Read-only arrays of the network's dtype.
        """
        own = {name: array for name, array in self._own().items() if name not in self._constant}
        return own | {f"{p}.{name}": a for p, part in self.parts().items() for name, a in part.arrays().items()}

    def constants(self) -> dict[str, np.ndarray]:
        """Return the arrays that training leaves alone (`Leaky.alpha`, the noise of `Linear`), named as in `arrays`.

        Returns
        -------
        dict of ndarray
            Read-only arrays of the network's dtype.
        """
        own = {name: array for name, array in self._own().items() if name in self._constant}
        return own | {f"{p}.{name}": a for p, part in self.parts().items() for name, a in part.constants().items()}

    def options(self) -> dict[str, Any]:
        """Return the fields that are not arrays: ``activation``, ``form``, ``reset`` ...

        Returns
        -------
        dict
            By field name, fit for JSON.
        """
        return {name: getattr(self, name) for name in self._choices}

    def describe(self) -> dict[str, Any]:
        """Everything but the arrays.

        Returns
        -------
        dict
            ``class``, ``options`` and, if there are any, ``parts``, which are such dicts: a tree fit for JSON.
        """
        parts = {prefix: part.describe() for prefix, part in self.parts().items()}
        return {"class": type(self).__name__, "options": self.options()} | ({"parts": parts} if parts else {})

    def content_hash(self) -> str:
        """SHA-256 of class, options and arrays.

        Returns
        -------
        str
            64 hexadecimal digits; equal networks have equal hashes on every machine. Cost O(number of weights), once.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode())
        for name, array in sorted((self.arrays() | self.constants()).items()):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(json.dumps([name, little.dtype.str, list(little.shape)]).encode())
            digest.update(little.tobytes())
        return digest.hexdigest()

    @classmethod
    def _fields(cls) -> list[str]:
        return list(cls.__dataclass_fields__)  # type: ignore[attr-defined]

    def _own(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in self._dims if getattr(self, name) is not None}

    # --- new networks from this one -----------------------------------------------------------------------------------

    def replace(self, **fields: Any) -> Network:
        """Network of the same class with some fields replaced; everything is checked again.

        Parameters
        ----------
        **fields
            Any fields of the class.

        Returns
        -------
        Network
            A new one.

        Raises
        ------
        TypeError, ValueError
            For unknown fields (they are listed), and as the class itself.

        Examples
        --------
        >>> from rnndyn.networks import Elman
        >>> Elman.random(4, rng=0).replace(activation="relu").activation
        'relu'
        """
        refuse_unknown(type(self), fields, self._fields())
        return type(self)(**{name: getattr(self, name) for name in self._fields()} | fields)

    def with_arrays(self, arrays: Mapping[str, Any]) -> Network:
        """Network of the same class with some of the arrays replaced.

        Parameters
        ----------
        arrays
            By the names of `arrays` and `constants`; unknown names are a TypeError.

        Returns
        -------
        Network
            A new one.
        """
        refuse_unknown(type(self), arrays, [*self.arrays(), *self.constants()])
        own = {name: value for name, value in arrays.items() if "." not in name}
        changed = {
            prefix: part.with_arrays({n[len(prefix) + 1 :]: v for n, v in arrays.items() if n.startswith(prefix + ".")})
            for prefix, part in self.parts().items()
        }
        return self.replace(**own, **self._part_fields(changed))

    def with_values(self, arrays: Mapping[str, Any]) -> Network:
        """Network with other values in some of the arrays of `arrays`, which are taken as they are.

        Parameters
        ----------
        arrays
            Finite, of the same shapes and dtype; they become read-only.

        Returns
        -------
        Network
            A new one.
        """
        if self.parts() or not self._own():  # what is made of networks, or of a function, is made anew
            return self.with_arrays(arrays)
        new = object.__new__(type(self))
        for array in arrays.values():
            array.flags.writeable = False
        kept = *self._fields(), *self._of_shapes
        new.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__} | dict(arrays))
        return new

    def astype(self, dtype: Any) -> Network:
        """Network with every array converted.

        Parameters
        ----------
        dtype
            float32 or float64.

        Returns
        -------
        Network
            A new one, or itself if it is of that dtype. ValueError where a weight overflows.
        """
        dtype = as_dtype(dtype)
        if dtype == self.dtype:
            return self
        everything = self.arrays() | self.constants()
        return self.with_arrays({name: as_array(array, name, dtype=dtype) for name, array in everything.items()})

    def _part_fields(self, parts: dict[str, Network]) -> dict[str, Any]:
        """Fields that hold these parts."""
        return {}

    # --- as a Python object -------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Whether class and options are the same and all arrays equal bit by bit."""
        if type(self) is not type(other):
            return NotImplemented
        return self.dtype == other.dtype and self.content_hash() == other.content_hash()

    def __hash__(self) -> int:
        return hash(self.content_hash())

    def __reduce__(self) -> tuple:
        # A copy or an unpickled network is made anew: checked, and read-only again.
        return _rebuild, (type(self), {name: getattr(self, name) for name in self._fields()})

    def __repr__(self) -> str:
        sizes = {name: getattr(self, name) for name in ("hidden_size", "input_size", "output_size")}
        shown = [f"{name}={value}" for name, value in sizes.items()] + [f"dtype={self.dtype}"]
        for name in self._scalar:
            array = getattr(self, name)
            shown.append(f"{name}={array:.6g}" if array.ndim == 0 else f"{name}=<array {array.shape}>")
        return f"{type(self).__name__}({', '.join(shown + [f'{k}={v!r}' for k, v in self.options().items()])})"


class Gradients:
    """dL/dfield for every array field of a network: ``gradients.W_hh``; None where the network's own field is None.

    For a `Stack` ``gradients.layers[0].W_hh``, for a `Bidirectional` ``gradients.forward.W_hh``.

    Parameters
    ----------
    fields
        By field name: an array, None, another Gradients, or a tuple of Gradients.
    constant
        Names of the fields that training leaves alone: they are attributes but not in `arrays`.
    """

    def __init__(self, fields: Mapping[str, Any], constant: Sequence[str] = ()) -> None:
        self.__dict__.update(fields)
        self._constant = tuple(constant)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the gradients by the keys of ``network.arrays()``.

        Returns
        -------
        dict of ndarray
            One for each trainable array, of its shape.
        """
        flat: dict[str, np.ndarray] = {}
        for name, value in self._fields().items():
            if name in self._constant:
                continue
            if isinstance(value, tuple):
                flat |= {f"{k}.{key}": array for k, part in enumerate(value) for key, array in part.arrays().items()}
            elif isinstance(value, Gradients):
                flat |= {f"{name}.{key}": array for key, array in value.arrays().items()}
            elif value is not None:
                flat[name] = value
        return flat

    def norm(self) -> float:
        """Euclidean norm over all of `arrays`, computed in float64.

        Returns
        -------
        float
            NaN or inf if a gradient holds one.

        Examples
        --------
        >>> Gradients({"W_hh": np.array([[3.0]]), "b_h": np.array([4.0]), "W_hy": None}).norm()
        5.0
        """
        return norm_of(self.arrays().values())

    def _fields(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_constant"}

    def __repr__(self) -> str:
        shown = (f"{name}{np.shape(array)}" for name, array in self.arrays().items())
        return f"Gradients(norm={self.norm():.6g}: {', '.join(shown)})"


def norm_of(arrays: Iterable[np.ndarray]) -> float:
    """Euclidean norm over all arrays, in float64.

    Parameters
    ----------
    arrays
        Of any shapes.

    Returns
    -------
    float
        NaN or inf if one holds one; zero without any.
    """
    # A sum of squares, not `np.linalg.norm`: that wakes the threads of the BLAS, which then keep the cores busy.
    numbers = [array.ravel() for array in arrays]
    if not numbers:
        return 0.0
    whole = numbers[0] if len(numbers) == 1 else np.concatenate(numbers)
    return math.sqrt(float(np.square(whole, dtype=np.float64).sum()))


def refuse_unknown(cls: type, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise TypeError if a name is given that the class does not know.

    Parameters
    ----------
    cls
        The class of networks, for the message.
    given
        What was given, by name.
    known
        The names that exist.
    """
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"{cls.__name__} has no {', '.join(map(repr, unknown))}: its fields are {', '.join(known)}")


def _rebuild(cls: type, fields: dict[str, Any]) -> Network:
    return cls(**fields)
