"""The one module between the package and CUDA: it picks the simulator or numba-cuda, and says why neither will do.

NVIDIA's numba-cuda takes the place of the CUDA target inside Numba, which is deprecated; of that one only the simulator
is used, with ``NUMBA_ENABLE_CUDASIM=1``, and only where numba-cuda is not installed.
"""

from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numba import config

SIMULATED = bool(config.ENABLE_CUDASIM)
# Threads of one block, and blocks that keep a GPU busy. In the simulator each thread is one of Python and one block
# follows the other: few of both make networks larger than a block cheap.
THREADS, BLOCKS = (4, 2) if SIMULATED else (256, 1024)
SHARED_BYTES = 48 * 1024  # what every block may have without asking; numba-cuda has no way to ask for more


@contextmanager
def old_names():
    """Give NumPy back, for as long as numba-cuda is imported, a name that it wants and that NumPy 2.5 has dropped."""
    absent = not hasattr(np, "row_stack")
    if absent:
        np.row_stack = np.vstack
    try:
        yield
    finally:
        if absent:
            del np.row_stack


def load():
    """Module ``numba.cuda`` and None, or None and what went wrong."""
    try:
        with old_names():
            if not SIMULATED:
                version("numba-cuda")
                import_module("numba.cuda.np.arrayobj")  # it alone asks for the old name
            return import_module("numba.cuda"), None
    except Exception as fault:  # whatever a broken installation raises is the answer, not a failure of this module
        return None, fault


cuda, fault = load()


@cache
def problem():
    """Reason why no kernel can run here, with its remedy; None where one can."""
    if SIMULATED and cuda is not None:
        return None
    if isinstance(fault, PackageNotFoundError):
        return "numba-cuda is not installed: pip install 'rnndyn[cuda13]', or 'rnndyn[cuda12]' for a driver before 580"
    if cuda is None:
        return import_problem()
    return driver_problem()


def import_problem():
    """Reason why numba-cuda cannot be imported."""
    if isinstance(fault, AttributeError) and "numpy" in str(fault):
        found = f"numba-cuda {version('numba-cuda')} does not work with NumPy {np.__version__}"
        return f"{found} ({fault}): pip install 'numpy<2.5'"
    return f"numba-cuda cannot be imported ({first_line(fault)}): pip install 'rnndyn[cuda13]'"


def driver_problem():
    """Reason why no GPU answers, or its driver is older than the CUDA libraries."""
    if not cuda.is_available():
        silent = cuda.cuda_error()
        if silent is None:
            return "CUDA's compiler is missing: pip install 'rnndyn[cuda13]'"
        return f"no GPU answers ({first_line(silent)}): run where there is one with its driver, or use device='cpu'"
    driver = import_module("numba.cuda.cudadrv.driver").driver.get_version()
    libraries = cuda.runtime.get_version()
    if driver[0] < libraries[0]:
        return (
            f"the driver knows CUDA {driver[0]}.{driver[1]}, too old for the CUDA {libraries[0]} libraries installed: "
            f"update the driver, or pip uninstall them and pip install 'rnndyn[cuda{driver[0]}]'"
        )
    return None


def first_line(text):
    """First line of a message that says something."""
    return next((line.strip() for line in str(text).splitlines() if line.strip()), repr(text))


def extension(name):
    """Decorator of numba-cuda that teaches its compiler something; the simulator has nothing to learn."""
    if SIMULATED:
        return lambda *args, **options: lambda function: function
    return getattr(import_module("numba.cuda.extending"), name)


def on_device(array):
    """Array in device memory: itself where it is there already, whoever made it."""
    if hasattr(array, "__cuda_ndarray__"):  # the simulator would copy its own
        return array
    return cuda.to_device(array)


def threads_for(units):
    """Threads of a block that holds so many units."""
    return max(1, min(units, THREADS))


def spilled_numbers(numbers, dtype):
    """How many of the numbers that the threads of a block share are in global memory: all, where they are too many."""
    return numbers if numbers * dtype.itemsize > SHARED_BYTES else 0


def room_for(batch, numbers, made):
    """Room of each block for what its threads share.

    Bytes of shared memory, an array where those are too few, and whether the recurrent weights of the layout ``made``
    fit beside the numbers shared.
    """
    spilled, weights = spilled_numbers(numbers, made.dtype), (made.h[1] + made.m[1]) * made.units**2
    fits = not spilled_numbers(numbers + weights, made.dtype)
    count = 0 if spilled else numbers + weights * fits
    return count * made.dtype.itemsize, cuda.device_array((batch, spilled), made.dtype), fits
