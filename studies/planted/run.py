"""The measurements of the study."""

import time

import numpy as np

import rnndyn as rd
from rnndyn.analysis.search.branch import branch_and_bound, drive
from studies.planted.claims import claimed
from studies.planted.ensemble import belongs, distinct, planted, polished
from studies.planted.methods import METHODS
from studies.tools import machine

SIZES, PROVED = range(2, 17), 12  # units, and up to how many branch and bound is run
LARGE, OF_LARGE = (24, 32), 3  # and how many networks of each
BOXES = 600_000  # of branch and bound: enough for some networks of 12 units
EQUAL = 0.9  # of the time of the slowest: who has had less goes on


def add_arguments(parser) -> None:
    """Options of the study."""
    parser.add_argument("--networks", type=int, default=2, help="networks of each size, for the methods")
    parser.add_argument("--seconds", type=float, default=1.0, help="least processor time of a method on a network")
    parser.add_argument("--claims", type=int, default=100, help="networks of 2 to 12 units for rd.fixed_points")


def run(quick: bool, networks: int = 2, seconds: float = 1.0, claims: int = 100) -> dict:
    """Search all networks by all methods, others by `rd.fixed_points`; see the package's docstring."""
    numbers = dict.fromkeys(SIZES, networks) | dict.fromkeys(LARGE, min(networks, OF_LARGE))
    sizes = range(2, PROVED + 1)
    if quick:
        numbers, seconds, claims, sizes = dict.fromkeys(range(2, 5), 2), 0.1, 14, range(2, 9)
    warm_up()
    return {
        "seconds": seconds,
        "cases": [measured(N, k, seconds) for N, number in numbers.items() for k in range(number)],
        "claims": claimed(claims, sizes),
        "machine": machine(["numpy", "scipy"], 1),
    }


def warm_up() -> None:
    """Compile what the searches need, before the clock runs."""
    W, _ = planted(3, 0)
    for method in METHODS.values():
        next(method(W, np.random.default_rng(0), lambda: np.zeros((1, 3))))
    rd.fixed_points(rd.Elman(None, W), rng=0)


def measured(N: int, network: int, seconds: float) -> dict:
    """Numbers of points of one network: of each method, of all, shared and planted ones."""
    W, points = planted(N, network)
    found, spent = searched(W, network, seconds)
    start = time.process_time()
    proof = branch_and_bound(drive(rd.Elman(None, W), None), BOXES) if N <= PROVED else None
    proof_seconds = time.process_time() - start
    everything = distinct(np.concatenate(list(found.values())))
    true = polished(W, points)
    members = {name: belongs(everything, states) for name, states in found.items()}
    ours, baseline = members["fibres"], members["trust-ncg"]
    return {
        "N": N,
        "network": network,
        "found": {name: len(states) for name, states in found.items()},
        "spent": spent,
        "planted": {name: float(belongs(true, states).mean()) for name, states in found.items()},
        "union": len(everything),
        "only_fibres": int((ours & ~baseline).sum()),
        "only_trust": int((baseline & ~ours).sum()),
        "all": len(proof.states) if proof and proof.complete else None,
        "boxes": proof.boxes if proof else None,
        "proof_seconds": proof_seconds if proof else None,
    }


def searched(W: np.ndarray, seed: int, seconds: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The distinct roots (n, N) that each method finds in at least so many seconds of processor time, and its time.

    Whoever has had least has the next round, so that a slow moment of the machine meets all alike. A round of fibres
    may take seconds: the others go on until they have had nearly as much.
    """
    found = {name: np.zeros((1, len(W))) for name in METHODS}
    spent = dict.fromkeys(METHODS, 0.0)
    rounds = {
        name: method(W, np.random.default_rng(seed), lambda name=name: found[name]) for name, method in METHODS.items()
    }
    while spent[name := min(spent, key=spent.__getitem__)] < max(seconds, EQUAL * max(spent.values())):
        start = time.process_time()
        found[name] = distinct(np.concatenate([found[name], next(rounds[name])]))
        spent[name] += time.process_time() - start
    return found, spent
