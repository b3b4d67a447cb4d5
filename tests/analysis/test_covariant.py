"""Covariant vectors against eigenvectors, closed forms, and what they are defined by."""

import numpy as np
import pytest
from cases import BY_NAME

import rnndyn as rd
from rnndyn.analysis.pushing import Push
from rnndyn.schema import Status
from rnndyn.tangents import course


def constant(A):
    """A map with the Jacobian A, at rest at 0."""
    return rd.Map(lambda s, x, p: p @ s, len(A), parameters=np.array(A), jacobian=lambda s, x, p: p)


def angle_to(v, w):
    """Sine of the angle between directions, from what is left of one outside the other."""
    w = w / np.linalg.norm(w, axis=-1, keepdims=True)
    return np.linalg.norm(v - (v * w).sum(axis=-1, keepdims=True) * w, axis=-1)


henon = rd.Map(
    lambda s, x, p: (1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]),
    2,
    jacobian=lambda s, x, p: np.array([[-2.8 * s[0], 1.0], [0.3, 0.0]]),
)


def test_those_of_a_constant_matrix_are_its_eigenvectors(rng):
    P, values = rng.standard_normal((4, 4)), np.array([3.0, -1.5, 0.5, 0.1])
    net = constant(P @ np.diag(values) @ np.linalg.inv(P))
    ds = rd.covariant_lyapunov_vectors(net, steps=5, warmup=60, tail=60, initial_state=np.zeros(4), rng=0)
    assert np.abs(ds.exponent - np.log(np.abs(values))).max() < 1e-12
    assert angle_to(ds.vector.values.swapaxes(1, 2), P.T).max() < 1e-12
    assert ds.status == 0 and ds.error.max() < 1e-12
    V = P / np.linalg.norm(P, axis=0)
    cosines = np.abs(V.T @ V)[np.triu_indices(4, 1)]
    assert np.abs(ds.min_angle - np.arccos(cosines.max())).max() < 1e-10
    U, S = np.linalg.qr(V[:, :2])[0], np.linalg.qr(V[:, 2:])[0]
    smallest = np.arccos(np.linalg.svd(U.T @ S, compute_uv=False)[0])
    assert np.abs(ds.splitting_angle - smallest).max() < 1e-10
    assert np.abs(ds.participation - 1 / (V**4).sum(axis=0)).max() < 1e-10


def test_a_triangular_map_with_its_vectors_by_hand():
    """Jacobians [[2, 0], [f, 1/3]] have the vectors (0, 1) and (1, w), with w' = (w / 3 + f) / 2."""

    def jacobian(s, x, p):
        return np.array([[2.0, 0.0], [np.cos(2 * np.pi * s[0]), 1 / 3]])

    net = rd.Map(lambda s, x, p: ((s[0] + 0.3819660112501051) % 1, 0.0), 2, jacobian=jacobian)
    ds = rd.covariant_lyapunov_vectors(net, steps=20, warmup=60, tail=60, initial_state=[0.1, 0.0], rng=0)
    x, w = 0.1, 0.0
    ratio = []
    for _ in range(80):
        w, x = (w / 3 + np.cos(2 * np.pi * x)) / 2, (x + 0.3819660112501051) % 1
        ratio.append(w)
    assert np.abs(ds.exponent - [np.log(2), -np.log(3)]).max() < 0.3  # norms come and go; only the sum telescopes
    assert np.abs(ds.vector[:, 0, 1]).max() < 1e-14
    assert np.abs(ds.vector[:, 1, 0] / ds.vector[:, 0, 0] - ratio[60:]).max() < 1e-12


def test_the_cat_map():
    cat = constant([[2.0, 1.0], [1.0, 1.0]])
    ds = rd.covariant_lyapunov_vectors(cat, steps=4, warmup=30, tail=30, initial_state=[0.0, 0.0], rng=0)
    golden = (1 + np.sqrt(5)) / 2
    assert np.abs(ds.exponent - [2 * np.log(golden), -2 * np.log(golden)]).max() < 1e-13
    assert angle_to(ds.vector.values.swapaxes(1, 2), np.array([[golden, 1], [1, -golden]])).max() < 1e-14
    assert np.abs(ds.splitting_angle - np.pi / 2).max() < 1e-14 and np.abs(ds.min_angle - np.pi / 2).max() < 1e-14


def test_vectors_of_the_henon_map_are_carried_into_one_another():
    ds = rd.covariant_lyapunov_vectors(henon, steps=200, warmup=60, tail=60, rng=0)
    assert ds.status == 0
    V, s = ds.vector.values, ds.state.values
    pushed = rd.jacobian(henon, s[:-1]) @ V[:-1]
    growth = np.linalg.norm(pushed, axis=1)
    # Each is found by a triangular solve of condition 1 / sin(angle), with rounding errors of some units.
    room = 50 * np.finfo(float).eps / np.sin(ds.splitting_angle.values)
    assert (np.abs(pushed / growth[:, None] - V[1:]).max(axis=(1, 2)) < room[:-1] + room[1:]).all()
    assert np.abs(np.log(growth) - ds.local_exponent[1:].values).max() < 1e-11
    assert np.abs(ds.exponent - ds.local_exponent.mean("time")).max() < 1e-14
    # The area shrinks by 0.3 at each step: growths and angles change together.
    sines = np.sin(ds.splitting_angle.values)
    assert np.abs(np.log(growth).sum(axis=1) + np.log(sines[1:] / sines[:-1]) - np.log(0.3)).max() < 1e-10
    assert sines.min() < 0.05  # near-tangencies: the attractor is not hyperbolic


def adjoint_vectors(J, warmup, steps, tail):
    """Covariant vectors, exponents of the steps and errors of the dynamics ``u = J_t^T u'``, which runs back in time.

    They come in the order of t, from `tail` on. The Jacobians (time, state, state) go in as inputs of a map.
    """
    size = J.shape[1]
    net = rd.Map(
        lambda s, x, p: x.reshape(size, size) @ s,
        size,
        input_size=size**2,
        jacobian=lambda s, x, p: x.reshape(size, size),
    )
    inputs = J[::-1].swapaxes(1, 2).reshape(len(J), size**2)
    options = {"warmup": warmup, "steps": steps, "tail": tail, "initial_state": np.zeros(size)}
    ds = rd.covariant_lyapunov_vectors(net, inputs, rng=1, **options)
    return (ds[name].values[::-1] for name in ("vector", "local_exponent", "error"))


CHAOTIC = rd.Elman.random(5, gain=4.0, rng=37)


@pytest.mark.parametrize("net", [henon, CHAOTIC], ids=["henon", "network"])
def test_adjoint_vectors_are_biorthogonal(net):
    """``u_i(t) . v_j(t)`` is constant for all products of Jacobians, yet grows or shrinks unless i = j: it is 0."""
    ds = rd.covariant_lyapunov_vectors(net, steps=500, warmup=200, tail=200, rng=0)
    assert ds.exponent[0] > 0.05 and ds.status == 0
    V, local, at = ds.vector.values, ds.local_exponent.values, slice(200, 300)
    U, back, error = adjoint_vectors(rd.jacobian(net, ds.state.values), 200, 100, 200)
    products = U.swapaxes(1, 2) @ V[at]
    own = np.abs(np.einsum("tii->ti", products))
    others = np.abs(products - np.einsum("tij,ij->tij", products, np.eye(net.state_size)))
    assert others.max() < 10 * (error.max() + ds.error.values.max())
    assert others.max() < 1e-10 and own.min() > 1e-3 and own.max() <= 1 + 1e-15
    # The products of a vector with its adjoint are the same after a step, so both grow alike but for their cosine.
    assert np.abs(local[at][1:] + np.log(own[1:] / own[:-1]) - back[:-1]).max() < 1e-9
    if net is henon:  # in the plane u_1 is across v_2, so that both pairs stand at the same angle
        assert np.abs(own - np.sin(ds.splitting_angle.values[at])[:, None]).max() < 1e-12
        sines = np.abs(np.linalg.det(U))
        assert np.abs(sines - np.sin(ds.splitting_angle.values[at])).max() < 1e-12


def test_exponents_of_the_vectors_are_lyapunov_exponents():
    ds = rd.covariant_lyapunov_vectors(henon, steps=600, warmup=100, tail=40, initial_state=[0.1, 0.1], rng=0)
    # What the way back adds telescopes: the log of one sine at either end, over the steps.
    frame = rd.lyapunov_spectrum(henon, steps=600, warmup=100, initial_state=[0.1, 0.1], rng=0)
    ends = np.abs(np.log(np.sin(ds.splitting_angle.values[[0, -1]]))).sum()
    assert np.abs(ds.exponent - frame.exponent).max() < (ends + 2) / 600


@pytest.mark.compiled
def test_vectors_of_a_network_by_tiles(rng):
    """Driven cells: the compiled push agrees with NumPy's, and the identity of the definition holds over `every`."""
    net = BY_NAME["elman-tanh"].network(rng, 12, 2)
    net = net.replace(W_hh=2 * net.W_hh)
    x = rng.standard_normal((2, 240, 2))
    ds = rd.covariant_lyapunov_vectors(net, x, k=5, steps=60, warmup=90, tail=90, every=6, qr_interval=2, rng=0)
    assert ds.vector.dims == ("batch", "time", "state", "index") and ds.time.values.tolist() == list(range(6, 61, 6))
    for b in range(2):
        for n in range(9):
            s, V = ds.state.values[b, n], ds.vector.values[b, n]
            for u in x[b, 90 + 6 * (n + 1) : 96 + 6 * (n + 1)]:
                V = rd.jacobian(net, s, u) @ V
                s = rd.run(net, u[None], initial_state=s).state.values[-1]
            norms = np.linalg.norm(V, axis=0)
            gap = np.abs(V / norms - ds.vector.values[b, n + 1]).max(axis=0)
            assert (gap < 1e-9 + 4 * ds.error.values[b, n + 1]).all()
            assert np.abs(np.log(norms) / 6 - ds.local_exponent.values[b, n + 1]).max() < 1e-9


@pytest.mark.compiled
def test_both_ways_to_push_give_the_same_factors(rng):
    net = BY_NAME["elman-tanh"].network(rng, 6, 2)
    x, s = rng.standard_normal((2, 12, 2)), rng.standard_normal((1, 2, net.state_size))
    Q = np.linalg.qr(rng.standard_normal((4, net.state_size, 4)))[0]
    tiles, plain = (Push(course([net], x, s), Q, 3) for _ in range(2))
    R, wanted = tiles._by_tiles(12)[0], plain._by_householder(12)[0]
    assert R.shape == (4, 4, 4, 4) and np.array_equal(R, np.triu(R))
    assert np.abs(R - wanted).max() < 1e-12 * np.abs(wanted).max()
    assert np.abs(tiles.Q - plain.Q).max() < 1e-11 and np.array_equal(tiles.states, plain.states)


def test_memory_is_that_of_the_square_root_of_the_steps():
    """No more than sqrt(T) checkpoints are ever kept, and no more factors than of sqrt(T) steps."""
    import tracemalloc

    A = np.diag([1.2, 1.1, 0.9, 0.8, 0.7, 0.6])
    peaks = []
    for tail in (60, 960):
        tracemalloc.start()
        rd.covariant_lyapunov_vectors(constant(A), steps=1, warmup=10, tail=tail, initial_state=np.zeros(6), rng=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4.5 * peaks[0]  # 16 times the steps


def test_progress_is_told_there_and_back():
    henon, told = rd.Map(lambda s, x, p: (1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]), 2), []
    options = {"steps": 30, "warmup": 20, "tail": 20, "every": 2, "rng": 0}
    ds = rd.covariant_lyapunov_vectors(henon, **options, progress=lambda *now: told.append(now))
    assert ds.identical(rd.covariant_lyapunov_vectors(henon, **options))
    done, totals = np.array(told).T
    assert (np.diff(done) > 0).all() and done[-1] == 140 and (totals == 140).all()


def test_what_is_not_determined_says_so():
    turn = 0.9 * np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    A = np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.array([[0.3]])]])
    ds = rd.covariant_lyapunov_vectors(constant(A), steps=5, warmup=40, tail=40, initial_state=np.zeros(3), rng=0)
    assert ds.status == Status.NOT_CONVERGED
    assert ds.error[:, :2].min() > 1e-3 and ds.error[:, 2].max() < 1e-12  # a pair, and one apart
    assert np.abs(ds.exponent - np.log([0.9, 0.9, 0.3])).max() < 1e-12
    short = rd.covariant_lyapunov_vectors(henon, steps=3, warmup=60, tail=0, rng=0)
    assert short.status == Status.NOT_CONVERGED and short.error[:, 0].max() < 1e-12 < short.error[-1, 1]


def test_singular_and_diverging_runs_are_nan():
    net, at = constant(np.diag([2.0, 1.0, 0.0])), np.zeros(3)
    singular = rd.covariant_lyapunov_vectors(net, steps=2, warmup=4, tail=4, initial_state=at, rng=0)
    assert singular.status == Status.SINGULAR and np.isnan(singular.vector).all() and np.isnan(singular.exponent).all()
    fewer = rd.covariant_lyapunov_vectors(net, k=2, steps=2, warmup=60, tail=60, initial_state=at, rng=0)
    assert fewer.status == 0 and np.abs(fewer.exponent - [np.log(2), 0]).max() < 1e-12
    away = rd.Map(lambda s, x, p: 3.0 * s**2, 1, jacobian=lambda s, x, p: np.array([6.0 * s]))
    gone = rd.covariant_lyapunov_vectors(away, steps=20, warmup=0, tail=0, initial_state=[2.0], rng=0)
    assert gone.status == Status.DIVERGED and np.isnan(gone.exponent).all()


def test_windows_too_long_for_the_spread_say_so():
    A = np.array([[1e3, 1.0], [0.5, 1e-3]])
    ds = rd.covariant_lyapunov_vectors(
        constant(A), steps=4, warmup=8, tail=8, every=4, qr_interval=4, initial_state=np.zeros(2), rng=0
    )
    assert ds.status in (Status.ILL_CONDITIONED, Status.SINGULAR)


def test_ensembles_and_units(rng):
    nets = [rd.Elman.random(3, gain=0.9, rng=k) for k in range(2)]
    ds = rd.covariant_lyapunov_vectors(nets, steps=4, warmup=5, tail=5, every=2, time_step=0.5, rng=0)
    assert ds.vector.dims == ("network", "time", "state", "index") and ds.exponent.units == "nat/time"
    assert ds.attrs["warmup_used"] == 6 and ds.sizes["time"] == 2
    same = rd.covariant_lyapunov_vectors(nets, steps=4, warmup=5, tail=5, every=2, rng=0)
    assert np.array_equal(ds.exponent, same.exponent / 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 3, "qr_interval": 2}, "every is 3: a multiple of qr_interval = 2 is wanted"),
        ({"k": 3}, "k is 3: at most 2"),
        ({"steps": 0}, "steps is 0"),
        ({"tail": -1}, "tail is -1"),
        ({"time_step": 0}, "time_step is 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.covariant_lyapunov_vectors(henon, **arguments)


def test_inputs_that_are_too_short_are_refused():
    net = rd.Elman.random(2, 1, rng=0)
    with pytest.raises(ValueError, match=r"inputs has 10 time steps: warmup \+ steps \+ tail = 12 are wanted"):
        rd.covariant_lyapunov_vectors(net, np.zeros((10, 1)), steps=4, warmup=4, tail=4)
