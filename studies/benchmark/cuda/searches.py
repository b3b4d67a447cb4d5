"""The search for fixed points on a GPU: rnndyn, and a batched Newton iteration in PyTorch, from the same starts.

The networks and starts are those of `studies.benchmark.searches`. PyTorch's Jacobians are by `torch.func`, its steps
are halved by the same rule until they lower the residual, each start for itself.
"""

import numpy as np

import rnndyn as rd
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

        def find():
            h, length = newton(lambda h: F(h) - h, first)
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


def newton(G, h):
    """Last states (n, S) and their |G|, from starts (n, S)."""
    import torch

    jacobian = torch.func.vmap(torch.func.jacrev(G))

    def direction(h):
        return torch.linalg.solve_ex(jacobian(h), -G(h))[0]  # of a singular matrix no step: it lowers nothing

    length, part, d = torch.linalg.norm(G(h), dim=1), torch.ones(len(h), dtype=h.dtype, device=h.device), direction(h)
    for _ in range(ROUNDS):
        tried = h + part[:, None] * d
        new = torch.linalg.norm(G(tried), dim=1)
        better = new < length * (1 - ENOUGH_LOWER * part)
        h, length = torch.where(better[:, None], tried, h), torch.where(better, new, length)
        part = torch.where(better, 1.0, part / 2)
        if bool(((length <= CONVERGED) | (part < SHORTEST)).all()):
            break
        d = torch.where(better[:, None], direction(h), d)
    return h, length


PEERS = {"rnndyn": Rnndyn, "fixed_points": FrontDoor, "torch": Torch}

__all__ = ["PEERS", "problem"]
