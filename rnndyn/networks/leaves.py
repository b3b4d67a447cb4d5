"""Numbers inside a nested structure of tuples, lists, dicts and arrays, as one vector and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def flatten(value: Any) -> np.ndarray:
    """Floating-point numbers of a structure, in order; integers, strings and the like are left out.

    Examples
    --------
    >>> flatten((1.4, {"b": np.array([0.3, 0.1])}, 2))
    array([1.4, 0.3, 0.1])
    """
    if _is_number(value):
        return np.ravel(np.asarray(value, np.float64))
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return np.concatenate([np.empty(0), *(flatten(part) for part in parts)])


def rebuild(value: Any, numbers: np.ndarray) -> Any:
    """Structure with its floating-point numbers replaced by ``numbers``, the inverse of `flatten`.

    Examples
    --------
    >>> rebuild((1.4, [0.3], 2), np.array([1.0, 5.0]))
    (1.0, [5.0], 2)
    """
    return _filled(value, iter(numbers))


def _filled(value: Any, numbers: Iterator) -> Any:
    if _is_number(value):
        taken = [next(numbers) for _ in range(np.size(value))]
        return np.array(taken).reshape(np.shape(value)) if isinstance(value, np.ndarray) else taken[0].item()
    if isinstance(value, dict):
        return {key: _filled(part, numbers) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        parts = [_filled(part, numbers) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
