"""The search for fixed points: rnndyn, the field's method, and SciPy, from the same starts.

The networks are trained on the 3-bit flip-flop task (`data/networks/sizes`); starts are states that they visit, with
Gaussian noise of 0.5, the input is zero. `find()` comes back with states (n, S).
"""

from pathlib import Path

import numpy as np

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.certificate import distinct
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.newton import solve
from studies.benchmark.peers import Rnndyn as Passes
from studies.benchmark.peers import Torch as TorchPasses
from studies.benchmark.workers import Work

NETWORKS = ("tanh_16", "tanh_64", "tanh_128", "tanh_256", "gru_16", "gru_64", "gru_128")
STARTS, NOISE = 1024, 0.5
NEARLY, MOVED = 1e-10, 0.05  # q of a state that counts as a point, and how far polishing may take it
FEW = 32  # starts that SciPy is timed on, for each takes equally long
FOLDER = Path(__file__).parents[2] / "data" / "networks"


def problem(name: str, starts: int):
    """A trained network in float64, and starts (n, S)."""
    net = rd.load(FOLDER / "sizes" / f"flip_flop_{name}.safetensors").astype("float64")
    with np.load(FOLDER / "flip_flop_inputs.npz") as file:
        states = rd.run(net, file["inputs"].astype(np.float64)).hidden.values.reshape(-1, net.hidden_size)
    rng = np.random.default_rng(0)
    chosen = states[rng.integers(0, len(states), starts)]
    return net, chosen + NOISE * rng.standard_normal(chosen.shape)


def q(net, states: np.ndarray) -> np.ndarray:
    """Half the squared speed |F(x) - x|^2 at states (n, S)."""
    return 0.5 * ((dynamics.step(net, states, np.zeros((len(states), net.input_size))) - states) ** 2).sum(axis=1)


def polished(net, states: np.ndarray) -> np.ndarray:
    """Distinct fixed points (m, S) to which the states that are nearly fixed lead, by Newton steps in float64.

    Nearly: q below 1e-10, a hundred times what the field's program asks for; what it leaves above that is no point.
    """
    equation = Equation(net, np.zeros(net.input_size), 1, 1.0)
    near = states[q(net, states) < NEARLY]
    refined, converged = solve(equation, near, None)
    refined = refined[converged & (np.abs(refined - near).max(axis=1) < MOVED)]
    return distinct(equation, refined)[0]


def search(find) -> Work:
    """A program whose one call is the search."""
    return Work({"search": find}, find)


class Rnndyn(Passes):
    """Newton's iteration at the level of plain arrays: a state for each start, and whether it converged."""

    @staticmethod
    def load(net, starts) -> Work:
        equation = Equation(net, np.zeros(net.input_size), 1, 1.0)

        def find():
            states, converged = solve(equation, starts, None)
            return states[converged]

        return search(find)


class Certified(Passes):
    """The same, then merged into distinct points, each with its certificate."""

    @staticmethod
    def load(net, starts) -> Work:
        equation = Equation(net, np.zeros(net.input_size), 1, 1.0)

        def find():
            states, converged = solve(equation, starts, None)
            return distinct(equation, states[converged])[0]

        return search(find)


class FrontDoor(Passes):
    """`rd.fixed_points`: all searches, eigenvalues and eigenvectors with their errors, an xarray result."""

    @staticmethod
    def load(net, starts) -> Work:
        return search(lambda: rd.fixed_points(net, starts=starts, rng=0).state.values)


class Adam(TorchPasses):
    """Joint gradient descent on the mean of q = |F(x) - x|^2 / 2, float32, as FixedPointFinder does by default.

    Golub & Sussillo's program (2018; its PyTorch side of 2023): Adam with learning rate 1, times 0.95 on a plateau of 2
    steps, until q < 1e-12 for every start (or q stands still to 1e-20 times the learning rate), at most 5000 steps.
    """

    @staticmethod
    def load(net, starts) -> Work:
        import torch

        module = rd.to_torch(net.astype("float32").replace(W_hy=None, b_y=None))
        for parameter in module.parameters():
            parameter.requires_grad = False
        x = torch.zeros(len(starts), 1, net.input_size)  # to_torch makes layers with the batch first

        def find():
            h = torch.tensor(starts[None], dtype=torch.float32, requires_grad=True)
            optimizer = torch.optim.Adam([h], lr=1.0)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.95, patience=2)
            before = torch.full((len(starts),), torch.nan)
            for _ in range(5000):
                q = 0.5 * ((module(x, h)[1] - h) ** 2).sum(dim=2)[0]
                mean = q.mean()
                optimizer.zero_grad()
                mean.backward()
                optimizer.step()
                plateau.step(mean.detach())
                q = q.detach()
                rate = optimizer.param_groups[0]["lr"]
                if bool((((q - before).abs() < 1e-20 * rate) | (q < 1e-12)).all()):
                    break
                before = q
            return h.detach().numpy()[0].astype(np.float64)

        return search(find)


class Scipy:
    """`scipy.optimize.root` from one start after the other, with the analytic Jacobian."""

    @staticmethod
    def use(threads: int) -> None:
        """Its BLAS takes the cores that the process has."""

    @staticmethod
    def load(net, starts) -> Work:
        from scipy.optimize import root

        x = np.zeros((1, net.input_size))
        eye = np.eye(net.state_size)

        def G(s):
            return dynamics.step(net, s[None], x)[0] - s

        def A(s):
            return dynamics.jacobian(net, s[None], x)[0] - eye

        def find():
            return np.array([root(G, start, jac=A, tol=1e-13).x for start in starts[:FEW]])

        return search(find)


PEERS = {"rnndyn": Rnndyn, "certified": Certified, "fixed_points": FrontDoor, "adam": Adam, "scipy": Scipy}
