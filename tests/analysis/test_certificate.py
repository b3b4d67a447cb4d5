"""Certificates against 50-digit arithmetic, and closed forms of where they have to stop."""

import mpmath
import numpy as np
import pytest
import scipy.optimize

import rnndyn as rd
from rnndyn.analysis.certificate import certify, distinct
from rnndyn.analysis.equation import Equation


# ---- 50 digits -------------------------------------------------------------------------------------------------------
def sigmoid(a):
    return a.apply(lambda t: 1 / (1 + mpmath.exp(-t)))


def tanh(a):
    return a.apply(mpmath.tanh)


def times(a, b):
    return mpmath.matrix([u * v for u, v in zip(a, b, strict=True)])


def drives(net, s, x):
    """W_xh x + b_h and W_hh h, gate by gate."""
    W_xh, W_hh, b_h = (mpmath.matrix(np.asarray(w, float).tolist()) for w in (net.W_xh, net.W_hh, net.b_h))
    H = net.hidden_size
    u, v = W_xh * mpmath.matrix(x.tolist()) + b_h, W_hh * s[:H, 0]
    return [(u[k : k + H, 0], v[k : k + H, 0]) for k in range(0, len(u), H)]


def step(net, s, x):
    """One step of a network, in mpmath."""
    gates, H = drives(net, s, x), net.hidden_size
    if isinstance(net, rd.Elman):
        return tanh(gates[0][0] + gates[0][1])
    if isinstance(net, rd.Leaky):
        alpha = mpmath.mpf(float(net.alpha))
        return (1 - alpha) * s + alpha * tanh(gates[0][0] + gates[0][1])
    if isinstance(net, rd.GRU):
        r, z = sigmoid(gates[0][0] + gates[0][1]), sigmoid(gates[1][0] + gates[1][1])
        n = tanh(gates[2][0] + times(r, gates[2][1] + mpmath.matrix(net.b_hn.tolist())))
        return n + times(z, s - n)
    i, f, g, o = (u + v for u, v in gates)
    c = times(sigmoid(f), s[H:, 0]) + times(sigmoid(i), tanh(g))
    h = times(sigmoid(o), tanh(c))
    return mpmath.matrix([*h, *c])


def exact_root(net, x, start, J):
    """The root near a state, to 45 digits, by Newton's iteration with a fixed float64 inverse of I - J."""
    s = mpmath.matrix(start.tolist())
    inverse = mpmath.matrix(np.linalg.inv(np.eye(len(start)) - J).tolist())
    for _ in range(60):
        off = inverse * (step(net, s, x) - s)
        s = s + off
        if max(abs(t) for t in off) < mpmath.mpf(10) ** -45:
            return s
    raise AssertionError("Newton's iteration in 50 digits did not converge")


def random_network(k):
    """The k-th of a series: tanh, leaky, GRU, LSTM by turns, 1 to 3 units, gains from 1 to 6."""
    rng = np.random.default_rng(k)
    kind = (rd.Elman, rd.Leaky, rd.GRU, rd.LSTM)[k % 4]
    net = kind.random(int(rng.integers(1, 4)), 1, gain=rng.uniform(1, 6), rng=rng)
    fields = {"b_h": 0.5 * rng.standard_normal(len(net.b_h))}
    if isinstance(net, rd.GRU):
        fields["b_hn"] = 0.5 * rng.standard_normal(net.hidden_size)
    return net.replace(**fields), rng.standard_normal(1)


@pytest.mark.compiled
@pytest.mark.slow
def test_50_digit_newton_contradicts_no_certificate_of_200_networks():
    points = certified = 0
    for k in range(200):
        net, x = random_network(k)
        ds = rd.fixed_points(net, x, starts=40, rng=k)
        J = np.array([rd.jacobian(net, s, x) for s in ds.state.values])
        points += ds.sizes["point"]
        proved = (ds.status == "certified").values
        certified += proved.sum()
        with mpmath.workdps(50):
            roots = [exact_root(net, x, s, j) for s, j in zip(ds.state.values[proved], J[proved], strict=True)]
            for s, root, bound in zip(ds.state.values[proved], roots, ds.error_bound.values[proved], strict=True):
                off = mpmath.matrix(s.tolist()) - root
                assert mpmath.norm(off) <= float(bound)
        # what is proved to be alone is alone
        states, alone = ds.state.values[proved], ds.unique_radius.values[proved]
        gap = np.abs(states[:, None] - states).max(axis=2) + np.where(np.eye(len(states)), np.inf, 0)
        assert (gap.min(axis=1, initial=np.inf) > alone).all()
    assert certified >= 0.95 * points and points > 250


# ---- where proofs end ------------------------------------------------------------------------------------------------
def equation(net, period=1):
    return Equation(net, None, period, 1.0)


def test_the_uniqueness_radius_reaches_towards_the_next_root():
    net = rd.Elman(None, [[2.0]])
    found = certify(equation(net), np.array([[0.0], [0.9575040240772687]]))
    # kappa < 1 needs the slope of x - 2 tanh x to keep its sign: |x| < arctanh(sqrt(1/2))/2 = 0.4407 around 0
    assert found.certified.all() and 0.2 < found.unique[0] < 0.4407 and 0.1 < found.unique[1] < 0.96 - 0.4406


def test_a_wrong_state_is_not_certified():
    found = certify(equation(rd.Elman(None, [[2.0]])), np.array([[0.45], [np.inf]]))
    assert not found.certified.any() and (found.unique == 0).all()


def test_a_rough_state_is_certified_with_its_error():
    found = certify(equation(rd.Elman(None, [[2.0]])), np.array([[0.9575]]))
    assert found.certified.all() and 4e-6 < found.radius.item() < 6e-6


def test_linear_networks_are_certified_everywhere(rng):
    net = rd.Linear(None, 0.5 * rng.standard_normal((4, 4)), rng.standard_normal(4))
    found = certify(equation(net), np.linalg.solve(np.eye(4) - net.W_hh, net.b_h)[None])
    assert found.certified.all() and found.unique.item() > 1e3


def test_relu_networks_are_certified_away_from_their_kinks():
    net = rd.Elman(None, [[-0.5]], [1.0], activation="relu")
    assert certify(equation(net), np.array([[2 / 3]])).certified.all()
    # x = relu(2 x) has every slope from 0 to 2 at its root 0: not proved
    kink = certify(equation(rd.Elman(None, [[2.0]], activation="relu")), np.array([[0.0]]))
    assert not kink.certified.any()


def test_cycles_are_certified():
    net = rd.Elman(None, [[-2.0]])
    found = certify(equation(net, period=2), np.array([[0.9575040240772687]]))
    assert found.certified.all() and found.radius.item() < 1e-14
    assert found.J.item() == pytest.approx(4 * (1 - 0.9575040240772687**2) ** 2)


def test_cycles_whose_points_fly_apart_are_certified():
    """F^24 stretches by 2e12 at the origin: no digit would be left of a test on F^24 itself."""
    net = rd.Elman.random(2, gain=3.0, rng=3)
    fixed, cycles = rd.fixed_points(net, rng=0), rd.fixed_points(net, period=24, starts=64, rng=0)
    assert cycles.sizes["point"] == fixed.sizes["point"] == 3
    assert (cycles.status == "certified").all() and np.abs(cycles.eigenvalue).max() > 1e12
    np.testing.assert_allclose(cycles.state, fixed.state, atol=1e-13)
    assert cycles.index.values.tolist() == fixed.index.values.tolist()  # no multiplier is negative
    # F is expanding at 0, in its one unstable direction, by the 24th root; the errors of both are known.
    largest, bound = np.abs(cycles.eigenvalue.values[1, 0]), cycles.eigenvalue_error.values[1, 0]
    power = np.abs(fixed.eigenvalue.values[1, 0]) ** 24
    assert abs(largest - power) <= bound + 24 * power * fixed.eigenvalue_error.values[1, 0]


def test_the_proof_of_a_cycle_is_one_of_its_points(rng):
    """Every point of a certified cycle lies within the bound of the true one, found in 50 digits."""
    net = rd.Elman.random(8, gain=2.5, rng=3)
    ds = rd.fixed_points(net, period=8, starts=128, rng=0)
    assert ds.sizes["point"] > 3 and (ds.status == "certified").all()
    W = mpmath.matrix(net.W_hh.tolist())
    with mpmath.workdps(50):
        for start, J, bound in zip(
            ds.state.values, jacobians(net, ds.state.values, 8), ds.error_bound.values, strict=True
        ):
            inverse = mpmath.matrix(np.linalg.inv(np.eye(8) - J).tolist())
            s = mpmath.matrix(start.tolist())
            for _ in range(40):
                after = s
                for _ in range(8):
                    after = tanh(W * after)
                s = s + inverse * (after - s)
            assert mpmath.norm(after - s) < 1e-30
            assert mpmath.norm(s - mpmath.matrix(start.tolist())) <= float(bound)


def jacobians(net, states, period):
    """Jacobians of F^p, as products."""
    total = np.eye(states.shape[1])
    for _ in range(period):
        total = rd.jacobian(net, states) @ total
        states = np.tanh(states @ net.W_hh.T)
    return total


def test_maps_are_converged_at_best():
    net = rd.Map(lambda s, x, p: np.tanh(2 * s), 1)
    found = certify(equation(net), np.array([[0.9575040240772687]]))
    assert found.status.tolist() == ["converged"] and 0 < found.radius.item() < 1e-14


# ---- merging ---------------------------------------------------------------------------------------------------------
def test_rough_states_of_one_root_are_merged_by_proof(rng):
    net = rd.Elman(None, [[2.0]])
    rough = np.concatenate([root + rng.uniform(-1e-3, 1e-3, (40, 1)) for root in (-0.957504, 0.0, 0.957504)])
    states, certificate, hits = distinct(equation(net), rough)
    assert hits.tolist() == [40, 40, 40] and certificate.certified.all()
    assert np.abs(states.ravel() - [-0.957504, 0, 0.957504]).max() < 1e-4


def test_close_roots_are_kept_apart():
    # Two roots 2e-5 apart, just before the fold of tanh(2 x + b).
    x = np.sqrt(0.5)
    net = rd.Elman(None, [[2.0]], [-(2 * x - np.arctanh(x)) * (1 - 1e-10)])
    ds = rd.fixed_points(net, starts=np.concatenate([np.linspace(x - 1e-3, x + 1e-3, 50)[:, None], [[-1.0]]]))
    assert ds.sizes["point"] == 3 and (ds.status == "certified").all()
    assert 1e-6 < np.diff(ds.state.values.ravel())[1] < 1e-4


# ---- closed forms ----------------------------------------------------------------------------------------------------
def leading(net, starts, period=1):
    """The eigenvalue of largest modulus of the point that is nearest to the start."""
    starts = np.atleast_2d(starts)
    ds = rd.fixed_points(net, starts=starts, period=period, rng=0)
    nearest = np.linalg.norm(ds.state.values - starts, axis=1).argmin()
    return complex(ds.eigenvalue.values[nearest, 0])


def henon(a):
    return rd.Map(lambda s, x, p: np.array([1 - p * s[0] ** 2 + s[1], 0.3 * s[0]]), 2, parameters=a)


def henon_point(a):
    x = (-0.7 + np.sqrt(0.49 + 4 * a)) / (2 * a)
    return [x, 0.3 * x]


def henon_cycle(a):
    """A point of the 2-cycle: its x are the roots of a^2 x^2 - 0.7 a x + 0.49 - a = 0."""
    x, y = np.roots([a**2, -0.7 * a, 0.49 - a])
    return [x, 0.3 * y]


def delayed_logistic(r):
    return rd.Map(lambda s, x, p: np.array([p * s[0] * (1 - s[1]), s[0]]), 2, parameters=r)


TURN = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
CRITICAL = {
    "pitchfork": (lambda w: leading(rd.Elman(None, [[w]]), 0.0).real - 1, 0.5, 1.4, 1.0),
    "flip": (lambda w: leading(rd.Elman(None, [[w]]), 0.0).real + 1, -1.5, -0.5, -1.0),
    "flip with bias": (
        lambda b: leading(rd.Elman(None, [[-2.0]], [b]), 0.7).real + 1,
        2.2,
        2.4,
        np.arctanh(np.sqrt(0.5)) + 2 * np.sqrt(0.5),
    ),
    "rotation": (lambda g: abs(leading(rd.Elman(None, g * TURN), [0.0, 0.0])) - 1, 0.8, 1.3, 1.0),
    "henon flip": (lambda a: leading(henon(a), henon_point(a)).real + 1, 0.3, 0.45, 0.3675),
    "henon 2 to 4": (lambda a: leading(henon(a), henon_cycle(a), 2).real + 1, 0.88, 0.95, 0.9125),
    "delayed logistic": (lambda r: abs(leading(delayed_logistic(r), [1 - 1 / r] * 2)) - 1, 1.8, 2.2, 2.0),
}


@pytest.mark.compiled
@pytest.mark.parametrize("name", CRITICAL)
def test_flips_and_rotations_are_where_they_must_be(name):
    f, low, high, wanted = CRITICAL[name]
    assert scipy.optimize.brentq(f, low, high, xtol=1e-12) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.compiled
def test_the_angle_of_the_delayed_logistic_map():
    assert np.angle(leading(delayed_logistic(2.0), [0.5, 0.5])) == pytest.approx(np.pi / 3, abs=1e-8)


FOLDS = {  # the parameter at which x is a fixed point, the network and point, where x runs, and the fold
    "tanh": (
        lambda x: np.arctanh(x) - 2 * x,
        lambda b, x: (rd.Elman(None, [[2.0]], [b]), [x]),
        (-0.9, -0.5),
        2 * np.sqrt(0.5) - np.arctanh(np.sqrt(0.5)),
    ),
    "henon": (lambda x: (1 - 0.7 * x) / x**2, lambda a, x: (henon(a), [x, 0.3 * x]), (2.0, 4.0), -0.1225),
}


@pytest.mark.compiled
@pytest.mark.parametrize("name", FOLDS)
def test_folds_are_where_they_must_be(name, plain_search):
    # Two points meet at a fold, so it is approached along the branch, which passes through it. The parameter is flat
    # there: x need not be known better. Closer still the points cannot be told apart, and the search goes on for long.
    parameter, at, ends, wanted = FOLDS[name]
    x = scipy.optimize.brentq(lambda x: leading(*at(parameter(x), x)).real - 1, *ends, xtol=1e-6)
    assert parameter(x) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.compiled
def test_at_a_fold_the_point_is_degenerate():
    x = np.sqrt(0.5)
    net = rd.Elman(None, [[2.0]], [2 * x - np.arctanh(x)])
    ds = rd.fixed_points(net, starts=np.array([[-x], [-x + 1e-9], [1.0]]))
    near = ds.isel(point=np.abs(ds.state.values[:, 0] + x) < 1e-3)
    assert near.sizes["point"] >= 1 and (near.status == "degenerate").all() and (near.stability == "undecided").all()
    assert (near["index"] == 0).all() and (np.abs(near.state[:, 0] + x) <= near.error_bound).all()
