"""Dropout: masks that say what they are, PyTorch's gradient under the same masks, means, resuming, mistakes."""

import numpy as np
import pytest
from cases import BY_NAME, bits, relative_error
from scipy.special import logsumexp

import rnndyn as rd
from rnndyn.gradients import Problem
from rnndyn.networks.masked import Masked, masked
from rnndyn.training.dropout import kept

FULL = rd.Dropout(inputs=0.3, outputs=0.4, recurrent=0.2, weights=0.1)


def problem_of(net, rng, B=3, T=7):
    x, y = rng.standard_normal((B, T, net.input_size)), rng.standard_normal((B, T, net.output_size))
    return Problem.checked(net, x, y, "mse", None, None, None)


# ---- masks -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.9])
def test_factors_are_zero_or_keep_the_mean(rate, rng):
    factors, n = kept(rng, (40_000,), rate, np.float64), 40_000
    assert set(np.unique(factors)) <= {0.0, 1 / (1 - rate)}
    # Their variance is rate / (1 - rate): five standard errors of the mean.
    assert abs(factors.mean() - 1) <= 5 * np.sqrt(rate / (1 - rate) / n)
    assert kept(rng, (3,), rate, np.float32).dtype == np.float32


@pytest.mark.parametrize("variational", [True, False])
def test_masks_of_inputs_and_outputs(variational, rng):
    net = rd.Elman.random(40, 30, 2, rng=0)
    problem = problem_of(net, rng)
    x = problem.x.copy()
    thinned = rd.Dropout(inputs=0.5, outputs=0.25, variational=variational).thin(problem, rng)
    for mask, scale in ((thinned.inputs(0, 7) / x, 2.0), (thinned.shown, 4 / 3)):
        assert mask.shape[:2] == (3, 7) and np.allclose(mask[mask != 0], scale, rtol=1e-15)
        same_at_all_times = (mask == mask[:, :1]).all()
        assert same_at_all_times == variational
        assert not np.array_equal(mask[0], mask[1])  # each sequence has its own
        assert 0 < (mask == 0).mean() < 1


SHARING = [rd.GRU.random(20, 2, reset="before", rng=0), rd.LayerNormLSTM.random(20, 20, rng=1)]


def test_masks_of_recurrent_weights(rng):
    """Each weight's own; and those of units where all sequences share them."""
    net = rd.Stack([*SHARING, rd.Elman.random(20, 20, rng=2)])
    columns = rd.Dropout(recurrent=0.5).factors(net, rng)
    assert set(columns) == {"0.W_hh", "1.W_hh"} and columns["1.W_hh"].shape == (80, 20)
    for mask in columns.values():
        assert (mask == mask[:1]).all() and set(np.unique(mask)) == {0.0, 2.0}
    single = rd.Dropout(weights=0.5).factors(net, rng)
    assert set(single) == {"0.W_hh", "1.W_hh", "2.W_hh"}
    assert not (single["2.W_hh"] == single["2.W_hh"][:1]).all() and set(np.unique(single["2.W_hh"])) == {0.0, 2.0}
    assert rd.Dropout(inputs=0.5, outputs=0.5).factors(net, rng) == {}
    masked = rd.Dropout(recurrent=0.5).masked(net, 4, rng)
    assert masked.layers[:2] == net.layers[:2]
    factors = masked.layers[2].factors
    assert factors.shape == (4, 20) and set(np.unique(factors)) == {0.0, 2.0} and len(np.unique(factors, axis=0)) == 4
    assert rd.Dropout(weights=0.5).masked(net, 4, rng) is net


# Each compiles its own passes; of a cell with several states there is a test of networks of networks too.
ONE = [
    pytest.param(BY_NAME["leaky-voltage-tanh"], id="leaky-voltage-tanh"),
    *(pytest.param(BY_NAME[name], id=name, marks=pytest.mark.slow) for name in ("lstm-peephole", "gru-after-write")),
]


@pytest.mark.parametrize("case", ONE)
def test_a_masked_state_is_a_matrix_with_scaled_columns(case, rng):
    """Runs and gradients of a batch are those of its sequences, each through its own W_hh, to some roundings."""
    H, B = 5, 3
    net, x = case.network(rng, H, 2, 1), rng.standard_normal((B, 6, 2))
    y, s0, factors = (
        rng.standard_normal((B, 6, 1)),
        0.5 * rng.standard_normal((B, net.state_size)),
        kept(rng, (B, H), 0.4, float),
    )
    name = "W" if "W" in net.arrays() else "W_hh"
    own = [net.replace(**{name: f * getattr(net, name)}) for f in factors]
    ds = rd.run(masked(net, factors), x, initial_state=s0)
    value, gradients = rd.value_and_grad(masked(net, factors), x, y, initial_state=s0)
    alone = [rd.value_and_grad(*a, initial_state=s) for *a, s in zip(own, x, y, s0, strict=True)]
    for b in range(B):
        assert np.abs(ds.state[b] - rd.run(own[b], x[b], initial_state=s0[b]).state).max() < 1e-14
    assert value == pytest.approx(np.mean([v for v, _ in alone]), rel=1e-14)
    for field, array in gradients.arrays().items():
        each = [g.arrays()[field] * (f if field == name else 1) for (_, g), f in zip(alone, factors, strict=True)]
        assert relative_error(array, np.mean(each, axis=0)) < 1e-13, field


def test_masks_of_networks_of_networks(rng):
    """Loss and gradients of a batch are the means of those of its sequences alone, each with its rows of the masks."""
    inside = rd.Stack([rd.LSTM.random(3, 2, rng=0), rd.Elman.random(4, 3, 2, rng=1)])
    encoder = rd.Stack([rd.LSTM.random(3, 3, rng=2), rd.Elman.random(4, 3, rng=3)])
    net = rd.Dropout(recurrent=0.5).masked(rd.EncoderDecoder(encoder, rd.ClosedLoop(inside)), 4, rng)
    source, y, ends = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 6, 2)), [5, 2, 3, 5]

    def row(net, b):
        if isinstance(net, Masked):
            plain = type(net).__mro__[2]
            return masked(plain(**{name: getattr(net, name) for name in net._fields()}), net.factors[b : b + 1])
        return net.replace(**net._part_fields({name: row(part, b) for name, part in net.parts().items()}))

    value, gradients = rd.value_and_grad(net, (source, 6), y, lengths=(ends, None))
    alone = [rd.value_and_grad(row(net, b), (source[b, : ends[b]], 6), y[b]) for b in range(4)]
    assert value == pytest.approx(np.mean([v for v, _ in alone]), rel=1e-13)
    for name, array in gradients.arrays().items():
        assert relative_error(array, np.mean([g.arrays()[name] for _, g in alone], axis=0)) < 1e-12, name


# ---- a step of training ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("checkpoint", [None, 3])
def test_one_step_is_that_of_autograd_under_the_same_masks(variational, checkpoint, rng):
    torch = pytest.importorskip("torch")
    net = BY_NAME["elman-tanh"].network(rng, 9, 4, 2)
    x, y = rng.standard_normal((5, 8, 4)), rng.standard_normal((5, 8, 2))
    dropout = rd.Dropout(0.3, 0.4, 0.2, 0.1, variational)
    trained, history = rd.train(
        net, x, y, optimizer=rd.SGD(1.0), steps=1, dropout=dropout, rng=3, checkpoint=checkpoint
    )
    seed = int(np.random.default_rng(3).integers(1 << 62))
    draws = np.random.default_rng([seed, 0, 1])
    times = 1 if variational else 8
    kept(draws, (1, 9), 0.0, float)  # no mask for all sequences
    single, units = kept(draws, (9, 9), 0.1, float), kept(draws, (5, 9), 0.2, float)
    of_inputs, of_outputs = kept(draws, (5, times, 4), 0.3, float), kept(draws, (5, times, 9), 0.4, float)
    p = {name: torch.from_numpy(array.copy()).requires_grad_() for name, array in net.arrays().items()}
    W = p["W_hh"] * torch.from_numpy(single)
    h, hidden = torch.zeros(5, 9, dtype=torch.float64), []
    for xs in torch.from_numpy(x * of_inputs).unbind(1):
        h = torch.tanh(xs @ p["W_xh"].T + (h * torch.from_numpy(units)) @ W.T + p["b_h"])
        hidden.append(h)
    seen = torch.stack(hidden, 1) * torch.from_numpy(of_outputs)
    loss = 0.5 * (seen @ p["W_hy"].T + p["b_y"] - torch.from_numpy(y)).square().sum() / 5
    loss.backward()
    assert history.loss.item() == pytest.approx(loss.item(), rel=1e-13)
    for name, parameter in p.items():
        step = getattr(net, name) - getattr(trained, name)
        assert relative_error(step, parameter.grad.numpy()) <= 1e-12, name
    norm = np.sqrt(sum(float(parameter.grad.square().sum()) for parameter in p.values()))
    assert history.gradient_norm.item() == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("rewarded", [True, False])
def test_what_is_fed_back_comes_from_the_network_with_its_parts_left_out(rewarded, variational, rng):
    """By hand under the same masks: else the gradient would be of other outputs than those that were drawn.

    Logits are so large that the likeliest symbol is certain.
    """
    net, seen = rd.Elman.random(9, 4, 4, gain=2.0, rng=0), []
    net = net.replace(W_hy=1e4 * net.W_hy)
    labels = rng.integers(4, size=(5, 9))
    x, y = np.eye(4)[labels[:, :-1]], labels[:, 1:]
    dropout = rd.Dropout(0.3, 0.4, 0.2, 0.1, variational)

    def reward(symbols, targets):
        seen.append(symbols)
        return symbols.sum(axis=1)

    feeding = rd.Reinforce(reward) if rewarded else rd.ScheduledSampling(0.0, temperature=0.0)
    options = {"loss": "cross_entropy", "optimizer": rd.SGD(0.0), "steps": 1, "rng": 3}
    history = rd.train(net, x, y, dropout=dropout, feeding=feeding, **options)[1]
    seed, times = int(np.random.default_rng(3).integers(1 << 62)), 1 if variational else 8
    draws = np.random.default_rng([seed, 0, 1])
    kept(draws, (1, 9), 0.0, float)  # no mask for all sequences
    single, units = kept(draws, (9, 9), 0.1, float), kept(draws, (5, 9), 0.2, float)
    of_inputs, of_outputs = kept(draws, (5, times, 4), 0.3, float), kept(draws, (5, times, 9), 0.4, float)
    h, drive, drawn, loss = np.zeros((5, 9)), x[:, 0], [], 0.0
    for t in range(8):
        at = 0 if variational else t
        h = np.tanh((drive * of_inputs[:, at]) @ net.W_xh.T + (h * units) @ (net.W_hh * single).T + net.b_h)
        z = (h * of_outputs[:, at]) @ net.W_hy.T + net.b_y
        drawn.append(z.argmax(axis=1))
        drive = np.eye(4)[drawn[-1]]
        loss += (logsumexp(z, axis=1) - z[np.arange(5), y[:, t]]).mean()
    if rewarded:
        assert np.array_equal(seen[0], np.stack(drawn, axis=1))
    else:
        assert history.loss.item() == pytest.approx(loss, rel=1e-12)


def test_the_mean_gradient_of_a_linear_loss_is_that_of_the_whole_network(rng):
    """The loss sum(y c) of a linear network without recurrence is linear in each mask: its mean is the whole's."""
    net = rd.Linear(rng.standard_normal((4, 3)), np.zeros((4, 4)), W_hy=rng.standard_normal((2, 4)))
    x, c = rng.standard_normal((3, 5, 3)), rng.standard_normal((3, 5, 2))
    options = {"loss": lambda y: ((y * c).sum(), c), "optimizer": rd.SGD(1.0), "steps": 1}
    whole = net.W_xh - rd.train(net, x, None, **options)[0].W_xh
    dropout = rd.Dropout(inputs=0.5, outputs=0.5, variational=False)
    steps = [net.W_xh - rd.train(net, x, None, dropout=dropout, rng=seed, **options)[0].W_xh for seed in range(400)]
    error = np.std(steps, axis=0) / np.sqrt(400)
    assert (np.abs(np.mean(steps, axis=0) - whole) <= 4.5 * error).all() and error.max() < 0.5 * np.abs(whole).max()


def test_nothing_left_out_changes_nothing(rng):
    net, x = rd.GRU.random(5, 2, 1, rng=0), rng.standard_normal((6, 7, 2))
    plain = rd.train(net, x, x[:, :, :1], steps=5, rng=0)[0]
    assert rd.train(net, x, x[:, :, :1], steps=5, rng=0, dropout=rd.Dropout())[0] == plain


def test_masks_differ_from_step_to_step_and_not_from_call_to_call(rng):
    net, x = rd.Elman.random(9, 2, 1, rng=0), rng.standard_normal((6, 7, 2))
    options = {"optimizer": rd.SGD(0.0), "steps": 6, "dropout": FULL}
    first, again, other = (rd.train(net, x, x[:, :, :1], rng=seed, **options)[1].loss.values for seed in (0, 0, 1))
    assert len(set(first)) == 6 and bits(first) == bits(again) and not np.isin(first, other).any()


def test_validation_sees_the_whole_network(rng):
    net, x = rd.Elman.random(9, 2, 1, rng=0), rng.standard_normal((6, 7, 2))
    y = x[:, :, :1]
    options = {"optimizer": rd.SGD(0.0), "steps": 3, "dropout": FULL, "rng": 0}
    history = rd.train(net, x, y, validation=(x, y), **options)[1]
    assert (history.validation_loss == rd.value_and_grad(net, x, y)[0]).all()
    assert (history.loss != history.validation_loss).all()


class Killed(Exception):
    pass


@pytest.mark.parametrize("seed", [5, None])
def test_an_interrupted_training_comes_to_the_same_bits(seed, tmp_path, rng):
    """Without a seed too: the file keeps the one that was drawn."""
    x = rng.standard_normal((7, 6, 2))
    net, path = rd.Stack.random(4, 2, 1, cell=rd.GRU, rng=0), tmp_path / "run.safetensors"

    def call(steps, rng, stop=None, **options):
        def progress(done, total):
            if done == stop:
                raise Killed

        options |= {"save_every": 3, "batch_size": 2, "dropout": FULL, "progress": progress}
        return rd.train(net, x, x[:, :, :1], steps=steps, rng=rng, **options)

    with pytest.raises(Killed):
        call(20, seed, stop=8, save_to=path)
    kept_file = path.read_bytes()
    ends = []
    for stop in (None, 13):
        path.write_bytes(kept_file)
        if stop:
            with pytest.raises(Killed):
                call(20, seed, stop=stop, save_to=path)
        ends.append(call(20, seed, save_to=path))
    if seed is not None:
        ends.append(call(20, seed))
    for end, history in ends[1:]:
        assert end == ends[0][0] and bits(history.loss.values) == bits(ends[0][1].loss.values)
    with pytest.raises(ValueError, match="is of a training with other dropout"):
        rd.train(net, x, x[:, :, :1], steps=20, rng=seed, save_to=path, save_every=3, batch_size=2)


def test_losses_of_whole_sequences_see_the_masks(rng):
    net, x = rd.Elman.random(6, 2, 3, rng=0), rng.standard_normal((2, 8, 2))
    options = {"loss": "ctc", "optimizer": rd.SGD(0.0), "steps": 4, "rng": 0}
    loss = rd.train(net, x, np.array([[1, 2], [2, 1]]), dropout=rd.Dropout(outputs=0.5), **options)[1].loss.values
    assert len(set(loss)) == 4


# ---- mistakes ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": 1.0}, r"inputs is 1.0: the share that is left out is wanted, a number in \[0, 1\)"),
        ({"weights": -0.1}, "weights is -0.1"),
        ({"outputs": "half"}, "outputs is 'half'"),
        ({"variational": 1}, "variational is a int"),
    ],
)
def test_wrong_rates_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.Dropout(**options)


@pytest.mark.parametrize(
    ("net", "dropout", "message"),
    [
        (rd.Elman.random(3, 0, 1, rng=0), rd.Dropout(inputs=0.1), "dropout has inputs=0.1, but net has no inputs"),
        (rd.SRU.random(3, 1, 1, rng=0), rd.Dropout(weights=0.1), "but SRU.* has no recurrent weights"),
        (rd.Elman.random(3, 1, 1, rng=0), 0.5, "dropout is a float: an rnndyn.Dropout is wanted"),
    ],
)
def test_what_the_network_has_not_is_named(net, dropout, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.train(net, np.zeros((1, 3, net.input_size)), np.zeros((1, 3, 1)), dropout=dropout)
