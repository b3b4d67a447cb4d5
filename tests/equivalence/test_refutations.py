"""Claims of the source documents that are not so, and what is: rules of thumb on eigenvalues against the products."""

import numpy as np
import pytest

import rnndyn as rd


def test_a_spectral_radius_of_zero_lets_gradients_explode():
    """Document 004: rho(W) max phi' < 1, so the product vanishes. With the second rectifier off it grows as 1.2^t."""
    W = np.array([[1.2, -1.2], [1.2, -1.2]])
    net = rd.Elman(None, W, [0.0, -1e6], activation="relu")
    assert np.abs(np.linalg.eigvals(W)).max() < 1e-7  # nilpotent: W^2 = 0
    products = rd.jacobian_products(net, steps=50, initial_state=[1.0, 0.0])
    # 1.2^49 [[1.2, -1.2], [0, 0]], whose norm is 12869.963...
    assert products.log_norm[-1] == pytest.approx(50 * np.log(1.2) + np.log(2) / 2, rel=1e-12)
    assert np.exp(products.log_norm[-1]) == pytest.approx(12869.963055270544, rel=1e-11)


def test_a_spectral_radius_above_one_lets_gradients_vanish():
    """H = tanh(1.5 h): at its fixed points 0.8586 the Jacobian is 0.394."""
    net = rd.Elman(None, [[1.5]])
    points = rd.fixed_points(net, rng=0)
    top = points.isel(point=int(points.state.values.argmax()))
    assert top.state.item() == pytest.approx(0.8585596366401103, rel=1e-12)
    assert top.eigenvalue.item() == pytest.approx(1.5 * (1 - top.state.item() ** 2), rel=1e-12)
    assert top.eigenvalue.item().real == pytest.approx(0.39431302549860275, rel=1e-9)
    products = rd.jacobian_products(net, steps=100, initial_state=top.state.values)
    assert products.rate[-1] == pytest.approx(np.log(0.39431302549860275), rel=1e-9)


def test_eigenvalues_below_one_grow_first():
    """Powers of [[1/2, 10], [0, 1/2]] are [[2^-t, 20 t 2^-t], [0, 2^-t]]: above 1 until the eighth."""
    A = np.array([[0.5, 10.0], [0.0, 0.5]])
    t = np.arange(1, 9)
    norms = np.exp(rd.jacobian_products(rd.Linear(None, A), steps=8).log_norm.values)
    assert norms == pytest.approx([np.linalg.norm([[1, 20 * n], [0, 1]], 2) * 0.5**n for n in t], rel=1e-13)
    assert norms[:2] == pytest.approx([10.024937810560445, 10.006246098625198], rel=1e-12)
    assert int(t[norms < 1][0]) == 8


@pytest.mark.parametrize("s", [0.9, 1.0, 1.1])
def test_the_rectifier_with_scaled_identity(s):
    """H' = relu(s h + x) from 0, x > 0: |x| (1 - s^T) / (1 - s), which converges, grows linearly, exponentially."""
    x = np.array([0.3, 0.5, 0.2, 0.1])
    net = rd.Elman(np.eye(4), s * np.eye(4), activation="relu")
    run = rd.run(net, np.tile(x, (60, 1))).state.values
    T = np.arange(1, 61)
    size = T if s == 1 else (1 - s**T) / (1 - s)
    assert np.linalg.norm(run, axis=1) == pytest.approx(np.linalg.norm(x) * size, rel=1e-13)
