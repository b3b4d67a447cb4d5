"""The methods that are compared: each yields rounds of roots (k, N), for as long as it is asked."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import minimize, root

import rnndyn as rd
from rnndyn.analysis.completeness import Box
from rnndyn.analysis.search.fibres import on_fibres
from rnndyn.analysis.starts import visited
from studies.planted.ensemble import equation_of, roots

Method = Callable[[np.ndarray, np.random.Generator, Callable[[], np.ndarray]], Iterator[np.ndarray]]


def newton(W, rng, known) -> Iterator[np.ndarray]:
    """The package's damped Newton iteration, from states that the network visits, with noise."""
    net, equation = rd.Elman(None, W), equation_of(W)
    while True:
        yield roots(equation, visited(net, None, 256, rng))


def fibres(W, rng, known) -> Iterator[np.ndarray]:
    """Directional fibres through the roots known so far, of which 0 is the first."""
    equation, box = equation_of(W), Box(-np.ones(len(W)), np.ones(len(W)))
    while True:
        yield roots(equation, on_fibres(equation, box, known(), 4, rng))


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
