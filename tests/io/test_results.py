"""Results on disk: what goes in comes out, and what is damaged never does."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest
import xarray as xr

from rnndyn import schema
from rnndyn.io import results
from rnndyn.io.results import open_results, save_results


def everything():
    return xr.Dataset(
        {
            "complex128": ("x", np.array([1 + 2j, -np.inf + 0j, complex(0, np.nan)])),
            "complex64": ("x", np.array([1 - 2j, 0, 3j], np.complex64)),
            "float64": ("x", np.array([-np.inf, np.nan, 5e-324])),
            "float32": ("x", np.array([np.inf, -0.0, 1e-45], np.float32)),
            "truth": ("x", np.array([True, False, True])),
            "text": ("x", np.array(["stable", "", "Grüße ✓"])),
            "small": ("x", np.array([-128, 0, 127], np.int8)),
            "large": ("x", np.array([2**63 - 1, -(2**63), 0])),
            "scalar": ((), -np.inf),
            "nothing": (("none", "x"), np.zeros((0, 3), complex)),
        },
        coords={"x": [1, 2, 3]},
        attrs={
            "count": 3,
            "share": 0.5,
            "name": "Grüße",
            "empty": "",
            "array": np.array([1, 2]),
            "none": None,
            "true": True,
            "list": [1, "unknown"],
            "one": ["a"],
            "dict": {"a": [1.5]},
            "text": "json: not at all",
        },
    )


def fixed_points(n=2, size=3):
    return schema.build(
        "fixed_points",
        {
            "state": np.arange(n * size, dtype=float).reshape(n, size),
            "residual": np.zeros(n),
            "status": np.full(n, "certified"),
            "error_bound": np.zeros(n),
            "eigenvalue": np.full((n, size), 0.5 + 0.1j),
            "n_unstable": np.zeros(n, int),
            "stability": np.array(["stable"] * n, dtype="U9"),
            "index": np.ones(n, int),
        },
        attrs={"n_starts": 8, "expected_index_sum": "unknown"},
    )


def assert_same(got, wanted):
    assert got.identical(wanted)
    assert {name: type(v) for name, v in got.attrs.items()} == {name: type(v) for name, v in wanted.attrs.items()}
    for name, variable in wanted.variables.items():
        if variable.dtype.kind in "US":
            assert got[name].values.tolist() == variable.values.tolist()
        else:
            assert got[name].dtype == variable.dtype
            assert got[name].values.tobytes() == np.ascontiguousarray(variable.values).tobytes()


def test_every_dtype_comes_back_to_the_bit(tmp_path):
    wanted = everything()
    assert_same(open_results(save_results(wanted, tmp_path / "r.nc")), wanted)


def test_saving_leaves_the_dataset_as_it_was(tmp_path):
    ds = everything()
    ds["float64"].encoding["_FillValue"] = 5e-324
    save_results(ds, tmp_path / "r.nc")
    assert ds["float64"].encoding == {"_FillValue": 5e-324}
    assert_same(open_results(tmp_path / "r.nc"), everything())


@pytest.mark.parametrize("n", [0, 1, 5])
def test_results_of_the_schema_come_back_valid(tmp_path, n):
    wanted = fixed_points(n)
    got = schema.validate(open_results(save_results(wanted, tmp_path / "r.nc")))
    assert_same(got, wanted)
    assert set(got.data_vars) == set(wanted.data_vars)
    assert got.attrs == wanted.attrs


def test_several_results_are_one_tree(tmp_path):
    wanted = {"fixed_points": fixed_points(), "everything": everything()}
    got = open_results(save_results(wanted, tmp_path / "r.nc"))
    assert isinstance(got, xr.DataTree)
    assert set(got.children) == set(wanted)
    for name, ds in wanted.items():
        assert_same(got[name].to_dataset(), ds)
    assert open_results(save_results(got, tmp_path / "again.nc")).identical(got)


def test_equal_results_are_equal_files(tmp_path):
    first = save_results(everything(), tmp_path / "1.nc").read_bytes()
    assert save_results(everything(), tmp_path / "2.nc").read_bytes() == first


def test_other_programs_read_the_file(tmp_path):
    path = save_results(everything(), tmp_path / "r.nc")
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        assert ds["truth"].values.tolist() == [True, False, True]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_results(everything(), tmp_path / "r.nc")
    before = path.read_bytes()

    def fails(ds, temporary):
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "_write", fails)
    with pytest.raises(OSError, match="No space left"):
        save_results(everything(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.nc"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_the_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    path = save_results(everything(), tmp_path / "r.nc")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.nc"):
        open_results(tmp_path / "absent.nc")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        save_results(everything(), tmp_path / "absent" / "r.nc")


@pytest.mark.parametrize("wrong", [None, 3, [1], np.zeros(3)])
def test_only_results_are_saved(tmp_path, wrong):
    with pytest.raises(TypeError, match="wanted a Dataset"):
        save_results(wrong, tmp_path / "r.nc")


@pytest.mark.parametrize("contents", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"CDF\x01", b"x" * 4096])
def test_a_foreign_file_is_refused(tmp_path, contents):
    path = tmp_path / "foreign.nc"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"foreign\.nc"):
        open_results(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not a file"):
        open_results(tmp_path)


def test_a_netcdf_file_without_checksum_is_refused(tmp_path):
    xr.Dataset({"a": 1.0}).to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="no checksum"):
        open_results(tmp_path / "plain.nc")


def test_rightly_signed_nonsense_is_refused(tmp_path):
    path = tmp_path / "hostile.nc"
    path.write_bytes(results._HDF5 + b"\0" * 100)
    digest = results._sha256(path, path.stat().st_size).encode()
    path.write_bytes(path.read_bytes() + results._MARK + digest + b"\n")
    with pytest.raises(ValueError, match=r"hostile\.nc: no readable NetCDF"):
        open_results(path)


def test_no_damage_goes_unseen(tmp_path):
    """One flipped bit, a lost or doubled stretch, a cut: ValueError, each time."""
    whole = save_results(fixed_points(), tmp_path / "whole.nc").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.nc"
    for trial in range(400):
        at, length = int(rng.integers(len(whole))), int(rng.integers(1, 64))
        flipped = bytes([whole[at] ^ (1 << int(rng.integers(8)))])
        path.write_bytes(
            (
                whole[:at] + flipped + whole[at + 1 :],
                whole[:at] + whole[at + length :],
                whole[:at] + whole[max(at - length, 0) :] + b"\n",
                whole[:at],
            )[trial % 4]
        )
        with pytest.raises(ValueError, match=r"damaged\.nc"):
            open_results(path)
