"""Compiled code on disk: found by the next process, never stale, and one version a kernel, cell and dtype."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.compiled

USE = """
import json, sys
import numpy as np
import rnndyn as rd
from rnndyn.kernels.cpu import affine, backward, forward, outer, tangent

KERNELS = [affine.affine, backward.backward, forward.forward, outer.outer, tangent.derivatives, tangent.products]
rng = np.random.default_rng(0)
net = rd.LSTM.random(5, 2, 3, rng=0)
x, y = rng.standard_normal((4, 6, 2)), rng.standard_normal((4, 6, 3))

def use(x, y, **options):
    rd.run(net, x, **{k: v for k, v in options.items() if k == "lengths"})
    rd.value_and_grad(net, x, y, **options)

use(x, y)
rd.jacobian(net, np.zeros(10), np.zeros(2))
"""
COUNTS = """
counts = {"hits": {}, "misses": {}, "versions": {}}
for k in KERNELS:
    name, compiled = k.__name__, k.func
    counts["hits"][name] = sum(compiled.stats.cache_hits.values())
    counts["misses"][name] = sum(compiled.stats.cache_misses.values())
    counts["versions"][name] = len(compiled.signatures)
print(json.dumps(counts))
"""


def python(code, cwd=ROOT, **environment):
    """Standard output of a fresh interpreter; a mapping of options goes into its environment."""
    paths = os.pathsep.join([str(ROOT), str(cwd)])
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-"], input=code, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_second_process_compiles_nothing():
    python(USE)  # fills what the cache of the tests may lack
    found = json.loads(python(USE + COUNTS))
    assert sum(found["misses"].values()) == 0
    assert all(found["hits"].values()), "a kernel that is neither compiled nor loaded: the check is void"


def test_no_call_makes_a_new_version():
    """Layouts, batch sizes, options: the front door makes one type of array of all of them."""
    found = json.loads(
        python(
            USE
            + """
read_only = x.copy()
read_only.flags.writeable = False
for inputs in (x, read_only, np.asfortranarray(x), x[::-1], x.astype(">f8"), x.tolist()):
    use(inputs, y)
use(x[0], y[0])
use(x[:1], y[:1])
rd.run(net, x[0], initial_state=np.zeros((4, 10)))
rd.run(net, x, initial_state=np.zeros(10))
use(x[:, :1], y[:, :1])
use(x, y, lengths=[6, 3, 0, 1])
for options in ({"checkpoint": 2}, {"truncate": 2}, {"truncate": (2, 4)}, {"mask": np.ones((4, 6))}):
    rd.value_and_grad(net, x, y, **options)
rd.value_and_grad(net, x, np.ones((4, 6), int), loss="cross_entropy")
rd.value_and_grad(net, x, None, loss=lambda y: (0.0, np.ones_like(y)))
rd.train(net, x, y, steps=2, batch_size=2, rng=0)
rd.jacobian(net, np.zeros((3, 10)), np.zeros(2), wrt="input")
"""
            + COUNTS
        )
    )
    assert found["versions"] == dict.fromkeys(found["versions"], 1)


# ---- cells of a user's own ---------------------------------------------------------------------------------------
CELL = """
from typing import Any
from rnndyn.cells.contract import Cell
from rnndyn.networks.base import network
from rnndyn.networks.recurrent import CellNetwork

def update(p, a, s, q):
    return ({factor} * a[0],)

def partials(p, a, s, q):
    return (({factor} + 0.0 * a[0],),), ((0.0 * s[0],),), ((),)

class Scale(Cell):
    __slots__ = ()
    drives, gates = ("xh",), (0,)
    update, partials = staticmethod(update), staticmethod(partials)

@network
class Scaled(CellNetwork):
    W_xh: Any
    W_hh: Any
    b_h: Any = None

    @property
    def cell(self):
        return Scale
"""
STEP = """
import rnndyn as rd
net, other = Scaled([[1.0]], [[0.0]]), Scaled([[1.0]], [[1.0]])
print(float(rd.run(net, [[1.0]]).state[0, 0]), rd.jacobian(other, [0.0], [0.0])[0, 0])
"""


@pytest.mark.slow
def test_an_edited_cell_is_compiled_anew(tmp_path):
    """Numba alone would load the old code here (numba #1833)."""
    for factor in (2.0, 3.0):
        (tmp_path / "scaled.py").write_text(CELL.format(factor=factor))
        assert python("from scaled import Scaled\n" + STEP, tmp_path) == f"{factor} {factor}"


@pytest.mark.slow
def test_a_cell_without_a_file_is_compiled_anew(tmp_path):
    """In a notebook or on standard input there is no file whose content could tell two cells apart."""
    for factor in (2.0, 3.0):
        assert python(CELL.format(factor=factor) + STEP, tmp_path) == f"{factor} {factor}"


@pytest.mark.slow
def test_a_cell_may_be_defined_again(tmp_path):
    """As in a notebook: the new class counts, although its name is the old one's, wherever each was compiled.

    Numba tells named tuples apart by their name and fields alone.
    """
    twice = CELL.format(factor=2.0) + STEP + CELL.format(factor=3.0) + STEP
    for _ in range(2):  # compiled, and from the disk
        assert python(twice, tmp_path, NUMBA_CACHE_DIR=str(tmp_path)).splitlines() == ["2.0 2.0", "3.0 3.0"]
