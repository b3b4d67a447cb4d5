"""Gradients through a user's map: with respect to its parameters, against the same network written as a cell."""

import numpy as np

import rnndyn as rd


def test_parameters_of_a_map_get_the_gradients_of_the_same_elman_network(rng):
    W_hh, W_xh, b = rng.standard_normal((3, 3)), rng.standard_normal((3, 2)), 0.1
    written = rd.Map(
        lambda s, x, p: np.tanh(p[0] @ s + p[1]["W_xh"] @ x + p[2]),
        3,
        input_size=2,
        parameters=(W_hh, {"W_xh": W_xh}, b, "a label"),
    )
    x, y = rng.standard_normal((2, 6, 2)), rng.standard_normal((2, 6, 3))
    value, gradients = rd.value_and_grad(written, x, y)
    wanted_value, wanted = rd.value_and_grad(rd.Elman(W_xh, W_hh, np.full(3, b)), x, y)
    # Rounding: some 20 additions of terms of order 1 for each number.
    np.testing.assert_allclose(value, wanted_value, rtol=1e-14)
    np.testing.assert_allclose(gradients.parameters[0], wanted.W_hh, atol=2e-14)
    np.testing.assert_allclose(gradients.parameters[1]["W_xh"], wanted.W_xh, atol=2e-14)
    np.testing.assert_allclose(gradients.parameters[2], wanted.b_h.sum(), atol=2e-14)
    assert gradients.parameters[3] == "a label"
    assert gradients.arrays() == {} == written.arrays()


def test_a_map_gives_the_same_gradient_with_checkpoints_and_inside_a_stack(rng):
    logistic = rd.Map(lambda s, x, p: p[0] * s * (1 - s), 1, parameters=(3.2,))
    runs = [
        rd.value_and_grad(logistic, 7, np.zeros((7, 1)), initial_state=[0.3], checkpoint=every)[1].parameters[0]
        for every in (None, 1, 3)
    ]
    assert runs[0] == runs[1] == runs[2]

    def value(r):
        s, total = 0.3, 0.0
        for _ in range(7):
            s = r * s * (1 - s)
            total += 0.5 * s * s
        return total

    np.testing.assert_allclose(runs[0], value(3.2 + 1e-20j).imag / 1e-20, rtol=1e-13)
    linear = rd.Map(lambda s, x, p: 0.5 * s + x, 2, input_size=2)
    stack = rd.Stack([rd.Elman.random(2, 1, rng=0), linear])
    same = rd.Stack([rd.Elman.random(2, 1, rng=0), rd.Linear(np.eye(2), 0.5 * np.eye(2))])
    x, y = rng.standard_normal((2, 5, 1)), np.zeros((2, 5, 2))
    got, wanted = (rd.value_and_grad(net, x, y)[1].layers[0] for net in (stack, same))
    np.testing.assert_allclose(got.W_hh, wanted.W_hh, atol=1e-14)
    np.testing.assert_allclose(got.W_xh, wanted.W_xh, atol=1e-14)
