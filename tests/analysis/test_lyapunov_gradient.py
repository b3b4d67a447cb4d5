"""Gradients of Lyapunov exponents against differences of a plain QR loop, closed forms, and backpropagation."""

import numpy as np
import pytest
from cases import BY_NAME, CASES, bits, relative_error

import rnndyn as rd
from rnndyn.analysis import lyapunov_gradient
from rnndyn.analysis.variation import unit_derivatives

# One of each kind of cell with an invertible Jacobian.
KINDS = [
    BY_NAME[name]
    for name in (
        "elman-tanh",
        "elman-sigmoid",
        "leaky-rate-tanh",
        "leaky-rate-relu",
        "leaky-voltage-tanh",
        "piecewise-linear",
        "lstm",
        "lstm-peephole",
        "gru-after-keep",
        "gru-before-write",
    )
]
WARMUP, INTERVAL, SEED = 2, 2, 7


def weighted(weights):
    """The loss ``sum_i w_i exponent_i``, summed over the batch."""
    return lambda exponents: (float((exponents * weights).sum()), np.broadcast_to(weights, exponents.shape))


def first_frame(size, k, rng):
    """Orthonormal vectors as they are drawn where the initial state is given."""
    return np.linalg.qr(np.random.default_rng(rng).standard_normal((size, k)))[0]


def exponents_by_hand(case, fields, s, xs, Q):
    """Exponents of the naive step, with Jacobians by its complex step, warmup and interval as above."""
    logs, V = np.zeros(Q.shape[1]), Q
    for t, x in enumerate(xs, 1):

        def step(z, x=x):
            return case.step(z, x, **fields, **case.options)

        J = np.array([step(s + 1e-30j * e).imag / 1e-30 for e in np.eye(len(s))]).T
        V, s = J @ V, step(s)
        if t % INTERVAL == 0 or t in (WARMUP, len(xs)):
            V, R = np.linalg.qr(V)
            logs += np.log(np.abs(np.diag(R))) * (t > WARMUP)
    return logs / (len(xs) - WARMUP)


def difference(f, h):
    """Central difference at 0, of order h^4."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.name)
def test_every_field_against_differences(case, rng):
    net = case.network(rng, 4, 2, 1)
    s, xs, weights = rng.uniform(-1, 1, net.state_size), rng.standard_normal((7, 2)), rng.standard_normal(3)
    options = {"k": 3, "warmup": WARMUP, "qr_interval": INTERVAL, "initial_state": s, "rng": SEED}
    value, exponents, gradients = rd.lyapunov_value_and_grad(net, xs, loss=weighted(weights), **options)
    fields, Q = case.parameters(net), first_frame(net.state_size, 3, SEED)
    assert np.abs(exponents - exponents_by_hand(case, fields, s, xs, Q)).max() < 1e-13
    assert value == pytest.approx(exponents @ weights, rel=1e-14)
    for name, array in fields.items():
        for _ in range(2):
            direction = rng.standard_normal(array.shape)

            def moved(h, name=name, array=array, direction=direction):
                return exponents_by_hand(case, fields | {name: array + h * direction}, s, xs, Q) @ weights

            # The difference is good to its own change with h, and to the rounding of some 1e-15 / h.
            wanted, other = difference(moved, 1e-4), difference(moved, 2e-4)
            allowed = abs(other - wanted) + 1e-10 * np.linalg.norm(getattr(gradients, name)) + 1e-11
            assert allowed < 1e-7 * max(np.linalg.norm(getattr(gradients, name)), 1), "the difference says nothing"
            assert abs((getattr(gradients, name) * direction).sum() - wanted) <= allowed, name
    assert not gradients.W_hy.any() and not gradients.b_y.any()


def test_the_sum_of_all_exponents_of_a_linear_network_is_log_det(rng):
    W = rng.standard_normal((5, 5))
    value, _, gradients = rd.lyapunov_value_and_grad(rd.Linear(None, W), 40, loss=weighted(np.ones(5)), rng=0)
    assert value == pytest.approx(np.linalg.slogdet(W)[1], rel=1e-12)
    assert relative_error(gradients.W_hh, np.linalg.inv(W).T) < 1e-10


def test_each_exponent_of_a_linear_network_is_that_of_its_eigenvalue(rng):
    """The gradient is l_i r_i' / mu_i, once the frame is that of the eigenvectors: here to 2^-60."""
    values, R = np.array([1.6, -0.8, 0.4, 0.2]), rng.standard_normal((4, 4)) + 2 * np.eye(4)
    W, L = R @ np.diag(values) @ np.linalg.inv(R), np.linalg.inv(R)
    for i in range(3):
        options = {"k": 3, "warmup": 60, "loss": weighted(np.eye(3)[i]), "rng": 1}
        value, exponents, gradients = rd.lyapunov_value_and_grad(rd.Linear(None, W), 70, **options)
        assert value == pytest.approx(np.log(abs(values[i])), abs=1e-13)
        assert relative_error(gradients.W_hh, np.outer(L[i], R[:, i]) / values[i]) < 1e-11


def test_a_diagonal_network_is_exact():
    scale = np.array([0.9, -0.5, 0.25])
    net = rd.Elman(None, np.diag(scale), activation="identity")
    _, exponents, gradients = rd.lyapunov_value_and_grad(net, 100, loss=weighted(np.ones(3)), rng=3)
    assert exponents.sum() == pytest.approx(np.log(np.abs(scale)).sum(), rel=1e-13)
    assert np.abs(np.diag(gradients.W_hh) * scale - 1).max() < 1e-12


def test_the_sum_rule_for_gradients(rng):
    """For tanh units log |det J_t| = log |det W| + sum log(1 - h_t^2): its gradient is plain backpropagation."""
    net, s, x = BY_NAME["elman-tanh"].network(rng, 6, 2), rng.uniform(-1, 1, (2, 6)), rng.standard_normal((2, 20, 2))
    _, exponents, gradients = rd.lyapunov_value_and_grad(net, x, loss=weighted(np.ones(6)), initial_state=s, rng=0)

    def mean_log_slope(h):
        return np.log(1 - h**2).sum() / 20, -2 * h / (1 - h**2) / 20

    value, wanted = rd.value_and_grad(net, x, None, loss=mean_log_slope, initial_state=s)
    assert exponents.sum() == pytest.approx(value + 2 * np.linalg.slogdet(net.W_hh)[1], rel=1e-12)
    assert relative_error(gradients.W_hh, wanted.W_hh + 2 * np.linalg.inv(net.W_hh).T) < 1e-9
    assert relative_error(gradients.W_xh, wanted.W_xh) < 1e-9 and relative_error(gradients.b_h, wanted.b_h) < 1e-9


def test_the_orthonormalisations_in_between_do_not_matter(rng):
    net, x = BY_NAME["gru-after-keep"].network(rng, 5, 2), rng.standard_normal((12, 2))
    options = {"loss": weighted(np.array([1.0, -2.0])), "k": 2, "warmup": 3, "rng": 5}
    every = rd.lyapunov_value_and_grad(net, x, **options)
    third = rd.lyapunov_value_and_grad(net, x, qr_interval=3, **options)
    assert np.abs(every[1] - third[1]).max() < 1e-12
    for name, g in every[2].arrays().items():
        assert relative_error(getattr(third[2], name), g) < 1e-9


def test_checkpoints_do_not_matter(rng, monkeypatch):
    net, x = BY_NAME["lstm-peephole"].network(rng, 3, 1), rng.standard_normal((23, 1))
    cut = rd.lyapunov_value_and_grad(net, x, k=4, rng=0)
    monkeypatch.setattr(lyapunov_gradient, "as_window", lambda checkpoint, steps: steps)
    whole = rd.lyapunov_value_and_grad(net, x, k=4, rng=0)
    assert cut[0] == pytest.approx(whole[0], rel=1e-13)
    for name, g in cut[2].arrays().items():
        assert relative_error(whole[2].arrays()[name], g) < 1e-10


def test_a_batch_is_the_mean_of_its_sequences(rng):
    net, s, x = (
        BY_NAME["leaky-rate-tanh"].network(rng, 4, 2),
        rng.uniform(-1, 1, (3, 4)),
        rng.standard_normal((3, 9, 2)),
    )
    targets = rng.standard_normal((3, 2))
    value, exponents, gradients = rd.lyapunov_value_and_grad(net, x, targets, k=2, initial_state=s, rng=SEED)
    alone = [rd.lyapunov_value_and_grad(net, x[b], targets[b], k=2, initial_state=s[b], rng=SEED) for b in range(3)]
    assert exponents.shape == (3, 2) and value == pytest.approx(((exponents - targets) ** 2).mean(), rel=1e-14)
    assert np.abs(exponents - [one[1] for one in alone]).max() < 1e-14
    for name, g in gradients.arrays().items():
        assert relative_error(np.mean([one[2].arrays()[name] for one in alone], axis=0), g) < 1e-12


def test_steps_against_the_gradient_bring_the_exponents_to_their_target():
    net, targets = rd.GRU.random(6, rng=0), np.array([-0.02, -0.1])
    adam, value = rd.Adam(0.02), np.inf
    state = adam.start(net.arrays())
    for _ in range(60):
        value, _, gradients = rd.lyapunov_value_and_grad(net, 20, targets, k=2, warmup=5, rng=0)
        arrays, state = adam.step(net.arrays(), gradients.arrays(), state)
        net = net.with_arrays(arrays)
    assert value < 1e-3


def test_float32_is_computed_in_float64(rng):
    net, x = BY_NAME["elman-tanh"].network(rng, 4, 2, dtype="float32"), rng.standard_normal((6, 2))
    single = rd.lyapunov_value_and_grad(net, x, rng=0, k=2)
    double = rd.lyapunov_value_and_grad(net.astype("float64"), x, rng=0, k=2)
    assert single[0] == double[0] and bits(*single[2].arrays().values()) == bits(*double[2].arrays().values())


def test_a_frame_at_rest_has_its_gradient(rng):
    """Without input from zero, every pre-activation is exactly 0, where tanh and sigmoid turn."""
    net = rd.LSTM.random(3, gain=1.5, rng=1, b_h=None)
    weights = np.array([1.0, 0.5])
    options = {"k": 2, "initial_state": np.zeros(6), "rng": SEED, "loss": weighted(weights)}
    gradients = rd.lyapunov_value_and_grad(net, 8, **options)[2]
    direction = rng.standard_normal(net.W_hh.shape)

    def moved(h):
        return rd.lyapunov_value_and_grad(net.replace(W_hh=net.W_hh + h * direction), 8, **options)[0]

    assert (gradients.W_hh * direction).sum() == pytest.approx(difference(moved, 1e-4), rel=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_second_derivatives_are_symmetric(case, rng):
    """Only those of a true function are; at points that include exact zeros."""
    net = case.network(rng, 3, 1)
    shape = (2, 2, len(net.cell.drives), 3), (2, 2, net.cell.states, 3)
    a, s = (rng.standard_normal(size) * (rng.random(size) < 0.8) for size in shape)
    D, E = unit_derivatives(net, a, s, curved=True)
    own = E.shape[4]
    assert np.abs(E[..., :own, :, :] - np.swapaxes(E[..., :own, :, :], 3, 4)).max() < 1e-15
    assert bits(unit_derivatives(net, a, s)[0]) == bits(D)


def test_a_singular_jacobian_is_refused():
    net = rd.Elman(None, np.diag([1.0, -1.0]), activation="relu")
    with pytest.raises(FloatingPointError, match="exponent 2 is -inf"):
        rd.lyapunov_value_and_grad(net, 5, initial_state=[1.0, 1.0])


def test_a_run_that_diverges_is_refused():
    with pytest.raises(FloatingPointError, match="diverges"):
        rd.lyapunov_value_and_grad(rd.PiecewiseLinear([0.0], [[1e200]], [0.0]), 5, initial_state=[1.0], qr_interval=5)


NET = rd.Elman.random(3, 1, rng=0)
X = np.ones((5, 1))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((rd.Stack([NET]), X), {}, TypeError, "net is a Stack"),
        ((NET, None), {}, ValueError, "inputs is missing"),
        ((NET, X[:0]), {}, ValueError, "inputs has no time steps"),
        ((NET, X[None][:0]), {}, ValueError, "inputs has no sequences"),
        ((NET, X), {"k": 4}, ValueError, "k is 4"),
        ((NET, X), {"warmup": 5}, ValueError, "warmup is 5"),
        ((NET, X), {"qr_interval": 0}, ValueError, "qr_interval is 0"),
        ((NET, X, np.zeros(2)), {}, ValueError, "targets"),
        ((NET, X), {"loss": lambda e: (0.0, np.zeros(2))}, ValueError, "loss returned a derivative"),
        ((NET, X), {"device": "cuda"}, rd.DeviceError, "cuda"),
    ],
)
def test_what_is_wrong_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        rd.lyapunov_value_and_grad(*arguments, **options)
