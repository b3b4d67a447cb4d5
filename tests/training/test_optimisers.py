"""Optimisers: a hundred steps equal PyTorch's, for each, with each schedule, clipping and decay."""

import numpy as np
import pytest
from cases import relative_error

import rnndyn as rd

STEPS = 100


@pytest.fixture
def torch():
    """PyTorch on one thread: more cost more than they save at these sizes."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


def lambda_schedule(torch, optimizer):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 0.05 * (step // 3)))


# What to give to rnndyn; name and options in torch.optim; schedule; clipping in torch.nn.utils; recurrent decay.
CASES = {
    "sgd": (rd.SGD(0.02), "SGD", {"lr": 0.02}),
    "momentum": (rd.SGD(0.01, 0.9), "SGD", {"lr": 0.01, "momentum": 0.9}),
    "nesterov": (rd.SGD(0.01, 0.8, True), "SGD", {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
    "sgd-decay": (rd.SGD(0.01, 0.5, weight_decay=0.1), "SGD", {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1}),
    "adam": (rd.Adam(0.02), "Adam", {"lr": 0.02}),
    # Betas as small as (0.5, 0.9) would let a change of 1e-15 in the first weights grow to 1e-8 in the last.
    "adam-betas": (rd.Adam(0.02, (0.8, 0.99), 1e-6), "Adam", {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-6}),
    "adam-decay": (rd.Adam(0.02, weight_decay=0.1), "Adam", {"lr": 0.02, "weight_decay": 0.1}),
    "time-based": (rd.Adam(rd.schedules.TimeBased(0.02, 0.05, every=3)), "Adam", {"lr": 0.02}, lambda_schedule),
    "exponential": (
        rd.SGD(rd.schedules.Exponential(0.03, 0.97)),
        "SGD",
        {"lr": 0.03},
        lambda torch, optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97),
    ),
    "exponential-epochs": (
        rd.Adam(rd.schedules.Exponential(0.03, 0.5, every=20)),
        "Adam",
        {"lr": 0.03},
        lambda torch, optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 20, 0.5),
    ),
    "step": (
        rd.SGD(rd.schedules.Step((0.03, 0.003, 0.0003), at=(30, 70)), 0.9),
        "SGD",
        {"lr": 0.03, "momentum": 0.9},
        lambda torch, optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 70], 0.1),
    ),
}


def problem(rng):
    x, y = rng.standard_normal((6, 5, 2)), rng.standard_normal((6, 5, 1))
    return x, y, rd.Elman.random(7, 2, 1, rng=1, b_h=None, b_y=np.array([0.3]))


def by_pytorch(torch, x, y, net, name, options, schedule=None, clip=None, recurrent_decay=0.0):
    """Losses before each step, and the weights after the last; biases without weight decay."""
    unit = torch.nn.RNN(2, 7, bias=False, batch_first=True, dtype=torch.float64)
    readout = torch.nn.Linear(7, 1, dtype=torch.float64)
    weights = {"W_xh": unit.weight_ih_l0, "W_hh": unit.weight_hh_l0, "W_hy": readout.weight, "b_y": readout.bias}
    with torch.no_grad():
        for field, weight in weights.items():
            weight.copy_(torch.from_numpy(getattr(net, field).copy()))
    groups = [{"params": [weights[f] for f in ("W_xh", "W_hh", "W_hy")]}, {"params": [weights["b_y"]]}]
    groups[1]["weight_decay"] = 0.0
    optimizer, losses = getattr(torch.optim, name)(groups, **options), []
    scheduler = schedule and schedule(torch, optimizer)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = 0.5 * (readout(unit(torch.from_numpy(x))[0]) - torch.from_numpy(y)).square().sum() / len(x)
        loss.backward()
        if clip:
            getattr(torch.nn.utils, clip[0])(list(weights.values()), clip[1])
        with torch.no_grad():
            weights["W_hh"].mul_(1 - recurrent_decay)  # 004 "Weight Regularization": apart from the gradient
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    return losses, {field: weight.detach().numpy() for field, weight in weights.items()}


def compare(torch, rng, optimizer, *torch_options, **options):
    x, y, net = problem(rng)
    clip = options.pop("clip", None)
    losses, weights = by_pytorch(torch, x, y, net, *torch_options, clip=clip and clip[1:], **options)
    trained, history = rd.train(net, x, y, steps=STEPS, optimizer=optimizer, **({clip[0]: clip[2]} if clip else {}))
    assert losses[-1] < 0.9 * losses[0], "nothing was learnt, so nothing was compared"
    assert relative_error(history.loss.values, losses) < 1e-10
    for field, weight in weights.items():
        assert relative_error(getattr(trained, field), weight) < 1e-10, field


@pytest.mark.parametrize("name", CASES)
def test_the_trajectory_is_that_of_pytorch(name, torch, rng):
    compare(torch, rng, *CASES[name])


@pytest.mark.parametrize("clip", [("clip_norm", "clip_grad_norm_", 0.5), ("clip_value", "clip_grad_value_", 0.1)])
@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_clipping_is_that_of_pytorch(name, clip, torch, rng):
    compare(torch, rng, *CASES[name], clip=clip)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_recurrent_decay_is_apart_from_the_gradient(kind, torch, rng):
    compare(torch, rng, getattr(rd, kind)(0.02, recurrent_decay=0.01), kind, {"lr": 0.02}, recurrent_decay=0.01)


def test_one_step_of_adam_by_hand(rng):
    """The first step of Adam is the learning rate times the sign of the gradient."""
    x, y, net = problem(rng)
    _, gradients = rd.value_and_grad(net, x, y)
    trained, _ = rd.train(net, x, y, steps=1, optimizer=rd.Adam(0.1))
    assert np.allclose(trained.W_hh, net.W_hh - 0.1 * np.sign(gradients.W_hh), rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimizer", [rd.SGD(0.1, 0.9, weight_decay=0.1), rd.Adam(0.1, weight_decay=0.1)])
def test_arguments_stay_as_they_are(optimizer):
    arrays, g = {"W_hh": np.ones(2, np.float32)}, {"W_hh": np.full(2, 0.5, np.float32)}
    state = optimizer.start(arrays)
    new, after = optimizer.step(arrays, g, state)
    assert state[0] == 0
    assert not state[1]["W_hh"].any()
    assert arrays["W_hh"].tolist() == [1, 1]
    assert new["W_hh"].dtype == after[1]["W_hh"].dtype == np.float32
    assert (new["W_hh"] != 1).all()


@pytest.mark.parametrize(
    ("kind", "constants"),
    [
        ("Adam", {"learning_rate": -1.0}),
        ("Adam", {"learning_rate": np.nan}),
        ("Adam", {"learning_rate": "fast"}),
        ("Adam", {"eps": 0.0}),
        ("Adam", {"betas": (0.9, 1.0)}),
        ("Adam", {"betas": (-0.1, 0.9)}),
        ("Adam", {"betas": (0.9,)}),
        ("Adam", {"betas": 0.9}),
        ("Adam", {"weight_decay": -0.1}),
        ("SGD", {"momentum": 1.0}),
        ("SGD", {"momentum": -0.5}),
        ("SGD", {"nesterov": True}),
        ("SGD", {"recurrent_decay": 1.5}),
    ],
    ids=str,
)
def test_bad_constants_are_named(kind, constants):
    with pytest.raises((TypeError, ValueError), match=next(iter(constants))):
        getattr(rd, kind)(**constants)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("rate", [-0.1, np.nan, "fast", None])
def test_a_schedule_that_goes_wrong_is_named_at_its_step(kind, rate, rng):
    """A negative rate climbed, and one that is no number was found in the weights, with another advice."""
    x, y, net = problem(rng)
    optimizer = getattr(rd, kind)(lambda step: 0.01 if step < 2 else rate)
    with pytest.raises((TypeError, ValueError), match=r"learning_rate\(2\) is"):
        rd.train(net, x, y, steps=3, optimizer=optimizer)
