"""What every test shares: a fresh kernel cache for each version of the sources, hypothesis profiles, random numbers."""

import hashlib
import os
import shutil
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def source_hash() -> str:
    """SHA-256 of the sources that kernels are compiled from, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(path for part in ("cells", "kernels") for path in (ROOT / "rnndyn" / part).rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


# Numba does not notice an edit of a function that a cached kernel calls from another file (numba #1833): the answer is
# then silently that of the old source. So the cache lives in a folder named by the sources, before rnndyn is imported.
# The package's own cache names its files by the sources too; a folder of its own makes it a matter of this file alone.
SOURCES = source_hash()[:32]
CACHES = Path(os.environ.get("RNNDYN_TEST_CACHES") or os.environ.get("NUMBA_CACHE_DIR") or ROOT / ".numba_cache")
os.environ["RNNDYN_TEST_CACHES"] = str(CACHES)
os.environ["NUMBA_CACHE_DIR"] = str(CACHES / SOURCES)
for old in CACHES.glob("?" * len(SOURCES)):
    if old.name != SOURCES and old.stat().st_mtime < time.time() - 2 * 86400:
        shutil.rmtree(old, ignore_errors=True)
os.environ.setdefault("MPLBACKEND", "agg")
# Two threads can be tested on any machine. Workers that run side by side use one each, see `one_thread_a_worker`.
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if PARALLEL:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

UNCOMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

# Compiling takes seconds, so no deadline; derandomized, so that a failure in CI is seen again by whoever looks.
hypothesis.settings.register_profile(
    "rnndyn", deadline=None, derandomize=True, max_examples=10 if UNCOMPILED else 100, print_blob=True
)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=10_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("RNNDYN_HYPOTHESIS_PROFILE", "rnndyn"))


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items):
    """Skip, visibly, what this machine or this way of running cannot do."""
    missing = {}
    if UNCOMPILED:
        missing["compiled"] = "needs compiled kernels (NUMBA_DISABLE_JIT is set)"
    if any("gpu" in item.keywords for item in items) and not gpu():
        missing["gpu"] = "no CUDA device that can be used"
    for item in items:
        for marker, reason in missing.items():
            if marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
        if "xdist_group" not in item.keywords:  # of its own
            item.add_marker(pytest.mark.xdist_group(group(item)))


SAME_KERNELS = {"tanh": "elman-tanh", "relu": "elman-relu", "gru": "gru-after-keep"}


def group(item) -> str:
    """Tests that go to one worker: those of one cell, so that its kernels are compiled once; else those of a file."""
    from cases import BY_NAME

    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    for value in parameters:
        value = getattr(value, "name", getattr(value, "kind", value))
        name = SAME_KERNELS.get(value, value) if isinstance(value, str) else None
        if name in BY_NAME:
            return name
    return item.nodeid.split("::")[0]


def gpu() -> bool:
    """Whether a CUDA device answers."""
    from rnndyn.kernels.cuda import device

    return device.problem() is None and not device.SIMULATED


@pytest.fixture
def plain_search(monkeypatch):
    """Newton's method without its compiled kernel, which `tests/test_roots.py` is about: it takes long to compile."""
    monkeypatch.setattr("rnndyn.roots.WORTH_COMPILING", np.inf)


@pytest.fixture(scope="session", autouse=True)
def one_thread_a_worker():
    """Threads of several workers on the same cores wait for one another; tests of threads set their own number."""
    if PARALLEL:
        import numba

        numba.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20_240_229)


@pytest.fixture
def networks_folder() -> Path:
    """The trained networks that ship with the project."""
    return ROOT / "data" / "networks"
