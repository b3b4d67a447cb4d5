"""Training: rnndyn and PyTorch, the same steps on three bits to remember.

Each call trains for `STEPS` steps from the same weights, on all sequences at every step: squared error, gradient
clipped at norm 1, Adam. Both have the gradients of the same parameters (PyTorch's second biases stand still).
"""

import numpy as np

import rnndyn as rd
from studies.benchmark.peers import Rnndyn as Passes
from studies.benchmark.peers import Torch as TorchPasses
from studies.benchmark.workers import Work

STEPS, RATE, CLIP = 100, 0.003, 1.0
COMPARED = 20  # first losses: later ones have grown apart by what rounding does to them
# Cell, hidden units, steps of time, sequences.
SETTINGS = [
    (cell, *shape) for cell in ("Elman", "GRU", "LSTM") for shape in ((16, 50, 64), (64, 50, 64), (128, 100, 64))
]
TOLERANCE = 1e-4  # float32: largest relative difference of the losses


def problem(cell: str, units: int, steps: int, batch: int):
    """A float32 network, its inputs and targets (batch, steps, 3)."""
    inputs, targets, _ = rd.tasks.flip_flop(0, batch=batch, steps=steps)
    net = getattr(rd, cell).random(units, 3, 3, recurrent="orthogonal", rng=0, dtype="float32")
    return net, inputs.values.astype(np.float32), targets.values.astype(np.float32)


class Rnndyn(Passes):
    """`rd.train`."""

    @staticmethod
    def load(net, inputs, targets) -> Work:
        def train():
            return rd.train(net, inputs, targets, steps=STEPS, optimizer=rd.Adam(RATE), clip_norm=CLIP)[1]

        return Work({"train": train}, lambda: train().loss.values[:COMPARED])


class Torch(TorchPasses):
    """Its layer, a linear read-out, its own clipping and its fused Adam."""

    @staticmethod
    def load(net, inputs, targets) -> Work:
        import torch

        x, y = (torch.tensor(np.ascontiguousarray(a.transpose(1, 0, 2))) for a in (inputs, targets))
        H = net.hidden_size

        def built():
            kind = {"Elman": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[type(net).__name__]
            layer, readout = kind(net.input_size, H), torch.nn.Linear(H, net.output_size)
            with torch.no_grad():
                layer.weight_ih_l0.copy_(torch.tensor(net.W_xh))
                layer.weight_hh_l0.copy_(torch.tensor(net.W_hh))
                layer.bias_ih_l0.copy_(torch.tensor(net.b_h))
                layer.bias_hh_l0.zero_()
                readout.weight.copy_(torch.tensor(net.W_hy))
                readout.bias.copy_(torch.tensor(net.b_y))
                if kind is torch.nn.GRU:
                    layer.bias_hh_l0[2 * H :] = torch.tensor(net.b_hn)
            if kind is torch.nn.GRU:
                mask = torch.cat([torch.zeros(2 * H), torch.ones(H)])
                layer.bias_hh_l0.register_hook(lambda gradient: gradient * mask)
            else:
                layer.bias_hh_l0.requires_grad_(False)
            return layer, readout

        def train():
            layer, readout = built()
            weights = [w for w in (*layer.parameters(), *readout.parameters()) if w.requires_grad]
            optimizer, losses = torch.optim.Adam(weights, lr=RATE, fused=True), []
            for _ in range(STEPS):
                optimizer.zero_grad(set_to_none=True)
                loss = 0.5 * (readout(layer(x)[0]) - y).square().sum() / x.shape[1]
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, CLIP)
                optimizer.step()
                losses.append(loss.item())
            return losses

        return Work({"train": train}, lambda: np.array(train()[:COMPARED]))


PEERS = {"rnndyn": Rnndyn, "torch": Torch}
