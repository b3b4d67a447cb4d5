"""Networks from PyTorch and to PyTorch: nn.RNN, nn.GRU, nn.LSTM, with layers, directions and a linear read-out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rnndyn.networks import GRU, LSTM, Bidirectional, Elman, Network, Stack
from rnndyn.validate import as_array

KINDS: dict[int, Any] = {1: Elman, 3: GRU, 4: LSTM}  # by the number of gates
MODULES = {"RNN": Elman, "GRU": GRU, "LSTM": LSTM, "RNNCell": Elman, "GRUCell": GRU, "LSTMCell": LSTM}
HARMLESS = (
    "Dropout",
    "Identity",
    "Linear",
    "ModuleList",
    "ModuleDict",
    "Sequential",
)  # torch.nn modules that may stand by
READOUTS = ("readout", "read_out", "output", "output_layer", "out", "fc", "fc_out", "linear", "decoder", "head")
ENTRY = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<what>weight|bias)_(?P<part>ih|hh|hr)(?:_l(?P<layer>\d+)(?P<reverse>_reverse)?)?"
)


def from_torch(module_or_state_dict: Any, *, readout: str | None = None, **cell_options: Any) -> Network:
    """Network that a PyTorch module, or its state_dict, computes.

    Accepted are nn.RNN, nn.GRU, nn.LSTM and their Cells, alone or as the one recurrent part of a module of one's own,
    with any number of layers, one direction or both, and at most one nn.Linear that reads the hidden states. The two
    biases that PyTorch keeps are added, except that a GRU's candidate keeps its second one as `b_hn`. ``batch_first``
    plays no part, and dropout is left out, as in ``module.eval()``. PyTorch is not imported: a state_dict may hold
    NumPy arrays as well.

    Parameters
    ----------
    module_or_state_dict
        A torch.nn.Module, or a mapping from PyTorch's names to tensors or arrays.
    readout
        Name of the read-out in the state_dict, for instance ``"decoder"`` for ``decoder.weight`` and ``decoder.bias``.
        Needed only where it cannot be told from other parts.
    **cell_options
        Options that a state_dict does not hold, such as ``activation="relu"`` (tanh unless given) or
        ``output_activation="softmax"`` for an RNN.

    Returns
    -------
    Network
        `Elman`, `GRU` or `LSTM`; a `Stack` of them for several layers; `Bidirectional` for both directions. float64 if
        any tensor is, else float32. Cost O(number of weights).

    Raises
    ------
    TypeError
        For what is no module or mapping, and for unknown options.
    ValueError
        Naming the entries that are missing, unknown, ambiguous, of the wrong shape or not finite; for ``proj_size``.

    Notes
    -----
    What a module of one's own does between its parts cannot be seen: it is taken to be ``readout(rnn(inputs)[0])``.

    Examples
    --------
    >>> state_dict = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    >>> from_torch(state_dict, activation="relu")
    Elman(hidden_size=3, input_size=2, output_size=0, dtype=float64, activation='relu', output_activation='identity')
    """
    if hasattr(module_or_state_dict, "state_dict"):
        cell_options = _module_options(module_or_state_dict, cell_options)
        module_or_state_dict = module_or_state_dict.state_dict()
    if not isinstance(module_or_state_dict, Mapping):
        kind = type(module_or_state_dict).__name__
        raise TypeError(f"module_or_state_dict is a {kind}: a torch.nn.Module or its state_dict() is wanted")
    entries = {str(name): _array(tensor, str(name)) for name, tensor in module_or_state_dict.items()}
    prefix, layers = _recurrent_entries(entries)
    rest = {name: array for name, array in entries.items() if not name.startswith(prefix) or not ENTRY.fullmatch(name)}
    width = layers[-1][0].W_hh.shape[1] * len(layers[-1])
    W_hy, b_y = _readout_entries(rest, readout, width, layers[0][0].W_ih.shape[1])
    return _assemble(layers, {"W_hy": W_hy, "b_y": b_y}, cell_options)


def to_torch(net: Network) -> Any:
    """PyTorch module that computes what the network computes; `from_torch` takes it back, bit for bit.

    Parameters
    ----------
    net
        `Elman` (tanh or relu), `GRU` (reset "after"), `LSTM` (no peephole), a `Bidirectional` of two, or a `Stack` of
        layers of one class, hidden size and options.

    Returns
    -------
    torch.nn.Module
        ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` with ``batch_first=True``, of the network's dtype. If there is a
        read-out, a module with the parts ``rnn`` and ``readout`` whose call gives the outputs, (batch, time, output).

    Raises
    ------
    TypeError
        If `net` is no network.
    ValueError
        Naming what PyTorch has not: other activations, other classes, no inputs, layers that differ.

    Notes
    -----
    A GRU with ``update="write"`` becomes the equal one with ``update="keep"`` (the update gate's signs are reversed).
    PyTorch has biases in all layers or in none: those that are missing in some layers become zeros.

    Examples
    --------
    >>> from rnndyn.networks import GRU
    >>> to_torch(GRU.random(4, 2, rng=0))  # doctest: +SKIP
    GRU(2, 4, batch_first=True)
    """
    layers = _layers(net)
    cls, kind, options = _torch_kind(layers)
    import torch

    bias = any(getattr(half, name, None) is not None for layer in layers for half in layer for name in ("b_h", "b_hn"))
    rnn = getattr(torch.nn, kind)(
        net.input_size,
        layers[0][0].hidden_size,
        num_layers=len(layers),
        bias=bias,
        batch_first=True,
        bidirectional=len(layers[0]) == 2,
        dtype=getattr(torch, net.dtype.name),
        **options,
    )
    entries: dict[str, np.ndarray] = {}
    for k, layer in enumerate(layers):
        for half, suffix in zip(layer, ("", "_reverse"), strict=False):
            entries |= {f"{name}_l{k}{suffix}": array for name, array in _torch_weights(half, bias).items()}
    rnn.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in entries.items()})
    return rnn if net.W_hy is None else _with_readout(torch, rnn, net)


# --- from PyTorch -----------------------------------------------------------------------------------------------------


class _Weights(NamedTuple):
    """One direction of one layer, in PyTorch's form."""

    W_ih: np.ndarray
    W_hh: np.ndarray
    b_ih: np.ndarray | None
    b_hh: np.ndarray | None


def _array(tensor: Any, name: str) -> np.ndarray:
    """Tensor as an array, told by its methods: PyTorch is not imported."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            raise ValueError(f"{name} is bfloat16, which NumPy has not: convert the module with .float()")
        tensor = tensor.numpy()
    return as_array(tensor, name)


def _module_options(module: Any, cell_options: dict[str, Any]) -> dict[str, Any]:
    """Options, with those that the module holds; refuses modules with parts that cannot be accounted for."""
    recurrent, other = [], []
    for name, part in module.named_modules():
        kinds = [cls.__name__ for cls in type(part).__mro__ if cls.__module__.startswith("torch.nn.modules")]
        if kinds and kinds[0] in MODULES:
            recurrent.append((name, part))
        elif kinds and kinds[0] not in ("Module", *HARMLESS):
            other.append(f"{name} ({kinds[0]})")
    if len(recurrent) != 1:
        found = ", ".join(name or "itself" for name, _ in recurrent) or "none"
        raise ValueError(
            f"module_or_state_dict holds {len(recurrent)} recurrent parts ({found}), wanted one: pass that one"
        )
    if other:
        raise ValueError(
            f"module_or_state_dict holds parts that have no counterpart here: {', '.join(other)}; "
            "pass its recurrent part alone, or only the entries of its state_dict() that are meant"
        )
    activation = getattr(recurrent[0][1], "nonlinearity", None)
    if activation is None:
        return cell_options
    if cell_options.get("activation", activation) != activation:
        given = cell_options["activation"]
        raise ValueError(f"activation is {given!r}, but the module's is {activation!r}: leave the option out")
    return {"activation": activation} | cell_options


def _recurrent_entries(entries: Mapping[str, np.ndarray]) -> tuple[str, list[list[_Weights]]]:
    """Prefix of the recurrent part and its weights: layers, each a list of one or two directions."""
    found = {name: match for name in entries if (match := ENTRY.fullmatch(name))}
    prefixes = sorted(
        {match["prefix"] for match in found.values() if (match["what"], match["part"]) == ("weight", "ih")}
    )
    if len(prefixes) != 1:
        what = f"the recurrent parts {', '.join(prefixes)}" if prefixes else f"no weight_ih_l0, but {_listed(entries)}"
        raise ValueError(f"module_or_state_dict holds {what}: the entries of one nn.RNN, nn.GRU or nn.LSTM are wanted")
    prefix = prefixes[0]
    names = {name: match for name, match in found.items() if match["prefix"] == prefix}
    projections = [name for name, match in names.items() if match["part"] == "hr"]
    if projections:
        raise ValueError(
            f"{projections[0]} is a projection (proj_size), which is not supported: train with proj_size=0"
        )
    single = any(match["layer"] is None for match in names.values())  # RNNCell, GRUCell, LSTMCell
    count = 1 if single else 1 + max(int(match["layer"]) for match in names.values())
    halves = ("", "_reverse") if any(match["reverse"] for match in names.values()) else ("",)
    if count > len(names):
        raise ValueError(f"{prefix}weight_ih_l0 ... has gaps: layers are numbered without gaps from 0")
    suffixes = [[""]] if single else [[f"_l{k}{half}" for half in halves] for k in range(count)]
    used: set[str] = set()
    layers = [[_direction(entries, prefix, suffix, used) for suffix in layer] for layer in suffixes]
    if set(names) - used:
        raise ValueError(f"module_or_state_dict has unknown entries: {_listed(sorted(set(names) - used))}; remove them")
    return prefix, layers


def _direction(entries: Mapping[str, np.ndarray], prefix: str, suffix: str, used: set[str]) -> _Weights:
    """Weights of one direction of one layer, their shapes checked; their names are added to `used`."""
    names = [f"{prefix}{what}_{part}{suffix}" for what in ("weight", "bias") for part in ("ih", "hh")]
    missing = [name for name in names[:2] if name not in entries]
    if len(biases := [name for name in names[2:] if name in entries]) == 1:
        missing += [name for name in names[2:] if name not in biases]
    if missing:
        raise ValueError(f"module_or_state_dict lacks {', '.join(missing)}: pass the whole state_dict()")
    W_ih, W_hh = (entries[name] for name in names[:2])
    b_ih, b_hh = (entries.get(name) for name in names[2:])
    if W_hh.ndim != 2 or W_hh.shape[1] == 0 or W_hh.shape[0] not in [G * W_hh.shape[1] for G in KINDS]:
        raise ValueError(f"{names[1]} has shape {W_hh.shape}, wanted (G*H, H) with G = 1 (RNN), 3 (GRU) or 4 (LSTM)")
    for array, name, dims in zip((W_ih, b_ih, b_hh), (names[0], *names[2:]), (2, 1, 1), strict=True):
        if array is not None:
            as_array(array, name, ("gate", "input")[:dims], sizes={"gate": len(W_hh)})
    used.update(name for name in names if name in entries)
    return _Weights(W_ih, W_hh, b_ih, b_hh)


def _readout_entries(rest: Mapping[str, np.ndarray], readout: str | None, width: int, inputs: int) -> tuple:
    """W_hy and b_y among the entries that are not the recurrent part's; all of these must be accounted for.

    A matrix is taken for the read-out without being named only if nothing else is likely: an embedding has no bias,
    and an input layer in front of the network gives as many numbers as the network takes.
    """
    if readout is None:
        names = [name.removesuffix(".weight") for name in rest if name.endswith(".weight")]
        fitting = [
            name for name in names if rest[f"{name}.weight"].ndim == 2 and rest[f"{name}.weight"].shape[1] == width
        ]
        likely = [
            name
            for name in fitting
            if name.rpartition(".")[2] in READOUTS or (f"{name}.bias" in rest and len(rest[f"{name}.weight"]) != inputs)
        ]
        if fitting and (len(fitting) > 1 or likely != fitting):
            raise ValueError(f"{', '.join(fitting)}: which is the read-out? Name it, as in readout={fitting[0]!r}")
        readout = fitting[0] if fitting else None
    if readout is None:
        taken: list[str] = []
    elif f"{readout}.weight" not in rest:
        raise ValueError(f"readout is {readout!r}, but there is no {readout}.weight among {_listed(rest)}")
    else:
        taken = [f"{readout}.weight", f"{readout}.bias"]
        as_array(rest[taken[0]], taken[0], ("output", "unit"), sizes={"unit": width})
    unknown = [name for name in rest if name not in taken]
    if unknown:
        raise ValueError(
            f"module_or_state_dict has entries beside the recurrent part and its read-out: {_listed(unknown)}; "
            "leave them out if they play no part in the dynamics"
        )
    return (rest[taken[0]], rest.get(taken[1])) if taken else (None, None)


def _assemble(layers: list[list[_Weights]], readout: dict[str, Any], cell_options: dict[str, Any]) -> Network:
    cls = KINDS[len(layers[0][0].W_hh) // layers[0][0].W_hh.shape[1]]
    unknown = [name for name in cell_options if name not in cls._choices]
    if unknown:
        known = ", ".join(cls._choices) or "none"
        raise TypeError(f"{cls.__name__} has no option {', '.join(map(repr, unknown))}: its options are {known}")
    top = {name: cell_options[name] for name in ("output_activation",) if name in cell_options}
    inner = {name: value for name, value in cell_options.items() if name not in top}
    nets: list[Network] = []
    for k, layer in enumerate(layers):
        outer = readout if k == len(layers) - 1 else {}
        if len(layer) == 2:
            if top:
                raise ValueError("output_activation has no place in a bidirectional network: apply it to the outputs")
            nets.append(Bidirectional(*(_single(cls, half, inner) for half in layer), **outer))
        else:
            nets.append(_single(cls, layer[0], inner | outer | (top if outer else {})))
    return nets[0] if len(nets) == 1 else Stack(nets)


def _single(cls: Any, weights: _Weights, fields: dict[str, Any]) -> Network:
    W_ih, W_hh, b_ih, b_hh = weights
    if len(W_hh) != len(cls.gates) * W_hh.shape[1]:
        raise ValueError(f"module_or_state_dict mixes kinds of layers: {cls.__name__} and others; pass one module")
    if b_ih is None or b_hh is None:
        return cls(W_ih, W_hh, **fields)
    if cls is not GRU:
        return cls(W_ih, W_hh, b_ih + b_hh, **fields)
    H = W_hh.shape[1]
    b_h = np.concatenate([b_ih[: 2 * H] + b_hh[: 2 * H], b_ih[2 * H :]])
    return cls(W_ih, W_hh, b_h, b_hh[2 * H :], **fields)


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(map(str, names[:6])) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "nothing"


# --- to PyTorch -------------------------------------------------------------------------------------------------------


def _layers(net: Network) -> list[list[Network]]:
    """Layers, each a list of one or two directions; refuses what PyTorch's recurrent modules cannot be."""
    if not isinstance(net, Network):
        raise TypeError(f"net is a {type(net).__name__}: a network is wanted")
    layers = [[*layer.parts().values()] or [layer] for layer in (net.layers if isinstance(net, Stack) else [net])]
    halves = [half for layer in layers for half in layer]
    if (
        len(
            {
                (type(half).__name__, str(half.options() | {"output_activation": ""}), half.hidden_size)
                for half in halves
            }
        )
        > 1
    ):
        raise ValueError(
            "net has layers or directions that differ in class, options or hidden size: PyTorch's are alike"
        )
    if len({len(layer) for layer in layers}) > 1:
        raise ValueError("net has layers with one direction and layers with two: PyTorch's are alike")
    if net.input_size == 0:
        raise ValueError(
            "net has no inputs, but PyTorch wants one: pass net.replace(W_xh=...) with one column of zeros"
        )
    return layers


def _torch_kind(layers: list[list[Network]]) -> tuple[type, str, dict[str, Any]]:
    """Our class, the name in torch.nn, and its options."""
    cell, top = layers[0][0], layers[-1][-1]
    lacking = None
    if type(cell) not in KINDS.values():
        lacking = f"{type(cell).__name__} networks"
    elif isinstance(cell, Elman) and cell.activation not in ("tanh", "relu"):
        lacking = f"activation={cell.activation!r}"
    elif any(getattr(half, "peephole", None) is not None for layer in layers for half in layer):
        lacking = "peepholes"
    elif getattr(cell, "reset", "after") != "after":
        lacking = "reset='before'"
    elif top.output_activation != "identity":
        lacking = f"output_activation={top.output_activation!r} in a linear read-out"
    if lacking:
        raise ValueError(
            f"PyTorch has no {lacking}: only Elman (tanh, relu), GRU (reset after) and LSTM can be converted"
        )
    kind = next(name for name, cls in MODULES.items() if cls is type(cell))
    return type(cell), kind, {"nonlinearity": cell.activation} if isinstance(cell, Elman) else {}


def _torch_weights(half: Any, bias: bool) -> dict[str, np.ndarray]:
    W_xh, W_hh, b_h, b_hn, _ = half.cell_weights()
    if not bias:
        return {"weight_ih": W_xh, "weight_hh": W_hh}
    second = np.full_like(b_h, -0.0)  # x + -0.0 is x for every x, and 0.0 + -0.0 is 0.0: the sum of both gives b_h back
    if b_hn is not None:
        second[2 * half.hidden_size :] = b_hn
    return {"weight_ih": W_xh, "weight_hh": W_hh, "bias_ih": b_h, "bias_hh": second}


def _with_readout(torch: Any, rnn: Any, net: Network) -> Any:
    class Readout(torch.nn.Module):
        """A recurrent module and the linear read-out of its hidden states."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = rnn
            options = {"bias": net.b_y is not None, "dtype": getattr(torch, net.dtype.name)}
            self.readout = torch.nn.Linear(net.W_hy.shape[1], net.output_size, **options)

        def forward(self, inputs: Any, initial_state: Any = None) -> Any:
            """Outputs (batch, time, output)."""
            return self.readout(self.rnn(inputs, initial_state)[0])

    module = Readout()
    given = {"weight": net.W_hy, "bias": net.b_y}
    module.readout.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in given.items() if a is not None})
    return module
