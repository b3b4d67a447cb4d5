"""Eigenvalues, their errors and eigenvectors, against known matrices and 50-digit arithmetic."""

import mpmath
import numpy as np
import pytest

from rnndyn.analysis import eigen
from rnndyn.analysis.eigen import spectrum


def test_errors_hold_for_known_perturbations(rng):
    J = rng.standard_normal((200, 6, 6))
    E = rng.standard_normal(J.shape)
    E *= 1e-9 / np.linalg.norm(E, ord=2, axis=(1, 2))[:, None, None]
    found = spectrum(J, np.full(200, 1e-9))
    moved = spectrum(J + E).values
    gap = np.abs(found.values[:, :, None] - moved[:, None, :]).min(axis=2)
    assert (gap <= found.error).all()
    assert np.median(found.error) < 1e-7  # 6 times a condition number of some units: no bound for its own sake


def test_errors_hold_against_50_digits(rng):
    for _ in range(20):
        J = rng.standard_normal((5, 5)) * 10.0 ** rng.uniform(-2, 2, (5, 1))
        found = spectrum(J[None])
        with mpmath.workdps(50):
            exact = mpmath.eig(mpmath.matrix(J.tolist()), left=False, right=False)
            gaps = [min(float(abs(mpmath.mpc(complex(mu)) - z)) for z in exact) for mu in found.values[0]]
        assert (gaps <= found.error[0]).all()


def test_a_jordan_block_has_elsners_bound():
    jordan = np.diag(np.full(4, 0.5)) + np.diag(np.ones(3), 1)
    found = spectrum(jordan[None], 1e-15)
    moved = np.linalg.eigvals(jordan + 1e-15 * np.eye(4)[::-1])
    assert np.isfinite(found.error).all() and (np.abs(moved - 0.5) <= found.error.max()).all()
    assert found.values.tolist() == [[0.5] * 4]


def test_eigenvectors_are_biorthonormal(rng):
    J = rng.standard_normal((10, 7, 7))
    found = spectrum(J)
    right, left = np.swapaxes(found.right, 1, 2), np.swapaxes(found.left, 1, 2)  # in columns
    assert np.abs(J @ right - right * found.values[:, None]).max() < 1e-13
    assert np.abs(np.conj(found.left) @ right - np.eye(7)).max() < 1e-12
    assert np.abs(np.linalg.norm(found.right, axis=2) - 1).max() < 1e-14
    assert found.condition == pytest.approx(np.linalg.norm(left, axis=1)) and (found.condition > 1 - 1e-12).all()


def test_normal_matrices_have_condition_one_and_no_growth(rng):
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    J = (Q * [0.9, -0.5, 0.3, 0.0, -0.99]) @ Q.T
    found = spectrum(J[None])
    assert found.condition[0] == pytest.approx(np.ones(5))
    assert eigen.nonnormality(J[None], found.values) == pytest.approx(0, abs=1e-7)  # the root of a rounding error
    assert eigen.transient_growth(J[None], np.array([True])) == 1


def test_growth_of_a_two_by_two_block():
    # J^k = [[a^k, k a^(k-1) c], [0, a^k]]
    a, c = 0.95, 1.0
    k = np.arange(1, 200)
    norms = [np.linalg.norm([[a**n, n * a ** (n - 1) * c], [0, a**n]], ord=2) for n in k]
    J = np.array([[a, c], [0, a]])
    assert eigen.transient_growth(J[None], np.array([True])) == pytest.approx(max(norms), rel=1e-12)
    assert np.isinf(eigen.transient_growth(J[None], np.array([False]))).all()
    assert eigen.nonnormality(np.array([[[0.0, 3.0], [0.0, 0.0]]]), np.zeros((1, 2))) == 1


def test_stability_counts_only_disks_that_stand_apart():
    values = np.array([[2.0, 0.5], [2.0, 1.5], [1.5, 0.9], [0.9, 0.5], [0.95, 0.5], [-1.5, 1.0]], complex)
    error = np.array([[0.1, 0.1], [0.3, 0.3], [0.4, 0.4], [0.05, 0.1], [0.05, 0.1], [0.1, 0.1]])
    wanted = ["unstable", "unstable", "undecided", "stable", "undecided", "unstable"]
    assert eigen.stability(values, error).tolist() == wanted


def test_types_and_time_constants():
    values = np.array([[np.e, 1.0, -np.exp(-0.5), 0.5j, -0.5j, 0.0]])
    assert eigen.mode_types(values, np.full(values.shape, 1e-12)).tolist() == [
        ["monotone", "monotone", "flip", "rotation", "rotation", "monotone"]
    ]
    wanted = [[-1, np.inf, 2, 1 / np.log(2), 1 / np.log(2), 0]]
    assert eigen.time_constants(values) == pytest.approx(np.array(wanted))
    assert eigen.time_constants(values, 3) == pytest.approx(3 * np.array(wanted))
