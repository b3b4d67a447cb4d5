"""Rehearsed steps have the bits of those that are not, and whatever does more than they do is not rehearsed."""

import numpy as np
import pytest
from cases import BY_NAME, CASES, LAYER_NORM

import rnndyn as rd
from rnndyn.training import rehearsed
from rnndyn.training.rehearsed import selection

BATCH, STEPS, INPUTS, OUTPUTS = 5, 7, 2, 3


def data(rng, dtype="float64"):
    return (rng.standard_normal((BATCH, STEPS, k)).astype(dtype) for k in (INPUTS, OUTPUTS))


@pytest.fixture
def both(monkeypatch):
    """Train with steps that are rehearsed and without; give how many were, and whether the bits are the same."""

    def train(net, x, y, **options):
        count, solve = [], rehearsed.Rehearsed.solve
        with monkeypatch.context() as patch:
            patch.setattr(rehearsed.Rehearsed, "solve", lambda *args: count.append(1) or solve(*args))
            ours, history = rd.train(net, x, y, **options)
            patch.setattr(rehearsed, "rehearse", lambda *args: False)
            plain, wanted = rd.train(net, x, y, **options)
        assert ours.content_hash() == plain.content_hash()
        for name in wanted:
            assert history[name].values.tobytes() == wanted[name].values.tobytes()
        return len(count)

    return train


SINGLE = [BY_NAME[name] for name in ("elman-tanh", "gru-after-keep", "gru-before-write", "lstm")]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, "float64") for case in [*CASES, LAYER_NORM]] + [(case, "float32") for case in SINGLE],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_network(case, dtype, both, rng):
    net = case.network(rng, 5, INPUTS, OUTPUTS, dtype=dtype)
    count = both(net, *data(rng, dtype), steps=4, optimizer=rd.Adam(0.01), clip_norm=1.0)
    # Parameters of each unit, sums of two biases, and what no cell's kernel runs are not rehearsed.
    more = case is LAYER_NORM or net.layout.trained or getattr(net, "reset", None) == "before"
    assert count == (0 if more else 3)


LABELS = np.arange(BATCH * STEPS).reshape(BATCH, STEPS) % OUTPUTS
OPTIONS = {
    "decay": {"optimizer": rd.SGD(0.1, momentum=0.5, weight_decay=0.1, recurrent_decay=0.1)},
    "mask": {"mask": LABELS > 0},
    "lengths": {"lengths": [7, 3, 1, 5, 2]},
    "initial state": {"initial_state": np.linspace(-1, 1, 4 * BATCH).reshape(BATCH, 4)},
    "quantile": {"loss": rd.losses.Quantile([0.5])},
    "validation": {"validation": (np.ones((2, 4, INPUTS)), np.ones((2, 4, OUTPUTS)))},
    "whole windows": {"checkpoint": STEPS},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_of_whole_batches(options, both, rng):
    net = rd.GRU.random(4, INPUTS, OUTPUTS, rng=0)
    assert both(net, *data(rng), steps=5, **options) == 4


def test_batches_and_their_shapes(both, rng):
    net, x, y = rd.Elman.random(4, INPUTS, OUTPUTS, rng=0), *data(rng)
    assert both(net, x, y, steps=6, batch_size=2, rng=0) == 5
    lengths = rd.schedules.Linear(2, 1, every=3)  # a new shape is rehearsed when it comes again
    assert both(net, x, y, steps=9, curriculum=lengths) == 6


def test_a_single_bias_of_a_candidate(both, rng):
    assert both(rd.GRU.random(4, INPUTS, OUTPUTS, rng=0, reset="before", b_hn=None), *data(rng), steps=3) == 2


def test_labels_and_states_as_outputs(both, rng):
    x, y = data(rng)
    softmax = rd.Elman.random(4, INPUTS, OUTPUTS, rng=0, output_activation="softmax")
    assert both(softmax, x, LABELS, steps=3, loss="cross_entropy") == 2
    assert both(rd.LSTM.random(OUTPUTS, INPUTS, rng=0), x, y, steps=3) == 2
    assert both(rd.Elman.random(OUTPUTS, rng=0, gain=2.0), STEPS, y, steps=3, initial_state=y[:, 0]) == 2


class Own:
    """An optimiser that sees each array by itself."""

    def start(self, arrays):
        return None

    def step(self, arrays, gradients, state):
        return {name: arrays[name] - 0.1 * g for name, g in gradients.items() if name != "b_h"}, state


def test_an_optimiser_of_the_users_own(both, rng):
    assert both(rd.Elman.random(4, INPUTS, OUTPUTS, rng=0), *data(rng), steps=4, optimizer=Own()) == 3


def test_an_optimiser_that_widens_arrays(both, rng):
    class Wide(Own):
        def step(self, arrays, gradients, state):
            return {name: arrays[name] - np.float64(0.1) * g for name, g in gradients.items()}, state

    net = rd.Elman.random(4, INPUTS, OUTPUTS, rng=0, dtype="float32")
    assert both(net, *data(rng, "float32"), steps=4, optimizer=Wide()) == 3


@pytest.mark.parametrize(
    "options",
    [{"truncate": 3}, {"checkpoint": 3}, {"dropout": rd.Dropout(inputs=0.5)}, {"loss": lambda y: (y.sum(), 0 * y + 1)}],
    ids=["truncated", "checkpoints", "dropout", "callable"],
)
def test_what_does_more_is_not_rehearsed(options, both, rng):
    assert both(rd.Elman.random(4, INPUTS, OUTPUTS, rng=0), *data(rng), steps=3, rng=0, **options) == 0


def test_neither_are_networks_of_networks_and_many_weights(both, rng):
    parts = rd.Elman.random(4, INPUTS, rng=0), rd.Elman.random(4, 4, OUTPUTS, rng=0)
    assert both(rd.Stack(parts), *data(rng), steps=3) == 0
    assert both(rd.Elman.random(200, INPUTS, OUTPUTS, rng=0), *data(rng), steps=3) == 0


def test_networks_seen_on_the_way_are_those_of_their_step(rng):
    net, (x, y) = rd.Elman.random(3, INPUTS, OUTPUTS, rng=0), data(rng)
    watch = rd.Watch(lambda net: {"size": np.abs(net.W_hh).sum()}, every=1)
    history = rd.train(net, x, y, steps=4, watch=watch)[1]
    ends = [rd.train(net, x, y, steps=k)[0] for k in range(5)]
    assert history["size"].values.tolist() == [np.abs(end.W_hh).sum() for end in ends]


def test_selections():
    a, b = np.zeros((2, 2)), np.zeros(3)
    made = selection(lambda arrays: np.concatenate([-arrays[1][::-1], [0.5, 0.0], arrays[0].T.ravel()]), [a, b])
    got = made.take([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0, 7.0])])
    assert got.tolist() == [-7, -6, -5, 0.5, 0, 1, 3, 2, 4]
    assert selection(lambda arrays: 2 * arrays[0].ravel(), [a]) is None
    assert selection(lambda arrays: np.array([arrays[0].sum()]), [a]) is None
