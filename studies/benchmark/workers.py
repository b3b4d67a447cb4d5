"""One process a program, and samples taken from them in turn.

Thread pools of several libraries in one process spin against each other and hide what each can do; so every program
has a process of its own, on the same cores, and only one of them works at any moment.
"""

import importlib
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

REST_SECONDS = 0.01  # between programs: until the threads of the one before have stopped spinning
SLICE_SECONDS = 0.08  # of samples in one turn of a program
WARM_SECONDS = 0.05  # before them: caches and clock come back to where this program alone keeps them


class Work(NamedTuple):
    """One program's share of a problem: the calls to time, by mode, and what they compute, to be compared."""

    calls: dict[str, Callable[[], Any]]
    results: Callable[[], Any]


class Worker:
    """A program in a process of its own; used as a context manager.

    Parameters
    ----------
    field : str
        Module with the programs, ``PEERS``, and what they work on, ``problem(*setting)``.
    name : str
        Which program.
    threads : int
        Cores that it may use.
    """

    def __init__(self, field: str, name: str, threads: int):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(field, name, threads, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.join()

    def ask(self, task: str, *arguments):
        """The answer to one task: ``load``, ``results`` or ``sample``."""
        self.pipe.send((task, arguments))
        answer, error = self.pipe.recv()
        if error:
            raise RuntimeError(f"{self.name}, {task}: {error}")
        return answer


def serve(field: str, name: str, threads: int, pipe) -> None:
    """The life of a worker's process: answer tasks until it is ended."""
    use_cores(threads)
    program = Program(field, name, threads)
    while True:
        task, arguments = pipe.recv()
        try:
            pipe.send((getattr(program, task)(*arguments), None))
        except Exception:  # the whole trace goes to the process that asked, which raises
            pipe.send((None, traceback.format_exc()))


def use_cores(count: int) -> None:
    """Give the process this many cores, before its program is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


class Program:
    """What a worker does: one program, and the work that it has loaded last."""

    def __init__(self, field: str, name: str, threads: int):
        self.field, self.name, self.threads = field, name, threads
        self.work = Work({}, lambda: None)

    def load(self, *setting) -> float:
        """Prepare one setting and work once in each mode; the seconds of that."""
        field = importlib.import_module(self.field)
        peer = field.PEERS[self.name]
        peer.use(self.threads)
        self.work = Work({}, lambda: None)
        given = field.problem(*setting)
        start = time.perf_counter()
        self.work = peer.load(*given)
        for call in self.work.calls.values():
            call()
        return time.perf_counter() - start

    def results(self):
        """What the work computes."""
        return self.work.results()

    def sample(self, mode: str) -> list[float] | None:
        """Seconds of single calls, as many as fit a slice; the first ones are not counted."""
        call = self.work.calls.get(mode)
        if call is None:
            return None
        spend(call, WARM_SECONDS)
        return spend(call, SLICE_SECONDS)


def spend(call, seconds: float) -> list[float]:
    """Times of the calls that fit into so many seconds, one at least."""
    times, start = [], time.perf_counter()
    while True:
        before = time.perf_counter()
        call()
        after = time.perf_counter()
        times.append(after - before)
        if after - start >= seconds:
            return times


def interleaved(workers: Iterable[Worker], mode: str, rounds: int) -> dict[str, list[float]]:
    """Median seconds a call of each turn: name -> one a round, the turns of all programs interleaved."""
    samples: dict[str, list[float]] = {}
    order = list(workers)
    for k in range(rounds):
        for worker in order[k % len(order) :] + order[: k % len(order)]:
            time.sleep(REST_SECONDS)
            times = worker.ask("sample", mode)
            if times:
                samples.setdefault(worker.name, []).append(sorted(times)[len(times) // 2])
    return samples
