"""The front door: everything array-like comes through clean, everything else gives one clear error."""

import logging

import numpy as np
import pytest
import xarray as xr

from rnndyn.validate import as_array, as_dtype, as_generator, as_integer, as_integers, as_number, choice, is_on_gpu

BASE = np.arange(12.0).reshape(3, 4)
LAYOUTS = {
    "list": BASE.tolist(),
    "tuple": tuple(map(tuple, BASE)),
    "int": BASE.astype(np.int32),
    "uint8": BASE.astype(np.uint8),
    "fortran": np.asfortranarray(BASE),
    "strided": np.repeat(np.repeat(BASE, 2, 0), 3, 1)[::2, ::3],
    "negative strides": BASE[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": BASE.astype(">f8"),
    "longdouble": BASE.astype(np.longdouble),
    "DataArray": xr.DataArray(BASE, dims=("time", "input")),
    "transposed DataArray": xr.DataArray(BASE.T, dims=("input", "time")),
}


@pytest.mark.parametrize("given", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_gives_the_same_clean_array(given):
    before = np.array(given)
    array = as_array(given, "inputs", ("time", "input"))
    assert array.dtype == np.float64 and array.dtype.isnative and array.flags.c_contiguous
    assert np.array_equal(array, BASE)
    assert np.array_equal(np.asarray(given), before)


def test_read_only_and_zero_stride_arrays_pass():
    fixed = BASE.copy()
    fixed.flags.writeable = False
    assert np.array_equal(as_array(fixed, "x"), BASE)
    assert np.array_equal(as_array(np.broadcast_to(2.0, (3, 2)), "x"), np.full((3, 2), 2.0))


def test_floating_types_are_kept_or_widened(caplog):
    assert as_array(BASE.astype(np.float32), "x").dtype == np.float32
    assert as_array(BASE.astype(">f4"), "x").dtype == np.dtype(np.float32)
    with caplog.at_level(logging.INFO, "rnndyn"):
        assert as_array(BASE.astype(np.float16), "W_hh").dtype == np.float32
    assert "W_hh is float16" in caplog.text
    assert as_array(BASE, "x", dtype="float32").dtype == np.float32
    assert as_array(3, "x").shape == ()


@pytest.mark.parametrize(
    "bad",
    [
        np.array([True]),
        np.array([1j]),
        np.array(["1.0"]),
        np.array([None]),
        np.array(["2020-01-01"], "M8[D]"),
        None,
        "x",
        {},
    ],
    ids=repr,
)
def test_other_types_are_refused(bad):
    with pytest.raises(TypeError, match=r"^x has the type .*, wanted float64 or float32: "):
        as_array(bad, "x")


def test_ragged_lists_and_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="x cannot be read as an array"):
        as_array([[1.0], [1.0, 2.0]], "x")
    with pytest.raises(TypeError, match="x holds masked values"):
        as_array(np.ma.masked_invalid([1.0, np.nan]), "x")


def test_a_tensor_with_a_gradient_is_refused_clearly():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"x cannot be read as an array .*detach"):
        as_array(torch.ones(2, requires_grad=True), "x")


class OnGpu:
    """What arrays of CuPy and PyTorch say of themselves; a tensor with a gradient says it by an error."""

    def __init__(self, error=None):
        self.error = error

    @property
    def __cuda_array_interface__(self):
        if self.error:
            raise self.error
        return {"shape": (2,), "typestr": "<f8", "data": (0, False), "version": 3}


def test_arrays_on_a_gpu_are_told_and_refused():
    for x in (OnGpu(), OnGpu(RuntimeError("use var.detach()"))):
        assert is_on_gpu(x)
        for read in (as_array, as_integers):
            with pytest.raises(TypeError, match=r"^y is on a GPU and is used on the processor: pass a copy \("):
                read(x, "y")
    assert not any(map(is_on_gpu, (BASE, [1.0], None, xr.DataArray(BASE), OnGpu(AttributeError("of the processor")))))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_bad_value_is_named(bad):
    array = np.zeros((3, 4))
    array[1, 2] = array[2, 0] = bad
    with pytest.raises(ValueError, match=rf"^W_hh holds {bad} at index \(1, 2\): every value must be finite"):
        as_array(array, "W_hh")
    with pytest.raises(ValueError, match=rf"^alpha holds {bad}: every"):
        as_array(bad, "alpha")


def test_missing_values_pass_where_they_may():
    assert np.isnan(as_array([np.nan, 1.0], "y", missing=True)[0])
    with pytest.raises(ValueError, match=r"y holds inf at index \(1,\)"):
        as_array([np.nan, np.inf], "y", missing=True)


def test_overflow_of_a_conversion_is_seen():
    with pytest.raises(ValueError, match=r"x \(as float32\) holds inf at index \(0,\)"):
        as_array([1e300], "x", dtype=np.float32)


def test_shapes_are_named():
    with pytest.raises(
        ValueError, match=r"^inputs has shape \(time=3, input=4\), wanted \(time, input=2\): correct its shape"
    ):
        as_array(BASE, "inputs", ("time", "input"), sizes={"input": 2})
    with pytest.raises(ValueError, match=r"wanted \(time=4, input=3\): pass its transpose"):
        as_array(BASE, "inputs", ("time", "input"), sizes={"time": 4, "input": 3})
    with pytest.raises(ValueError, match=r"^inputs has the shape \(3,\), wanted \(\[batch\], time, input\)"):
        as_array(np.zeros(3), "inputs", ("batch", "time", "input"), optional=("batch",))
    with pytest.raises(ValueError, match="wanted"):
        as_array(np.zeros((1, 1, 1, 1)), "inputs", ("batch", "time", "input"), optional=("batch",))


def test_optional_leading_dimensions():
    dims = ("batch", "time", "input")
    assert as_array(BASE, "x", dims, optional=("batch",)).shape == (3, 4)
    assert as_array(BASE[None], "x", dims, optional=("batch",)).shape == (1, 3, 4)
    named = xr.DataArray(np.zeros((4, 2, 3)), dims=("input", "batch", "time"))
    assert as_array(named, "x", dims, optional=("batch",)).shape == (2, 3, 4)
    assert as_array(named.isel(batch=0), "x", dims, optional=("batch",)).shape == (3, 4)
    assert as_array(np.zeros((0, 5, 2)), "x", dims).shape == (0, 5, 2)


def test_unknown_dimension_names_are_an_error():
    named = xr.DataArray(BASE, dims=("time", "neuron"))
    with pytest.raises(
        ValueError, match=r"inputs has the dimensions \('time', 'neuron'\), wanted \(time, input\): use .rename"
    ):
        as_array(named, "inputs", ("time", "input"))
    with pytest.raises(ValueError, match="dimensions"):
        as_array(named.rename(neuron="input").expand_dims("trial"), "inputs", ("time", "input"))
    with pytest.raises(ValueError, match="dimensions"):
        as_array(named.isel(neuron=0), "inputs", ("time", "input"))


def test_integers():
    lengths = as_integers(np.array([3, 5], np.uint8), "lengths", ("batch",), minimum=0, maximum=5)
    assert lengths.dtype == np.int64 and lengths.tolist() == [3, 5]
    assert as_integers([], "lengths", ("batch",)).shape == (0,)
    assert as_integers(xr.DataArray([[1], [2]], dims=("time", "batch")), "x", ("batch", "time")).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match=r"lengths\[1\] is 9: at most 5 is wanted"):
        as_integers([3, 9], "lengths", ("batch",), maximum=5)
    with pytest.raises(ValueError, match=r"lengths\[0\] is -1: at least 0 is wanted"):
        as_integers([-1, 9], "lengths", ("batch",), minimum=0)
    for bad in ([1.0], [True], ["1"], [None]):
        with pytest.raises(TypeError, match=r"lengths has the type .*, wanted integers"):
            as_integers(bad, "lengths")


def test_numbers():
    assert as_integer(np.int8(3), "k") == 3 and type(as_integer(np.array(3), "k")) is int
    assert as_number(np.float32(0.5), "gain") == 0.5 and as_number(2, "gain") == 2.0
    for bad in (True, 1.0, "1", None, 1j, np.array([1])):
        with pytest.raises(TypeError, match="^k is .*an integer is wanted"):
            as_integer(bad, "k")
    for bad in (True, "1", None, 1j, np.array([1.0])):
        with pytest.raises(TypeError, match="^gain is .*a real number is wanted"):
            as_number(bad, "gain")
    with pytest.raises(ValueError, match="k is 11: at most 10 is wanted"):
        as_integer(11, "k", maximum=10)
    with pytest.raises(ValueError, match="gain is nan: a finite number is wanted"):
        as_number(np.nan, "gain")
    with pytest.raises(ValueError, match="tol is 0.0: a number above 0 is wanted"):
        as_number(0, "tol", above=0)


def test_choices_dtypes_and_generators():
    assert choice("tanh", "activation", ("tanh", "relu")) == "tanh"
    with pytest.raises(ValueError, match="^activation is 'Tanh': one of 'tanh', 'relu' is wanted"):
        choice("Tanh", "activation", ("tanh", "relu"))
    with pytest.raises(TypeError, match="^activation is None: one of"):
        choice(None, "activation", ("tanh", "relu"))
    assert as_dtype(">f4") == np.dtype("float32") and as_dtype(float) == np.float64
    for bad in ("float16", "int64", None):
        with pytest.raises(ValueError, match="'float32' or 'float64' is wanted"):
            as_dtype(bad)
    with pytest.raises(TypeError, match="dtype is 'nonsense'"):
        as_dtype("nonsense")
    generator = np.random.default_rng(1)
    assert as_generator(generator) is generator
    assert as_generator(5).random() == np.random.default_rng(5).random()
    with pytest.raises(TypeError, match="rng is a RandomState"):
        as_generator(np.random.RandomState(1))
    with pytest.raises(ValueError, match="rng is -1"):
        as_generator(-1)
