"""The measurements of the study."""

import itertools
from contextlib import ExitStack

import numpy as np

from studies.benchmark.peers import PEERS, available
from studies.benchmark.problem import CELLS, products
from studies.benchmark.workers import Worker, interleaved
from studies.tools import machine, median

HIDDEN = (16, 64, 128, 256, 512)
BATCH = (1, 32, 256)
STEPS = 100
THREADS = 2
ROUNDS = 9  # turns of each program at one cell, size and mode
STATE_TOLERANCE, GRADIENT_TOLERANCE = 2e-5, 2e-4  # float32, against rnndyn: largest difference; normwise and relative


def add_arguments(parser) -> None:
    """Options of `python -m studies benchmark`."""
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS)[1:], help="programs beside rnndyn; default: those installed"
    )
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), help="default: all")
    parser.add_argument("--hidden", nargs="+", type=int, metavar="H", help=f"default: {' '.join(map(str, HIDDEN))}")
    parser.add_argument("--batch", nargs="+", type=int, metavar="B", help=f"default: {' '.join(map(str, BATCH))}")


def run(quick: bool, peers=None, cells=None, hidden=None, batch=None) -> dict:
    """Time every program on every setting; one row a cell, size, batch and mode."""
    programs = ["rnndyn", *(peers or available()[1:])]
    hidden, batch = hidden or (HIDDEN[:1] if quick else HIDDEN), batch or (BATCH[:2] if quick else BATCH)
    settings = list(itertools.product(cells or CELLS, hidden, batch))
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, THREADS)) for name in programs]
        for k, setting in enumerate(settings):
            rows += measure(workers, *setting, STEPS, 3 if quick else ROUNDS)
            print(f"[{k + 1}/{len(settings)}] {summary(rows[-2])}; {summary(rows[-1])}", flush=True)
    packages = ("rnndyn", "numba", "numpy", "torch", "jax", "jaxlib")
    return {"machine": machine(packages, THREADS), "steps": STEPS, "programs": programs, "rows": rows}


def measure(workers, cell: str, H: int, B: int, T: int, rounds: int) -> list[dict]:
    """The rows of one setting, forward and both: medians, quartiles, throughput."""
    first = {worker.name: worker.ask("load", cell, H, B, T) for worker in workers}
    check({worker.name: worker.ask("results") for worker in workers})
    rows = []
    for mode in ("forward", "both"):
        samples = interleaved(workers, mode, rounds)
        seconds = median(samples)
        row = {"cell": cell, "H": H, "B": B, "mode": mode, "seconds": seconds}
        row["quartiles"] = {name: np.percentile(s, [25, 75]).tolist() for name, s in samples.items()}
        row["gflops"] = products(cell, H, B, T, mode) / seconds["rnndyn"] / 1e9
        row["times_faster"] = {name: s / seconds["rnndyn"] for name, s in seconds.items() if name != "rnndyn"}
        row["first_call"] = first
        rows.append(row)
    return rows


def summary(row: dict) -> str:
    """One row in one line."""
    ratios = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in row["times_faster"].items())
    return f"{row['cell']} H{row['H']} B{row['B']} {row['mode']} {row['gflops']:.0f} GF/s: {ratios}"


def check(results: dict) -> None:
    """Raise if a program computes something else than rnndyn."""
    wanted_states, wanted_gradients = results["rnndyn"]
    for name, (states, gradients) in results.items():
        difference = np.abs(states - wanted_states).max()
        if not difference <= STATE_TOLERANCE:
            raise RuntimeError(f"{name}: states differ by {difference:.2g}")
        for key, gradient in gradients.items():
            wanted = wanted_gradients[key]
            error = np.linalg.norm(gradient - wanted) / np.linalg.norm(wanted)
            if not error <= GRADIENT_TOLERANCE:
                raise RuntimeError(f"{name}: the gradient of {key} differs by {error:.2g}")
