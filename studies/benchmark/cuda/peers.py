"""The programs whose passes are timed on a GPU, where inputs and slopes are before the clock runs and results stay.

`load` and `Work` are as in `studies.benchmark.peers`. Matrix products are in full precision, without TensorFloat-32, in
which no two programs would compute the same.
"""

import numpy as np

import rnndyn as rd
from studies.benchmark import peers
from studies.benchmark.peers import work
from studies.benchmark.problem import problem
from studies.benchmark.workers import Work


class Rnndyn(peers.Rnndyn):
    """The package, at the level of device arrays; weight gradients come to the processor."""

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        from rnndyn import passes_cuda, wide_cuda
        from rnndyn.passes_cuda import cuda

        made, s0 = net.cuda_layout, np.zeros((len(inputs), net.state_size), net.dtype)
        x, g, start = map(cuda.to_device, (inputs, slopes, s0))
        place = wide_cuda.place(made, len(inputs))

        def forward():
            states = passes_cuda.run_through(made, x, start, 1, place)[0]
            cuda.synchronize()
            return states

        def both():
            sums = passes_cuda.DeviceSums(net, len(inputs))
            passes_cuda.Tape(net, x, start).pull(g, s0, sums)
            return sums.gradients()

        return work(forward, both, lambda s: s.copy_to_host()[:, 1:, 0], lambda gradients: gradients.arrays())


class FrontDoor(Rnndyn):
    """The package, through `rd.run`: from arrays of the processor and back to them."""

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        return work(lambda: rd.run(net, inputs, device="cuda"), None, lambda result: result.hidden.values)


class Torch(peers.Torch):
    """PyTorch's own layers, that is, cuDNN's."""

    device = "cuda"

    @staticmethod
    def use(threads: int) -> None:
        import torch

        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False

    @staticmethod
    def wait() -> None:
        import torch

        torch.cuda.synchronize()


PEERS = {"rnndyn": Rnndyn, "run": FrontDoor, "torch": Torch}

__all__ = ["PEERS", "problem"]
