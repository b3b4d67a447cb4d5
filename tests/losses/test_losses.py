"""Losses: value and gradient against PyTorch, and through whole networks against complex steps of the printed forms."""

import itertools

import naive
import numpy as np
import pytest
from cases import bits, examples, relative_error
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def by_torch(torch, function, z):
    """Value and gradient of a loss, by autograd."""
    leaf = torch.tensor(z, requires_grad=True)
    value = function(leaf)
    value.backward()
    return value.item(), leaf.grad.numpy()


def close(got, wanted, tolerance=1e-12):
    assert abs(got[0] - wanted[0]) <= tolerance * max(1.0, abs(wanted[0]))
    assert relative_error(got[1], wanted[1]) <= tolerance


def of_steps(loss, z, targets):
    values, g = loss.steps(z, targets, "identity")
    return values.sum(), g


# ---- against PyTorch ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("D", [1, 3])
def test_gaussian_is_that_of_pytorch(D, torch, rng):
    z, y = 2 * rng.standard_normal((4, 5, 2 * D)), rng.standard_normal((4, 5, D))
    nll = torch.nn.GaussianNLLLoss(full=True, eps=1e-300, reduction="sum")
    wanted = by_torch(torch, lambda o: nll(o[..., :D], torch.tensor(y), o[..., D:].exp()), z)
    close(of_steps(rd.losses.GaussianNLL(), z, y), wanted)


@pytest.mark.parametrize(("K", "D"), [(1, 1), (3, 1), (2, 3)])
def test_mixture_is_that_of_pytorch(K, D, torch, rng):
    z, y = 2 * rng.standard_normal((4, 5, K * (1 + 2 * D))), rng.standard_normal((4, 5, D))

    def nll(o):
        means, s = (part.reshape(4, 5, K, D) for part in (o[..., K : K + K * D], o[..., K + K * D :]))
        normal = torch.distributions.Independent(torch.distributions.Normal(means, (s / 2).exp()), 1)
        weights = torch.distributions.Categorical(logits=o[..., :K])
        return -torch.distributions.MixtureSameFamily(weights, normal).log_prob(torch.tensor(y)).sum()

    close(of_steps(rd.losses.Mixture(), z, y), by_torch(torch, nll, z))


@pytest.mark.parametrize("D", [1, 2])
def test_quantile_is_that_of_pytorch(D, torch, rng):
    z, y = rng.standard_normal((4, 5, 3 * D)), rng.standard_normal((4, 5, D))
    y[0] = z[0, :, :D]  # at the kink too
    p = torch.tensor(LEVELS, dtype=torch.float64)[:, None]

    def pinball(o):
        error = torch.tensor(y)[:, :, None] - o.reshape(4, 5, 3, D)
        return torch.maximum(p * error, (p - 1) * error).sum()

    close(of_steps(rd.losses.Quantile(LEVELS), z, y), by_torch(torch, pinball, z))


@pytest.mark.parametrize("blank", [0, 2, 4])
@pytest.mark.parametrize("lengths", [None, (12, 7, 12, 9, 0)])
def test_ctc_is_that_of_pytorch(blank, lengths, torch, rng):
    z = 3 * rng.standard_normal((5, 12, 5))
    symbols = [k for k in range(5) if k != blank]
    labels = [rng.choice(symbols, n) for n in (6, 3, 1, 0, 0)]
    labels[0][:3] = symbols[0]  # repetitions
    ends = np.full(5, 12) if lengths is None else np.array(lengths)
    filled = np.full((5, 8), -1)
    for row, given_labels in zip(filled, labels, strict=True):
        row[: len(given_labels)] = given_labels

    def ctc(o):
        flat = torch.tensor(np.concatenate(labels))
        sizes = [tuple(map(len, labels)), tuple(int(n) for n in ends)]
        logp = o.log_softmax(-1).transpose(0, 1)
        each = torch.nn.functional.ctc_loss(logp, flat, sizes[1], sizes[0], blank, reduction="none")
        return each.sum() / 5

    wanted = by_torch(torch, ctc, z)
    close(rd.losses.CTC(blank).whole(z, filled, "identity", None if lengths is None else ends), wanted)


def test_long_sequences_do_not_underflow(torch, rng):
    """The probability of this labelling is below 1e-1700; logarithms bear it."""
    z, labels = 10 * rng.standard_normal((1, 900, 6)), rng.integers(1, 6, (1, 200))
    wanted = by_torch(
        torch,
        lambda o: torch.nn.functional.ctc_loss(
            o.log_softmax(-1).transpose(0, 1), torch.tensor(labels), (900,), (200,), reduction="sum"
        ),
        z,
    )
    assert wanted[0] > 4000
    close(rd.losses.CTC().whole(z, labels, "identity", None), wanted, 1e-10)


# ---- through whole networks, against complex steps of the equations as printed -----------------------------------
NAIVE = {
    "gaussian_nll": (naive.gaussian_nll, 4, 2),
    "mixture": (naive.mixture, 10, 2),
    "quantile": (naive.pinball, 6, 2),
    "ctc": (naive.ctc, 3, None),
}


def problem(loss, seed, B=3, T=4):
    function, width, D = NAIVE[loss]
    rng = np.random.default_rng(seed)
    net = rd.Elman.random(4, 2, width, rng=rng).replace(b_y=rng.standard_normal(width))
    y = rng.standard_normal((B, T, D)) if D else [[1, 1], [2], []]
    return function, net, rng.standard_normal((B, T, 2)), y


@pytest.mark.parametrize("loss", NAIVE)
@given(seed=st.integers(0, 2**32 - 1))
@examples(6)
def test_gradients_equal_complex_steps(loss, seed):
    function, net, x, y = problem(loss, seed)

    def by_hand(**changed):
        weights = {name: changed.get(name, getattr(net, name)) for name in ("W_xh", "W_hh", "b_h", "W_hy", "b_y")}
        total = 0.0
        for xs, ys in zip(x, y, strict=True):
            hs = naive.forward(naive.elman_step, np.zeros(4), xs, weights["W_xh"], weights["W_hh"], weights["b_h"])
            total = total + function(naive.outputs(hs, weights["W_hy"], weights["b_y"]), ys)
        return total / len(x)

    value, gradients = rd.value_and_grad(net, x, y, loss=loss)
    assert abs(value - by_hand()) <= 1e-12 * max(1.0, abs(value))
    for name in ("W_hh", "b_y"):
        slope = naive.complex_step(lambda z, name=name: by_hand(**{name: z}), np.array(getattr(net, name)))
        assert relative_error(getattr(gradients, name), slope) <= 1e-11, name


@pytest.mark.parametrize("loss", NAIVE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_lengths_and_single_precision(loss, dtype):
    """Checkpoints change no bit; what is behind the end counts for nothing; float32 is near float64."""
    _, net, x, y = problem(loss, 1, T=9)
    lengths = np.array([9, 5, 4])
    value, gradients = rd.value_and_grad(net.astype(dtype), x, y, loss=loss, lengths=lengths)
    again = rd.value_and_grad(net.astype(dtype), x, y, loss=loss, lengths=lengths, checkpoint=2)
    assert again[0] == value
    assert bits(*again[1].arrays().values()) == bits(*gradients.arrays().values())
    alone = [
        rd.value_and_grad(net, x[b : b + 1, :n], [y[b]] if loss == "ctc" else y[b : b + 1, :n], loss=loss)
        for b, n in enumerate(lengths)
    ]
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert abs(np.mean([v for v, _ in alone]) - value) <= tolerance * max(1.0, abs(value))
    assert relative_error(gradients.W_hh, np.mean([g.W_hh for _, g in alone], axis=0)) <= tolerance
    assert gradients.W_hh.dtype == dtype


@pytest.mark.parametrize("loss", [*NAIVE, rd.losses.Quantile([0.25, 0.5, 0.75]), rd.losses.CTC(blank=1)], ids=str)
def test_networks_train_on_it(loss):
    name = loss if isinstance(loss, str) else type(loss).__name__.lower()
    _, net, x, y = problem(name, 2, T=9)
    y = [[0, 2], [2], []] if isinstance(loss, rd.losses.CTC) else y
    options = {"lengths": np.array([9, 5, 4]), "batch_size": 2, "by_length": True, "rng": 0, "validation": (x, y)}
    _, history = rd.train(net, x, y, loss=loss, steps=100, optimizer=rd.Adam(0.02), **options)
    assert history.validation_loss.values[-1] < history.validation_loss.values[0] - 0.5


# ---- what the losses mean ----------------------------------------------------------------------------------------
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_the_least_quantile_loss_is_at_the_quantile(sample, level):
    y = np.array(sample)[:, None, None]
    loss = rd.losses.Quantile([level])
    costs = [of_steps(loss, np.full_like(y, q), y)[0] for q in sample]
    best = np.quantile(sample, level, method="inverted_cdf")
    assert of_steps(loss, np.full_like(y, best), y)[0] <= min(costs) + 1e-12


def test_the_probabilities_of_all_labellings_add_up_to_one(rng):
    z = rng.standard_normal((1, 4, 3))
    total = 0.0
    for n in range(5):
        for labels in itertools.product((1, 2), repeat=n):
            repeats = sum(a == b for a, b in itertools.pairwise(labels))
            if n + repeats <= 4:
                total += np.exp(-rd.losses.CTC().whole(z, np.array([labels], int).reshape(1, n), "identity", None)[0])
    assert abs(total - 1) < 1e-14


@given(st.lists(st.integers(0, 2), max_size=9), st.integers(0, 9), st.integers(0, 2))
def test_a_path_is_read_without_repetitions_then_without_blanks(path, length, blank):
    length = min(length, len(path))
    outputs = np.eye(3)[np.array([path], int).reshape(1, -1)]
    wanted = [symbol for symbol, _ in itertools.groupby(path[:length]) if symbol != blank]
    assert rd.losses.CTC(blank).read(outputs, [length])[0].tolist() == wanted


def test_no_steps_have_said_nothing():
    net = rd.Elman.random(3, 1, 2, rng=0)
    value, gradients = rd.value_and_grad(net, np.zeros((2, 0, 1)), [[], []], loss="ctc")
    assert value == 0
    assert gradients.norm() == 0


def test_names_objects_and_softmax_outputs_agree(rng):
    _, net, x, y = problem("ctc", 3)
    named = rd.value_and_grad(net, x, y, loss="ctc")
    for other in (rd.losses.CTC(), "ctc"):
        assert rd.value_and_grad(net.replace(output_activation="softmax"), x, y, loss=other)[0] == named[0]
    padded = np.array([[1, 1, -1], [2, -1, -1], [-1, -1, -1]])
    assert rd.value_and_grad(net, x, padded, loss="ctc")[0] == named[0]


# ---- bad input ---------------------------------------------------------------------------------------------------
X = np.zeros((2, 3, 1))


@pytest.mark.parametrize(
    ("outputs", "loss", "targets", "word"),
    [
        (3, "gaussian_nll", np.zeros((2, 3, 1)), "in pairs"),
        (4, "gaussian_nll", np.zeros((2, 3, 1)), "targets"),
        (4, "gaussian_nll", np.full((2, 3, 2), np.nan), "targets"),
        (5, "mixture", np.zeros((2, 3, 1)), "multiple of 3 outputs"),
        (5, "mixture", np.zeros((2, 3, 0)), "targets"),
        (4, "quantile", np.zeros((2, 3, 1)), "an output for each level"),
        (4, "quantiles", np.zeros((2, 3, 1)), "loss is 'quantiles'"),
        (3, "ctc", None, "targets is missing"),
        (3, "ctc", [[1, 2, 1, 2], [1]], r"targets\[0\] needs 4 steps"),
        (3, "ctc", [[2], [1, 1, 1]], r"targets\[1\] needs 5 steps"),
        (3, "ctc", [[0], [1]], "the blank"),
        (3, "ctc", [[3], [1]], "targets"),
        (3, "ctc", [[1.5], [1]], "targets"),
        (3, "ctc", [[-1, 1], [1]], "behind a -1"),
        (3, "ctc", [[1]], "targets"),
        (3, rd.losses.CTC(blank=3), [[1], [1]], "blank is 3"),
    ],
)
def test_bad_targets_are_named(outputs, loss, targets, word):
    net = rd.Elman.random(3, 1, outputs, rng=0)
    with pytest.raises((TypeError, ValueError), match=word):
        rd.value_and_grad(net, X, targets, loss=loss)


def test_what_has_no_place_is_refused():
    net = rd.Elman.random(3, 1, 3, rng=0)
    with pytest.raises(ValueError, match="mask with"):
        rd.value_and_grad(net, X, [[1], [1]], loss="ctc", mask=np.ones((2, 3)))
    with pytest.raises(ValueError, match="sigmoid"):
        rd.value_and_grad(net.replace(output_activation="sigmoid"), X, [[1], [1]], loss="ctc")
    with pytest.raises(TypeError, match=r"loss is the class CTC: .* CTC\(\)"):
        rd.value_and_grad(net, X, [[1], [1]], loss=rd.losses.CTC)
    for levels in ([], [0.0], [1.0], ["half"]):
        with pytest.raises((TypeError, ValueError), match="levels"):
            rd.losses.Quantile(levels)
    with pytest.raises((TypeError, ValueError), match="blank"):
        rd.losses.CTC(-1)


def test_a_density_without_bound_is_found_by_training():
    """Variances that shrink to nothing make the loss infinite: an error, not a number."""
    net = rd.Elman.random(3, 1, 2, rng=0).replace(b_y=np.array([0.0, -1e4]))
    with pytest.raises(FloatingPointError, match="step 1"):
        rd.train(net, X, np.ones((2, 3, 1)), loss="gaussian_nll", steps=1)
