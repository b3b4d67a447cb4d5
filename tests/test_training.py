"""Training: Adam against PyTorch's, clipping, batches, progress, and what goes wrong."""

import numpy as np
import pytest
from cases import bits, relative_error

import rnndyn as rd


def data(rng, B=6, T=5, I=2, O=1):
    return rng.standard_normal((B, T, I)), rng.standard_normal((B, T, O))


def start(I=2, O=1, H=7, **fields):
    return rd.Elman.random(H, I, O, rng=1, b_h=None, b_y=None, **fields)


# ---- Adam --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_the_trajectory_is_that_of_pytorch(betas, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    (x, y), net, steps = data(rng), start(), 100
    unit = torch.nn.RNN(2, 7, bias=False, batch_first=True, dtype=torch.float64)
    readout = torch.nn.Linear(7, 1, bias=False, dtype=torch.float64)
    weights = {"W_xh": unit.weight_ih_l0, "W_hh": unit.weight_hh_l0, "W_hy": readout.weight}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(torch.from_numpy(getattr(net, name).copy()))
    adam = torch.optim.Adam(weights.values(), lr=0.02, betas=betas)
    losses = []
    for _ in range(steps):
        adam.zero_grad()
        loss = 0.5 * (readout(unit(torch.from_numpy(x))[0]) - torch.from_numpy(y)).square().sum() / len(x)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    net, history = rd.train(net, x, y, steps=steps, optimizer=rd.Adam(0.02, betas=betas))
    assert relative_error(history.loss.values, losses) < 1e-9
    for name, weight in weights.items():
        assert relative_error(getattr(net, name), weight.detach().numpy()) < 1e-9, name


def test_one_step_by_hand(rng):
    """The first step of Adam is the learning rate times the sign of the gradient."""
    (x, y), net = data(rng), start()
    _, gradients = rd.value_and_grad(net, x, y)
    trained, _ = rd.train(net, x, y, steps=1, optimizer=rd.Adam(0.1))
    assert np.allclose(trained.W_hh, net.W_hh - 0.1 * np.sign(gradients.W_hh), rtol=0, atol=1e-6)


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
    assert np.allclose(taken, [0.5 * norm, norm, norm], rtol=1e-12)


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


# ---- what goes wrong ---------------------------------------------------------------------------------------------
def test_a_loss_that_overflows_names_the_step(rng):
    (x, y), net = data(rng), start(activation="identity", gain=1e160)
    with pytest.raises(FloatingPointError, match="step 1: loss (inf|nan).* clip_norm"):
        rd.train(net, x, y, steps=3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"steps": -1}, ValueError, "steps"),
        ({"steps": 1.5}, TypeError, "steps"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"clip_norm": 0.0}, ValueError, "clip_norm"),
        ({"loss": "mae"}, ValueError, "loss"),
        ({"loss": lambda y: (0.0, y), "batch_size": 2}, ValueError, "batch_size"),
        ({"rng": "seed"}, TypeError, "rng"),
        ({"truncate": 0}, ValueError, "truncate"),
        ({"lengths": [1]}, ValueError, "lengths"),
        ({"device": "abacus"}, ValueError, "device"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
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


@pytest.mark.parametrize(
    "constants",
    [{"learning_rate": -1.0}, {"eps": 0.0}, {"betas": (0.9, 1.0)}, {"betas": (-0.1, 0.9)}, {"learning_rate": np.nan}],
    ids=str,
)
def test_bad_constants_of_adam_are_named(constants):
    with pytest.raises(ValueError, match=next(iter(constants))):
        rd.Adam(**constants)
