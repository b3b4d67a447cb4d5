"""The measurements on a GPU."""

import datetime
import itertools
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rnndyn.devices import resolve
from rnndyn.errors import DeviceError
from studies.benchmark.cuda import roofline, spectra
from studies.benchmark.peers import available
from studies.benchmark.problem import CELLS
from studies.benchmark.workers import Worker, interleaved
from studies.tools import cores, machine, median

HIDDEN = (64, 128, 256, 512, 1024)
BATCH = (1, 32, 256, 1024)
DOUBLE = ("LSTM", 256, 256)  # the setting that is timed in float64 as well
STEPS = 100
ROUNDS = 5


def run(quick: bool, only=None, cells=None, hidden=None, batch=None) -> dict:
    """Time every program on every setting; DeviceError without a GPU."""
    resolve("cuda")
    if only not in (None, "passes", "spectra"):
        raise DeviceError(f"--device cuda: only passes and spectra have programs for a GPU, not {only}")
    name, programs = card(), ["rnndyn", *(["torch"] if "torch" in available() else [])]
    rows = passes(quick, ["run", *programs], cells, hidden, batch, name) if only != "spectra" else []
    found = spectra_of(quick, programs, name) if only != "passes" else []
    packages = ("rnndyn", "numba", "numba-cuda", "numpy", "torch", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
    made = machine(packages, cores()) | {"date": datetime.date.today().isoformat(), "commit": commit()}
    results = {"machine": made, "card": name, "steps": STEPS, "programs": ["rnndyn", "run", "torch"]}
    return results | {"rows": rows, "spectra": found}


def passes(quick: bool, programs, cells, hidden, batch, name: str) -> list[dict]:
    """Forward and backward passes: one row a cell, size, batch and mode."""
    # Late, since that module runs this one.
    from studies.benchmark.run import measure, summary

    sizes = hidden or (HIDDEN[:1] if quick else HIDDEN), batch or (BATCH[1:2] if quick else BATCH)
    settings = [(*setting, "float32") for setting in itertools.product(cells or CELLS, *sizes)]
    if not (quick or cells or hidden or batch):
        settings.append((*DOUBLE, "float64"))
    rows: list[dict] = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.cuda.peers", one, cores())) for one in programs]
        for k, (cell, H, B, dtype) in enumerate(settings):
            for row in measure(workers, cell, H, B, STEPS, 2 if quick else ROUNDS, dtype):
                row["dtype"] = dtype
                rows.append(row | {"roofline": roofline.pass_share(row, STEPS, name)})
            print(f"[{k + 1}/{len(settings)}] {summary(rows[-2])}; {summary(rows[-1])}", flush=True)
    return rows


def spectra_of(quick: bool, programs, name: str) -> list[dict]:
    """Lyapunov spectra: one row a setting."""
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.cuda.spectra", one, cores())) for one in programs]
        for setting in spectra.SETTINGS[:1] if quick else spectra.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            exponents = {worker.name: worker.ask("results") for worker in workers}
            seconds = median(interleaved(workers, "spectrum", 2 if quick else ROUNDS))
            row = dict(zip(("N", "k", "networks", "steps"), setting, strict=True))
            row |= {"seconds": seconds, "first_call": first}
            row["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            ours = exponents.pop("rnndyn")
            row["differences"] = {peer: float(np.abs(found - ours).max()) for peer, found in exponents.items()}
            rows.append(row | {"roofline": roofline.spectrum_share(row, name)})
            print(rows[-1], flush=True)
    return rows


def card() -> str:
    """Name of the GPU."""
    from rnndyn.passes_cuda import cuda

    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def commit() -> str:
    """Commit of the sources, with a plus where they were changed since."""
    folder = Path(__file__).parent
    asked = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
