"""Where a result comes from: network, arguments and version, as numbers and strings that a file can hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnndyn.validate import is_on_gpu

_LONG = 64  # a longer list of arguments is described, not listed


def provenance(net: Any, call: Mapping, data: Mapping) -> dict[str, Any]:
    """Say in attrs which network was analysed, by what call, and by which version.

    Parameters
    ----------
    net
        The network, a sequence of networks, or None.
    call
        The arguments of the call, without the network.
    data
        The variables of the result, with dtypes.

    Returns
    -------
    dict
        Numbers and strings: equal calls give equal ones, in every process.
    """
    from rnndyn import __version__

    nets = list(net) if isinstance(net, (list, tuple)) else [net] if net is not None else []
    attrs: dict[str, Any] = {"rnndyn_version": __version__}
    if nets:
        hashes = [n.content_hash() for n in nets]
        attrs["network"] = type(nets[0]).__name__
        attrs["network_hash"] = hashes[0] if net is nets[0] else hashlib.sha256("".join(hashes).encode()).hexdigest()
    first = next((v for v in data.values() if v.dtype.kind == "f"), None)
    attrs["dtype"] = str(nets[0].dtype if nets else first.dtype if first is not None else "float64")
    attrs["device"] = str(call.get("device", "cpu"))
    attrs["seed"] = describe(call.get("rng"))
    if not isinstance(attrs["seed"], int):
        attrs["seed"] = str(attrs["seed"])
    attrs["arguments"] = json.dumps({k: describe(v) for k, v in call.items()}, sort_keys=True)
    return attrs


def describe(value):
    """Put an argument as JSON can hold it.

    Parameters
    ----------
    value
        Number, string, array, network, dataclass, function, or a collection of these.

    Returns
    -------
    object
        Equal for equal arguments, in every process; arrays and networks by their hash, arrays on a GPU by their form.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return describe(value.item()) if value.dtype.kind in "biufU" else str(value)
    if isinstance(value, np.random.Generator):
        return f"Generator({type(value.bit_generator).__name__})"
    if hasattr(value, "content_hash"):
        return f"{type(value).__name__}({value.content_hash()})"
    if is_on_gpu(value):  # where its contents stay
        return {"shape": list(value.shape), "dtype": str(value.dtype), "device": "cuda"}
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        array = np.ascontiguousarray(np.asarray(value))
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digest}
    if isinstance(value, (list, tuple)):
        if len(value) > _LONG:
            return describe(np.asarray(value))
        return [describe(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe(v) for k, v in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        fields = {name: describe(getattr(value, name)) for name in value.__dataclass_fields__}
        return {type(value).__name__: fields}
    return getattr(value, "__qualname__", type(value).__qualname__)
