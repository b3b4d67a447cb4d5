"""Lyapunov spectra on a GPU: rnndyn, and a loop of PyTorch with a QR at each step, by `torch.vmap` for ensembles."""

from studies.benchmark import peers
from studies.benchmark.cuda import peers as passes
from studies.benchmark.spectra import COMPARED, by_rnndyn, problem, spectra
from studies.benchmark.workers import Work

# Size, directions, networks, steps that are timed.
SETTINGS = [(64, 64, 1, 200), (256, 256, 1, 100), (512, 20, 1, 100), (64, 64, 64, 100), (64, 64, 4096, 20)]


class Rnndyn(peers.Rnndyn):
    """The measurement of `rd.lyapunov_spectrum` with its statistics, without the sum rule, the processor's."""

    @staticmethod
    def load(W, h, Q, steps) -> Work:
        spectrum = by_rnndyn(W, h, Q, steps, checked=False, device="cuda")
        return spectra(spectrum, lambda: spectrum(COMPARED))


class Torch(passes.Torch):
    """A loop over steps."""

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

        return spectra(spectrum, lambda: spectrum(COMPARED))


PEERS = {"rnndyn": Rnndyn, "torch": Torch}

__all__ = ["PEERS", "SETTINGS", "problem"]
