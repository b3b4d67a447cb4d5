"""Results on disk: one NetCDF-4 file, complete and undamaged or refused.

The file ends in a line with the SHA-256 of all that stands before it. HDF5 does not look beyond its own end, so every
NetCDF program reads the file; `open_results` checks the line before HDF5 sees a byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rnndyn.io.atomic import replacing

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

_MARK = b"\nrnndyn sha256 "
_TRAILER = len(_MARK) + 64 + 1
_HDF5 = b"\x89HDF\r\n\x1a\n"
_BLOCK = 1 << 20
_JSON = "json: "


def save_results(ds, path) -> Path:
    """Save a result, or several in one file; an older file of that name is replaced all at once.

    Complex numbers, strings, booleans, NaN and -inf come back exactly. Other programs read the file too; where the
    netCDF4 package is installed, plain ``xr.open_dataset`` wants ``engine="h5netcdf"`` for the complex variables.

    Parameters
    ----------
    ds : Dataset, DataTree or dict of Dataset
        A dict, as `rnndyn.analyze` gives it, is saved as a DataTree with a group for each key.
    path : path-like
        Where to; ``.nc`` by custom.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        `ds` is no result, or holds an attr that neither NetCDF nor JSON knows.
    OSError
        The folder is missing, or the disk is full; an older file is then untouched.

    Examples
    --------
    >>> import pathlib, tempfile, xarray as xr
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "result.nc"
    >>> ds = xr.Dataset({"eigenvalue": ("mode", [1 + 2j, float("-inf")])})
    >>> open_results(save_results(ds, path)).identical(ds)
    True
    """
    import xarray as xr

    if isinstance(ds, Mapping) and not isinstance(ds, (xr.Dataset, xr.DataTree)):
        ds = xr.DataTree.from_dict(dict(ds))
    if not isinstance(ds, (xr.Dataset, xr.DataTree)):
        raise TypeError(f"ds: got {type(ds).__name__}; wanted a Dataset, a DataTree or a dict of Datasets")
    path = Path(path)
    with replacing(path) as temporary:
        _write(ds, temporary)
        digest = _sha256(temporary, temporary.stat().st_size)
        with temporary.open("ab") as file:
            file.write(_MARK + digest.encode() + b"\n")
    return path


def open_results(path) -> Dataset | DataTree:
    """Read what `save_results` wrote, whole and into memory.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Dataset or DataTree
        A DataTree where the file holds several results (``tree["fixed_points"].to_dataset()``), else a Dataset.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not one of `save_results`, or is damaged. The checksum tells accident, not malice: open only files
        whose origin you trust.

    Examples
    --------
    >>> open_results("no such file.nc")
    Traceback (most recent call last):
    FileNotFoundError: no such file.nc: there is no such file
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    _verify(path)
    try:
        return _read(path)
    except Exception as fault:  # the bytes are as they were written, so whoever wrote them was not save_results
        raise ValueError(f"{path}: no readable NetCDF file inside ({type(fault).__name__}: {fault})") from fault


def is_results(path) -> bool:
    """Whether the file begins as a results file does; cheap, and no promise that it is undamaged."""
    with open(path, "rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _verify(path):
    if not path.is_file():
        raise ValueError(f"{path}: not a file; wanted a results file")
    size = path.stat().st_size - _TRAILER
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
        file.seek(max(size, 0))
        trailer = file.read()
    if start != _HDF5:
        raise ValueError(f"{path}: not a results file of rnndyn.save_results, or damaged at its start")
    if size < 0 or not trailer.startswith(_MARK):
        raise ValueError(f"{path}: cut short, or not written by rnndyn.save_results (it has no checksum at its end)")
    if trailer != _MARK + _sha256(path, size).encode() + b"\n":
        raise ValueError(f"{path}: damaged, its contents do not match its SHA-256; restore it or compute it again")


def _sha256(path, size):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size > 0 and (block := file.read(min(_BLOCK, size))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _write(ds, path):
    import xarray as xr

    if isinstance(ds, xr.Dataset):
        _storable(ds).to_netcdf(path, engine="h5netcdf", encoding=_no_fill(ds))
        return
    nodes = {node.path: _storable(node.to_dataset(inherit=False)) for node in ds.subtree}
    encoding = {name: _no_fill(node) for name, node in nodes.items()}
    xr.DataTree.from_dict(nodes, name=ds.name).to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _no_fill(ds):
    """Store no fill values: what is in the array is what is meant, NaN included."""
    return {name: {"_FillValue": None} for name in ds.variables}


def _storable(ds):
    return _with_attrs(ds.drop_encoding(), _encoded)


def _with_attrs(ds, change):
    """Change every attr of a Dataset, in place, by a function."""
    for holder in (ds, *ds.variables.values()):
        holder.attrs = {name: change(value) for name, value in holder.attrs.items()}
    return ds


def _encoded(value):
    """Put an attr that NetCDF cannot hold (None, True, a list) as JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind not in "iuf":
        value = value.tolist()
    if isinstance(value, str) and not value.startswith(_JSON):
        return value
    if isinstance(value, (np.ndarray, int, float)) and not isinstance(value, bool):
        return value
    return _JSON + json.dumps(value)


def _decoded(value):
    if isinstance(value, str) and value.startswith(_JSON):
        return json.loads(value.removeprefix(_JSON))
    return value.item() if isinstance(value, np.generic) else value


def _read(path):
    import xarray as xr

    with xr.open_datatree(os.fspath(path), engine="h5netcdf") as stored:
        tree = stored.load()
    nodes = {node.path: _as_saved(node.to_dataset(inherit=False)) for node in tree.subtree}
    return xr.DataTree.from_dict(nodes) if len(nodes) > 1 else nodes["/"]


def _as_saved(ds):
    from rnndyn.schema import as_data

    return _with_attrs(as_data(ds.drop_encoding()), _decoded)
