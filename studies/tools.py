"""What several studies need: tables, timing, the machine that the timing is of, and small networks' one thread."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata

SAMPLE_SECONDS = 0.002  # short calls are repeated until a sample takes this long
REST_SECONDS = 0.005  # before a sample, until the threads of the program before it have stopped spinning


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += [
        "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |"
        for row in rows
    ]
    return "\n".join(lines)


def processor() -> str:
    """The processor's model, as the operating system names it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine(packages: Iterable[str], threads: int) -> dict:
    """Processor, threads and versions; nothing that names the machine or its owner."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "threads": threads,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Run what is compiled by one thread: for small networks a second one costs more than it brings."""
    import numba

    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(threads)


def interleaved(
    calls: dict[str, Callable[[], object]], budget: float, rounds: tuple[int, int] = (5, 25)
) -> dict[str, list[float]]:
    """Seconds a call of each, sampled in turn, so that a slow moment of the machine meets all alike.

    Parameters
    ----------
    calls : dict
        Name -> a function without arguments; each is called once before the clock runs.
    budget : float
        Seconds for all samples together; it decides the number of rounds.
    rounds : (int, int)
        Fewest and most rounds.

    Returns
    -------
    dict
        Name -> list of seconds, one a round.
    """
    repeats, cost = {}, 0.0
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats[name] = max(1, int(SAMPLE_SECONDS / max(once, 1e-7)))
        cost += once * repeats[name]
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(int(min(max(budget / max(cost, 1e-9), rounds[0]), rounds[1]))):
        order = list(calls)
        for name in order[k % len(order) :] + order[: k % len(order)]:
            call = calls[name]
            time.sleep(REST_SECONDS)
            if repeats[name] > 1:
                call()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            samples[name].append((time.perf_counter() - start) / repeats[name])
    return samples


def median(samples: dict[str, list[float]]) -> dict[str, float]:
    """Median of each list."""
    return {name: statistics.median(seconds) for name, seconds in samples.items()}
