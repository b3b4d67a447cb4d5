"""The measurements on a GPU."""

import datetime
import importlib.util
import itertools
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rnndyn.devices import resolve
from rnndyn.errors import DeviceError
from studies.benchmark import searches as field
from studies.benchmark.cuda import ensembles, roofline, spectra
from studies.benchmark.cuda.searches import products_needed
from studies.benchmark.problem import CELLS
from studies.benchmark.workers import Worker, interleaved
from studies.tools import cores, machine, median

HIDDEN = (64, 128, 256, 512, 1024)
BATCH = (1, 64, 256, 1024)
DOUBLE = ("LSTM", 256, 256)  # the setting that is timed in float64 as well
STEPS = 100
ROUNDS = 5
PARTS = ("passes", "ensembles", "searches", "spectra")


def run(quick: bool, only=None, cells=None, hidden=None, batch=None) -> dict:
    """Time every program on every setting; DeviceError without a GPU."""
    resolve("cuda")
    if only not in (None, *PARTS):
        raise DeviceError(f"--device cuda: only {', '.join(PARTS)} have programs for a GPU, not {only}")
    name, card = card_here()
    asked = PARTS if only is None else (only,)
    torch = present("torch")
    rows = passes(quick, ["run", "rnndyn", *torch], cells, hidden, batch, card) if "passes" in asked else []
    many = ensembles_of(quick, ["rnndyn", *torch, *present("jax")], card) if "ensembles" in asked else []
    found = searched(quick, ["rnndyn", "fixed_points", *torch], card) if "searches" in asked else []
    measured = spectra_of(quick, ["rnndyn", *torch, *present("cupy", "jax")], card) if "spectra" in asked else []
    packages = ("rnndyn", "numba", "numba-cuda", "numpy", "torch", "jax", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
    packages += ("cupy-cuda12x", "cupy-cuda13x")
    made = machine(packages, cores()) | {"date": datetime.date.today().isoformat(), "commit": commit()}
    results = {"machine": made, "card": name, "limits": card, "steps": STEPS, "programs": ["rnndyn", "run", "torch"]}
    return results | {"rows": rows, "ensembles": many, "searches": found, "spectra": measured}


def present(*peers: str) -> list[str]:
    """Those of the peers that can work on the GPU; a line says why another is left out."""
    reasons = {peer: lack(peer) for peer in peers}
    for peer, reason in reasons.items():
        if reason:
            print(f"{peer} is left out: {reason}", flush=True)
    return [peer for peer, reason in reasons.items() if not reason]


def lack(peer: str) -> str | None:
    """Why a peer cannot work on the GPU; None if it can."""
    if importlib.util.find_spec(peer) is None:
        return "it is not installed"
    return "the JAX installed sees no GPU" if peer == "jax" and jax_backend() != "gpu" else None


def jax_backend() -> str:
    """Where JAX works; asked in another process, as it would hold on to the GPU here."""
    asked = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def passes(quick: bool, programs, cells, hidden, batch, card) -> list[dict]:
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
                rows.append(row | {"roofline": roofline.pass_share(row, STEPS, card)})
            print(f"[{k + 1}/{len(settings)}] {summary(rows[-2])}; {summary(rows[-1])}", flush=True)
    return rows


def ensembles_of(quick: bool, programs, card) -> list[dict]:
    """Runs of ensembles: one row a setting."""
    from studies.benchmark.run import check

    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.cuda.ensembles", one, cores())) for one in programs]
        for setting in ensembles.SETTINGS[:1] if quick else ensembles.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            check({worker.name: worker.ask("results") for worker in workers})
            seconds = median(interleaved(workers, "forward", 2 if quick else ROUNDS))
            row = dict(zip(("cell", "H", "networks", "B", "steps"), setting, strict=True))
            row |= {"seconds": seconds, "first_call": first}
            row["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            rows.append(row | {"roofline": roofline.ensemble_share(row, card)})
            print(rows[-1], flush=True)
    return rows


def spectra_of(quick: bool, programs, card) -> list[dict]:
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
            rows.append(row | {"roofline": roofline.spectrum_share(row, card)})
            print(rows[-1], flush=True)
    return rows


def searched(quick: bool, programs, card) -> list[dict]:
    """Searches for fixed points: one row a network."""
    from studies.benchmark.run import sets

    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.cuda.searches", one, cores())) for one in programs]
        for network in field.NETWORKS[:1] if quick else field.NETWORKS:
            first = {worker.name: worker.ask("load", network, field.STARTS) for worker in workers}
            seconds = median(interleaved(workers, "search", 2 if quick else ROUNDS))
            row = {"network": network, "seconds": seconds, "first_call": first}
            row["products"] = products_needed(*field.problem(network, field.STARTS))
            row["roofline"] = roofline.search_share(row, card)
            row["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            rows.append(row | sets(network, {worker.name: worker.ask("results") for worker in workers}))
            print(rows[-1], flush=True)
    return rows


def card_here() -> tuple[str, dict[str, float] | None]:
    """Name of the GPU, and what it can do."""
    from rnndyn.passes_cuda import cuda

    device = cuda.get_current_device()
    name = device.name
    return name.decode() if isinstance(name, bytes) else str(name), roofline.limits(device)


def commit() -> str:
    """Commit of the sources, with a plus where they were changed since."""
    folder = Path(__file__).parent
    asked = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
