"""Fixed points and Jacobian products by the GPU kernels in Numba's simulator; test_simulator.py runs this file.

Calls to the processor take no compiled code here, so `solve` is Newton's method with matrices: another iteration.
"""

import numpy as np
import pytest
from cases import BY_NAME, CASES, FAMILIES
from scipy.optimize import brentq

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.devices import running_on
from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn import passes, passes_cuda, roots, roots_cuda  # noqa: E402
from rnndyn.analysis.equation import Equation  # noqa: E402
from rnndyn.analysis.newton import solve, solve_together  # noqa: E402
from rnndyn.kernels.cuda import newton  # noqa: E402

# A GRU that writes has the cell of one that keeps, with other weights.
OTHERS = [case for case in CASES if not case.name.endswith("write")]
# The random LSTM with peepholes has no fixed point that these starts reach: its gates saturate and c creeps.
FOUND = [case for case in OTHERS if case.name != "lstm-peephole"]
ENOUGH, EPS = 1e-14, np.finfo(float).eps


# ---- Newton's method -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "largest"),
    [(case, newton.LARGEST) for case in FOUND] + [(case, 0) for case in FAMILIES if case in FOUND],
    ids=lambda value: value.name if hasattr(value, "name") else "lu" if value else "gmres",
)
def test_the_steps_are_those_of_the_processor(case, largest, rng, poisoned, monkeypatch):
    """From the same starts the same iteration ends in the same states; with exact steps a start more may end at one."""
    monkeypatch.setattr(newton, "LARGEST", largest)
    if not largest:
        monkeypatch.setattr(newton, "by_factors", None)  # is not called
    net, x = case.network(rng, 5, 2), rng.standard_normal(2)  # more units than a block has threads
    starts = rng.uniform(-1, 1, (3, net.state_size))  # more starts than blocks
    monkeypatch.setattr(roots, "ROUNDS", roots_cuda.ROUNDS)
    inputs = np.repeat(x[None], 3, axis=0)
    here, left_here = roots.newton_from([net], np.zeros(3, int), inputs, starts, ENOUGH)
    there, left = roots_cuda.newton_from([net], np.zeros(3, int), inputs, starts, ENOUGH)
    after, J = dynamics.step(net, there, inputs), dynamics.jacobian(net, there, inputs)
    np.testing.assert_allclose(left, np.linalg.norm(after - there, axis=1), rtol=1e-6, atol=4 * ENOUGH)
    at_root = left_here < 1e-12
    assert (left[at_root] < 1e-12).all()
    assert largest or (left[~at_root] >= 1e-12).all()
    assert at_root.any()
    # Both residuals, and the rounding of G, times the norm of the inverse of I - J: saturated gates make it large.
    weakest = np.linalg.svd(np.eye(net.state_size) - J, compute_uv=False)[:, -1]
    reach = 2 * (left + left_here + 20 * EPS * (1 + np.abs(there).max(axis=1)))[at_root]
    assert (weakest[at_root] > 0.01).any()
    assert (np.linalg.norm(there - here, axis=1)[at_root] * weakest[at_root] <= reach).all()


def test_networks_and_inputs_are_solved_together(rng):
    """Each start meets its own network and input."""
    nets = [rd.GRU.random(2, 1, gain=0.5, rng=n) for n in range(2)]
    equations = [Equation(net, np.array([x]), 1, 1.0, "cuda") for x in (-1.0, 0.5) for net in nets]
    starts = [rng.uniform(-1, 1, (n, 2)) for n in (1, 2, 3, 1)]
    together = solve_together(equations, starts, None)
    for equation, first, (states, converged) in zip(equations, starts, together, strict=True):
        expected, also = solve(Equation(equation.net, equation.x, 1, 1.0), first, None)
        assert states.shape == first.shape and converged.all() and also.all()
        np.testing.assert_allclose(states, expected, rtol=0, atol=1e-14)
    assert len(np.unique(np.concatenate([states[0] for states, _ in together]).round(6))) == 8


def test_networks_that_do_not_fit_together_go_in_turn(rng, monkeypatch):
    nets, of = [rd.GRU.random(2, 1, gain=0.5, rng=n) for n in range(3)], np.array([2, 0, 1, 2, 0])
    given = nets, of, rng.standard_normal((5, 1)), rng.uniform(-1, 1, (5, 2)), ENOUGH
    whole, layouts, make = roots_cuda.newton_from(*given), [], roots_cuda.layout

    def layout(*nets):
        layouts.append(len(nets))
        if len(nets) > 2:
            raise MemoryError
        return make(*nets)

    monkeypatch.setattr(roots_cuda, "layout", layout)
    for found, expected in zip(roots_cuda.newton_from(*given), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert layouts == [3, 1, 1, 1]


def test_a_closed_form_and_no_starts():
    line = [Equation(rd.Elman([[1.0]], [[w]], activation="identity"), np.ones(1), 1, 1.0, "cuda") for w in (0.5, -1.0)]
    (one, _), (other, _) = solve_together(line, [np.zeros((1, 1))] * 2, 1e-12)
    assert (one.item(), other.item()) == pytest.approx((2.0, 0.5), rel=1e-14)  # x = w x + 1
    for states, converged in solve_together(line, [np.zeros((0, 1))] * 2, None):
        assert (states.shape, converged.shape) == ((0, 1), (0,))


def test_steps_are_shortened_where_a_whole_one_goes_too_far():
    """At 0.45, near the fold of tanh(2 x) - x, a whole step leads to 10, where G is larger."""
    x = 0.45
    G, slope = np.tanh(2 * x) - x, 2 / np.cosh(2 * x) ** 2 - 1
    assert x - G / slope > 10
    root = brentq(lambda x: np.tanh(2 * x) - x, 0.5, 1.0, xtol=1e-15)
    net = rd.Elman(None, [[2.0]])
    states, left = roots_cuda.newton_from([net], np.zeros(1, int), np.zeros((1, 0)), np.array([[x]]), ENOUGH)
    assert left.item() < ENOUGH and states.item() == pytest.approx(root, abs=1e-14)


def test_a_singular_matrix_is_left_to_least_squares(monkeypatch):
    """A unit that keeps what it has beside one that falls to 1: the point nearest to the start, by one GMRES step."""
    calls, by_gmres = [], newton.by_gmres

    def counted(*given):
        calls.append(len(calls))
        by_gmres(*given)

    monkeypatch.setattr(newton, "by_gmres", counted)
    net = rd.Elman(None, [[1.0, 0.0], [0.0, 0.5]], [0.0, 0.5], activation="identity")
    starts = np.array([[0.25, 0.0], [3.0, 2.0]])
    states, left = roots_cuda.newton_from([net], np.zeros(2, int), np.zeros((2, 0)), starts, ENOUGH)
    np.testing.assert_allclose(states, [[0.25, 1.0], [3.0, 1.0]], rtol=0, atol=4 * EPS)
    assert (left < ENOUGH).all() and len(calls) == 2 * min(device.THREADS, 2)  # of every thread


def test_starts_out_of_range_and_equations_without_a_root_end():
    net = rd.Elman(None, [[1.0]], [0.5], activation="relu")  # x + 1/2 = x for x > 0
    starts = np.array([[np.nan], [3.0]])
    states, left = roots_cuda.newton_from([net], np.zeros(2, int), np.zeros((2, 0)), starts, ENOUGH)
    np.testing.assert_array_equal(states, starts)
    assert left.tolist() == [np.inf, 0.5]
    assert not solve_together([Equation(net, None, 1, 1.0, "cuda")], [starts], None)[0][1].any()


def test_a_fold_is_left_to_steps_with_matrices():
    """I - J is singular at the root 0 of tanh(x) = x, where GMRES creeps."""
    equation = Equation(rd.Elman(None, [[1.0]]), None, 1, 1.0, "cuda")
    states, converged = solve_together([equation], [np.array([[0.3]])], None)[0]
    assert converged.all() and abs(states.item()) < 1e-4


# ---- fixed_points ----------------------------------------------------------------------------------------------------
def same_points(net, input=None, **options):
    """The points of both devices, equal to rounding; the GPU's come back."""
    there, here = (rd.fixed_points(net, input, rng=0, device=name, **options) for name in ("cuda", "cpu"))
    assert (there.attrs["device"], here.attrs["device"]) == ("cuda", "cpu")
    assert there.sizes == here.sizes
    np.testing.assert_allclose(there.state, here.state, rtol=0, atol=1e-12)
    for name in ("status", "stability", "index"):
        np.testing.assert_array_equal(there[name], here[name])
    for name in ("completeness", "index_sum", "n_starts"):
        assert there.attrs[name] == here.attrs[name]
    return there


def test_all_points_of_a_bistable_network():
    found = same_points(rd.Elman(None, [[2.0, 0.1], [0.0, 0.5]]), starts=6)
    assert found.sizes["point"] == 3 and found.attrs["completeness"] == "proved"


def test_ensembles_under_several_inputs():
    nets = [rd.Elman([[1.0]], [[w]]) for w in (1.5, -1.5)]
    found = same_points(nets, [[0.0], [0.05], [2.0]], starts=6)
    assert np.bincount(found.network.values).tolist() == [3 + 3 + 1, 3]
    assert np.bincount(found.input_index.values).tolist() == [4, 4, 2]


def test_single_precision_and_gates():
    """The one point of a contracting network; float32 weights are taken as exact."""
    found = same_points(rd.LSTM.random(2, 1, gain=0.5, rng=0, dtype="float32"), [0.5], starts=3)
    assert found.sizes["point"] == 1 and (found.status == "certified").all()


def test_cycles():
    """tanh(-2 x) swaps two points: fixed points from the device, multiple shooting from the processor."""
    assert same_points(rd.Elman(None, [[-2.0]]), starts=6, period=2).sizes["point"] == 3


# ---- Jacobians -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.name)
def test_local_derivatives_are_those_of_the_processor(case, rng, poisoned):
    """To the last bit, as the forward pass is."""
    net = case.network(rng, 5, 2)
    s, x = rng.standard_normal((3, net.state_size)), rng.standard_normal((3, 2))
    *D, after = passes_cuda.local_derivatives(net, s, x)
    *expected, state = passes.local_derivatives(net, s, x)
    np.testing.assert_array_equal(after, state)
    for there, here in zip(D[: 4 if net.cuda_layout.m[1] else 2], expected, strict=False):
        np.testing.assert_array_equal(there, here)
    with running_on("cuda"):
        there = dynamics.split_jacobian(net, s, x)
    np.testing.assert_array_equal(there, dynamics.split_jacobian(net, s, x))


@pytest.mark.parametrize("name", ["lstm", "gru-before-keep", "stack"])
def test_products_are_those_of_the_processor(name, rng):
    """Of ensembles of batches; the bits of the Jacobians are the same, so those of their products are."""
    make = [rd.GRU.random(2, 1, rng=0), rd.Elman.random(2, 2, rng=1)]
    nets = [rd.Stack(make)] if name == "stack" else [BY_NAME[name].network(rng, 3, 1) for _ in range(2)]
    x = rng.standard_normal((2, 5, 1))
    there, here = (rd.jacobian_products(nets, x, every=2, device=device) for device in ("cuda", "cpu"))
    assert (there.attrs["device"], here.attrs["device"]) == ("cuda", "cpu")
    for variable in here:
        np.testing.assert_array_equal(there[variable], here[variable])


def test_no_steps_no_derivatives():
    net = BY_NAME["lstm"].network(np.random.default_rng(0), 2)
    assert [len(d) for d in passes_cuda.local_derivatives(net, np.zeros((0, 4)), np.zeros((0, 0)))] == [0] * 5


# ---- who is served ---------------------------------------------------------------------------------------------------
def test_what_has_no_kernel_says_so_and_auto_takes_the_processor():
    own, stack = rd.Map(lambda s, x, p: 0.5 * s, 2), rd.Stack([rd.Elman.random(1, rng=0), rd.Elman.random(1, 1, rng=1)])
    for net in (own, stack, rd.LayerNormLSTM.random(2)):
        with pytest.raises(rd.DeviceError, match=f"search of a {type(net).__name__}.*use device='cpu' or 'auto'"):
            rd.fixed_points(net, device="cuda")
    for net in (own, rd.LayerNormLSTM.random(2)):
        with pytest.raises(rd.DeviceError, match=f"run of a {type(net).__name__}.*use device='cpu' or 'auto'"):
            rd.jacobian_products(net, steps=2, device="cuda")
    assert rd.jacobian_products(own, steps=2, device="auto").attrs["device"] == "cpu"
    assert rd.jacobian_products(stack, steps=2, device="auto").attrs["device"] == "cuda"
    assert rd.fixed_points(own, starts=2, device="auto").attrs["device"] == "cpu"
    assert rd.fixed_points(rd.Elman(None, [[0.5]]), starts=2, device="auto").attrs["device"] == "cuda"
