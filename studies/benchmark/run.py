"""The measurements of the study."""

import importlib.util
import itertools
from contextlib import ExitStack

import numpy as np

from rnndyn.errors import DeviceError
from studies.benchmark import filters, markov, searches, spectra, trainings
from studies.benchmark.peers import PEERS, available
from studies.benchmark.problem import CELLS, products
from studies.benchmark.workers import Worker, interleaved
from studies.tools import machine, median

HIDDEN = (16, 64, 128, 256, 512)
BATCH = (1, 32, 256)
STEPS = 100
THREADS = 2
ROUNDS = 9  # turns of each program at one cell, size and mode
SEARCH_ROUNDS = 3
SPECTRUM_ROUNDS = 5
FILTER_ROUNDS = 5
MARKOV_ROUNDS = 5
TRAINING_ROUNDS = {16: 15, 64: 5, 128: 3}  # by hidden units: short calls are many, for a machine of uneven speed
PARTS = ("passes", "searches", "spectra", "filters", "markov", "training", "ensembles")  # the last on a GPU only
SAME = 1e-6  # largest difference of two states that are one fixed point
STATE_TOLERANCE, GRADIENT_TOLERANCE = 2e-5, 2e-4  # float32, against rnndyn: largest difference; normwise and relative


def add_arguments(parser) -> None:
    """Options of `python -m studies benchmark`."""
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: what has programs for a GPU")
    parser.add_argument("--only", choices=PARTS, help="default: all parts")
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS)[1:], help="programs beside rnndyn; default: those installed"
    )
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), help="default: all")
    parser.add_argument("--hidden", nargs="+", type=int, metavar="H", help=f"default: {' '.join(map(str, HIDDEN))}")
    parser.add_argument("--batch", nargs="+", type=int, metavar="B", help=f"default: {' '.join(map(str, BATCH))}")


def run(quick: bool, only=None, peers=None, cells=None, hidden=None, batch=None, device="cpu") -> dict:
    """Time every program on every setting."""
    if device == "cuda":
        from studies.benchmark.cuda import run as on_gpu

        return on_gpu(quick, only, cells, hidden, batch)
    if only == "ensembles":
        raise DeviceError("--only ensembles has programs for a GPU only: add --device cuda")
    programs = ["rnndyn", *(peers or available()[1:])]
    rows = passes(quick, programs, cells, hidden, batch) if only in (None, "passes") else []
    found = searched(quick) if only in (None, "searches") else []
    measured = spectra_of(quick) if only in (None, "spectra") else []
    filtered = filters_of(quick) if only in (None, "filters") else []
    chains = markov_of(quick) if only in (None, "markov") else []
    trained = training_of(quick) if only in (None, "training") else []
    packages = ("rnndyn", "numba", "numpy", "scipy", "torch", "jax", "jaxlib", "statsmodels", "hmmlearn")
    results = {"machine": machine(packages, THREADS), "steps": STEPS, "programs": programs, "rows": rows}
    return results | {
        "searches": found,
        "spectra": measured,
        "filters": filtered,
        "markov": chains,
        "training": trained,
    }


def passes(quick: bool, programs, cells, hidden, batch) -> list[dict]:
    """Forward and backward passes: one row a cell, size, batch and mode."""
    hidden, batch = hidden or (HIDDEN[:1] if quick else HIDDEN), batch or (BATCH[:2] if quick else BATCH)
    settings = list(itertools.product(cells or CELLS, hidden, batch))
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.peers", name, THREADS)) for name in programs]
        for k, setting in enumerate(settings):
            rows += measure(workers, *setting, STEPS, 3 if quick else ROUNDS)
            print(f"[{k + 1}/{len(settings)}] {summary(rows[-2])}; {summary(rows[-1])}", flush=True)
    return rows


def measure(workers, cell: str, H: int, B: int, T: int, rounds: int, dtype: str = "float32") -> list[dict]:
    """The rows of one setting, forward and both: medians, quartiles, throughput."""
    first = {worker.name: worker.ask("load", cell, H, B, T, dtype) for worker in workers}
    check({worker.name: worker.ask("results") for worker in workers})
    rows = []
    for mode in ("forward", "both"):
        samples = interleaved(workers, mode, rounds)
        seconds = median(samples)
        row = {"cell": cell, "H": H, "B": B, "mode": mode, "seconds": seconds}
        row["quartiles"] = quartiles(samples)
        row["gflops"] = products(cell, H, B, T, mode) / seconds["rnndyn"] / 1e9
        row["times_faster"] = {name: s / seconds["rnndyn"] for name, s in seconds.items() if name != "rnndyn"}
        row["first_call"] = first
        rows.append(row)
    return rows


def searched(quick: bool) -> list[dict]:
    """Searches for fixed points: one row a network."""
    programs = [name for name in searches.PEERS if name != "adam" or "torch" in available()]
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.searches", name, THREADS)) for name in programs]
        for name in searches.NETWORKS[:1] if quick else searches.NETWORKS:
            for worker in workers:
                worker.ask("load", name, searches.STARTS)
            samples = interleaved(workers, "search", 1 if quick else SEARCH_ROUNDS)
            samples["scipy"] = [s * searches.STARTS / searches.FEW for s in samples["scipy"]]
            seconds = median(samples)
            rows.append({"network": name, "seconds": seconds, "quartiles": quartiles(samples)})
            rows[-1]["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            rows[-1] |= sets(name, {worker.name: worker.ask("results") for worker in workers})
            print(rows[-1], flush=True)
    return rows


def spectra_of(quick: bool) -> list[dict]:
    """Lyapunov spectra: one row a setting."""
    programs = [name for name in spectra.PEERS if name in ("rnndyn", *available())]
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.spectra", name, THREADS)) for name in programs]
        for setting in spectra.SETTINGS[:2] if quick else spectra.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            exponents = {worker.name: worker.ask("results") for worker in workers}
            samples = interleaved(workers, "spectrum", 2 if quick else SPECTRUM_ROUNDS)
            limit = median(interleaved(workers[:1], "limit", 2))["rnndyn"]
            seconds = median(samples)
            units, sequences, times = spectra.LIMIT
            rows.append(dict(zip(("N", "k", "networks", "steps"), setting, strict=True)) | {"seconds": seconds})
            rows[-1]["quartiles"], rows[-1]["first_call"] = quartiles(samples), first
            rows[-1]["gflops"] = spectra.operations(*setting) / seconds["rnndyn"] / 1e9
            rows[-1]["limit_gflops"] = 2 * units**2 * sequences * times / limit / 1e9
            rows[-1]["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            ours = exponents.pop("rnndyn")
            rows[-1]["differences"] = {peer: float(np.abs(found - ours).max()) for peer, found in exponents.items()}
            print(rows[-1], flush=True)
    return rows


def markov_of(quick: bool) -> list[dict]:
    """Hidden Markov models: one row a setting and call."""
    programs = [name for name in markov.PEERS if name == "rnndyn" or importlib.util.find_spec(name)]
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.markov", name, THREADS)) for name in programs]
        for setting in markov.SETTINGS[::4] if quick else markov.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            ours, *theirs = (worker.ask("results") for worker in workers)
            pairs = [(np.asarray(a), np.asarray(b)) for other in theirs for a, b in zip(other, ours, strict=True)]
            difference = max((float(np.abs(a / b - 1).max()) for a, b in pairs), default=0.0)
            for call in markov.CALLS:
                samples = interleaved(workers, call, 2 if quick else MARKOV_ROUNDS)
                seconds = median(samples)
                row = dict(zip(("states", "sequences", "steps"), setting, strict=True)) | {"call": call}
                row |= {"seconds": seconds, "quartiles": quartiles(samples), "first_call": first}
                row["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
                rows.append(row | {"difference": difference})
                print(rows[-1], flush=True)
    return rows


def filters_of(quick: bool) -> list[dict]:
    """Kalman filters and smoothers: one row a setting."""
    programs = [name for name in filters.PEERS if importlib.util.find_spec(name)]
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.filters", name, THREADS)) for name in programs]
        for setting in filters.SETTINGS[-1:] if quick else filters.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            found = {worker.name: worker.ask("results") for worker in workers}
            ours = found.pop("rnndyn")
            row = dict(zip(("n", "outputs", "steps", "series", "missing"), setting, strict=True)) | {
                "first_call": first
            }
            row["differences"] = {
                peer: max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
                for peer, theirs in found.items()
            }
            for mode in ("filter", "smoother"):
                samples = interleaved(workers, mode, 2 if quick else FILTER_ROUNDS)
                seconds = median(samples)
                row[mode] = {"seconds": seconds, "quartiles": quartiles(samples)}
                row[mode]["times_faster"] = {p: s / seconds["rnndyn"] for p, s in seconds.items() if p != "rnndyn"}
            rows.append(row)
            print(rows[-1], flush=True)
    return rows


def training_of(quick: bool) -> list[dict]:
    """Training: one row a setting."""
    programs = [name for name in trainings.PEERS if name in ("rnndyn", *available())]
    rows = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("studies.benchmark.trainings", name, THREADS)) for name in programs]
        for setting in trainings.SETTINGS[:1] if quick else trainings.SETTINGS:
            first = {worker.name: worker.ask("load", *setting) for worker in workers}
            losses = {worker.name: worker.ask("results") for worker in workers}
            ours = losses.pop("rnndyn")
            differences = {peer: float(np.abs(found / ours - 1).max()) for peer, found in losses.items()}
            if max(differences.values(), default=0.0) > trainings.TOLERANCE:
                raise RuntimeError(f"{setting}: the losses differ by {differences}")
            samples = interleaved(workers, "train", 2 if quick else TRAINING_ROUNDS[setting[1]])
            seconds = {name: value / trainings.STEPS for name, value in median(samples).items()}
            row = dict(zip(("cell", "H", "T", "B"), setting, strict=True)) | {"seconds": seconds, "first_call": first}
            row["times_faster"] = {peer: s / seconds["rnndyn"] for peer, s in seconds.items() if peer != "rnndyn"}
            rows.append(row | {"differences": differences})
            print(rows[-1], flush=True)
    return rows


def sets(name: str, found: dict) -> dict:
    """How many distinct fixed points each search found, and how many of Adam's rnndyn lacks."""
    net, _ = searches.problem(name, 1)
    points = {program: searches.polished(net, states) for program, states in found.items()}
    row = {"points": {program: len(states) for program, states in points.items()}, "worst_q": {}}
    for program, states in found.items():
        row["worst_q"][program] = float(searches.q(net, states).max())
    if "adam" in points:
        row["lacking"] = {ours: lacking(points[ours], points["adam"]) for ours in ("rnndyn", "fixed_points")}
    return row


def lacking(ours: np.ndarray, theirs: np.ndarray) -> int:
    """How many of their points are not among ours."""
    return int(sum(np.abs(ours - point).max(axis=1).min(initial=np.inf) > SAME for point in theirs))


def quartiles(samples: dict) -> dict:
    """First and third quartile of each list."""
    return {name: np.percentile(s, [25, 75]).tolist() for name, s in samples.items()}


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
