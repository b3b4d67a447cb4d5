"""Work in tiles that fit the device's memory."""

from rnndyn.errors import DeviceError
from rnndyn.kernels.cuda.device import cuda

SHARE = 0.9  # of the free memory that is planned with; the rest is for the kernels themselves
OUT_OF_MEMORY = 2  # CUDA's number of this error


def free_bytes():
    """Free memory of the device; infinite where that is not known."""
    try:
        return cuda.current_context().get_memory_info().free
    except NotImplementedError:  # of a pool that somebody put in the place of Numba's own
        return float("inf")


def rows_within(free, row_bytes, rows):
    """Rows of a tile: as many as fit into so much memory, one at least."""
    return max(1, int(min(rows, SHARE * free / max(row_bytes, 1))))


def fits(work, *arguments):
    """Do some work; whether the device's memory was enough for it."""
    try:
        work(*arguments)
    except Exception as error:
        if isinstance(error, MemoryError) or getattr(error, "code", None) == OUT_OF_MEMORY:
            return False
        raise
    return True


def in_tiles(rows, row_bytes, work, row="sequence"):
    """Do the work of some rows, as many at a time as fit the device's memory.

    Parameters
    ----------
    rows : int
        Their number.
    row_bytes : int
        Memory that each needs.
    work : callable
        Takes a slice of the rows. Where the memory is not enough after all, it is called again with half of them: so
        it adds to no sum before all its memory is allocated.
    row : str
        What a row is, for the message.

    Raises
    ------
    DeviceError
        Where a single row does not fit.
    """
    size, first = rows_within(free_bytes(), row_bytes, rows), 0
    while first < rows:
        stop = min(first + size, rows)
        if fits(work, slice(first, stop)):
            first = stop
        elif stop - first > 1:
            size = (stop - first) // 2
        else:
            raise DeviceError(
                f"device='cuda': one {row} needs {row_bytes / 1e9:.3g} GB of the GPU's memory, of which "
                f"{free_bytes() / 1e9:.3g} GB are free: free some, cut time into shorter stretches (checkpoint or "
                "truncate, where there is one), or use device='cpu'"
            )


def required(make, needed, what):
    """What ``make`` makes in device memory, of so many bytes, all of which has to fit.

    Parameters
    ----------
    make : callable
        Without arguments.
    needed : int
        Bytes.
    what : str
        What it is, for the message.

    Raises
    ------
    DeviceError
        Where it does not fit.
    """
    made: list = []
    in_tiles(1, needed, lambda _: made.append(make()), what)
    return made[0]
