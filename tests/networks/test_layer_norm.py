"""LSTM with layer normalisation: complex steps of the printed equations, invariances, analyses, cuts and mistakes."""

import functools

import naive
import numpy as np
import pytest
from cases import BY_NAME, bits, examples, relative_error
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd

CASE = BY_NAME["layer-norm-lstm"]


def draw(rng, H=5, I=3, B=4, T=12, dtype="float64"):  # noqa: E741
    net = CASE.network(rng, H, I, 2, dtype)
    return net, rng.standard_normal((B, T, I)), rng.standard_normal((B, T, 2)), 0.5 * rng.standard_normal((B, 2 * H))


@given(
    H=st.integers(2, 6), I=st.integers(0, 3), B=st.integers(1, 3), T=st.integers(1, 8), seed=st.integers(0, 2**32 - 1)
)
@examples(20)
def test_runs_and_gradients_equal_complex_steps(H, I, B, T, seed):  # noqa: E741
    net, inputs, targets, s0 = draw(np.random.default_rng(seed), H, I, B, T)

    def loss(**changed):
        total = 0.0
        for xs, ys, s in zip(inputs, targets, s0, strict=True):
            hs = naive.forward(CASE.step, s, xs, **CASE.parameters(net) | changed)[:, :H]
            total = total + naive.mse(naive.outputs(hs, net.W_hy, net.b_y), ys)
        return total / B

    run = rd.run(net, inputs, initial_state=s0)
    assert relative_error(run.state, CASE.states_by_hand(net, s0, inputs)) <= 1e-12
    value, gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0)
    assert value == pytest.approx(loss(), rel=1e-12)
    fields = [name for name in CASE.parameters(net) if getattr(net, name).size]
    slopes = [naive.complex_step(lambda z, n=name: loss(**{n: z}), getattr(net, name)).ravel() for name in fields]
    got = np.concatenate([getattr(gradients, name).ravel() for name in fields])
    # Where the sums of one input differ little, their normalisation enlarges rounding by up to 1 / sqrt(1e-5).
    assert relative_error(got, np.concatenate(slopes)) <= 1e-11


@pytest.mark.parametrize("wrt", ["state", "input"])
def test_jacobians_and_tangents_equal_complex_steps(wrt, rng):
    net, _, _, states = draw(rng, B=6)
    xs = rng.standard_normal((6, 3))
    step = functools.partial(CASE.step, **CASE.parameters(net))
    J = rd.jacobian(net, states, xs, wrt=wrt)
    for got, s, x in zip(J, states, xs, strict=True):
        along_state, along_input = functools.partial(step, x=x), functools.partial(step, s)
        wanted = naive.complex_step(along_state, s) if wrt == "state" else naive.complex_step(along_input, x)
        assert np.abs(got - wanted).max() < 1e-13


def test_it_does_not_see_the_scale_of_its_weights(rng):
    """Up to the 1e-5 beside the variances, which is small beside those of large weights."""
    net, inputs, _, s0 = draw(rng)
    large = net.replace(W_xh=1e4 * net.W_xh, W_hh=1e4 * net.W_hh)
    larger = net.replace(W_xh=1e8 * net.W_xh, W_hh=1e8 * net.W_hh)
    one, other = (rd.run(n, inputs, initial_state=s0).state for n in (large, larger))
    assert np.abs(one - other).max() < 1e-9


def test_float32_and_cuts_in_time(rng):
    net, inputs, targets, s0 = draw(rng, dtype="float32")
    value, plain = rd.value_and_grad(net, inputs, targets, initial_state=s0)
    assert all(array.dtype == np.float32 for array in plain.arrays().values())
    for checkpoint in (1, 5, 12):
        again, gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0, checkpoint=checkpoint)
        assert again == value and bits(*gradients.arrays().values()) == bits(*plain.arrays().values())
    double = rd.value_and_grad(net.astype("float64"), inputs, targets, initial_state=s0)[1].arrays()
    for name, array in plain.arrays().items():
        assert relative_error(array, double[name]) < 1e-4, name


def test_lengths_count(rng):
    net, inputs, targets, s0 = draw(rng, B=2)
    value, gradients = rd.value_and_grad(net, inputs, targets, initial_state=s0, lengths=[12, 7])
    alone = [rd.value_and_grad(net, inputs[b, :n], targets[b, :n], initial_state=s0[b]) for b, n in ((0, 12), (1, 7))]
    assert value == pytest.approx(sum(v for v, _ in alone) / 2, rel=1e-13)
    for name, array in gradients.arrays().items():
        assert relative_error(array, sum(g.arrays()[name] for _, g in alone) / 2) < 1e-12, name


def test_it_trains_alone_and_in_a_stack(rng):
    x = rng.standard_normal((8, 10, 2))
    top = rd.LayerNormLSTM.random(6, 4, 2, rng=0)
    for net in (rd.LayerNormLSTM.random(6, 2, 2, rng=0), rd.Stack([rd.LayerNormLSTM.random(4, 2, rng=0), top])):
        history = rd.train(net, x, 0.5 * x, steps=60, optimizer=rd.Adam(0.03), rng=0)[1]
        assert history.loss[-1] < 0.2 * history.loss[0]


def test_a_stack_of_two_has_the_gradient_of_differences(rng):
    stack = rd.Stack([CASE.network(rng, 3, 2), CASE.network(rng, 4, 3, 1)])
    x, y = rng.standard_normal((2, 6, 2)), rng.standard_normal((2, 6, 1))
    gradient = rd.value_and_grad(stack, x, y)[1].arrays()["0.W_hh"]
    along = rng.standard_normal(gradient.shape)

    def moved(h):
        return rd.value_and_grad(stack.with_arrays({"0.W_hh": stack.layers[0].W_hh + h * along}), x, y)[0]

    assert (gradient * along).sum() == pytest.approx((moved(1e-6) - moved(-1e-6)) / 2e-6, rel=1e-7)


def test_exponents_obey_the_sum_rule(rng):
    net, x = CASE.network(rng, 4, 2), rng.standard_normal((300, 2))
    ds = rd.lyapunov_spectrum(net, x, steps=250, warmup=50, initial_state=np.zeros(8), rng=0)
    start = rd.run(net, x[:50], initial_state=np.zeros(8)).state.values[-1]
    states = np.concatenate([start[None], rd.run(net, x[50:], initial_state=start).state.values[:-1]])
    step = functools.partial(CASE.step, **CASE.parameters(net))
    J = [naive.complex_step(lambda z, x=x: step(z, x), s) for s, x in zip(states, x[50:], strict=True)]
    assert ds.sum_rule_defect < 1e-9 and ds.exponent[0] < 0
    # The last exponent is -11: determinants of nearly singular matrices lose some digits.
    assert ds.exponent.sum().item() == pytest.approx(np.linalg.slogdet(J)[1].mean(), rel=1e-9)


def test_fixed_points_are_fixed_and_have_their_eigenvalues(rng):
    net = CASE.network(rng, 3, 2)
    x = rng.standard_normal(2)
    ds = rd.fixed_points(net, x, rng=0, starts=100)
    assert ds.sizes["point"] >= 1
    for s, values in zip(ds.state.values, ds.eigenvalue.values, strict=True):
        step = functools.partial(CASE.step, x=x, **CASE.parameters(net))
        assert np.abs(step(s) - s).max() < 1e-12
        wanted = np.sort_complex(np.linalg.eigvals(naive.complex_step(step, s)))
        assert np.abs(np.sort_complex(values) - wanted).max() < 1e-8


def test_composed_jacobians_equal_complex_steps(rng):
    """As the lower layer of a stack, and fed its own output."""
    below, loop = CASE.network(rng, 3, 2), rd.ClosedLoop(CASE.network(rng, 4, 2, 2))
    stack = rd.Stack([below, rd.Elman.random(2, 3, rng=1)])
    lower = functools.partial(CASE.step, **CASE.parameters(below))
    inner = functools.partial(CASE.step, **CASE.parameters(loop.net))
    W_xh, W_hh = stack.layers[1].W_xh, stack.layers[1].W_hh

    def stacked(s, x):
        new = lower(s[:6], x)
        return np.concatenate([new, np.tanh(W_xh @ new[:3] + W_hh @ s[6:])])

    s, r, x = rng.standard_normal(8), rng.standard_normal(8), rng.standard_normal(2)
    wanted = naive.complex_step(functools.partial(stacked, x=x), s)
    assert np.abs(rd.jacobian(stack, s, x) - wanted).max() < 1e-13
    wanted = naive.complex_step(lambda z: inner(z, loop.W_hy @ z[:4] + loop.b_y), r)
    assert np.abs(rd.jacobian(loop, r) - wanted).max() < 1e-13


def test_gradients_along_a_run_are_products_of_jacobians(rng):
    """Those of states by states, and those of a loss by states: by its cell and its hidden half too."""
    net, x, y, s0 = draw(rng, H=4, B=1, T=9)
    states = np.concatenate([s0[:, None], rd.run(net, x, initial_state=s0).state.values], axis=1)[0]
    J = [rd.jacobian(net, s, xs) for s, xs in zip(states, x[0], strict=False)]
    ds = rd.jacobian_products(net, x[0], initial_state=s0[0])
    norms = [np.linalg.norm(functools.reduce(lambda P, A: A @ P, J[: t + 1]), 2) for t in range(9)]
    assert np.abs(ds.log_norm.values - np.log(norms)).max() < 1e-12
    flow, adjoint = rd.gradient_flow(net, x[0], y[0], initial_state=s0[0]), np.zeros(8)
    for t in range(8, -1, -1):
        h = states[t + 1, :4]
        adjoint = adjoint + np.concatenate([net.W_hy.T @ (net.W_hy @ h + net.b_y - y[0, t]), np.zeros(4)])
        for name, part in (("", adjoint), ("_hidden", adjoint[:4]), ("_cell", adjoint[4:])):
            assert flow[f"gradient_norm{name}"].values[t] == pytest.approx(np.linalg.norm(part), rel=1e-12)
        adjoint = J[t].T @ adjoint


def test_what_its_analyses_do_not_give(rng):
    """No proofs, no parts by gate, no gradient of exponents, no GPU: each says so."""
    net, x = CASE.network(rng, 3, 2), rng.standard_normal((40, 2))
    assert set(rd.fixed_points(net, rng=0, starts=20).status.values) == {"converged"}
    for call, error, message in (
        (lambda: rd.gradient_paths(net, x), TypeError, "its terms are not known; use gradient_paths_from_terms"),
        (lambda: rd.lyapunov_value_and_grad(net, x), TypeError, "a network of one cell is wanted"),
        (lambda: rd.lyapunov_spectrum(net, x, steps=30, warmup=5, device="cuda"), rd.DeviceError, "device='cpu'"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_gains_do_not_decay():
    """A penalty on them would be one on the outputs; the weights themselves lose by it, though only in scale."""
    net = rd.LayerNormLSTM.random(3, 2, rng=0)
    x, y = np.zeros((1, 4, 2)), rd.run(net, np.zeros((1, 4, 2))).hidden.values  # so the gradient is zero
    trained = rd.train(net, x, y, optimizer=rd.SGD(0.1, weight_decay=0.5), steps=1)[0]
    for name, array in net.arrays().items():
        kept = 0.95 if name.startswith("W") else 1.0
        assert np.abs(getattr(trained, name) - kept * array).max() < 1e-15, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain_h": np.ones(2)}, r"gain_h has shape \(gate=2\), wanted \(gate=8\)"),
        ({"gain_c": np.ones(3)}, r"gain_c has shape \(unit=3\), wanted \(unit=2\)"),
        ({"W_hh": None}, "W_hh is None"),
        ({"b_c": [0.0, np.nan]}, "b_c holds nan"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rd.LayerNormLSTM(**{"W_xh": np.ones((8, 1)), "W_hh": np.ones((8, 2))} | options)


def test_gains_are_ones_unless_given():
    net = rd.LayerNormLSTM(None, np.ones((8, 2), "float32"))
    assert net.gain_x.tolist() == net.gain_h.tolist() == [1] * 8 and net.gain_c.tolist() == [1, 1]
    assert net.dtype == np.float32 and net.input_size == 0 and net.b_c is None
    assert rd.run(net, steps=3).state.shape == (3, 4)
