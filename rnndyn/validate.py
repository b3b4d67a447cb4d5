"""The checks at the front door: what a user passes becomes a clean array or number, or one clear error.

Every function takes the value and the name of the argument, so that its message can say which argument is at fault,
what it got, what is wanted and what to do. Nothing below the front door (kernels, cells) checks anything again.
Inputs are never changed: what comes back may share memory with what was passed and is not to be written to.
"""

from __future__ import annotations

import logging
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from rnndyn.dims import allowed, by_name

log = logging.getLogger("rnndyn")

FLOATS = ("float32", "float64")


def as_array(
    x: Any,
    name: str,
    dims: Sequence[str] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    optional: Sequence[str] = (),
    missing: bool = False,
    booleans: bool = False,
) -> np.ndarray:
    """Finite, C-contiguous, native floating-point array from anything array-like.

    Integers become float64, float16 becomes float32 (with a note in the log), float32 and float64 stay unless `dtype`
    is given; every byte order and memory layout is accepted.

    Parameters
    ----------
    x
        NumPy array, nested list, number, or an xarray DataArray, which is transposed to `dims` by dimension name.
    name
        Name of the argument, for messages.
    dims
        Names of the axes. None accepts any shape.
    sizes
        Wanted length of the named axes; an axis that is not listed may have any length.
    dtype
        float32 or float64, to convert to. None keeps the floating-point type of `x`.
    optional
        Those of `dims` that may be absent: leading axes, for instance ``("batch",)``.
    missing
        Let NaN pass as a missing value (infinities never pass).
    booleans
        Let False and True pass, as 0 and 1.

    Returns
    -------
    ndarray
        With the axes `dims`, or `dims` without its first axes where those are optional and absent. It may be `x`
        itself.

    Raises
    ------
    TypeError
        For complex numbers, strings, objects and masked values; for booleans unless they may pass.
    ValueError
        For wrong dimensions, wrong lengths, or values that are not finite.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "inputs", ("time", "input"))
    array([[1., 2.],
           [3., 4.]])
    >>> as_array([1.0, float("nan")], "b_h")
    Traceback (most recent call last):
    ValueError: b_h holds nan at index (1,): every value must be finite; correct or remove it
    """
    array = _numeric(by_name(x, name, dims, optional), name, "iub" if booleans else "iu")
    array = np.ascontiguousarray(array).reshape(array.shape)  # ascontiguousarray alone would give a number an axis
    if dims is not None:
        check_dims(array, name, dims, sizes, optional)
    check_finite(array, name, missing=missing)
    if dtype is None or array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        narrow = array.astype(as_dtype(dtype))
    check_finite(narrow, f"{name} (as {narrow.dtype})", missing=missing)
    return narrow


def as_integers(
    x: Any,
    name: str,
    dims: Sequence[str] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    optional: Sequence[str] = (),
    minimum: int | None = None,
    maximum: int | None = None,
) -> np.ndarray:
    """Read a C-contiguous int64 array from anything array-like that holds integers, with bounds (both inclusive).

    Parameters
    ----------
    x
        What was passed.
    name
        Name of the argument, for messages.
    dims, sizes, optional
        As in `as_array`.
    minimum, maximum
        Bounds, both inclusive.

    Returns
    -------
    ndarray
        int64. It may be `x` itself.

    Raises
    ------
    TypeError
        For values that are not integers, even whole floating-point numbers.
    ValueError
        For wrong dimensions or lengths, and values out of bounds.

    Examples
    --------
    >>> as_integers([3, 5], "lengths", ("batch",), minimum=0, maximum=10)
    array([3, 5])
    """
    array = _plain(by_name(x, name, dims, optional), name)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"{name} has the type {array.dtype}, wanted integers: convert it with .astype(int) if that is meant"
        )
    if dims is not None:
        check_dims(array, name, dims, sizes, optional)
    _check_bounds(array, name, minimum, maximum)
    return np.ascontiguousarray(array, dtype=np.int64).reshape(array.shape)


def check_dims(
    array: Any, name: str, dims: Sequence[str], sizes: Mapping[str, int] | None, optional: Sequence[str] = ()
) -> None:
    """Raise ValueError unless the array has these axes, or all but the first few optional ones, in their lengths.

    Parameters
    ----------
    array
        Anything with a shape.
    name, dims, sizes, optional
        As in `as_array`.
    """
    check_shape(array, name, _present(array, name, dims, optional), sizes)


def check_shape(array: np.ndarray, name: str, dims: Sequence[str], sizes: Mapping[str, int] | None) -> None:
    """Raise ValueError unless each named axis of the array has its wanted length.

    Parameters
    ----------
    array
        What was passed.
    name
        Name of the argument, for messages.
    dims
        Names of all its axes.
    sizes
        Wanted lengths; an axis that is not listed may have any.

    Examples
    --------
    >>> check_shape(np.zeros((3, 2)), "W_xh", ("unit", "input"), {"unit": 2, "input": 3})
    Traceback (most recent call last):
    ValueError: W_xh has shape (unit=3, input=2), wanted (unit=2, input=3): pass its transpose
    """
    wanted = tuple((sizes or {}).get(dim) for dim in dims)
    if _fits(array.shape, wanted):
        return
    remedy = "pass its transpose" if array.ndim == 2 and _fits(array.shape[::-1], wanted) else "correct its shape"
    raise ValueError(f"{name} has shape {_named(dims, array.shape)}, wanted {_named(dims, wanted)}: {remedy}")


def check_finite(array: np.ndarray, name: str, *, missing: bool = False) -> None:
    """Raise ValueError naming the first element that is not finite.

    Parameters
    ----------
    array
        Floating-point values.
    name
        Name of the argument, for messages.
    missing
        Let NaN pass.
    """
    good = ~np.isinf(array) if missing else np.isfinite(array)
    if good.all():
        return
    index = tuple(int(i) for i in np.unravel_index(np.argmin(good), array.shape))
    refuse_value(name, array[index], index)


def refuse_value(name: str, value: Any, index: tuple[int, ...]) -> NoReturn:
    """Raise ValueError for an element that is not finite.

    Parameters
    ----------
    name
        Name of the argument.
    value, index
        The element and its place.
    """
    where = f" at index {index}" if index else ""
    raise ValueError(f"{name} holds {value}{where}: every value must be finite; correct or remove it")


def is_on_gpu(x: Any) -> bool:
    """Whether an array lives on a GPU, as those of CuPy, of PyTorch on cuda and of Numba may; nothing is copied.

    Parameters
    ----------
    x
        Anything.

    Returns
    -------
    bool
        Whether it says so, by ``__cuda_array_interface__`` or by Numba's own mark.

    Examples
    --------
    >>> is_on_gpu(np.zeros(3))
    False
    """
    try:
        return hasattr(x, "__cuda_array_interface__") or hasattr(x, "__cuda_ndarray__")
    except RuntimeError:  # of a PyTorch tensor there that requires a gradient
        return True


def as_integer(x: Any, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """Int from a Python or NumPy integer within the bounds (inclusive); booleans and floats are refused.

    Parameters
    ----------
    x
        What was passed.
    name
        Name of the argument, for messages.
    minimum, maximum
        Bounds, both inclusive.

    Returns
    -------
    int
        The number.

    Raises
    ------
    TypeError, ValueError
        For what is no integer; for integers out of bounds.

    Examples
    --------
    >>> as_integer(0, "steps", minimum=1)
    Traceback (most recent call last):
    ValueError: steps is 0: at least 1 is wanted
    """
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = x[()]
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, numbers.Integral):
        raise TypeError(f"{name} is {_shown(x)}: an integer is wanted")
    _check_bounds(np.asarray(x), name, minimum, maximum)
    return int(x)


def as_number(
    x: Any, name: str, *, above: float | None = None, minimum: float | None = None, maximum: float | None = None
) -> float:
    """Finite float from a real number, greater than `above`, within `minimum` and `maximum` (inclusive).

    Parameters
    ----------
    x
        What was passed.
    name
        Name of the argument, for messages.
    above
        Bound, exclusive.
    minimum, maximum
        Bounds, both inclusive.

    Returns
    -------
    float
        The number.

    Raises
    ------
    TypeError, ValueError
        For what is no real number; for numbers that are not finite or out of bounds.

    Examples
    --------
    >>> as_number(1, "gain", minimum=0)
    1.0
    """
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = x[()]
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, numbers.Real):
        raise TypeError(f"{name} is {_shown(x)}: a real number is wanted")
    value = float(x)
    if not np.isfinite(value):
        raise ValueError(f"{name} is {value}: a finite number is wanted")
    if above is not None and value <= above:
        raise ValueError(f"{name} is {value}: a number above {above} is wanted")
    _check_bounds(np.asarray(value), name, minimum, maximum)
    return value


def choice(x: Any, name: str, options: Iterable[str]) -> str:
    """Option itself, if `x` is one of the options.

    Parameters
    ----------
    x
        What was passed.
    name
        Name of the argument, for messages.
    options
        All that is allowed.

    Returns
    -------
    str
        `x`.

    Raises
    ------
    TypeError, ValueError
        For what is no string; for a string that is no option.

    Examples
    --------
    >>> choice("tan", "activation", ("tanh", "relu"))
    Traceback (most recent call last):
    ValueError: activation is 'tan': one of 'tanh', 'relu' is wanted
    """
    options = tuple(options)
    if isinstance(x, str) and x in options:
        return str(x)
    kind = ValueError if isinstance(x, str) else TypeError
    raise kind(f"{name} is {_shown(x)}: one of {', '.join(map(repr, options))} is wanted")


def as_dtype(x: Any, name: str = "dtype") -> np.dtype:
    """float32 or float64 as a native NumPy dtype.

    Parameters
    ----------
    x
        Anything that NumPy takes for one of the two.
    name
        Name of the argument, for messages.

    Returns
    -------
    dtype
        In the byte order of the machine.

    Raises
    ------
    TypeError, ValueError
        For what is no dtype; for other dtypes.
    """
    try:
        dtype = np.dtype(x)
    except TypeError:
        raise TypeError(f"{name} is {_shown(x)}: 'float32' or 'float64' is wanted") from None
    if x is None or dtype.name not in FLOATS:
        raise ValueError(f"{name} is {_shown(x)}: 'float32' or 'float64' is wanted")
    return np.dtype(dtype.name)


def as_generator(rng: Any, name: str = "rng") -> np.random.Generator:
    """NumPy Generator from a seed (an integer), a Generator (used as it is), or None (fresh entropy).

    Parameters
    ----------
    rng
        What was passed.
    name
        Name of the argument, for messages.

    Returns
    -------
    numpy.random.Generator
        `rng` itself, or a new one.

    Raises
    ------
    TypeError, ValueError
        For other types, and negative seeds.

    Examples
    --------
    >>> int(as_generator(7).integers(100)) == int(as_generator(7).integers(100))
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, np.random.RandomState):
        raise TypeError(f"{name} is a RandomState: a Generator is wanted; use np.random.default_rng(seed)")
    return np.random.default_rng(as_integer(rng, name, minimum=0))


def _plain(x: Any, name: str) -> np.ndarray:
    if np.ma.is_masked(x):
        raise TypeError(f"{name} holds masked values: fill them or remove them (NumPy would silently drop the mask)")
    if is_on_gpu(x):
        raise TypeError(
            f"{name} is on a GPU and is used on the processor: pass a copy (x.get() of CuPy, x.cpu() of PyTorch, "
            "x.copy_to_host() of Numba); what has kernels for a GPU takes it with device='cuda'"
        )
    try:
        return np.asarray(x)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise TypeError(f"{name} cannot be read as an array ({reason}): pass a NumPy array") from error


def _numeric(x: Any, name: str, whole: str) -> np.ndarray:
    """As an array of native float32 or float64; ``whole`` are the kinds of type that become float64."""
    array = _plain(x, name)
    if array.dtype.kind in whole:
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        remedy = "convert it with .astype(float) if that is meant" if array.dtype.kind == "b" else "pass real numbers"
        raise TypeError(f"{name} has the type {array.dtype}, wanted float64 or float32: {remedy}")
    if array.dtype.itemsize == 2:
        log.info("%s is float16 and is converted to float32", name)
        return array.astype(np.float32)
    return array.astype(np.float32 if array.dtype.itemsize == 4 else np.float64, copy=False)


def _present(array: np.ndarray, name: str, dims: Sequence[str], optional: Sequence[str]) -> tuple[str, ...]:
    """Dims that this array has: all, or all but the first few where those are optional."""
    absent = len(dims) - array.ndim
    if absent < 0 or any(dim not in optional for dim in dims[:absent]):
        raise ValueError(f"{name} has the shape {array.shape}, wanted {allowed(dims, optional)}: correct its shape")
    return tuple(dims[absent:])


def _check_bounds(array: np.ndarray, name: str, minimum: float | None, maximum: float | None) -> None:
    for bad, bound, word in ((array < minimum if minimum is not None else None, minimum, "least"),
                             (array > maximum if maximum is not None else None, maximum, "most")):  # fmt: skip
        if bad is not None and np.any(bad):
            index = tuple(int(i) for i in np.unravel_index(np.argmax(bad), array.shape))
            where = f"[{', '.join(map(str, index))}]" if index else ""
            raise ValueError(f"{name}{where} is {array[index]}: at {word} {bound} is wanted")


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return all(want is None or length == want for length, want in zip(shape, wanted, strict=True))


def _named(dims: Sequence[str], shape: Sequence[int | None]) -> str:
    return "(" + ", ".join(dim if n is None else f"{dim}={n}" for dim, n in zip(dims, shape, strict=True)) + ")"


def _shown(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else f"a {type(x).__name__}"
