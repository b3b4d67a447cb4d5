"""Runs in_simulator.py in a process of its own: whether Numba simulates a GPU is settled when it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_kernels_in_the_simulator():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    script = str(Path(__file__).with_name("in_simulator.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
