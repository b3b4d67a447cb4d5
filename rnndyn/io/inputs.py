"""Inputs from a file: one array of an npz, without unpickling anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_ZIP = b"PK\x03\x04"
LIMIT = 2 << 30  # bytes that a file may unpack to


def read_inputs(path) -> np.ndarray:
    """Read the inputs out of an npz file: its array "inputs", or the only one that it has.

    Parameters
    ----------
    path : path-like
        The file, as `numpy.savez` writes it. Nothing is ever unpickled.

    Returns
    -------
    ndarray
        As stored.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no npz, is damaged, would unpack to more than 2 GiB, holds objects, or does not say which of its
        arrays is meant.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.npz"
    >>> np.savez(path, inputs=np.zeros((5, 2)), targets=np.zeros(5))
    >>> read_inputs(path).shape
    (5, 2)
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not path.is_file():
        raise ValueError(f"{path}: not a file; wanted an npz file of inputs")
    with path.open("rb") as stream:
        try:
            return _array(stream)
        except Exception as fault:  # a damaged file can fail in any way; all of them mean the same to the user
            raise ValueError(f"{path}: no readable npz file of inputs: {fault}") from fault


def _array(stream):
    if stream.read(len(_ZIP)) != _ZIP:
        raise ValueError("it is no zip archive; wanted what numpy.savez writes")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as file:
        size = sum(member.file_size for member in file.zip.infolist())
        if size > LIMIT:
            raise ValueError(f"it unpacks to {size} bytes; the limit is {LIMIT}")
        name = "inputs" if "inputs" in file.files else file.files[0] if len(file.files) == 1 else None
        if name is None:
            raise ValueError(f'it holds {", ".join(file.files) or "nothing"}; wanted an array called "inputs"')
        return file[name]
