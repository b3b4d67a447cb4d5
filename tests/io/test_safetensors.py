"""Networks on disk: what was saved comes back bit for bit; every damaged or hostile file is refused clearly."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

import rnndyn as rd

H, I, O = 3, 2, 1
NETWORKS = {
    "elman": lambda: rd.Elman.random(H, I, O, rng=0, activation="relu", output_activation="softmax"),
    "autonomous": lambda: rd.Elman.random(H, rng=0),
    "linear": lambda: rd.Linear.random(H, I, O, rng=0, process_noise=np.eye(H), observation_noise=[[2.0]]),
    "leaky": lambda: rd.Leaky.random(H, I, O, rng=0, alpha=0.1, form="voltage"),
    "leaky-alphas": lambda: rd.Leaky.random(H, I, O, rng=0, alpha=[0.1, 0.2, 0.3]),
    "piecewise": lambda: rd.PiecewiseLinear.random(H, I, O, rng=0),
    "lstm": lambda: rd.LSTM.random(H, I, O, rng=0),
    "peephole": lambda: rd.LSTM.random(H, I, O, rng=0, peephole=np.ones((3, H))),
    "gru": lambda: rd.GRU.random(H, I, O, rng=0, reset="before", update="write"),
    "bare": lambda: rd.GRU.random(H, I, rng=0, b_h=None, b_hn=None),
    "stack": lambda: rd.Stack.random(H, I, O, layers=11, cell=rd.Leaky, rng=0),
    "bidirectional": lambda: rd.Bidirectional.random(H, I, O, cell=rd.GRU, rng=0),
    "nested": lambda: rd.Stack(
        [rd.Bidirectional(rd.Stack.random(2, I, rng=0), rd.LSTM.random(1, I, rng=0)), rd.Elman.random(H, 3)]
    ),
}
every_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


def header_of(raw):
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def file_of(header, data=b""):
    """A file with this header, a dict or bytes."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


@every_network
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(make, dtype, path):
    net = make().astype(dtype)
    rd.save(net, path)
    again = rd.load(path)
    assert again == net and type(again) is type(net) and again.dtype == net.dtype
    assert again.content_hash() == net.content_hash()
    first = path.read_bytes()
    rd.save(again, str(path))
    assert path.read_bytes() == first
    assert os.listdir(path.parent) == [path.name]


def test_any_reader_of_safetensors_can_read_the_arrays(path):
    from safetensors.numpy import load_file

    net = NETWORKS["leaky"]()
    rd.save(net, path)
    assert {name: a.tolist() for name, a in load_file(path).items()} == {
        name: a.tolist() for name, a in (net.arrays() | net.constants()).items()
    }


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    net = NETWORKS["gru"]()
    rd.save(net, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        rd.save(NETWORKS["lstm"](), path)
    assert rd.load(path) == net and os.listdir(path.parent) == [path.name]


def test_what_cannot_be_saved(path):
    with pytest.raises(TypeError, match="net is a str: a network is wanted"):
        rd.save("net", path)
    with pytest.raises(ValueError, match="net is or holds a Map, which is code and cannot be saved"):
        rd.save(rd.Map(lambda s, x, p: s / 2, 2), path)
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        rd.save(NETWORKS["gru"](), path.parent / "missing" / "net.safetensors")


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_state_dict_of_pytorch(kind, path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    module = torch.nn.Module()
    module.rnn = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=True)
    module.decoder = torch.nn.Linear(8, 2)
    save_torch(module.state_dict(), path)
    assert rd.load(path) == rd.from_torch(module) == rd.load(path, readout="decoder")


def test_options_of_a_state_dict(path):
    arrays = {"weight_ih_l0": np.ones((2, 1)), "weight_hh_l0": np.eye(2)}
    save_file(arrays, path)
    assert rd.load(path, activation="relu") == rd.Elman(arrays["weight_ih_l0"], np.eye(2), activation="relu")
    assert rd.load(path).activation == "tanh"
    with pytest.raises(TypeError, match="Elman has no option 'reset'"):
        rd.load(path, reset="after")
    rd.save(NETWORKS["elman"](), path)
    with pytest.raises(TypeError, match="activation: the file holds its own options"):
        rd.load(path, activation="tanh")


def test_missing_files_folders_and_pickles(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        rd.load(path)
    with pytest.raises(ValueError, match="is a folder; pass the file"):
        rd.load(tmp_path)

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(ValueError, match="a pickle|damaged or no safetensors file"):
            rd.load(path)
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.GRU(2, 3).state_dict(), path)
    with pytest.raises(ValueError, match=r"is a zip archive or a pickle, as torch.save writes, .*save_file"):
        rd.load(path)
    assert not (tmp_path / "executed").exists()


F64 = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
TWICE = b'{"a":' + json.dumps(F64).encode() + b',"a":' + json.dumps(F64).encode() + b"}"
HOSTILE = {
    "empty": b"",
    "short": b"\1\0\0",
    "header of nothing": struct.pack("<Q", 0),
    "header beyond the end": struct.pack("<Q", 1000) + b"{}",
    "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "header of 2^64 - 1 bytes": struct.pack("<Q", 2**64 - 1) + b"{}",
    "huge header": struct.pack("<Q", 20_000_000) + b"{" + b" " * 19_999_998 + b"}",
    "no header": b"garbage garbage garbage",
    "zeros": bytes(100),
    "not JSON": file_of(b"{nonsense}"),
    "not UTF-8": file_of(b'{"\xff\xfe": 1}'),
    "a list": file_of([]),
    "deep": file_of(b"[" * 100_000),
    "deep objects": file_of(b'{"a":' * 100_000),
    "a name twice": file_of(TWICE, bytes(8)),
    "overlapping": file_of({"a": F64, "b": F64}, bytes(8)),
    "a hole": file_of({"a": F64, "b": F64 | {"data_offsets": [16, 24]}}, bytes(24)),
    "beyond the end": file_of({"a": F64 | {"data_offsets": [0, 80], "shape": [10]}}, bytes(8)),
    "negative offsets": file_of({"a": F64 | {"data_offsets": [-8, 0]}}, bytes(8)),
    "reversed offsets": file_of({"a": F64 | {"data_offsets": [8, 0]}}, bytes(8)),
    "negative shape": file_of({"a": F64 | {"shape": [-1]}}, bytes(8)),
    "overflowing shape": file_of({"a": F64 | {"shape": [2**61, 2**61]}}, bytes(8)),
    "shape that is too large": file_of({"a": F64 | {"shape": [2]}}, bytes(8)),
    "more data than arrays": file_of({"a": F64}, bytes(16)),
    "unknown dtype": file_of({"a": F64 | {"dtype": "F65"}}, bytes(8)),
    "bfloat16": file_of({"weight_ih_l0": F64 | {"dtype": "BF16", "shape": [4]}}, bytes(8)),
    "integers": file_of({"weight_ih_l0": F64 | {"dtype": "I64"}}, bytes(8)),
    "booleans": file_of({"weight_ih_l0": F64 | {"dtype": "BOOL", "shape": [8]}}, bytes(8)),
    "metadata of numbers": file_of({"__metadata__": {"format": 3}}),
    "no arrays": file_of({}),
    "unknown arrays": file_of({"a": F64}, bytes(8)),
    "zero units": file_of(
        {name: F64 | {"shape": [0, 0], "data_offsets": [0, 0]} for name in ("weight_ih_l0", "weight_hh_l0")}
    ),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(raw, path):
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"^\S*net\.safetensors: ") as caught:
        rd.load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("length", [0x180, 0x280, 0x4B50])
def test_a_header_whose_length_looks_like_a_pickle(length, path):
    arrays = {"weight_ih_l0": np.ones((2, 1)), "weight_hh_l0": np.eye(2)}
    save_file(arrays, path)
    header, data = header_of(path.read_bytes())
    path.write_bytes(file_of(json.dumps(header, separators=(",", ":")).encode().ljust(length), data))
    assert path.read_bytes()[0] in (0x80, 0x50) and rd.load(path).hidden_size == 2


def altered(net, path, *, drop=(), metadata=(), entry=None, **arrays):
    """Save the network with some arrays and metadata replaced, the checksum left as it was."""
    rd.save(net, path)
    header, _ = header_of(path.read_bytes())
    ours = json.loads(header["__metadata__"]["rnndyn"]) | dict(metadata)
    kept = {name: array for name, array in (net.arrays() | net.constants() | arrays).items() if name not in drop}
    save_file(kept, path, {"rnndyn": entry or json.dumps({k: v for k, v in ours.items() if v is not None})})


def description(net, **changes):
    return {"network": net.describe() | changes}


GRU, STACK = NETWORKS["gru"](), NETWORKS["stack"]()


@pytest.mark.parametrize(
    ("net", "changes", "message"),
    [
        (GRU, {"W_hh": GRU.W_hh + 1}, "the checksum differs"),
        (GRU, {"W_hh": GRU.W_hh.astype(np.float32)}, "the checksum differs"),
        (GRU, {"metadata": {"sha256": 0}}, "the checksum differs"),
        (GRU, {"metadata": description(GRU, options={"reset": "after", "update": "keep"})}, "the checksum differs"),
        (GRU, {"drop": ["b_y"]}, "the checksum differs"),
        (GRU, {"drop": ["W_hh"]}, "W_hh"),
        (GRU, {"W_hh": GRU.W_hh.T.copy()}, "W_hh has shape"),
        (GRU, {"W_hh": np.full_like(GRU.W_hh, np.nan)}, "W_hh holds nan"),
        (GRU, {"nonsense": np.ones(1)}, "unknown arrays or options: nonsense"),
        (GRU, {"0.W_hh": np.ones(1)}, "unknown arrays or options: 0.W_hh"),
        (GRU, {"metadata": {"version": 2}}, "has version 2 of the format, wanted 1"),
        (GRU, {"metadata": {"version": None}}, r"version, network, sha256 are wanted"),
        (GRU, {"metadata": {"more": 1}}, r"version, network, sha256 are wanted"),
        (GRU, {"metadata": {"network": None}}, "version, network, sha256 are wanted"),
        (GRU, {"metadata": {"network": 3}}, "the description of the network is damaged"),
        (GRU, {"metadata": {"network": {}}}, "the description of the network is damaged"),
        (GRU, {"entry": "3"}, "version, network, sha256 are wanted"),
        (GRU, {"entry": "{nonsense"}, "the description of the network is damaged"),
        (GRU, {"entry": "[" * 100_000}, "recursion"),
        (GRU, {"entry": '{"version": 1, "version": 1}'}, "a name stands twice"),
        (GRU, {"metadata": description(GRU, **{"class": "Map"})}, "the description of the network is damaged"),
        (GRU, {"metadata": description(GRU, **{"class": "os.system"})}, "the description of the network is damaged"),
        (GRU, {"metadata": description(GRU, **{"class": ["GRU"]})}, "the description of the network is damaged"),
        (GRU, {"metadata": description(GRU, options=[])}, "the description of the network is damaged"),
        (GRU, {"metadata": description(GRU, options={})}, "unknown arrays or options"),
        (GRU, {"metadata": description(GRU, options={"reset": 3, "update": "keep"})}, "reset is 3"),
        (GRU, {"metadata": description(GRU, parts={"forward": GRU.describe()})}, "."),
        (GRU, {"metadata": description(GRU, **{"class": "Elman"})}, "unknown arrays or options"),
        (STACK, {"drop": ["10.W_hh"]}, "W_hh"),
        (STACK, {"11.W_hh": np.ones((3, 3))}, "unknown arrays or options: 11.W_hh"),
        (STACK, {"metadata": description(STACK, parts={"1": STACK.layers[0].describe()})}, "."),
        (STACK, {"metadata": description(STACK, parts=[])}, "the description of the network is damaged"),
        (STACK, {"metadata": description(STACK, parts={})}, "unknown arrays|layers is empty"),
    ],
)
def test_contents_that_do_not_fit_are_refused(net, changes, message, path):
    altered(net, path, **changes)
    with pytest.raises(ValueError, match=rf"^\S*net\.safetensors: .*(?:{message})"):
        rd.load(path)


@pytest.mark.parametrize("name", ["gru", "leaky", "nested", "state_dict"])
def test_mutated_files_are_refused_or_load_as_they_were(name, path, rng):
    if name == "state_dict":
        arrays = {"weight_ih_l0": np.ones((2, 1)), "weight_hh_l0": np.eye(2)}
        save_file(arrays, path)
    else:
        rd.save(NETWORKS[name](), path)
    net, raw = rd.load(path), path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    refused = 0
    for k in range(150):
        mutant = bytearray(raw)
        at = int(rng.integers(len(raw) if k % 2 else start))
        match k % 5:
            case 0 | 1:
                mutant[at] ^= 1 << int(rng.integers(8))
            case 2:
                mutant[at] = int(rng.integers(256))
            case 3:
                del mutant[at : at + int(rng.integers(1, 9))]
            case 4:
                other = int(rng.integers(len(raw)))
                mutant[at : at + 4] = raw[other : other + 4]
        path.write_bytes(mutant)
        try:
            again = rd.load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
        else:  # a plain state_dict has no checksum: its numbers may differ, its form may not
            assert again == net or (name == "state_dict" and at >= start and again.with_arrays(net.arrays()) == net)
    assert refused > 75
