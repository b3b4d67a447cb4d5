"""Claims on eigenvalues, growth and stability."""

import numpy as np
from scipy.optimize import brentq

import rnndyn as rd
from studies.claims.claim import CONDITION, FALSE, HOLDS, Figure, claim

NILPOTENT = [[1.2, -1.2], [1.2, -1.2]]


def claims() -> list[dict]:
    """All of them."""
    return [*spectral_radius(), *growth(), *initial_weights()]


def spectral_radius() -> list[dict]:
    """The rules that look at the eigenvalues of W_hh alone."""
    slow = rd.Elman(None, [[1.5]])
    rest = rd.fixed_points(slow, starts=64, rng=0)
    stable = rest.isel(point=int(np.argmax(rest.state.values[:, 0])))
    root = brentq(lambda h: np.tanh(1.5 * h) - h, 0.5, 1.0, xtol=1e-15)
    multiplier = 1.5 * (1 - root**2)
    dying = rd.jacobian_products(slow, steps=40, initial_state=stable.state.values).log_norm[-1].item() / 40
    return [
        claim(
            "004, Spectral Radius Condition",
            "rho(W_hh) max f' < 1 makes the product of Jacobians vanish",
            FALSE,
            "W = [[1.2, -1.2], [1.2, -1.2]] is nilpotent; with the second ReLU unit off, the product grows as 1.2^t",
            Figure("spectral radius", float(np.abs(np.linalg.eigvals(NILPOTENT)).max()), 0.0, 1e-7),
            Figure("nat a step", half_off(), np.log(1.2)),
        ),
        claim(
            "004, Spectral Radius Condition",
            "rho(W_hh) max f' > 1 makes the product of Jacobians grow without bound",
            FALSE,
            "one tanh unit with w = 1.5 rests at 0.85856, where its Jacobian is 0.39431",
            Figure("state at rest", stable.state.item(), root),
            Figure("nat a step there", dying, np.log(multiplier)),
        ),
        claim(
            "004, Lyapunov Stability",
            "a fixed point is stable only if the eigenvalues of W_hh are less than 1 in modulus",
            FALSE,
            "the eigenvalues of diag(f'(a*)) W_hh decide",
            Figure("eigenvalue of W_hh", slow.W_hh.item(), 1.5),
            Figure("multiplier of the stable point", np.abs(stable.eigenvalue.values).item(), multiplier),
        ),
        claim(
            "001, Products of Jacobians",
            "singular values always below 1 make the gradient vanish",
            HOLDS,
            "if they stay below a number less than 1",
            Figure("nat a step of 0.9 Q, Q orthogonal", orthogonal(0.9), np.log(0.9), 1e-12),
        ),
    ]


def half_off() -> float:
    """Growth of the product of Jacobians while the input keeps the second ReLU unit off."""
    log_norm = curves()["nilpotent"]
    return float(log_norm[-1] - log_norm[-2])


def curves() -> dict:
    """Log norms of the products of both counterexamples to the rule of the spectral radius."""
    nilpotent = rd.Elman(np.eye(2), NILPOTENT, activation="relu")
    x = np.array([[1.0, 0.0]] + [[1.0, -1e9]] * 39)
    slow = rd.jacobian_products(rd.Elman(None, [[1.5]]), steps=40, initial_state=[0.5])
    return {
        "nilpotent": rd.jacobian_products(nilpotent, x).log_norm.values.tolist(),
        "tanh": slow.log_norm.values.tolist(),
    }


def orthogonal(gain: float) -> float:
    """Growth of the product of 50 Jacobians of a linear network, nats a step."""
    net = rd.Linear(None, rd.Elman.random(8, gain=gain, recurrent="orthogonal", rng=0).W_hh)
    return rd.jacobian_products(net, steps=50, every=50).log_norm[-1].item() / 50


def growth() -> list[dict]:
    """A ReLU network with W = s I under a constant input."""
    x, T = np.array([1.0, 2.0]), 40
    figures = []
    for s in (0.5, 1.0, 1.1):
        net = rd.Elman(np.eye(2), s * np.eye(2), activation="relu")
        last = rd.run(net, np.tile(x, (T, 1))).state.values[-1]
        size = np.linalg.norm(x) * (T if s == 1 else (1 - s**T) / (1 - s))
        figures.append(Figure(f"|h_{T}| for s = {s}", float(np.linalg.norm(last)), float(size), 1e-12))
    net = rd.Elman(np.eye(2), 1.1 * np.eye(2), activation="relu")
    off = rd.run(net, np.tile(-x, (T, 1))).state.values[-1]
    return [
        claim(
            "001, Dynamics of Instability",
            "with W = s I and ReLU the norm converges, grows linearly, or exponentially, by s",
            CONDITION,
            "where every component of the input is positive; where it is negative the unit stays at 0",
            *figures,
            Figure(f"|h_{T}| for s = 1.1 and a negative input", float(np.linalg.norm(off)), 0.0),
        )
    ]


def initial_weights() -> list[dict]:
    """Spectra of initial weights."""
    drawn = rd.Elman.random(400, recurrent="gaussian", rng=0).W_hh
    turned = rd.Elman.random(50, gain=0.7, recurrent="orthogonal", rng=0).W_hh
    return [
        claim(
            "004, Proper Weight Initialization",
            "variance 1/n_h (called Xavier) for the recurrent weights",
            HOLDS,
            "for a square matrix Glorot's 2/(n_in + n_out) is the same; the spectral radius tends to 1",
            Figure("variance times n_h, 400 units", float(drawn.var() * 400), 1.0, 0.02),
            Figure("spectral radius, 400 units", float(np.abs(np.linalg.eigvals(drawn)).max()), 1.0, 0.1),
        ),
        claim(
            "004, Orthogonal Initialization",
            "lambda times an orthogonal matrix has the spectral radius lambda",
            HOLDS,
            "all eigenvalues have that modulus",
            Figure("least modulus", float(np.abs(np.linalg.eigvals(turned)).min()), 0.7, 1e-12),
            Figure("largest modulus", float(np.abs(np.linalg.eigvals(turned)).max()), 0.7, 1e-12),
        ),
    ]
