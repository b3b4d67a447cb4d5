"""Inputs from npz files: the right array, or one clear error."""

import numpy as np
import pytest

from rnndyn.io import inputs
from rnndyn.io.inputs import read_inputs

X = np.random.default_rng(0).standard_normal((3, 20, 2))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("inputs",), ("x",), ("targets", "inputs")])
def test_the_right_array_is_read(tmp_path, save, names):
    save(tmp_path / "x.npz", **{name: X if name != "targets" else X[0] for name in names})
    np.testing.assert_array_equal(read_inputs(tmp_path / "x.npz"), X)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "it holds nothing"),
        ({"a": X, "b": X}, 'it holds a, b; wanted an array called "inputs"'),
        ({"inputs": np.array([{}], dtype=object)}, "allow_pickle"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=rf"x\.npz: no readable npz file of inputs: .*({message}|zip archive)"):
        read_inputs(tmp_path / "x.npz")


@pytest.mark.parametrize("contents", [b"", b"nonsense", b"PK\x03\x04nonsense", b"\x80\x04pickle"])
def test_a_file_that_is_no_npz(tmp_path, contents):
    (tmp_path / "x.npz").write_bytes(contents)
    with pytest.raises(ValueError, match=r"x\.npz"):
        read_inputs(tmp_path / "x.npz")


def test_a_single_array_is_no_npz(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match="no zip archive"):
        read_inputs(tmp_path / "x.npy")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        read_inputs(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="not a file"):
        read_inputs(tmp_path)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "LIMIT", 100)
    np.savez_compressed(tmp_path / "x.npz", inputs=np.zeros(1000))
    with pytest.raises(ValueError, match="unpacks to"):
        read_inputs(tmp_path / "x.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_is_an_error_or_changes_nothing(tmp_path, save):
    save(tmp_path / "whole.npz", inputs=X)
    whole = (tmp_path / "whole.npz").read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(300):
        at = int(rng.integers(len(whole)))
        damaged = (
            whole[:at] if trial % 3 == 0 else whole[:at] + bytes([whole[at] ^ 1 << rng.integers(8)]) + whole[at + 1 :]
        )
        (tmp_path / "x.npz").write_bytes(damaged)
        try:
            got = read_inputs(tmp_path / "x.npz")
        except ValueError as fault:
            assert "x.npz" in str(fault)
        else:
            np.testing.assert_array_equal(got, X)
