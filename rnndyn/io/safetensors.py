"""Networks in safetensors files: saved whole, loaded whole or refused; nothing is ever unpickled.

A file of ours holds the arrays under the names of ``net.arrays()`` and ``net.constants()``, and in its metadata one
entry, "rnndyn", JSON: ``version``, ``network`` (the tree ``net.describe()``) and ``sha256`` (``net.content_hash()``).
One entry, because the library writes several in random order: equal networks give equal files. Every program that
reads safetensors can read the arrays.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnndyn import networks
from rnndyn.io.atomic import replacing
from rnndyn.io.torch import from_torch
from rnndyn.networks import Network

ENTRY, VERSION = "rnndyn", 1
TRAINING = "rnndyn_training"  # the entry of a training in progress: `rnndyn.training.resume`
CLASSES = (
    *(
        "Elman",
        "Linear",
        "Leaky",
        "LSTM",
        "GRU",
        "PiecewiseLinear",
        "Highway",
        "Residual",
        "SRU",
        "QRNN",
        "LayerNormLSTM",
    ),
    *("Stack", "Bidirectional", "ClosedLoop", "EncoderDecoder"),
)
DTYPES = ("F16", "F32", "F64")
LARGEST_HEADER = 10_000_000  # bytes; a header has some 100 an array


def save(net: Network, path: str | os.PathLike) -> None:
    """Save a network; an older file of that name is replaced all at once, or, after an error, left as it was.

    Parameters
    ----------
    net
        Any network but a `Map`, whose step is Python code.
    path
        Where to; ``.safetensors`` by custom.

    Raises
    ------
    TypeError
        If `net` is no network.
    ValueError
        If `net` cannot be saved.
    OSError
        If the folder is missing or cannot be written, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from rnndyn.networks import GRU
    >>> net, path = GRU.random(8, 2, rng=0), Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(net, path)
    >>> load(path) == net
    True
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is a {type(net).__name__}: a network is wanted")
    unsaved = _class_names(net) - set(CLASSES)
    if unsaved:
        raise ValueError(
            f"net is or holds a {', '.join(sorted(unsaved))}, which is code and cannot be saved: keep its source"
        )
    ours = {"version": VERSION, "network": net.describe(), "sha256": net.content_hash()}
    write_file(path, net.arrays() | net.constants(), {ENTRY: json.dumps(ours, sort_keys=True)})


def load(path: str | os.PathLike, **cell_options: Any) -> Network:
    """Network that a safetensors file holds: one that `save` wrote, or a plain PyTorch state_dict.

    Parameters
    ----------
    path
        The file. A PyTorch file is made by ``safetensors.torch.save_file(module.state_dict(), path)``.
    **cell_options
        For a state_dict: what `from_torch` takes, such as ``activation="relu"`` or ``readout="decoder"``.

    Returns
    -------
    Network
        Equal, bit by bit, to what was saved. Cost O(size of the file).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file and its fault: damaged, not safetensors, another content than its checksum says, arrays that are
        missing, unknown, misshapen, not finite or of a type other than float16, float32, float64; for a training in
        progress, which `train` keeps. Pickled files (``.pt``, ``.pth``, ``.pkl``) are refused unread.
    TypeError
        For options that do not apply.

    Examples
    --------
    >>> load("no_such_file.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'no_such_file.safetensors'
    """
    metadata, arrays = read_file(path)
    try:
        if ENTRY in metadata:
            net = _ours(metadata[ENTRY], arrays, cell_options)
        elif TRAINING in metadata:
            raise ValueError("is a training in progress, no network: rnndyn.train goes on with it as save_to")
        else:
            net = from_torch(arrays, **cell_options)
    except (ValueError, RecursionError) as error:
        # The message may quote names from the file: they stay on one short line.
        raise ValueError(f"{path}: {' '.join(str(error).split())[:500]}") from error
    return net


def _class_names(net: Network) -> set[str]:
    return {type(net).__name__}.union(*map(_class_names, net.parts().values()))


def write_file(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file all at once: after an error or a kill an older one is as it was.

    Parameters
    ----------
    path
        Where to.
    arrays, metadata
        Contents by name.

    Raises
    ------
    OSError
        If the folder is missing or cannot be written, or the disk is full.
    """
    from safetensors.numpy import save_file

    with replacing(path) as temporary:  # the library writes what lies in memory, whatever the strides
        save_file(
            {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}, temporary, dict(metadata)
        )


def read_file(path: str | os.PathLike) -> tuple[Mapping[str, str], dict[str, np.ndarray]]:
    """Metadata and arrays of a safetensors file that has passed every check of form.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    metadata
        Strings by name.
    arrays
        float16, float32 or float64.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file and its fault.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; pass the file")
    _check_header(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 (a safetensors file is no dict)
                dtype = file.get_slice(name).get_dtype()
                if dtype not in DTYPES:
                    raise ValueError(
                        f"{path}: {name} has the type {dtype}, wanted float64 or float32: convert it first"
                    )
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path}: is damaged or no safetensors file ({error}); make it anew") from error


def _check_header(path: Path) -> None:
    """Refuse, before the library sees them, pickles, headers without end, and two arrays of one name."""
    with path.open("rb") as file:
        start, brace = file.read(8), file.read(1)
        if brace != b"{" and start.startswith((b"PK", b"\x80")):  # with a brace these are the length of a header
            raise ValueError(
                f"{path}: is a zip archive or a pickle, as torch.save writes, and nothing is unpickled here; who made "
                "it can convert a state dict: safetensors.torch.save_file(torch.load(file, weights_only=True), path)"
            )
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if length < 2 or length > min(LARGEST_HEADER, path.stat().st_size - 8):
            raise ValueError(f"{path}: is damaged or no safetensors file (its header would have {length} bytes)")
        header = brace + file.read(length - 1)
    try:
        json.loads(header, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is damaged or no safetensors file (its header: {error}); make it anew") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a name stands twice")
    return unique


def _ours(entry: str, arrays: dict[str, np.ndarray], cell_options: dict[str, Any]) -> Network:
    """The network of a file that `save` wrote."""
    if cell_options:
        given = ", ".join(cell_options)
        raise TypeError(f"{given}: the file holds its own options; use load(path).replace(...) to change them")
    try:
        ours = json.loads(entry, object_pairs_hook=_no_duplicates)
    except ValueError as error:
        raise ValueError(f"the description of the network is damaged ({error}): take another copy") from error
    if not isinstance(ours, dict) or set(ours) != {"version", "network", "sha256"}:
        raise ValueError("the description of the network is damaged (version, network, sha256 are wanted)")
    if ours["version"] != VERSION:
        raise ValueError(f"has version {str(ours['version'])[:20]} of the format, wanted {VERSION}: update rnndyn")
    net = _build(ours["network"], arrays)
    if net.content_hash() != ours["sha256"]:
        raise ValueError("its contents are not those that were saved (the checksum differs): take another copy")
    return net


def _build(description: Any, arrays: dict[str, np.ndarray]) -> Network:
    """Network of a tree as `Network.describe` gives it; every entry and every array must be used."""
    if not isinstance(description, dict) or not {"class", "options"} <= set(description) <= {
        "class",
        "options",
        "parts",
    }:
        raise ValueError("the description of the network is damaged: class and options are wanted")
    name, options, parts = description["class"], description["options"], description.get("parts", {})
    if name not in CLASSES or not isinstance(options, dict) or not isinstance(parts, dict):
        raise ValueError(
            f"the description of the network is damaged: one of {', '.join(CLASSES)} with options is wanted"
        )
    cls = getattr(networks, name)
    own = {key: array for key, array in arrays.items() if "." not in key}
    nested = {prefix: _build(part, _below(arrays, prefix)) for prefix, part in parts.items()}
    unclaimed = [key for key in arrays if "." in key and key.partition(".")[0] not in nested]
    unclaimed += [key for key in own if key not in cls._dims]
    if unclaimed or set(options) != set(cls._choices):
        raise ValueError(f"unknown arrays or options: {', '.join([*unclaimed, *options])} in a file of {name}")
    try:
        return cls(**_fields_of(name, nested), **options, **own)
    except TypeError as error:
        raise ValueError(f"arrays are missing or are not what {name} wants ({error}): take another copy") from error


def _below(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key[len(prefix) + 1 :]: array for key, array in arrays.items() if key.startswith(prefix + ".")}


def _fields_of(name: str, nested: dict[str, Network]) -> dict[str, Any]:
    """Fields of a network that hold its parts."""
    if name != "Stack":
        return dict(nested)
    if sorted(nested) != sorted(str(k) for k in range(len(nested))):
        raise ValueError("the description of the network is damaged: layers are numbered from 0")
    return {"layers": [nested[str(k)] for k in range(len(nested))]}
