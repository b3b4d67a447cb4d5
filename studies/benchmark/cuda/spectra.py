"""Lyapunov spectra on a GPU: rnndyn, and loops of PyTorch, CuPy and JAX with a QR at each step."""

import os

from studies.benchmark import peers, spectra
from studies.benchmark.cuda import peers as passes
from studies.benchmark.spectra import COMPARED, by_rnndyn, problem
from studies.benchmark.workers import Work

# Size, directions, networks, steps that are timed.
SETTINGS = [(64, 64, 1, 200), (256, 256, 1, 100), (512, 20, 1, 100), (64, 64, 64, 100), (64, 64, 4096, 20)]


class Rnndyn(peers.Rnndyn):
    """The measurement of `rd.lyapunov_spectrum` with its statistics, without the sum rule, the processor's."""

    @staticmethod
    def load(W, h, Q, steps) -> Work:
        spectrum = by_rnndyn(W, h, Q, steps, checked=False, device="cuda")
        return spectra.spectra(spectrum, lambda: spectrum(COMPARED))


class Torch(passes.Torch):
    """A loop over steps; an ensemble by `torch.vmap`."""

    @classmethod
    def load(cls, W, h, Q, steps) -> Work:
        import torch

        def one(W, h, Q):
            h = torch.tanh(W @ h)
            Q, R = torch.linalg.qr((1 - h * h)[:, None] * (W @ Q))
            return h, Q, torch.log(torch.abs(torch.diagonal(R)))

        step = torch.vmap(one) if len(W) > 1 else lambda *given: [a[None] for a in one(*(a[0] for a in given))]
        weights, *start = (torch.tensor(a, device=cls.device) for a in (W, h, Q))

        def spectrum(steps=steps):
            (h, Q), logs = start, 0.0
            with torch.inference_mode():
                for _ in range(steps):
                    h, Q, grown = step(weights, h, Q)
                    logs = logs + grown
            return (logs / steps).cpu().numpy()

        return spectra.spectra(spectrum, lambda: spectrum(COMPARED))


class Cupy:
    """A loop over steps; an ensemble by stacked matrices."""

    @staticmethod
    def use(threads: int) -> None:
        """Its work is the GPU's."""

    @staticmethod
    def library():
        import cupy

        return cupy

    @classmethod
    def load(cls, W, h, Q, steps) -> Work:
        cupy = cls.library()
        weights, first, frames = map(cupy.asarray, (W, h, Q))

        def spectrum(steps=steps):
            state, frame, logs = first[:, :, None], frames, 0.0
            for _ in range(steps):
                state = cupy.tanh(weights @ state)
                frame, R = cupy.linalg.qr((1 - state * state) * (weights @ frame))
                logs = logs + cupy.log(cupy.abs(cupy.diagonal(R, axis1=1, axis2=2)))
            return cupy.asnumpy(logs / steps)

        return spectra.spectra(spectrum, lambda: spectrum(COMPARED))


class Jax(spectra.Jax):
    """As on the processor, by which JAX goes where it sees no GPU: one compiled scan, an ensemble by `jax.vmap`."""

    @staticmethod
    def use(threads: int) -> None:
        """Before JAX is imported: it would take most of the GPU's memory for good, and other processes work there."""
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"


PEERS = {"rnndyn": Rnndyn, "torch": Torch, "cupy": Cupy, "jax": Jax}

__all__ = ["PEERS", "SETTINGS", "problem"]
