"""Many Python threads at once, on each of Numba's threading layers: no crash, and the bits of a serial run."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.compiled

CODE = """
from concurrent.futures import ThreadPoolExecutor
import numba
import numpy as np
import rnndyn as rd
from rnndyn.kernels import jit

jit.WORTH_A_THREAD = 1  # even these small tasks are shared among the kernels' own threads
rng = np.random.default_rng(0)
nets = [kind.random(H, 3, 2, rng=H) for kind in (rd.Elman, rd.GRU) for H in (5, 33)]
# The weights of the large one exceed a core's cache: here threads share every step of a few rows.
large = rd.Elman.random(160, 3, rng=0)
x, y = rng.standard_normal((9, 12, 3)), rng.standard_normal((9, 12, 2))

def task(k):
    net = nets[k % len(nets)]
    if k % 6 == 0:
        return [rd.run(net, x).state.values]
    if k % 6 == 3:
        return [rd.run(large, x[:2]).state.values]
    if k % 3 == 1:
        return [rd.jacobian(net, np.full((9, net.state_size), 0.1), x[:, 0])]
    value, gradients = rd.value_and_grad(net, x, y)
    return [np.array(value), *gradients.arrays().values()]

def bits(results):
    return [[array.tobytes() for array in result] for result in results]

tasks = range(96)
alone = bits([task(k) for k in tasks])
with ThreadPoolExecutor(8) as pool:
    together = bits(pool.map(task, tasks))
assert alone == together
print(numba.threading_layer())
"""


def available(layer):
    module = {"omp": "omppool", "tbb": "tbbpool"}.get(layer, layer)
    return importlib.util.find_spec(f"numba.np.ufunc.{module}") is not None


@pytest.mark.parametrize("layer", ["omp", "workqueue", "tbb"])
def test_eight_threads_call_at_once(layer):
    if not available(layer):
        pytest.skip(f"this Numba has no threading layer {layer}")
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "4", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-X", "faulthandler", "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)
    if layer == "tbb" and "No threading layer could be loaded" in done.stderr:
        pytest.skip("the TBB library is not installed")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == layer
