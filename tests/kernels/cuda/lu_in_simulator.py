"""Small linear equations in a block, in Numba's simulator, against LAPACK's; test_simulator.py runs this file."""

import numpy as np
import pytest
from scipy.linalg import lu

from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn.kernels.cuda.lu import EPS, solve  # noqa: E402

cuda = device.cuda


@cuda.jit
def solve_all(A, size, done):
    done[cuda.blockIdx.x] = solve(A[cuda.blockIdx.x], size)


def solved(matrices, right):
    """Solutions, and which equations have one; the room is larger than they are."""
    count, size, _ = matrices.shape
    A, done = np.full((count, size + 1, size + 2), np.nan), np.zeros(count, np.bool_)
    A[:, :size, :size], A[:, :size, size] = matrices, right
    solve_all[count, device.THREADS](A, size, done)
    return A[:, :size, size], done


def within_rounding(M, b, x):
    """Both have LU's backward error, gamma_3n |L| |U| ([higham2002]_, theorem 9.4); products with 1/pivot add one n."""
    P, L, U = lu(M)
    bound = 2 * 4 * len(b) * EPS * np.abs(np.linalg.inv(M)) @ P @ np.abs(L) @ np.abs(U) @ np.abs(x)
    return (np.abs(np.linalg.solve(M, b) - x) <= bound).all()


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_solutions_are_those_of_lapack(size, rng):
    """Random matrices, some with a zero on the diagonal or small pivots, so that rows change places."""
    matrices, right = rng.standard_normal((4, size, size)), rng.standard_normal((4, size))
    matrices[1] = np.eye(size)[rng.permutation(size)]
    matrices[2] += 1e6 * np.eye(size)[::-1]
    matrices[3] *= np.exp(rng.uniform(-3, 3, size))
    found, done = solved(matrices, right)
    assert done.all()
    assert all(map(within_rounding, matrices, right, found))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the simulator's threads say that numbers are not finite
def test_what_has_no_solution_says_so(rng):
    twins = rng.standard_normal((5, 5))
    twins[:, 3] = twins[:, 1]
    sums = rng.standard_normal((5, 5))
    sums[4] = sums[:4].sum(axis=0)  # to rounding
    beyond = rng.standard_normal((2, 5, 5))
    beyond[0, 2, 0], beyond[1, 2, 3] = np.nan, np.inf
    near = np.diag([1.0, 1.0, 1e-12, 1.0, 1.0])  # still far from rounding
    matrices = np.stack([np.zeros((5, 5)), twins, sums, *beyond, near])
    assert solved(matrices, np.ones((6, 5)))[1].tolist() == [False] * 5 + [True]
    assert solved(np.zeros((1, 1, 1)), np.ones((1, 1)))[1].tolist() == [False]
