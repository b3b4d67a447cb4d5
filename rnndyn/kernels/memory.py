"""Memory for tapes and states: aligned, and used again.

The system takes large blocks back as soon as they are freed and clears their pages when it gives them out again, which
costs a pass with large batches as much as its arithmetic. So large blocks stay here for a while. An array's block comes
back when neither the array nor any view of it is left. Small arrays are cut from sheets, each thread from its own: to
ask where each lies takes about as long as all the rest.
"""

import ctypes
import math
import threading
from functools import lru_cache

import numpy as np

LINE = 64  # bytes: whole-register loads are fast only on cache lines
SHEET, SMALL = 1 << 16, 1 << 12  # bytes of a sheet, and of the largest arrays that are cut from one
WORTH_KEEPING = 1 << 18
KEPT_BYTES = 1 << 28  # in all; the blocks that came back first are let go
SLACK = 1.25  # a block serves arrays that fill this part of it


class Block(np.ndarray):
    """Bytes, of which the first on a cache line is number ``first``."""

    first: int


class Loan(np.ndarray):
    """View of all bytes of a block, for their use: NumPy never lets an array refer past a base of another type.

    What NumPy makes of it is of this class too, but not ``lent``, and gives nothing back.
    """

    lent = False

    def __del__(self):
        if self.lent and _come_back is not None:  # as it is when Python ends
            _come_back(self.base)


class _Sheet(threading.local):
    """What this thread has cut off its sheet so far, in bytes."""

    block, used = np.empty(0, np.uint8), SHEET


_sheet = _Sheet()
_kept: list[Block] = []
_lock = threading.Lock()  # only ever tried: a block may come back in the middle of taking one, by garbage collection


def aligned_empty(shape, dtype):
    """Uninitialised array whose data starts on a cache line."""
    dtype = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, dtype)
    room = math.prod(shape) * dtype.itemsize + LINE
    if room <= SMALL:
        return np.ndarray(shape, dtype, *_cut(room))
    if room < WORTH_KEEPING:
        block = np.empty(room, np.uint8)
        return np.ndarray(shape, dtype, block, _to_line(block))
    block = _take(room)
    loan = block.view(Loan)
    loan.lent = True
    return np.ndarray(shape, dtype, loan, block.first)


def _cut(room):
    """Sheet of this thread, and from which of its bytes on ``room`` less a line are free, on a cache line."""
    used = _sheet.used
    if used + room > SHEET:
        _sheet.block = np.empty(SHEET, np.uint8)
        used = _to_line(_sheet.block)
    _sheet.used = used + room // LINE * LINE
    return _sheet.block, used


def _to_line(block):
    """Bytes from the start of a block to the next cache line; quicker than by `__array_interface__`."""
    return -ctypes.addressof(ctypes.c_char.from_buffer(block)) % LINE


def aligned_zeros(shape, dtype):
    """Array of zeros whose data starts on a cache line."""
    array = aligned_empty(shape, dtype)
    array.fill(0)
    return array


@lru_cache(maxsize=32)
def scratch(shape, dtype, number=0):
    """Array for what a kernel needs while it runs: the same one at every call, so only within `parallel`."""
    return aligned_empty(shape, dtype)


def constant(array):
    """View that cannot be written to: an array of any origin is then of one type, for which a kernel is compiled."""
    view = array.view()
    view.flags.writeable = False
    return view


def _take(size):
    """Block of at least ``size`` bytes: the smallest kept one that fits, or a new one."""
    if _lock.acquire(blocking=False):
        try:
            fitting = [(block.size, k) for k, block in enumerate(_kept) if size <= block.size <= SLACK * size]
            if fitting:
                return _kept.pop(min(fitting)[1])
        finally:
            _lock.release()
    block = Block(size, np.uint8)
    block.first = _to_line(block)
    return block


def _come_back(block):
    """Keep a block that nobody uses any more."""
    if _lock.acquire(blocking=False):
        try:
            _kept.append(block)
            while sum(kept.size for kept in _kept) > KEPT_BYTES:
                _kept.pop(0)
        finally:
            _lock.release()
