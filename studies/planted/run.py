"""The measurements of the study."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import minimize, root

import rnndyn as rd
from rnndyn.analysis.completeness import Box
from rnndyn.analysis.newton import Equation, solve
from rnndyn.analysis.search.branch import branch_and_bound, drive
from rnndyn.analysis.search.fibres import on_fibres
from rnndyn.analysis.starts import visited
from studies.tools import machine

SEED = 0
SAME = 1e-7  # two roots that are nearer are one
BOXES = 1_500_000  # of branch and bound: enough for N = 12


def add_arguments(parser) -> None:
    """Options of the study."""
    parser.add_argument("--networks", type=int, default=10, help="networks of each size")
    parser.add_argument("--seconds", type=float, default=2.0, help="wall time of each method on each network")


def run(quick: bool, networks: int = 10, seconds: float = 2.0) -> dict:
    """Search all networks by all methods; see the package's docstring."""
    sizes = range(2, 5) if quick else range(2, 17)
    networks, seconds = (2, 0.1) if quick else (networks, seconds)
    warm_up()
    cases = [measured(N, network, seconds) for N in sizes for network in range(networks)]
    return {"seconds": seconds, "cases": cases, "machine": machine(["numpy", "scipy"], 1)}


def planted(N: int, network: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the fixed points that are planted in them, with their negatives and 0, (2 N + 1, N)."""
    V = np.random.default_rng((SEED, N, network)).uniform(-1, 1, (N, N))
    return np.arctanh(V) @ np.linalg.inv(V), np.concatenate([V.T, -V.T, np.zeros((1, N))])


def warm_up() -> None:
    """Compile what the searches need, before the clock runs."""
    W, _ = planted(3, 0)
    for method in METHODS.values():
        next(method(W, np.random.default_rng(0), lambda: np.zeros((1, 3))))


def measured(N: int, network: int, seconds: float) -> dict:
    """Numbers of points of one network: of each method, of all, shared and planted ones."""
    W, points = planted(N, network)
    found = {name: searched(method, W, network, seconds) for name, method in METHODS.items()}
    start = time.perf_counter()
    proof = branch_and_bound(drive(rd.Elman(None, W), None), BOXES) if N <= 12 else None
    proof_seconds = time.perf_counter() - start
    everything = distinct(np.concatenate(list(found.values())))
    polished = solve(equation_of(W), points, None)[0]
    members = {name: belongs(everything, states) for name, states in found.items()}
    ours, baseline = members["fibres"], members["trust-ncg"]
    return {
        "N": N,
        "network": network,
        "found": {name: len(states) for name, states in found.items()},
        "planted": {name: float(belongs(polished, states).mean()) for name, states in found.items()},
        "union": len(everything),
        "only_fibres": int((ours & ~baseline).sum()),
        "only_trust": int((baseline & ~ours).sum()),
        "all": len(proof.states) if proof and proof.complete else None,
        "boxes": proof.boxes if proof else None,
        "proof_seconds": proof_seconds if proof else None,
    }


Method = Callable[[np.ndarray, np.random.Generator, Callable[[], np.ndarray]], Iterator[np.ndarray]]


def searched(method: Method, W: np.ndarray, seed: int, seconds: float) -> np.ndarray:
    """The distinct roots (n, N) that a method finds in so many seconds; its last round may take longer, and counts."""
    states = np.zeros((1, len(W)))
    rounds = method(W, np.random.default_rng(seed), lambda: states)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        states = distinct(np.concatenate([states, next(rounds)]))
    return states


def newton(W, rng, known) -> Iterator[np.ndarray]:
    """The package's damped Newton iteration, from states that the network visits, with noise."""
    net, equation = rd.Elman(None, W), equation_of(W)
    while True:
        yield roots(equation, visited(net, None, 256, rng))


def fibres(W, rng, known) -> Iterator[np.ndarray]:
    """Directional fibres through the roots known so far, of which 0 is the first."""
    equation, box = equation_of(W), Box(-np.ones(len(W)), np.ones(len(W)))
    while True:
        yield roots(equation, on_fibres(equation, box, known(), 16, rng))


def trust_ncg(W, rng, known) -> Iterator[np.ndarray]:
    """SciPy's trust-region minimisation of q = |F(x) - x|^2 / 2, from visited states, finished by Newton."""
    net, equation, identity = rd.Elman(None, W), equation_of(W), np.eye(len(W))

    def q(x):
        G = np.tanh(W @ x) - x
        return G @ G / 2, jacobian(x).T @ G

    def jacobian(x):
        return W * (1 - np.tanh(W @ x) ** 2)[:, None] - identity

    def gauss_newton(x):
        A = jacobian(x)
        return A.T @ A

    while True:
        starts = visited(net, None, 4, rng)
        ends = [minimize(q, x, jac=True, hess=gauss_newton, method="trust-ncg").x for x in starts]
        yield roots(equation, np.array(ends))


def hybr(W, rng, known) -> Iterator[np.ndarray]:
    """SciPy's root finder (MINPACK's hybrid method) with the Jacobian, from visited states, finished by Newton."""
    net, equation, identity = rd.Elman(None, W), equation_of(W), np.eye(len(W))
    while True:
        ends = [
            root(lambda x: np.tanh(W @ x) - x, x, jac=lambda x: W * (1 - np.tanh(W @ x) ** 2)[:, None] - identity).x
            for x in visited(net, None, 16, rng)
        ]
        yield roots(equation, np.array(ends))


METHODS: dict[str, Method] = {"newton": newton, "fibres": fibres, "trust-ncg": trust_ncg, "hybr": hybr}


def equation_of(W: np.ndarray) -> Equation:
    """The equation tanh(W x) = x."""
    return Equation(rd.Elman(None, W), None, 1, 1.0)


def roots(equation: Equation, starts: np.ndarray) -> np.ndarray:
    """Those of the starts, (k, N), that Newton's iteration brings to a root."""
    with np.errstate(over="ignore", invalid="ignore"):
        states, converged = solve(equation, starts, None)
    return states[converged]


def distinct(states: np.ndarray) -> np.ndarray:
    """Each root once, the first of its copies."""
    from scipy.spatial import cKDTree

    copies = cKDTree(states).query_pairs(SAME, output_type="ndarray")
    return np.delete(states, copies[:, 1], axis=0)


def belongs(points: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Which of the points are among the states."""
    from scipy.spatial import cKDTree

    return cKDTree(states).query(points)[0] < 2 * SAME
