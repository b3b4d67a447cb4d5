"""Each reason why no GPU can be used has its own message and remedy; NumPy is as before once numba-cuda is loaded."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.devices import resolve
from rnndyn.kernels.cuda import device

NO_DRIVER = "\nCUDA driver library cannot be found.\nEnsure that a compatible NVIDIA driver is installed.\n"


def answer(monkeypatch, **state):
    """What ``problem`` says in a given state of the installation."""
    for name, value in ({"SIMULATED": False} | state).items():
        monkeypatch.setattr(device, name, value)
    return device.problem.__wrapped__()


def test_numba_cuda_is_missing(monkeypatch):
    said = answer(monkeypatch, cuda=None, fault=PackageNotFoundError("numba-cuda"))
    assert "numba-cuda is not installed" in said and "pip install 'rnndyn[cuda13]'" in said


def test_numpy_is_too_new(monkeypatch):
    monkeypatch.setattr(device, "version", lambda name: "0.30.4")
    said = answer(monkeypatch, cuda=None, fault=AttributeError("module 'numpy' has no attribute 'in1d'"))
    assert "numba-cuda 0.30.4 does not work with NumPy" in said and "pip install 'numpy<2.5'" in said


def test_installation_is_broken(monkeypatch):
    said = answer(monkeypatch, cuda=None, fault=ImportError("NVIDIA CUDA Python bindings not found.\nInstall them."))
    assert "bindings not found" in said and "pip install 'rnndyn[cuda13]'" in said and "\n" not in said


def test_no_gpu_answers(monkeypatch):
    silent = SimpleNamespace(is_available=lambda: False, cuda_error=lambda: NO_DRIVER)
    said = answer(monkeypatch, cuda=silent, fault=None)
    assert "no GPU answers (CUDA driver library cannot be found.)" in said and "device='cpu'" in said


def test_compiler_is_missing(monkeypatch):
    silent = SimpleNamespace(is_available=lambda: False, cuda_error=lambda: None)
    assert "compiler is missing" in answer(monkeypatch, cuda=silent, fault=None)


@pytest.mark.parametrize("driver, fits", [((12, 8), False), ((13, 0), True), ((14, 1), True)], ids=str)
def test_driver_is_too_old(driver, fits, monkeypatch):
    found = SimpleNamespace(is_available=lambda: True, runtime=SimpleNamespace(get_version=lambda: (13, 2)))
    inner = SimpleNamespace(driver=SimpleNamespace(get_version=lambda: driver))
    monkeypatch.setattr(device, "import_module", lambda name: inner)
    said = answer(monkeypatch, cuda=found, fault=None)
    assert said is None if fits else "CUDA 12.8, too old for the CUDA 13 libraries" in said and "[cuda12]" in said


def test_names_of_devices(monkeypatch):
    monkeypatch.setattr(device, "problem", lambda: "no GPU answers")
    assert resolve("cpu") == resolve("auto") == "cpu"
    with pytest.raises(rd.DeviceError, match="device='cuda': no GPU answers"):
        resolve("cuda")
    with pytest.raises(ValueError, match="device is 'gpu'.*'cpu', 'cuda' or 'auto'"):
        resolve("gpu")
    monkeypatch.setattr(device, "problem", lambda: None)
    assert resolve("cuda") == resolve("auto") == "cuda"


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="needs numba-cuda")
def test_numpy_without_its_old_name_is_cured_and_left_as_it_was():
    code = """
import numpy as np
if hasattr(np, "row_stack"):
    del np.row_stack
from rnndyn.kernels.cuda import device
assert device.fault is None, device.fault
assert not hasattr(np, "row_stack")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_old_names_come_and_go(monkeypatch):
    monkeypatch.delattr(np, "row_stack", raising=False)
    with device.old_names():
        assert np.row_stack is np.vstack
    assert not hasattr(np, "row_stack")
