"""Blocks of memory that are used again."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

from rnndyn.kernels import memory
from rnndyn.kernels.memory import WORTH_KEEPING, aligned_empty

LARGE = (WORTH_KEEPING // 4,)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(memory, "_kept", [])


def test_a_block_comes_back_when_its_array_is_gone():
    first = aligned_empty(LARGE, "float64")
    place = first.ctypes.data
    del first
    assert aligned_empty(LARGE, "float64").ctypes.data == place


@pytest.mark.parametrize(
    "view",
    [lambda a: a[1:], lambda a: a.reshape(2, -1).T, lambda a: memoryview(a), lambda a: a.view("int32")[::2][3:]],
    ids=["slice", "transposed", "memoryview", "view of a view"],
)
def test_a_block_stays_with_the_last_view(view):
    first = aligned_empty(LARGE, "float64")
    first.fill(7)
    place, kept = first.ctypes.data, view(first)
    expected = bytes(kept)
    del first
    gc.collect()
    second = aligned_empty(LARGE, "float64")
    second.fill(1)
    assert second.ctypes.data != place
    assert bytes(kept) == expected


def test_views_of_the_loan_itself_give_nothing_back():
    """They die while the array is still in use: its block must not be lent once more."""
    first = aligned_empty(LARGE, "float64")
    assert first.base[:8].size == 8 and (first.base[:8] + 1).size == 8
    assert not memory._kept


def test_python_ends_in_silence_while_arrays_are_lent():
    """By then the module's functions are gone."""
    code = f"from rnndyn.kernels.memory import aligned_empty; lent = aligned_empty({LARGE}, 'float64'); lent[0] = 1"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_room_for_a_kernel_is_one_array_by_shape_and_number():
    first = memory.scratch((3, 8), np.dtype("float32"))
    assert first is memory.scratch((3, 8), np.dtype("float32"))
    others = memory.scratch((3, 8), np.dtype("float32"), 1), memory.scratch((3, 8), np.dtype("float64"))
    assert not any(np.shares_memory(first, other) for other in others)


def test_only_so_much_is_kept(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 3 * 8 * LARGE[0])
    arrays = [aligned_empty(LARGE, "float64") for _ in range(5)]
    oldest = arrays[0].ctypes.data
    while arrays:
        arrays.pop(0)
    assert len(memory._kept) == 2
    assert oldest not in [block.ctypes.data for block in memory._kept]


def test_a_much_larger_block_is_not_taken():
    large = aligned_empty((4 * LARGE[0],), "float64")
    del large
    assert len(memory._kept) == 1
    small = aligned_empty(LARGE, "float64")
    assert len(memory._kept) == 1
    assert small.size == LARGE[0]


def test_threads_never_share_a_block():
    """Each writes its own number all over its array, and reads nothing else back."""
    wrong = []

    def work(number):
        for _ in range(200):
            array = aligned_empty(LARGE, "float64")
            array.fill(number)
            if not (array == number).all():
                wrong.append(number)
            del array

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_small_arrays_are_left_to_numpy():
    array = aligned_empty((8,), "float32")
    assert isinstance(array.base, np.ndarray)
    del array
    assert not memory._kept


def test_small_arrays_are_apart_and_on_lines():
    """They are cut from one sheet after the other: none touches its neighbours, and a sheet lasts as long."""
    shapes = [(k % 13 + 1, 3) for k in range(4 * memory.SHEET // 256)]
    arrays = [aligned_empty(shape, "float32") for shape in shapes]
    for k, array in enumerate(arrays):
        array.fill(k)
    assert all(array.ctypes.data % memory.LINE == 0 for array in arrays)
    assert all((array == k).all() for k, array in enumerate(arrays))
    assert len({id(array.base) for array in arrays}) > 1


def test_threads_do_not_share_a_sheet():
    others = []
    thread = threading.Thread(target=lambda: others.append(aligned_empty((2,), "float64")))
    own = aligned_empty((2,), "float64")
    thread.start()
    thread.join()
    assert own.base is not others[0].base
