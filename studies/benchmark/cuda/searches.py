"""The search for fixed points on a GPU: rnndyn, and a batched Newton iteration in PyTorch, from the same starts.

The networks and starts are those of `studies.benchmark.searches`. PyTorch's Jacobians are by `torch.func`, its steps
are halved by the same rule until they lower the residual, each start for itself.
"""

import numpy as np

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.newton import solve
from studies.benchmark import searches
from studies.benchmark.cuda import peers as passes
from studies.benchmark.searches import problem, search
from studies.benchmark.workers import Work

ROUNDS = 48  # these three as rnndyn's on a GPU: rounds, smallest part of a step, wanted fall of |G| for a whole step
SHORTEST, ENOUGH_LOWER = 1 / 64, 1e-4
CONVERGED = 1e-12  # |F(x) - x| of a start that ended at a root


class Rnndyn(searches.Rnndyn):
    """Newton's iteration on the GPU, and its judgement on the processor: a state for each start that converged."""

    @staticmethod
    def load(net, starts) -> Work:
        equation = Equation(net, np.zeros(net.input_size), 1, 1.0, device="cuda")

        def find():
            states, converged = solve(equation, starts, None)
            return states[converged]

        return search(find)


class FrontDoor(searches.FrontDoor):
    """`rd.fixed_points`, its certificates, eigenvectors and further searches on the processor included."""

    @staticmethod
    def load(net, starts) -> Work:
        return search(lambda: rd.fixed_points(net, starts=starts, rng=0, device="cuda").state.values)


class Torch(passes.Torch):
    """Damped Newton steps for all starts at once, with dense Jacobians."""

    @classmethod
    def load(cls, net, starts) -> Work:
        import torch

        F = step_of(net, cls.device)
        first = torch.tensor(starts, dtype=torch.float64, device=cls.device)
        jacobian = torch.func.vmap(torch.func.jacrev(lambda h: F(h) - h))

        def direction(h, G):
            return torch.linalg.solve_ex(jacobian(h), -G)[0]  # of a singular matrix no step: it lowers nothing

        def find():
            h, length, _ = newton(torch, lambda h: F(h) - h, direction, first)
            return h[length <= CONVERGED].cpu().numpy()

        return search(find)


def step_of(net, device: str):
    """One step of a tanh network or a GRU without input, for a batch or a single state."""
    import torch

    module = rd.to_torch(net.replace(W_hy=None, b_y=None)).to(device)
    W, b_x, b_h = (getattr(module, f"{name}_l0").detach() for name in ("weight_hh", "bias_ih", "bias_hh"))

    def tanh(h):
        return torch.tanh(h @ W.T + b_h + b_x)

    def gru(h):
        r, z, n = (h @ W.T + b_h).chunk(3, dim=-1)
        x_r, x_z, x_n = b_x.chunk(3)
        z, n = torch.sigmoid(z + x_z), torch.tanh(x_n + torch.sigmoid(r + x_r) * n)
        return n + z * (h - n)

    return {"RNN": tanh, "GRU": gru}[type(module).__name__]


def newton(xp, G, direction, h):
    """Last states (n, S), their |G|, and the products with weights that this cannot do without.

    From starts ``h`` (n, S), arrays of ``xp``, which is PyTorch or NumPy; ``direction(h, G)`` are Newton's. A product
    is needed for each state whose G is tried, and for each direction, of the starts that are not done.
    """
    F = G(h)
    length, d = xp.linalg.norm(F, axis=1), direction(h, F)
    part, active, products = xp.ones_like(length), xp.ones_like(length, dtype=xp.bool), 2 * len(h)
    for _ in range(ROUNDS):
        tried = h + part[:, None] * d
        F = G(tried)
        new = xp.linalg.norm(F, axis=1)
        better = new < length * (1 - ENOUGH_LOWER * part)
        h, length = xp.where(better[:, None], tried, h), xp.where(better, new, length)
        part = xp.where(better, 1.0, part / 2)
        products += int(active.sum())
        active = active & (length > CONVERGED) & (part >= SHORTEST)
        products += int((active & better).sum())
        if not bool(active.any()):
            break
        d = xp.where(better[:, None], direction(h, F), d)
    return h, length, products


def products_needed(net, starts) -> int:
    """Products with the recurrent weights that Newton's steps from these starts cannot do without."""
    eye, x = (1 - 1e-12) * np.eye(net.state_size), np.zeros((len(starts), net.input_size))  # J - 1 may be singular

    def direction(h, G):
        return np.linalg.solve(dynamics.jacobian(net, h, x) - eye, -G[:, :, None])[:, :, 0]

    return newton(np, lambda h: dynamics.step(net, h, x) - h, direction, starts)[2]


PEERS = {"rnndyn": Rnndyn, "fixed_points": FrontDoor, "torch": Torch}

__all__ = ["PEERS", "problem"]
