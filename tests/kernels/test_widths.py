"""The same results from narrower vector registers: kernels compiled for AVX2, which has half as many, too."""

import os
import subprocess
import sys

import numpy as np
import pytest

CODE = """
import sys
import numpy as np
import rnndyn as rd
from rnndyn.kernels.jit import REGISTER_BYTES

assert REGISTER_BYTES == int(sys.argv[1]), REGISTER_BYTES
rng = np.random.default_rng(0)
net = rd.GRU.random(19, 3, 2, rng=0)
x, y = rng.standard_normal((11, 9, 3)), rng.standard_normal((11, 9, 2))
value, gradients = rd.value_and_grad(net, x, y)
np.savez(sys.argv[2], value=value, **gradients.arrays())
"""


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="names x86-64 processors")
@pytest.mark.slow
def test_gradients_do_not_depend_on_the_width_of_registers(tmp_path):
    import rnndyn as rd

    haswell = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+sse4.2"}
    settings = haswell | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", CODE, "32", str(tmp_path / "out.npz")]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rng = np.random.default_rng(0)
    net = rd.GRU.random(19, 3, 2, rng=0)
    x, y = rng.standard_normal((11, 9, 3)), rng.standard_normal((11, 9, 2))
    value, gradients = rd.value_and_grad(net, x, y)
    with np.load(tmp_path / "out.npz") as other:
        # Sums keep their order; fused and unfused products differ in the last bits, carried through 9 steps.
        np.testing.assert_allclose(other["value"], value, rtol=1e-14)
        for name, array in gradients.arrays().items():
            np.testing.assert_allclose(other[name], array, rtol=0, atol=1e-13 * np.abs(array).max())
