"""The measurements of the study."""

from typing import NamedTuple

import numpy as np

import rnndyn as rd
from rnndyn.analysis.codes import search


class Published(NamedTuple):
    """A network of the published tests: a2 is common; `cycles` is the number of cycles of period k."""

    k: int
    cycles: int
    a1: float
    w1: float
    w2: float
    b2: float = -0.97931491

    def network(self):
        """The network."""
        return rd.PiecewiseLinear([self.a1, 0.96461297], [[0, self.w1], [self.w2, 0]], [0.37298253, self.b2])


PUBLISHED = (
    Published(1, 1, -0.0222311, -0.64375, 0.52505308),
    Published(16, 2, 0.8377689, -0.64375, 0.52505308),
    Published(27, 2, 0.9777689, -0.14375, 0.52505308),
    Published(31, 2, 0.9777689, -0.14375, 1.17505308),
    Published(40, 2, 0.9777689, -0.64375, 0.52505308),
    Published(53, 2, 0.9377689, -0.64375, 0.52505308),
    Published(65, 2, 0.9777689, -0.14375, 1.32505308),
    Published(80, 2, 0.9777689, -0.14375, 0.52505308, -0.77931491),
    Published(83, 2, 0.9777689, -0.14375, 0.67505308),
)
DRAWN = (16, 31)  # the periods whose cycles are shown in the plane
FIT = (1.905, 0.0294)  # published: linear regions visited = 1.905 + 0.0294 k, k = 1 .. 50
BUDGET, SEARCHES = 128, 15  # linear problems of a search for the first cycle, and number of such searches
RUNS = {"random": 0, "runs": 16}  # what the starts are: codes at random alone, or also those of so many runs


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    chosen = [case for case in PUBLISHED if case.k <= 16] if quick else PUBLISHED
    return {"cases": [case_of(case, 3 if quick else SEARCHES) for case in chosen], "fit": FIT}


def case_of(case: Published, searches: int) -> dict:
    """Cycles of the wanted period, and how soon each of several random searches found one."""
    net = case.network()
    found = search(net, None, case.k, rng=np.random.default_rng(0), limit=1000)
    wanted = np.unique(found.cycle[found.period == case.k])
    return {
        "k": case.k,
        "published": case.cycles,
        "cycles": [cycle_of(net, found, c) for c in wanted],
        "first": {kind: [first(net, case.k, runs, seed) for seed in range(searches)] for kind, runs in RUNS.items()},
    }


def cycle_of(net, found, number: int) -> dict:
    """A cycle with its multipliers, as real and imaginary parts by falling modulus."""
    here = found.cycle == number
    states, product = found.states[here], np.eye(net.state_size)
    for J in rd.jacobian(net, states):
        product = J @ product
    values = np.linalg.eigvals(product)
    values = values[np.argsort(-np.abs(values), kind="stable")]
    return {
        "states": states.tolist() if len(states) in DRAWN else states[:1].tolist(),
        "multipliers": [[float(v.real), float(v.imag)] for v in values],
        "error_bound": float(found.error_bound[here][0]),
    }


def first(net, k: int, runs: int, seed: int) -> int | None:
    """Linear problems solved until a cycle of period k was found, one start after the other; None if none was."""
    found = search(net, None, k, rng=np.random.default_rng(seed), budget=BUDGET, limit=0, batch=1, runs=runs)
    return min((int(n) for n in found.first[found.period == k]), default=None)
