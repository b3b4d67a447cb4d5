"""A fingerprint of a function and its parameters: equal for equal sources and values, in every process."""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import Any

import numpy as np


def fingerprint(value: Any) -> str | None:
    """SHA-256, in hexadecimal, of a function's code with all that it closes over, or of numbers, arrays and containers.

    Parameters
    ----------
    value
        A function, compiled or not; None; or parameters.

    Returns
    -------
    str or None
        None for None. Objects of other kinds count by the name of their class.

    Examples
    --------
    >>> fingerprint(lambda s: 2 * s) == fingerprint(lambda s: 3 * s)
    False
    """
    if value is None:
        return None
    digest = hashlib.sha256()
    _feed(digest, value, set())
    return digest.hexdigest()


def _feed(digest: Any, value: Any, seen: set[int]) -> None:
    value = getattr(value, "py_func", value)  # of a Numba dispatcher
    digest.update(type(value).__qualname__.encode() + b"\0")
    if id(value) in seen:  # a function may call itself
        return
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key, part in value.items():
            digest.update(repr(key).encode())
            _feed(digest, part, seen)
    elif isinstance(value, (tuple, list)):
        for part in value:
            _feed(digest, part, seen)
    elif isinstance(value, CodeType):
        digest.update(value.co_code + repr(value.co_names).encode())
        _feed(digest, value.co_consts, seen)
    elif hasattr(value, "__code__"):
        _feed_function(digest, value, seen | {id(value)})
    elif isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        digest.update(repr(value).encode())


def _feed_function(digest: Any, function: Any, seen: set[int]) -> None:
    """Code, defaults, closure, and those globals that are numbers, arrays or functions of the same module."""
    _feed(digest, function.__code__, seen)
    _feed(digest, function.__defaults__ or (), seen)
    for cell in function.__closure__ or ():
        _feed(digest, cell.cell_contents, seen)
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if getattr(value, "__module__", function.__module__) == function.__module__:
            _feed(digest, value, seen)
