"""The loop of training: clipping, batches, validation, progress, and what goes wrong."""

import numpy as np
import pytest
from cases import bits

import rnndyn as rd


def data(rng, B=6, T=5, I=2, O=1):
    return rng.standard_normal((B, T, I)), rng.standard_normal((B, T, O))


def start(I=2, O=1, H=7, **fields):
    return rd.Elman.random(H, I, O, rng=1, b_h=None, b_y=None, **fields)


# ---- the loop ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_lowers_the_loss_and_leaves_the_network_alone(dtype, rng):
    (x, _), net = data(rng), start(dtype=dtype)
    before = bits(*net.arrays().values())
    trained, history = rd.train(net, x, x[:, :, :1], steps=60, optimizer=rd.Adam(0.02))
    assert history.loss.values[-1] < 0.5 * history.loss.values[0]
    assert bits(*net.arrays().values()) == before
    assert trained.dtype == dtype
    assert history.sizes == {"step": 60}


def test_the_history_is_of_the_network_before_each_step(rng):
    (x, y), net = data(rng), start()
    value, gradients = rd.value_and_grad(net, x, y)
    _, history = rd.train(net, x, y, steps=2)
    assert history.loss.values[0] == value
    assert history.gradient_norm.values[0] == gradients.norm()


def test_clipping_scales_the_gradient_to_the_norm(rng):
    (x, y), net = data(rng), start()
    norm = rd.value_and_grad(net, x, y)[1].norm()

    class Descent(rd.Adam):
        """Takes the gradient as it comes."""

        def step(self, arrays, gradients, state):
            taken.append(np.sqrt(sum(np.sum(g**2) for g in gradients.values())))
            return arrays, state

    taken = []
    for clip in (0.5 * norm, 2 * norm, None):
        history = rd.train(net, x, y, steps=1, clip_norm=clip, optimizer=Descent())[1]
        assert history.gradient_norm.values[0] == norm, "the norm is that before clipping"
    assert np.allclose(taken, [0.5 * norm / (1 + 1e-6 / norm), norm, norm], rtol=1e-12)


def test_clipping_by_value_bounds_each_component(rng):
    (x, y), net = data(rng), start()
    whole = rd.value_and_grad(net, x, y)[1]
    bound = np.median(np.abs(whole.W_hh))
    trained, history = rd.train(net, x, y, steps=1, clip_value=bound, optimizer=rd.SGD(1.0))
    assert history.gradient_norm.values[0] == whole.norm()
    assert np.allclose(net.W_hh - trained.W_hh, np.clip(whole.W_hh, -bound, bound), rtol=0, atol=1e-15)


def test_batches_are_passes_over_all_sequences(rng):
    """Each pass takes every sequence once: with a frozen network the losses of a pass average to the whole loss."""
    (x, y), net = data(rng), start()
    whole = rd.value_and_grad(net, x, y)[0]
    losses = rd.train(net, x, y, steps=6, batch_size=2, optimizer=rd.Adam(0.0), rng=0)[1].loss.values
    assert np.allclose(losses.reshape(2, 3).mean(axis=1), whole, rtol=1e-12)
    assert len(set(losses)) > 3, "every pass in another order"


def test_batches_come_from_rng(rng):
    (x, y), net = data(rng), start()
    runs = [rd.train(net, x, y, steps=5, batch_size=2, rng=seed)[0] for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
    by_generator = rd.train(net, x, y, steps=5, batch_size=2, rng=np.random.default_rng(3))[0]
    assert by_generator == runs[0]


def test_a_batch_larger_than_the_data_is_all_of_them(rng):
    (x, y), net = data(rng), start()
    assert rd.train(net, x, y, steps=2, batch_size=100, rng=0)[0] == rd.train(net, x, y, steps=2)[0]


def test_options_reach_the_gradient(rng):
    """Lengths, masks and initial states are cut into batches with the sequences."""
    (x, y), net = data(rng), start()
    options = {
        "lengths": np.array([5, 1, 2, 3, 4, 0]),
        "mask": rng.uniform(size=(6, 5)),
        "initial_state": rng.standard_normal((6, 7)),
        "truncate": 2,
    }
    value = rd.value_and_grad(net, x, y, **options)[0]
    history = rd.train(net, x, y, steps=3, batch_size=2, optimizer=rd.Adam(0.0), rng=0, **options)[1]
    assert np.isclose(history.loss.values.mean(), value, rtol=1e-12)


def test_batches_by_length_give_the_gradient_of_each_sequence_alone(rng):
    """One pass with a frozen network: its losses are those of each sequence by itself, without padding."""
    (x, y), net = data(rng, B=7), start()
    lengths = np.array([5, 1, 2, 5, 3, 1, 4])
    alone = [rd.value_and_grad(net, a[:n], b[:n])[0] for a, b, n in zip(x, y, lengths, strict=True)]
    x[np.arange(5) >= lengths[:, None]] = 1e6  # what is behind the end counts for nothing
    options = {"steps": 7, "batch_size": 1, "optimizer": rd.SGD(0.0), "rng": 0, "lengths": lengths}
    for by_length in (False, True):
        history = rd.train(net, x, y, by_length=by_length, **options)[1]
        assert sorted(history.loss.values) == sorted(alone)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "Leaky", "Stack", "Bidirectional"])
def test_every_kind_of_network_learns(kind, rng):
    (x, _), H = data(rng), 6
    if kind == "Stack":
        net = rd.Stack([rd.Elman.random(4, 2, rng=0), rd.GRU.random(H, 4, 1, rng=1)])
    elif kind == "Bidirectional":
        W_hy = 0.1 * rng.standard_normal((1, 2 * H))
        net = rd.Bidirectional(rd.GRU.random(H, 2, rng=0), rd.GRU.random(H, 2, rng=1), W_hy=W_hy)
    elif kind == "Leaky":
        net = rd.Leaky.random(H, 2, 1, alpha=0.5, rng=0)
    else:
        net = getattr(rd, kind).random(H, 2, 1, rng=0)
    trained, history = rd.train(net, x, x[:, :, :1], steps=40, optimizer=rd.Adam(0.03))
    assert history.loss.values[-1] < 0.5 * history.loss.values[0]
    assert type(trained) is type(net)
    assert set(trained.arrays()) == set(net.arrays())


def test_progress_is_told(rng, capsys):
    (x, y), net = data(rng), start()
    told = []
    rd.train(net, x, y, steps=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert capsys.readouterr() == ("", "")
    rd.train(net, x, y, steps=3, progress=True)
    assert "training" in capsys.readouterr().err


def test_no_steps_change_nothing(rng):
    (x, y), net = data(rng), start()
    trained, history = rd.train(net, x, y, steps=0)
    assert trained == net
    assert history.sizes == {"step": 0}


def test_the_bar_shows_loss_and_gradient(rng, capsys):
    (x, y), net = data(rng), start()
    history = rd.train(net, x, y, steps=2, progress=True)[1]
    assert f"loss={history.loss.values[-1]:.3g}" in capsys.readouterr().err


def test_the_learning_rate_is_in_the_history(rng):
    (x, y), net = data(rng), start()
    optimizer = rd.SGD(rd.schedules.Exponential(0.1, 0.5, every=2))
    assert rd.train(net, x, y, steps=4, optimizer=optimizer)[1].learning_rate.values.tolist() == [0.1, 0.1, 0.05, 0.05]

    class Own:
        """The least that an optimiser is."""

        def start(self, arrays):
            return None

        def step(self, arrays, gradients, state):
            return {name: a - 0.1 * gradients[name] for name, a in arrays.items()}, state

    own, history = rd.train(net, x, y, steps=3, optimizer=Own())
    assert "learning_rate" not in history
    assert own == rd.train(net, x, y, steps=3, optimizer=rd.SGD(0.1))[0]


def test_an_optimiser_may_leave_arrays_alone(rng):
    (x, y), net = data(rng), start()

    class Recurrent:
        """Trains the recurrent weights only."""

        def start(self, arrays):
            return None

        def step(self, arrays, gradients, state):
            return {"W_hh": arrays["W_hh"] - 0.1 * gradients["W_hh"]}, state

    trained = rd.train(net, x, y, steps=3, optimizer=Recurrent())[0]
    assert not np.array_equal(trained.W_hh, net.W_hh)
    assert trained.replace(W_hh=net.W_hh) == net


# ---- validation --------------------------------------------------------------------------------------------------
def overfit(rng, **options):
    """A net that learns noise: its loss on other noise falls, then rises."""
    (x, y), (u, v) = data(rng, B=3), data(rng, B=3)
    options = {"steps": 200, "optimizer": rd.Adam(0.03), "validation": (u, v)} | options
    return rd.train(start(), x, y, **options), (x, y, u, v)


def test_the_network_that_does_best_on_the_validation_data_is_returned(rng):
    (net, history), (x, y, u, v) = overfit(rng)
    best = int(np.argmin(history.validation_loss.values))
    assert 0 < best < 150, "a case in which it matters"
    assert history.attrs["best_step"] == best + 1
    assert rd.value_and_grad(net, u, v)[0] == history.validation_loss.values[best]
    assert net == rd.train(start(), x, y, steps=best + 1, optimizer=rd.Adam(0.03))[0]


def test_training_stops_when_patience_ends(rng):
    whole = overfit(np.random.default_rng(0))[0]
    stopped = overfit(np.random.default_rng(0), patience=5)[0]
    losses, n = whole[1].validation_loss.values, stopped[1].sizes["step"]
    assert stopped[1].validation_loss.values.tolist() == losses[:n].tolist()
    best = int(np.argmin(losses[:n]))
    assert n == best + 1 + 5 < 200
    assert stopped[1].attrs["best_step"] == best + 1


def test_validation_is_looked_at_every_so_often(rng):
    _, history = overfit(rng, steps=7, validate_every=3)[0]
    assert np.isfinite(history.validation_loss.values).tolist() == [False, False, True, False, False, True, False]


def test_validation_takes_lengths_and_masks(rng):
    (x, y), net = data(rng), start()
    more = {"lengths": np.arange(6), "mask": rng.uniform(size=(6, 5)), "initial_state": rng.standard_normal((6, 7))}
    held_out = {"inputs": x, "targets": y} | more
    trained, history = rd.train(net, x, y, steps=1, validation=held_out)
    assert history.validation_loss.values[0] == rd.value_and_grad(trained, x, y, **more)[0]


def test_a_callable_loss_is_validated_too(rng):
    (x, y), net = data(rng), start()

    def loss(outputs):
        return 0.5 * np.sum((outputs - y) ** 2) / len(y), (outputs - y) / len(y)

    own = rd.train(net, x, None, loss=loss, steps=3, validation=(x, None))[1]
    named = rd.train(net, x, y, steps=3, validation=(x, y))[1]
    assert np.allclose(own.validation_loss, named.validation_loss, rtol=1e-12)


# ---- what goes wrong ---------------------------------------------------------------------------------------------
def test_a_loss_that_overflows_names_the_step(rng):
    (x, y), net = data(rng), start(activation="identity", gain=1e160)
    with pytest.raises(FloatingPointError, match="step 1: loss (inf|nan).* clip_norm"):
        rd.train(net, x, y, steps=3)


def test_no_sequences_make_no_batch():
    with pytest.raises(ValueError, match="no sequences"):
        rd.train(start(), np.zeros((0, 5, 2)), np.zeros((0, 5, 1)), steps=1, batch_size=2)


def test_weights_that_overflow_name_the_step(rng):
    (x, y), net = data(rng), start(dtype="float32")
    with pytest.raises(FloatingPointError, match="step 1: W_.* learning rate"):
        rd.train(net, x, y, steps=3, optimizer=rd.SGD(1e39))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"steps": -1}, ValueError, "steps"),
        ({"steps": 1.5}, TypeError, "steps"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"clip_norm": 0.0}, ValueError, "clip_norm"),
        ({"clip_value": -1.0}, ValueError, "clip_value"),
        ({"clip_value": 1.0, "clip_norm": 1.0}, ValueError, "clip_norm and clip_value"),
        ({"by_length": True, "batch_size": 2}, ValueError, "by_length"),
        ({"patience": 2}, ValueError, "patience without validation"),
        ({"patience": 0, "validation": (np.zeros((1, 5, 2)), np.zeros((1, 5, 1)))}, ValueError, "patience"),
        ({"validate_every": 0}, ValueError, "validate_every"),
        ({"save_every": 0}, ValueError, "save_every"),
        ({"validation": "data"}, TypeError, "validation"),
        ({"validation": {"inputs": 0, "labels": 0}}, ValueError, "validation has labels"),
        ({"validation": (np.zeros((1, 5, 3)), np.zeros((1, 5, 1)))}, ValueError, "validation: inputs"),
        ({"loss": "mae"}, ValueError, "loss"),
        ({"loss": lambda y: (0.0, y), "batch_size": 2}, ValueError, "batch_size"),
        ({"rng": "seed"}, TypeError, "rng"),
        ({"truncate": 0}, ValueError, "truncate"),
        ({"lengths": [1]}, ValueError, "lengths"),
        ({"save_to": "/"}, ValueError, "is a folder"),
        ({"device": "abacus"}, ValueError, "device"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
        ({"optimizer": rd.Adam}, TypeError, r"the class Adam: an object is wanted, Adam\(\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_arguments_are_named(arguments, error, words, rng):
    (x, y), net = data(rng), start()
    with pytest.raises(error, match=words):
        rd.train(net, x, y, **({"steps": 2} | arguments))


@pytest.mark.parametrize(
    "targets", [None, np.zeros((5, 5, 1)), np.full((6, 5, 1), np.nan), "y"], ids=["none", "batch", "nan", "text"]
)
def test_bad_targets_are_named(targets, rng):
    (x, _), net = data(rng), start()
    with pytest.raises((TypeError, ValueError), match="targets"):
        rd.train(net, x, targets, steps=2)


@pytest.mark.parametrize("wrong", [{"W": np.zeros(1)}, {"W_hh": np.zeros(2)}], ids=["name", "shape"])
def test_an_optimiser_that_gives_other_arrays_is_told(wrong):
    class Wrong:
        def start(self, arrays):
            return None

        def step(self, arrays, gradients, state):
            return wrong, state

    net, (name,) = rd.Elman.random(3, 2, rng=0), wrong
    with pytest.raises(ValueError, match=rf"optimizer gave {name} of shape .*W_hh \(3, 3\)"):
        rd.train(net, np.ones((2, 4, 2)), np.ones((2, 4, 3)), steps=1, optimizer=Wrong())
