"""The ledger of errors: an identity to rounding, for every method; and how far backpropagation's products are off."""

import numpy as np
import pytest
from scipy.linalg import expm

import rnndyn as rd
from rnndyn.equivalence.ode.methods import METHODS

every_method = pytest.mark.parametrize("method", METHODS)
W = np.array([[1.2, -1.5, 0.3], [1.4, 0.8, -0.6], [0.2, 0.9, 1.1]])


def rates(y, x, p):
    return -y + p[0] * np.tanh(W @ y) + x.sum()


def ledger(method="euler", *, gain=1.0, steps=30, dt=0.1, **options):
    field = rd.ode.VectorField(rates, 3, parameters=(gain,))
    return rd.ode.error_ledger(field, method=method, dt=dt, steps=steps, initial_state=[0.3, -0.2, 0.1], **options)


@every_method
def test_contributions_add_up_to_the_error(method):
    ds = ledger(method)
    assert ds.status == 0 and ds.defect <= ds.rounding < 1e-11
    total = ds.contribution.sum("time")
    assert np.abs(total - ds.error[-1]).max() <= ds.rounding
    # It does not hold by the pointwise Jacobians, unless the method is so exact that its error is small itself.
    size = float(np.linalg.norm(ds.error[-1]))
    assert ds.bptt_defect > 1e3 * ds.rounding or size < 1e-4


def test_the_identity_holds_step_by_step():
    """Ledgers that end earlier have the error of that time for their sum."""
    whole = ledger(steps=12)
    for steps in (1, 5, 12):
        part = ledger(steps=steps)
        assert np.abs(part.contribution.sum("time") - whole.error[steps - 1]).max() < 1e-14
    assert ledger(steps=1).contribution.values == pytest.approx(ledger(steps=1).local_error.values, abs=0)


def test_against_the_matrix_exponential():
    """A linear field: the exact solution, the local error and both products are known in closed form."""
    A, h, steps = np.array([[-0.5, 2.0], [-2.0, -0.3]]), 0.05, 40
    field = rd.ode.VectorField(lambda y, x, p: A @ y, 2)
    ds = rd.ode.error_ledger(field, dt=h, steps=steps, initial_state=[1.0, 0.5])
    E, M = expm(h * A), np.eye(2) + h * A
    exact = np.array([np.linalg.matrix_power(E, n) @ [1.0, 0.5] for n in range(steps + 1)])
    run = np.array([np.linalg.matrix_power(M, n) @ [1.0, 0.5] for n in range(steps + 1)])
    assert np.abs(ds.error - (exact - run)[1:]).max() < 1e-13
    assert np.abs(ds.local_error - exact[:-1] @ (E - M).T).max() < 1e-13
    powers = np.array([np.linalg.matrix_power(M, steps - n) for n in range(1, steps + 1)])
    assert np.abs(ds.contribution - np.einsum("nij,nj->ni", powers, ds.local_error)).max() < 1e-15
    assert np.abs(ds.log_product - np.log(np.linalg.norm(powers, 2, axis=(1, 2)))).max() < 1e-13
    assert ds.product_gap.max() < 1e-13 and ds.bptt_defect <= ds.rounding  # the two are one here
    assert ds.attrs["reference_error"] < 1e-11


def test_the_products_are_those_of_backpropagation():
    """The state gradient of a loss on the last state is the last state's times the pointwise product."""
    ds = ledger(steps=10)
    net = rd.ode.network(rd.ode.VectorField(rates, 3, parameters=(1.0,)), dt=0.1)
    forward = rd.run(net, initial_state=[0.3, -0.2, 0.1], steps=10).state
    last = rd.jacobian_products(net, steps=9, initial_state=forward[0])
    assert ds.log_bptt_product[0] == pytest.approx(last.log_norm[-1].item(), abs=1e-13)


def test_backpropagation_s_products_are_off_by_the_order_of_the_error():
    gaps, errors = [], []
    for factor in (1, 2, 4, 8):
        ds = ledger(steps=20 * factor, dt=0.1 / factor)
        gaps.append(ds.product_gap[0].item())
        errors.append(np.abs(ds.error).max().item())
    ratio = np.array(gaps) / errors
    assert np.log2(np.divide(gaps[:-1], gaps[1:])) == pytest.approx(1.0, abs=0.2)  # as the error of Euler's method
    assert ratio.max() / ratio.min() < 1.2


def test_any_reference_will_do():
    """The identity is of two trajectories, whatever the second one is."""
    rng = np.random.default_rng(0)
    reference = 0.3 * rng.standard_normal((2, 8, 3))
    field = rd.ode.VectorField(rates, 3, parameters=(1.0,))
    start = [[0.1, 0.0, 0.0], [0.3, 0.2, 0.1]]
    ds = rd.ode.error_ledger(field, dt=0.1, steps=8, initial_state=start, reference=reference)
    assert (ds.defect <= ds.rounding).all() and ds.error.dims == ("batch", "time", "state")
    assert np.isnan(ds.attrs["reference_error"])


def test_inputs_are_held_over_a_step():
    field = rd.ode.VectorField(lambda y, x, p: -y + x, 1, input_size=1)
    x = np.array([[[1.0], [3.0]], [[0.0], [-1.0]]])
    ds = rd.ode.error_ledger(field, x, dt=0.5, initial_state=[[0.0], [1.0]])
    decay = np.exp(-0.5)
    first = np.array([1 - decay, decay])
    exact = np.stack([first, first * decay + np.array([3.0, -1.0]) * (1 - decay)], axis=1)
    net = rd.ode.network(field, dt=0.5)
    run = rd.run(net, x, initial_state=[[0.0], [1.0]]).state.values[..., 0]
    assert np.abs(ds.error[..., 0] - (exact - run)).max() < 1e-14


def test_a_leaky_network_has_a_ledger():
    net = rd.Leaky.random(4, 1, alpha=0.2, gain=1.5, rng=0)
    ds = rd.ode.error_ledger(net, np.ones((15, 1)), dt=0.2)
    assert ds.status == 0 and ds.sizes["time"] == 15


def test_what_fails_is_told():
    kink = rd.ode.VectorField(lambda y, x, p: -np.abs(y), 1)  # the Jacobian jumps between the states 0.5 and -0.3
    ds = rd.ode.error_ledger(kink, dt=0.5, steps=2, initial_state=[1.0], reference=[[-0.3], [-0.2]])
    assert ds.status == 13 and ds.defect > ds.rounding
    blown = rd.ode.VectorField(lambda y, x, p: y**2, 1)  # infinite after a time of 1
    ds = rd.ode.error_ledger(blown, dt=0.25, steps=8, initial_state=[1.0])
    assert ds.status == 2 and np.isnan(ds.error).all() and np.isnan(ds.defect)


def test_plain_python_may_overflow():
    field = rd.ode.VectorField(lambda y, x, p: [float(y[0]) ** 3 * 1e200], 1)
    ds = rd.ode.error_ledger(field, dt=1.0, steps=3, initial_state=[[1e60], [0.0]])
    assert ds.status.values.tolist() == [2, 0] and ds.attrs["reference_error"] == 0.0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "steps is 0"),
        ({"dt": -1.0}, "dt is -1.0"),
        ({"reference": np.zeros((3, 3))}, "reference has shape"),
        ({"method": "leapfrog"}, "method is 'leapfrog'"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ledger(**options)
