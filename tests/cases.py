"""The table of cells under test: how to make a random network of each, and the naive step that it must equal."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import hypothesis
import naive
import numpy as np

import rnndyn as rd

UNCOMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Case(NamedTuple):
    """One cell with its options."""

    name: str
    kind: str  # class of rnndyn
    gates: int
    step: Callable  # of tests/naive.py
    options: dict[str, Any] = {}  # of both, under the same names
    extra: dict[str, Callable] = {}  # further array fields: name -> (rng, H) -> array
    states: int = 1
    names: dict[str, str] = {}  # where the class has other names for W_hh and b_h
    weights: tuple[str, ...] = ("W_xh", "W_hh", "b_h")  # those that there are
    smooth: bool = True  # a complex step may meet a kink of the others

    def network(self, rng, hidden_size, input_size=0, output_size=0, dtype="float64", **fields):
        """A network of this cell with every array random, biases included."""
        H, I, rows = hidden_size, input_size, self.gates * hidden_size
        arrays = {
            "W_xh": rng.standard_normal((rows, I)) / np.sqrt(max(I, 1)),
            "W_hh": rng.standard_normal((rows, H)) / np.sqrt(H),
            "b_h": 0.5 * rng.standard_normal(rows),
        }
        arrays = {self.names.get(field, field): arrays[field] for field in self.weights}
        arrays |= {field: draw(rng, H) for field, draw in self.extra.items()}
        if output_size:
            arrays["W_hy"] = rng.standard_normal((output_size, H)) / np.sqrt(H)
            arrays["b_y"] = rng.standard_normal(output_size)
        arrays = {field: np.asarray(array, dtype) for field, array in arrays.items()}
        options = {} if self.kind == "Linear" else self.options
        return getattr(rd, self.kind)(**arrays, **options, **fields)

    def parameters(self, net):
        """The fields of the network that the naive step takes, in float64."""
        names = (*(self.names.get(field, field) for field in self.weights), *self.extra)
        return {field: np.asarray(getattr(net, field), np.float64) for field in names}

    def states_by_hand(self, net, s0, inputs):
        """States (B, T, S) of the naive step."""
        keywords = self.parameters(net) | self.options
        return np.array([naive.forward(self.step, s, xs, **keywords) for s, xs in zip(s0, inputs, strict=True)])


def leak(rng, H):
    return rng.uniform(0.1, 0.9)


def leaks(rng, H):
    return rng.uniform(0.1, 0.9, H)


def diagonal(rng, H):
    return rng.uniform(-0.9, 0.9, H)


def peepholes(rng, H):
    return 0.7 * rng.standard_normal((3, H))


def pairs(rng, H):
    return 0.7 * rng.standard_normal((2, H))


def second_bias(rng, H):
    return 0.5 * rng.standard_normal(H)


def gain(rng, H):
    return rng.uniform(0.5, 1.5, H)


def gains(rng, H):
    return rng.uniform(0.5, 1.5, 4 * H)


CASES = [
    *(
        Case(f"elman-{a}", "Elman", 1, naive.elman_step, {"activation": a}, smooth=a != "relu")
        for a in naive.ACTIVATIONS
    ),
    Case("linear", "Linear", 1, naive.elman_step, {"activation": "identity"}),
    *(
        Case(
            f"leaky-{form}-{a}",
            "Leaky",
            1,
            naive.leaky_step,
            {"form": form, "activation": a},
            {"alpha": alpha},
            smooth=a != "relu",
        )
        for form, a, alpha in [
            ("rate", "tanh", leak),
            ("rate", "relu", leaks),
            ("voltage", "tanh", leaks),
            ("voltage", "sigmoid", leak),
        ]
    ),
    Case(
        "piecewise-linear",
        "PiecewiseLinear",
        1,
        naive.piecewise_linear_step,
        extra={"A": diagonal},
        names={"W_hh": "W", "b_h": "b"},
        smooth=False,
    ),
    Case("highway-tanh", "Highway", 2, naive.highway_step, {"activation": "tanh"}),
    Case("residual-tanh", "Residual", 1, naive.residual_step, {"activation": "tanh"}, {"skip": leaks}),
    Case("sru", "SRU", 4, naive.sru_step, extra={"v": pairs}, states=2, weights=("W_xh", "b_h")),
    Case("qrnn-f", "QRNN", 2, naive.qrnn_step, {"pooling": "f"}, weights=("W_xh", "b_h")),
    Case("qrnn-fo", "QRNN", 3, naive.qrnn_step, {"pooling": "fo"}, states=2, weights=("W_xh", "b_h")),
    Case("lstm", "LSTM", 4, naive.lstm_step, states=2),
    Case("lstm-peephole", "LSTM", 4, naive.lstm_step, extra={"peephole": peepholes}, states=2),
    *(
        Case(f"gru-{reset}-{write}", "GRU", 3, naive.gru_step, {"reset": reset, "update": write}, {"b_hn": second_bias})
        for reset in ("after", "before")
        for write in ("keep", "write")
    ),
]
# Not pointwise, so not of the kernels.
LAYER_NORM = Case(
    "layer-norm-lstm",
    "LayerNormLSTM",
    4,
    naive.layer_norm_lstm_step,
    extra={"gain_x": gains, "gain_h": gains, "gain_c": gain, "b_c": second_bias},
    states=2,
)
BY_NAME = {case.name: case for case in [*CASES, LAYER_NORM]}
# One of each kind of cell, where every activation would only cost compile time.
FAMILIES = [
    BY_NAME[name]
    for name in (
        "elman-tanh",
        "leaky-rate-relu",
        "leaky-voltage-tanh",
        "piecewise-linear",
        "sru",
        "lstm-peephole",
        "gru-after-keep",
        "gru-before-write",
    )
]
COUPLED = [case for case in FAMILIES if "W_hh" in case.weights]  # whose units see one another
SMOOTH = [case for case in CASES if case.smooth]


def examples(count):
    """Settings for a property: so many examples compiled, few uncompiled."""
    return hypothesis.settings(max_examples=3 if UNCOMPILED else count)


def bits(*arrays):
    """The arrays as bytes, so that equality means equal bits, signs of zeros and NaNs included."""
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


def relative_error(got, wanted):
    """Distance over size, in the 2-norm; the size is at least 1e-300."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    assert got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}"
    return np.linalg.norm(got - wanted) / max(np.linalg.norm(wanted), 1e-300)
