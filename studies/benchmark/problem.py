"""The work that is timed: the same network, inputs and slopes in every process."""

import numpy as np

import rnndyn as rd

CELLS = {"RNN": rd.Elman, "GRU": rd.GRU, "LSTM": rd.LSTM}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def network(cell: str, H: int, rng: np.random.Generator, dtype: str):
    """A network with I = H."""
    net = CELLS[cell].random(H, H, rng=rng, dtype=dtype)
    biases = {name: a for name, a in net.arrays().items() if name.startswith("b_")}  # random: one left out would show
    return net.replace(**{name: 0.1 * rng.standard_normal(a.shape, dtype=dtype) for name, a in biases.items()})


def problem(cell: str, H: int, B: int, T: int, dtype: str = "float32"):
    """A network with I = H, inputs (B, T, I) and slopes dL/dh (B, T, H)."""
    rng = np.random.default_rng(0)
    net = network(cell, H, rng, dtype)
    inputs, slopes = rng.standard_normal((2, B, T, H), dtype=dtype)
    return net, inputs, slopes


def products(cell: str, H: int, B: int, T: int, mode: str) -> int:
    """Floating-point operations of the matrix products: forward two a gate, backward three more."""
    return {"forward": 2, "both": 5}[mode] * 2 * T * B * GATES[cell] * H * H
