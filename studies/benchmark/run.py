"""The measurements of the study."""

import itertools
import os
import time

import numpy as np

import rnndyn as rd
from studies.benchmark.peers import PEERS, available
from studies.tools import interleaved, machine, median

CELLS = {"RNN": rd.Elman, "GRU": rd.GRU, "LSTM": rd.LSTM}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
HIDDEN = (16, 64, 128, 256, 512)
BATCH = (1, 32, 256)
STEPS = 100
THREADS = 2
BUDGET = 1.5  # seconds of samples for one cell, size and mode
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
    use_cores(THREADS)
    programs = ["rnndyn", *(peers or available()[1:])]
    hidden, batch = hidden or (HIDDEN[:1] if quick else HIDDEN), batch or (BATCH[:2] if quick else BATCH)
    settings = list(itertools.product(cells or CELLS, hidden, batch))
    rows = []
    for k, setting in enumerate(settings):
        rows += measure(*setting, STEPS, programs, 0.05 if quick else BUDGET)
        print(f"[{k + 1}/{len(settings)}] {rows[-2]['summary']}; {rows[-1]['summary']}", flush=True)
    packages = ("rnndyn", "numba", "numpy", "torch", "jax", "jaxlib")
    return {"machine": machine(packages, THREADS), "steps": STEPS, "programs": programs, "rows": rows}


def use_cores(count: int) -> None:
    """Give the process, and so every program in it, this many cores; before PyTorch and JAX are imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    import numba

    numba.set_num_threads(min(count, numba.get_num_threads()))
    if "torch" in available():
        import torch

        torch.set_num_threads(count)


def measure(cell: str, H: int, B: int, T: int, programs, budget: float) -> list[dict]:
    """The rows of one setting, forward and both: medians, quartiles, throughput."""
    rng = np.random.default_rng(0)
    net = with_biases(CELLS[cell].random(H, H, rng=rng, dtype="float32"), rng)
    inputs, slopes = rng.standard_normal((2, B, T, H), dtype=np.float32)
    work, first = {}, {}
    for name in programs:
        start = time.perf_counter()
        work[name] = PEERS[name].load(net, inputs, slopes)
        work[name].forward()
        if work[name].both:
            work[name].both()
        first[name] = time.perf_counter() - start
    check(work)
    product = 2 * T * B * GATES[cell] * H * H  # one product of all gates with h, or with x
    rows = []
    for mode, products in (("forward", 2), ("both", 5)):  # backward: W_hh' l, and the two weight gradients
        calls = {name: getattr(w, mode) for name, w in work.items() if getattr(w, mode)}
        samples = interleaved(calls, budget)
        seconds = median(samples)
        row = {"cell": cell, "H": H, "B": B, "mode": mode, "seconds": seconds}
        row["quartiles"] = {name: np.percentile(s, [25, 75]).tolist() for name, s in samples.items()}
        row["gflops"] = products * product / seconds["rnndyn"] / 1e9
        row["times_faster"] = {name: s / seconds["rnndyn"] for name, s in seconds.items() if name != "rnndyn"}
        row["first_call"] = first
        ratios = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in row["times_faster"].items())
        row["summary"] = f"{cell} H{H} B{B} {mode} {row['gflops']:.0f} GF/s: {ratios}"
        rows.append(row)
    return rows


def with_biases(net, rng):
    """The network with all biases random, so that a bias that is left out shows."""
    biases = {name: a for name, a in net.arrays().items() if name.startswith("b_")}
    return net.replace(**{name: 0.1 * rng.standard_normal(a.shape, dtype=np.float32) for name, a in biases.items()})


def check(work: dict) -> None:
    """Raise if a program computes something else than rnndyn."""
    ours = work["rnndyn"]
    states = ours.states(ours.forward())
    gradients = ours.gradients(ours.both())
    for name, peer in work.items():
        difference = np.abs(peer.states(peer.forward()) - states).max()
        if not difference <= STATE_TOLERANCE:
            raise RuntimeError(f"{name}: states differ by {difference:.2g}")
        for key, wanted in (peer.gradients(peer.both()) if peer.both else {}).items():
            error = np.linalg.norm(gradients[key] - wanted) / np.linalg.norm(wanted)
            if not error <= GRADIENT_TOLERANCE:
                raise RuntimeError(f"{name}: the gradient of {key} differs by {error:.2g}")
