"""Tiles of work that fit a device's memory, without a device."""

import pytest

import rnndyn as rd
from rnndyn.kernels.cuda import memory


class Failure(Exception):
    """An error of CUDA, by its number."""

    def __init__(self, code):
        self.code = code


@pytest.mark.parametrize(
    ("free", "row_bytes", "rows", "expected"),
    [(1000, 100, 50, 9), (1000, 100, 5, 5), (99, 100, 5, 1), (0, 100, 5, 1), (float("inf"), 100, 7, 7), (10, 0, 3, 3)],
)
def test_rows_of_a_tile(free, row_bytes, rows, expected):
    assert memory.rows_within(free, row_bytes, rows) == expected


@pytest.mark.parametrize("most", [1, 2, 3, 7, 20])
def test_every_row_once_and_in_order_whatever_fits(most, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: float("inf"))
    done, refused = [], []

    def work(rows):
        if rows.stop - rows.start > most:
            refused.append(rows.stop - rows.start)
            raise Failure(memory.OUT_OF_MEMORY)
        done.extend(range(rows.start, rows.stop))

    memory.in_tiles(20, 1, work)
    assert done == list(range(20))
    assert refused == [size for size in (20, 10, 5, 2) if size > most]


def test_the_plan_comes_from_the_free_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    sizes = []
    memory.in_tiles(20, 100, lambda rows: sizes.append(rows.stop - rows.start))
    assert sizes == [9, 9, 2]


def test_a_row_that_does_not_fit_is_an_error_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2.5e9)

    def work(rows):
        raise MemoryError

    with pytest.raises(rd.DeviceError, match=r"one network needs 4 GB .* of which 2.5 GB are free: .*device='cpu'"):
        memory.in_tiles(3, 4e9, work, "network")


def test_what_has_to_fit_is_made_once_or_is_an_error(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2.5e9)
    assert memory.required(lambda: "made", 4e9, "network") == "made"  # the plan may be wrong

    def make():
        raise Failure(memory.OUT_OF_MEMORY)

    with pytest.raises(rd.DeviceError, match=r"one sum of gradients needs 4 GB .* of which 2.5 GB are free"):
        memory.required(make, 4e9, "sum of gradients")


def test_other_errors_pass(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: float("inf"))
    for error in (Failure(700), ValueError("of the caller")):

        def work(rows, error=error):
            raise error

        with pytest.raises(type(error)):
            memory.in_tiles(3, 1, work)
