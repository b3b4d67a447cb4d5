"""One process a program, and samples taken from them in turn.

Thread pools of several libraries in one process spin against each other and hide what each can do; so every program
has a process of its own, on the same cores, and only one of them works at any moment.
"""

import multiprocessing
import os
import time
import traceback
from collections.abc import Iterable

REST_SECONDS = 0.01  # between programs: until the threads of the one before have stopped spinning
SLICE_SECONDS = 0.08  # of samples in one turn of a program
WARM_SECONDS = 0.05  # before them: caches and clock come back to where this program alone keeps them


class Worker:
    """A program in a process of its own; used as a context manager.

    Parameters
    ----------
    name : str
        Which program, of ``studies.benchmark.peers.PEERS``.
    threads : int
        Cores that it may use.
    """

    def __init__(self, name: str, threads: int):
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(name, threads, theirs), daemon=True)
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


def serve(name: str, threads: int, pipe) -> None:
    """The life of a worker's process: answer tasks until it is ended."""
    use_cores(threads)
    program = Program(name, threads)
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

    def __init__(self, name: str, threads: int):
        self.name, self.threads, self.work = name, threads, None

    def load(self, cell: str, H: int, B: int, T: int) -> float:
        """Prepare one setting and work once in each mode; the seconds of that."""
        from studies.benchmark.peers import PEERS
        from studies.benchmark.problem import problem

        peer = PEERS[self.name]
        peer.use(self.threads)
        self.work = None
        given = problem(cell, H, B, T)
        start = time.perf_counter()
        self.work = peer.load(*given)
        self.work.forward()
        if self.work.both:
            self.work.both()
        return time.perf_counter() - start

    def results(self):
        """Hidden states, and the gradients of the weights where the program forms them."""
        states = self.work.states(self.work.forward())
        return states, self.work.gradients(self.work.both()) if self.work.both else {}

    def sample(self, mode: str) -> list[float] | None:
        """Seconds of single calls, as many as fit a slice; the first ones are not counted."""
        call = getattr(self.work, mode)
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
