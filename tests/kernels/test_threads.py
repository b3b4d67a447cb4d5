"""Threads of linear algebra: one of the BLAS inside, those from before outside; parts give what the whole gives."""

import numba
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from rnndyn.kernels.threads import LARGE, TINY, in_parts, small_matrices


def blas_threads():
    return {info["num_threads"] for info in ThreadpoolController().select(user_api="blas").info()}


@pytest.fixture
def two():
    """Two BLAS threads, on a machine of any number of cores."""
    with small_matrices(LARGE - 1):
        pass  # the libraries are loaded
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has one thread")
        yield


def test_one_thread_inside_and_the_old_number_outside(two):
    with small_matrices(LARGE - 1):
        with small_matrices(TINY + 1):
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


@pytest.mark.parametrize("size", [TINY, LARGE])
def test_tiny_and_large_matrices_change_nothing(two, size):
    with small_matrices(size):
        assert blas_threads() == {2}


def test_a_failure_sets_the_number_back(two):
    with pytest.raises(ZeroDivisionError), small_matrices(LARGE - 1):
        1 / 0  # noqa: B018
    assert blas_threads() == {2}


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
@pytest.mark.parametrize("size", [3, 120])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_parts_give_what_the_whole_gives(rows, size, most):
    J = np.random.default_rng(0).standard_normal((rows, size, size))
    with small_matrices(size):
        whole = np.linalg.inv(J)
    parts = in_parts(lambda part: np.linalg.inv(J[part]), rows, size, most)
    if rows == 1:  # alone, it may take several threads, which round otherwise
        np.testing.assert_allclose(parts[0], whole, rtol=1e-9)
    else:
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert max(len(part) for part in parts) <= most


def test_parts_keep_the_settings_of_the_caller_and_pass_failures_on(two):
    J = np.zeros((4, 120, 120))
    with np.errstate(divide="raise"):
        assert set(in_parts(lambda part: np.geterr()["divide"], 4, 120, 1)) == {"raise"}
    with pytest.raises(np.linalg.LinAlgError):
        in_parts(lambda part: np.linalg.inv(J[part]), 4, 120, 1)
    assert blas_threads() == {2}


def test_kernels_inside_take_as_many_threads_as_outside():
    before = numba.get_num_threads()
    assert set(in_parts(lambda part: numba.get_num_threads(), 4, 200, 1)) == {before}
