"""Gradient flow against differences of the loss and closed forms."""

import naive
import numpy as np
import pytest
from cases import COUPLED, FAMILIES, SMOOTH

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis import paths
from rnndyn.analysis.gradient_flow import _rate


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_norms_are_those_of_complex_step_derivatives(case, rng):
    net = case.network(rng, 4, 2)
    x, target = rng.standard_normal((8, 2)), rng.standard_normal((8, net.hidden_size))
    ds = rd.gradient_flow(net, x, target)
    states = case.states_by_hand(net, np.zeros((1, net.state_size)), x[None])[0]
    parameters = case.parameters(net) | case.options
    for t in range(8):

        def loss(s, t=t):
            later = naive.forward(case.step, s, x[t + 1 :], **parameters)
            run = np.concatenate([s[None], np.reshape(later, (-1, len(s)))])[:, : net.hidden_size]
            return 0.5 * ((run - target[t:]) ** 2).sum()

        g = np.array([loss(states[t] + 1e-30j * e).imag / 1e-30 for e in np.eye(net.state_size)])
        assert ds.gradient_norm[t] == pytest.approx(np.linalg.norm(g), rel=1e-12)
        if case.states == 2:
            assert ds.gradient_norm_hidden[t] == pytest.approx(np.linalg.norm(g[:4]), rel=1e-12)
            assert ds.gradient_norm_cell[t] == pytest.approx(np.linalg.norm(g[4:]), rel=1e-12, abs=1e-300)
    assert np.abs(ds.log_gradient_norm - np.log(ds.gradient_norm)).max() < 1e-12
    assert (ds.gradient_norm <= ds.bound * (1 + 1e-12)).all()
    assert ds.lag.values.tolist() == list(range(7, -1, -1)) and ds.status == 0


def test_underflow_is_not_silent():
    T = 2000
    mask = np.arange(T) == T - 1
    ds = rd.gradient_flow(rd.Linear([[1.0]], [[0.1]]), np.ones((T, 1)), np.zeros((T, 1)), mask=mask)
    wanted = np.log(ds.gradient_norm.values[-1]) + ds.lag * np.log(0.1)
    assert ds.gradient_norm[0] == 0 and np.abs(ds.log_gradient_norm - wanted).max() < 1e-9


def test_small_derivatives_of_a_loss_add_up_beside_a_large_one_in_single_precision():
    """Each is as small as the worst rounding of a product with the large one, all together are not."""
    T, H = 200, 16
    weights = np.where(np.arange(T) == T - 1, 1e5, 1.0)
    integrator = rd.Linear(None, np.eye(H, dtype=np.float32))
    ds = rd.gradient_flow(integrator, T, -np.ones((T, H), np.float32), mask=weights)
    wanted = np.sqrt(H) * (1e5 + ds.lag.values)  # whole numbers, exact in float32
    assert np.abs(ds.gradient_norm / wanted - 1).max() < 1e-14
    assert np.abs(ds.log_gradient_norm - np.log(wanted)).max() < 1e-12  # sums of T logarithms round
    assert np.abs(ds.bound / wanted - 1).max() < 1e-12


def test_in_a_stack_a_state_is_one_variable_of_all(rng):
    """By differences of the loss of what follows from a state, of which other layers' parts are held."""
    net = rd.Stack([rd.LSTM.random(3, 2, rng=0), rd.GRU.random(4, 3, rng=1)])
    x, target = rng.standard_normal((6, 2)), rng.standard_normal((6, 4))
    ds, states, h = rd.gradient_flow(net, x, target), rd.run(net, x).state.values, 1e-5

    def later(s, t):
        own = 0.5 * ((s[6:] - target[t]) ** 2).sum()
        return own + (rd.value_and_grad(net, x[t + 1 :], target[t + 1 :], initial_state=s)[0] if t < 5 else 0)

    for t in range(6):
        g = [(later(states[t] + e, t) - later(states[t] - e, t)) / (2 * h) for e in h * np.eye(10)]
        assert ds.gradient_norm[t] == pytest.approx(np.linalg.norm(g), rel=1e-8)  # h^2 and eps / h, both 1e-10
    assert np.abs(ds.log_gradient_norm - np.log(ds.gradient_norm)).max() < 1e-12
    seen = np.append(np.zeros(6), states[5, 6:] - target[5])  # of the last step the loss sees the upper layer alone
    parts = paths.pull(net, states[None, 4], x[None, 5], seen[None])[0]
    assert np.abs(np.exp(ds.log_path_norm[4]) - np.linalg.norm(parts, axis=1)).max() < 1e-14


def test_its_slope_is_that_of_the_jacobian_products():
    net = rd.Elman.random(6, 1, 1, gain=0.7, rng=0)
    inputs = np.random.default_rng(0).standard_normal((400, 1))
    ds = rd.gradient_flow(net, inputs, np.zeros((400, 1)), mask=np.arange(400) == 399)
    slope = (ds.log_gradient_norm[50] - ds.log_gradient_norm[-50]) / (ds.lag[50] - ds.lag[-50])
    exponent = rd.lyapunov_spectrum(net, inputs, k=1, steps=300, warmup=50, rng=0).exponent
    assert slope == pytest.approx(exponent.item(), abs=0.02)
    assert ds.rate == pytest.approx(exponent.item(), abs=3 * ds.rate_stderr.item() + 0.005)


def test_nothing_flows_after_the_end_of_a_sequence():
    net = rd.Elman.random(3, 2, 1, rng=0)
    inputs = np.random.default_rng(0).standard_normal((2, 12, 2))
    ds = rd.gradient_flow(net, inputs, np.zeros((2, 12, 1)), lengths=[12, 5])
    assert ds.gradient_norm.dims == ("batch", "time")
    assert np.isneginf(ds.log_gradient_norm[1, 5:]).all() and (ds.gradient_norm[1, 5:] == 0).all()
    alone = rd.gradient_flow(net, inputs[1, :5], np.zeros((5, 1)))
    assert np.abs(ds.gradient_norm[1, :5].values * 2 - alone.gradient_norm.values).max() < 1e-15  # a mean over two


def test_the_bound_for_elman_is_the_documents():
    net = rd.Elman.random(4, 1, gain=0.8, rng=2)
    mask = np.arange(30) == 29
    ds = rd.gradient_flow(net, np.ones((30, 1)), np.ones((30, 4)), mask=mask)
    rho = np.linalg.norm(net.W_hh, 2)
    assert np.abs(ds.bound / (ds.gradient_norm[-1] * rho**ds.lag) - 1).max() < 1e-12


@pytest.mark.parametrize("net, error", [([], ValueError), (3, TypeError), ([rd.Linear(None, [[1.0]])], TypeError)])
def test_wrong_networks_are_refused(net, error):
    with pytest.raises(error, match="net"):
        rd.gradient_flow(net, np.ones((3, 1)), np.ones((3, 1)))


# ---- paths through one step ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_the_parts_add_up_to_the_whole(case, rng):
    net = case.network(rng, 4, 2)
    s, x, l = (rng.standard_normal((5, n)) for n in (net.state_size, 2, net.state_size))
    parts = paths.pull(net, s, x, l)
    assert parts.shape == (5, len(paths.names(net)), net.state_size)
    whole = np.einsum("bij,bi->bj", dynamics.jacobian(net, s, x), l)
    assert np.abs(parts.sum(axis=1) - whole).max() < 1e-14 * np.abs(parts).sum(axis=1).max()


@pytest.mark.parametrize("case", COUPLED, ids=lambda case: case.name)
def test_a_gate_without_recurrent_weights_has_no_part(case, rng):
    """And the parts of the others are the same, where no rate depends on the gate."""
    net = case.network(rng, 3, 2)
    H, field = 3, case.names.get("W_hh", "W_hh")
    s, x, l = (rng.standard_normal((1, n)) for n in (net.state_size, 2, net.state_size))
    for k in range(case.gates):
        W = np.array(getattr(net, field))
        W[k * H : (k + 1) * H] = 0
        cut = paths.pull(net.replace(**{field: W}), s, x, l)
        # Of the reset gate before the product only r W_hr; its value still scales what the candidate's weights see.
        assert np.abs(cut[:, 1 + k]).max() == 0, net.gates[k]


def test_paths_of_a_stack_go_through_both_layers(rng):
    net = rd.Stack([rd.LSTM.random(3, 2, rng=0), rd.GRU.random(4, 3, rng=1, reset="before")])
    s, x, l = (rng.standard_normal((5, n)) for n in (net.state_size, 2, net.state_size))
    parts = paths.pull(net, s, x, l)
    assert paths.names(net) == ["0.direct", "0.i", "0.f", "0.g", "0.o", "1.direct", "1.r", "1.z", "1.n"]
    whole = np.einsum("bij,bi->bj", dynamics.jacobian(net, s, x), l)
    assert np.abs(parts.sum(axis=1) - whole).max() < 1e-14


def test_a_scalar_lstm_by_hand(rng):
    """One unit, one step: dL/dh = sum over gates of w_g times what its pre-activation does, dL/dc direct = f (...)."""
    W, b, x = rng.standard_normal(4), rng.standard_normal(4), np.zeros((2, 1))
    net = rd.LSTM(np.zeros((4, 1)), W[:, None], b)
    h, c = 0.3, -0.7
    states = rd.run(net, x, initial_state=[h, c]).state.values
    target = np.array([[0.0], [states[1, 0] - 2.0]])  # so dL/dh_2 is 2
    ds = rd.gradient_flow(net, x, target, initial_state=[h, c], mask=[False, True])
    h, c = states[0]
    i, f, o = (naive.sigmoid(W[k] * h + b[k]) for k in (0, 1, 3))
    g = np.tanh(W[2] * h + b[2])
    new = f * c + i * g
    dc, do = 2 * o * (1 - np.tanh(new) ** 2), 2 * np.tanh(new)
    wanted = {
        "direct": f * dc,
        "i": W[0] * dc * g * i * (1 - i),
        "f": W[1] * dc * c * f * (1 - f),
        "g": W[2] * dc * i * (1 - g**2),
        "o": W[3] * do * o * (1 - o),
    }
    for name, part in wanted.items():
        log_norm = ds.log_path_norm.isel(time=0, path=list(ds.path.values).index(name))
        assert log_norm == pytest.approx(np.log(abs(part)), abs=1e-12)
    assert np.isneginf(ds.log_path_norm[1]).all()


def test_paths_do_not_underflow():
    net = rd.LSTM(np.zeros((4, 1)), 1e-3 * np.ones((4, 1)), [0.0, -5.0, 0.3, 0.0])
    T = 400
    ds = rd.gradient_flow(net, np.zeros((T, 1)), np.ones((T, 1)), mask=np.arange(T) == T - 1)
    assert ds.gradient_norm[0] == 0 and np.isfinite(ds.log_path_norm[:-1]).all()
    assert ds.log_path_norm[0, 0] == pytest.approx(ds.log_gradient_norm[0].item(), rel=1e-3)


# ---- the rate --------------------------------------------------------------------------------------------------------


def test_the_rate_of_an_exponential_is_exact():
    T = 300
    ds = rd.gradient_flow(rd.Linear([[1.0]], [[0.7]]), np.ones((T, 1)), np.zeros((T, 1)), mask=np.arange(T) == T - 1)
    assert ds.rate == pytest.approx(np.log(0.7), rel=1e-13)
    assert abs(ds.rate_stderr) < 1e-13 and abs(ds.rate_drift) < 1e-13


@pytest.mark.compiled
def test_the_rate_is_the_exponent_within_its_error():
    """One tanh unit under white noise: its growth is a stationary series, the exponent a mean of it over many runs."""
    net = rd.Elman([[1.5]], [[1.2]])
    rng = np.random.default_rng(0)
    h, growth = np.zeros(20_000), []
    for _ in range(120):
        h = np.tanh(1.5 * rng.standard_normal(len(h)) + 1.2 * h)
        growth.append(np.log(1.2 * (1 - h**2)).mean())
    exponent = np.mean(growth[20:])  # its own error is 0.001
    inputs = rng.standard_normal((300, 200, 1))
    ds = rd.gradient_flow(net, inputs, np.zeros_like(inputs), mask=np.tile(np.arange(200) == 199, (300, 1)))
    z = (ds.rate.values - exponent) / ds.rate_stderr.values
    assert abs(z.mean()) < 0.3 and 0.8 < z.std() < 1.35
    assert 0.85 < (np.abs(z) < 1.96).mean() < 0.98  # of 14 blocks: a t-distribution


def test_curvature_is_a_drift():
    """H' = h under x = 0 first and then w h: the gradient is flat over the larger lags and falls over the smaller."""
    T = 100
    net = rd.GRU([[0.0], [-20.0], [0.0]], np.zeros((3, 1)), [0.0, 10.0, 0.0])
    inputs = (np.arange(T) >= T // 2).astype(float)[:, None]
    ds = rd.gradient_flow(net, inputs, np.ones((T, 1)), mask=np.arange(T) == T - 1)
    assert ds.rate_drift > 9 and ds.rate_drift > 3 * ds.rate_stderr


@pytest.mark.parametrize(
    "logs, rate, error, drift",
    [
        ([], np.nan, np.nan, np.nan),
        ([1.0], np.nan, np.nan, np.nan),
        ([-np.inf, -np.inf], np.nan, np.nan, np.nan),
        ([-np.inf, 2.0, 1.0], -1.0, np.nan, np.nan),
        ([0.0, -np.inf], -np.inf, 0.0, 0.0),
        ([0.0, -np.inf, -4.0], -2.0, np.nan, np.nan),
        ([0.0, np.inf, 1.0], np.nan, np.nan, np.nan),
        ([0.0, np.nan], np.nan, np.nan, np.nan),
        ([0.0, -1.0, -3.0], -1.5, np.nan, -1.0),
        ([0.0, -1.0, -2.0, -4.0, -6.0], -1.5, 0.5, -1.0),
    ],
)
def test_rates_of_short_and_broken_series(logs, rate, error, drift):
    np.testing.assert_allclose(_rate(np.array(logs)), (rate, error, drift))


def test_a_sequence_has_the_rate_of_its_own_length():
    net = rd.Elman.random(3, 2, 1, rng=0)
    inputs = np.random.default_rng(0).standard_normal((2, 12, 2))
    mask = np.arange(12) == np.array([[11], [6]])
    ds = rd.gradient_flow(net, inputs, np.zeros((2, 12, 1)), lengths=[12, 7], mask=mask)
    alone = rd.gradient_flow(net, inputs[1, :7], np.zeros((7, 1)), mask=mask[1, :7])
    assert ds.rate.dims == ("batch",) and ds.rate[1] == pytest.approx(alone.rate.item(), rel=1e-12)
