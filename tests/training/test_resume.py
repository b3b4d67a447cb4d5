"""Training from its file: after a kill at any instant it comes to the same bits, and a wrong file is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases import bits
from safetensors.numpy import load_file, save_file

import rnndyn as rd

ROOT = Path(__file__).parents[2]
GENERATORS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


def call(steps=30, dtype="float64", **changed):
    """A training with everything on: momentum, schedule, batches by length, validation."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 5, 2)), rng.standard_normal((7, 5, 1))
    options = {
        "optimizer": rd.Adam(rd.schedules.TimeBased(0.03, 0.01), weight_decay=0.01),
        "clip_norm": 1.0,
        "batch_size": 2,
        "by_length": True,
        "lengths": np.array([5, 1, 2, 3, 4, 5, 5]),
        "validation": (x[:2], y[::-1][:2]),
        "validate_every": 2,
        "rng": 5,
        "save_every": 4,
        "steps": steps,
    }
    return rd.train(rd.Elman.random(7, 2, 1, rng=1, dtype=dtype), x, y, **(options | changed))


def same(one, other):
    (net, history), (again, record) = one, other
    assert bits(*net.arrays().values()) == bits(*again.arrays().values())
    assert list(history.data_vars) == list(record.data_vars)
    for name in history.data_vars:
        assert bits(history[name].values) == bits(record[name].values), name
    assert history.attrs["best_step"] == record.attrs["best_step"]


class Killed(Exception):
    pass


def killed_after(step):
    def progress(done, total):
        assert total == 30
        if done == step:
            raise Killed

    return progress


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_interrupted_anywhere_the_bits_are_the_same(dtype, tmp_path):
    whole, path = call(dtype=dtype), tmp_path / "run.safetensors"
    same(call(dtype=dtype, save_to=path), whole)
    for step in (1, 4, 5, 11, 29, 30):
        path.unlink()
        for stop in (step, min(step + 9, 30)):
            with pytest.raises(Killed):
                call(dtype=dtype, save_to=path, progress=killed_after(stop))
            if stop == 30:
                break
        same(call(dtype=dtype, save_to=path), whole)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
def test_every_generator_goes_on_where_it_was(generator, tmp_path):
    def rng():
        return np.random.Generator(generator(3))

    one, other, path = rng(), rng(), tmp_path / "run.safetensors"
    whole = call(rng=one)
    with pytest.raises(Killed):
        call(rng=rng(), save_to=path, progress=killed_after(13))
    same(call(rng=other, save_to=path), whole)
    assert one.integers(1 << 60) == other.integers(1 << 60), "the caller's generator too"


@pytest.mark.parametrize("optimizer", [rd.SGD(0.01), rd.SGD(0.01, 0.9, nesterov=True), rd.Adam(0.01)])
def test_every_optimiser_goes_on(optimizer, tmp_path):
    path = tmp_path / "run.safetensors"
    call(steps=9, optimizer=optimizer, save_to=path)
    same(call(optimizer=optimizer, save_to=path), call(optimizer=optimizer))


def test_a_finished_training_is_read_back_and_can_go_on(tmp_path):
    path = tmp_path / "run.safetensors"
    call(steps=10, save_to=path)
    told = []
    same(call(steps=10, save_to=path, progress=lambda *done: told.append(done)), call(steps=10))
    assert told == []
    same(call(steps=25, save_to=path), call(steps=25))
    with pytest.raises(ValueError, match="holds 25 steps, more than steps"):
        call(steps=10, save_to=path)


def test_a_training_out_of_patience_stays_so(tmp_path):
    path, options = tmp_path / "run.safetensors", {"steps": 300, "patience": 3}
    stopped = call(save_to=path, **options)
    assert stopped[1].sizes["step"] < 300
    same(call(save_to=path, **options), stopped)


KILLED = """
import sys
sys.path[:0] = ["tests", "tests/training"]
from test_resume import call
print("ready", flush=True)
call(steps=100_000, save_to=sys.argv[1], save_every=1)
"""


@pytest.mark.compiled
def test_a_real_kill_while_it_writes(tmp_path):
    """SIGKILL at times of no one's choosing: the file is whole each time, and what follows has the same bits."""
    path = tmp_path / "run.safetensors"
    for delay in (0.2, 0.013, 0.117):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE, env=dict(os.environ)
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            size = path.stat().st_mtime_ns if path.exists() else 0
            while not path.exists() or path.stat().st_mtime_ns == size:
                time.sleep(0.002)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        saved = load_file(path)["history.loss"].size
        assert saved > 0
    more = saved + 20
    same(call(steps=more, save_to=path, save_every=1), call(steps=more))


# ---- files that are refused --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"optimizer": rd.Adam(0.02)}, "optimizer"),
        ({"batch_size": 3}, "batch_size"),
        ({"rng": 6}, "rng"),
        ({"dtype": "float32"}, "net"),
        ({"lengths": np.array([5, 1, 2, 3, 4, 5, 4])}, "data"),
        ({"validation": None}, "validation"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_file_of_another_training_is_refused(changed, word, tmp_path):
    path = tmp_path / "run.safetensors"
    call(steps=4, save_to=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"run.safetensors: is of a training with other.* {word}"):
        call(steps=8, save_to=path, **changed)
    assert path.read_bytes() == before


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    rd.save(rd.Elman.random(2, rng=0), path)
    with pytest.raises(ValueError, match=r"net.safetensors: holds no training"):
        call(steps=1, save_to=path)
    path.write_bytes(b"no file at all")
    with pytest.raises(ValueError, match=r"net.safetensors"):
        call(steps=1, save_to=path)


def test_a_training_is_no_network(tmp_path):
    """To `load`, which took it for a PyTorch file with other weights."""
    path = tmp_path / "run.safetensors"
    call(steps=1, save_to=path)
    with pytest.raises(ValueError, match=r"run.safetensors: is a training in progress, no network"):
        rd.load(path)


def test_another_kind_of_generator_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    call(steps=4, save_to=path, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="run.safetensors"):
        call(steps=8, save_to=path, rng=np.random.Generator(np.random.Philox(0)))


def test_damage_is_noticed(tmp_path):
    path, broken = tmp_path / "run.safetensors", tmp_path / "broken.safetensors"
    call(steps=4, save_to=path)
    whole = path.read_bytes()
    for at in (len(whole) - 3, len(whole) - 200, len(whole) // 2):
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r"broken.safetensors"):
            call(steps=8, save_to=broken)
    broken.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"broken.safetensors"):
        call(steps=8, save_to=broken)
    arrays = load_file(path)
    save_file(arrays, broken)
    with pytest.raises(ValueError, match="holds no training"):
        call(steps=8, save_to=broken)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        call(steps=4, save_to=tmp_path / "nowhere" / "run.safetensors")
