"""Runs of ensembles on a GPU: thousands of networks, each through the same sequences; rnndyn, `torch.vmap`, `jax.vmap`.

No library's own layers take many networks at once, so PyTorch and JAX take the steps of `studies.benchmark.peers`. All
is in float32; inputs are on the GPU before the clock runs, and the states of every step stay there.
"""

import functools
import os
from types import SimpleNamespace

import numpy as np

from studies.benchmark import peers
from studies.benchmark.cuda import peers as passes
from studies.benchmark.cuda import spectra
from studies.benchmark.peers import STEPS, UNROLL, fastest, scan, weights_of, work
from studies.benchmark.problem import CELLS, network
from studies.benchmark.workers import Work

# Cell, size, networks, sequences, steps.
SETTINGS = [(cell, H, 4096, 8, 100) for H in (16, 64) for cell in CELLS]


def problem(cell: str, H: int, networks: int, B: int, T: int):
    """Networks with I = H, and the inputs (B, T, I) of each."""
    rng = np.random.default_rng(0)
    nets = [network(cell, H, rng, "float32") for _ in range(networks)]
    return nets, rng.standard_normal((B, T, H), dtype="float32")


def stacked(nets) -> dict[str, np.ndarray]:
    """Weights of all networks, as `weights_of` gives those of one."""
    found = [weights_of(net) for net in nets]
    return {name: np.stack([weights[name] for weights in found]) for name in found[0]}


class Rnndyn(peers.Rnndyn):
    """One launch for all networks, as `rd.lyapunov_spectrum` has it; `rd.run` takes one network at a time."""

    @staticmethod
    def load(nets, inputs) -> Work:
        from rnndyn.passes_cuda import cuda, run_through
        from rnndyn.tangents_cuda import layout

        rows, first = len(nets) * len(inputs), nets[0]
        made, x = layout(*nets), cuda.to_device(inputs)
        start = cuda.to_device(np.zeros((rows, first.state_size), first.dtype))

        def forward():
            states = run_through(made, x, start, 1)[0]
            cuda.synchronize()
            return states

        shape = len(nets), len(inputs), first.hidden_size
        return work(forward, None, lambda s: s.copy_to_host()[:, -1, 0].reshape(shape))


class Torch(passes.Torch):
    """A loop over steps, by `torch.vmap`."""

    @classmethod
    def load(cls, nets, inputs) -> Work:
        import torch

        step, parts = STEPS[type(nets[0]).__name__]
        weights = {name: torch.tensor(a, device=cls.device) for name, a in stacked(nets).items()}
        x = torch.tensor(np.ascontiguousarray(inputs.transpose(1, 0, 2)), device=cls.device)
        xp = SimpleNamespace(tanh=torch.tanh, split=lambda a, count, axis: a.chunk(count, axis))

        def hidden(weights, x):
            drives, states = x @ weights["U"] + weights["b"], []
            state = (x.new_zeros(x.shape[1], nets[0].hidden_size),) * parts
            for u in drives:
                state = step(xp, state, u, weights["V"], weights["b_hn"])
                states.append(state[0])
            return torch.stack(states)

        many = torch.vmap(hidden, in_dims=(0, None))

        def forward():
            with torch.inference_mode():
                states = many(weights, x)
            cls.wait()
            return states

        return work(forward, None, lambda states: states[:, -1].cpu().numpy())


class Jax(peers.Jax):
    """One compiled scan, by `jax.vmap`."""

    @staticmethod
    def use(threads: int) -> None:
        """Before JAX is imported: products in full precision."""
        spectra.Jax.use(threads)
        os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"

    @staticmethod
    def load(nets, inputs) -> Work:
        import jax

        weights = {name: jax.numpy.asarray(a) for name, a in stacked(nets).items()}
        x, hidden = jax.numpy.asarray(inputs.transpose(1, 0, 2)), scan(nets[0])
        many = [jax.vmap(functools.partial(hidden, unroll=n), in_axes=(0, None)) for n in UNROLL]
        forward = fastest([jax.jit(program) for program in many], weights, x)
        return work(lambda: forward(weights, x).block_until_ready(), None, lambda states: np.asarray(states[:, -1]))


PEERS = {"rnndyn": Rnndyn, "torch": Torch, "jax": Jax}

__all__ = ["PEERS", "SETTINGS", "problem"]
