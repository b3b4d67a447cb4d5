"""Frames of tangent vectors against NumPy's QR, and what they must not depend on."""

import numpy as np
import pytest
from cases import bits

from rnndyn import tangents
from rnndyn.kernels.jit import parallel
from rnndyn.tangents import Frames, left_panels, matrix_stretch

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def frame(rng, rows, size, k, dtype="float64"):
    return np.linalg.qr(rng.standard_normal((rows, size, k)))[0].astype(dtype)


def pushed(J, Q, interval):
    """Frame and factors (window, k, k), with positive diagonals, by Householder's QR."""
    factors = []
    for start in range(0, len(J), interval):
        for matrix in J[start : start + interval]:
            Q = matrix @ Q
        Q, R = np.linalg.qr(Q)
        sign = np.sign(np.diag(R))
        Q, R = Q * sign, R * sign[:, None]
        factors.append(R)
    return Q, np.array(factors)


@each_dtype
@pytest.mark.parametrize(("size", "k", "interval"), [(3, 1, 1), (5, 5, 1), (13, 4, 3), (18, 17, 1)])
def test_growth_factors_and_frames_are_those_of_a_qr(size, k, interval, dtype, rng):
    steps, rows = 5, 2
    J = (rng.standard_normal((steps, rows, size, size)) / np.sqrt(size) + np.eye(size)).astype(dtype)
    Q = frame(rng, rows, size, k, dtype)
    frames, done = Frames(Q), np.zeros(rows, int)
    growth, R, lost = frames.grow(matrix_stretch(J), interval, done, factors=True)
    assert not lost.any() and (done == -(-steps // interval)).all()
    # Rounding is amplified by the conditions of the products, below 1e4 here.
    bound = 1e5 * np.finfo(dtype).eps
    for r in range(rows):
        wanted, factors = pushed(J[:, r].astype(float), Q[r].astype(float), interval)
        assert np.abs(frames.get(r) - wanted).max() < bound
        assert np.abs(R[:, r] - factors).max() < bound * np.abs(factors).max()
        diagonal = np.einsum("tii->ti", factors)
        assert (np.abs(growth[:, r] - diagonal) < bound * factors.max()).all()
        assert np.abs(frames.get(r).T @ frames.get(r) - np.eye(k)).max() < 100 * np.finfo(dtype).eps * size


def test_columns_that_lose_their_length_are_made_orthogonal_again(rng):
    size = 20
    U, V = frame(rng, 2, size, size)
    J = (U * np.logspace(0, -12, size)) @ V
    frames, done = Frames(frame(rng, 1, size, size)), np.zeros(1, int)
    growth, R, lost = frames.grow(matrix_stretch(J[None, None]), 1, done, factors=True)
    Q = frames.get(0)
    assert not lost.any() and np.abs(Q.T @ Q - np.eye(size)).max() < 1e-13
    assert abs(np.log(growth).sum() - np.log(np.logspace(0, -12, size)).sum()) < 1e-3  # eps times the condition
    assert np.array_equal(np.tril(R[0, 0], -1), np.zeros((size, size)))


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_a_factor_that_cannot_be_resolved_leaves_the_frame_before_its_window(bad, rng):
    J = np.tile(np.eye(4) + 0.1 * rng.standard_normal((4, 4)), (5, 2, 1, 1))
    J[3, 1, 2] = bad
    Q = frame(rng, 2, 4, 4)
    frames, done = Frames(Q), np.zeros(2, int)
    _, _, lost = frames.grow(matrix_stretch(J), 1, done)
    assert lost.tolist() == [False, True] and done.tolist() == [5, 3]
    assert np.abs(frames.get(1) - pushed(J[:3, 1], Q[1], 1)[0]).max() < 1e-12


def test_a_window_that_spreads_too_much_is_gone_through_step_by_step(rng):
    """Of four steps with singular values from 1 to 1e-5, the last column drowns in rounding; of one step none does."""
    U, V = frame(rng, 20, 3, 3).reshape(2, 10, 3, 3)
    J = np.stack([U * np.array([1, 1e-2, 1e-5]) @ V, U], axis=1)  # nothing has to be done again in the second frame
    Q = frame(rng, 2, 3, 3)
    single = Frames(Q)
    steps = single.grow(matrix_stretch(J), 1, np.zeros(2, int))[0]
    wanted = np.array([steps[k : k + 4].prod(axis=0) for k in (0, 4, 8)])
    errors = []
    for widest in (np.inf, 1e6):
        frames, done = Frames(Q), np.zeros(2, int)
        growth, _, lost = frames.grow(matrix_stretch(J), 4, done, widest=widest)
        assert not lost[1] and np.abs(growth[:, 1] - 1).max() < 1e-14
        errors.append(np.inf if lost[0] else np.abs(growth[:, 0] / wanted[:, 0] - 1).max())
    assert done.tolist() == [3, 3] and np.array_equal(bits(frames.get(0)), bits(single.get(0)))
    assert errors[0] > 1e-2 and errors[1] < 1e-15 * 4


@pytest.mark.parametrize(("interval", "widest"), [(1, np.inf), (2, 10.0)])  # the latter goes back in each window
def test_no_bit_depends_on_the_threads(interval, widest, rng, monkeypatch):
    J, Q = rng.standard_normal((3, 1, 37, 37)), frame(rng, 1, 37, 37)
    results = []
    for threads, worth in ((1, 1e9), (2, 0)):
        monkeypatch.setattr(tangents, "WORTH_SHARING", worth)
        monkeypatch.setattr(tangents, "threads_for", lambda operations, items, n=threads: min(n, items))
        frames = Frames(Q)
        with parallel(threads):
            growth = frames.grow(matrix_stretch(J), interval, np.zeros(1, int), widest=widest)[0]
        results.append((growth, frames.get()))
    assert all(np.array_equal(bits(a), bits(b)) for a, b in zip(*results, strict=True))


def test_left_panels_hold_the_matrix(rng):
    matrix = rng.standard_normal((2, 11, 5))
    packed = left_panels(matrix)
    whole = np.swapaxes(packed, -1, -2).reshape(2, -1, 5)
    assert np.array_equal(whole[:, :11], matrix) and not whole[:, 11:].any()
