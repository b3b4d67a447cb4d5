"""The oracle against itself: BPTT as the documents write it, against differentiation; closed forms."""

import naive
import numpy as np


def test_bptt_of_the_documents_is_the_derivative(rng):
    T, H, I, O = 9, 4, 3, 5
    xs, h0, classes = rng.standard_normal((T, I)), rng.standard_normal(H), rng.integers(0, O, T)
    fields = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (O, H), "b_y": (O,)}
    weights = {key: rng.standard_normal(shape) / 2 for key, shape in fields.items()}

    def logits(w):
        hs = naive.forward(naive.elman_step, h0, xs, w["W_xh"], w["W_hh"], w["b_h"])
        return naive.outputs(hs, w["W_hy"], w["b_y"])

    os = logits(weights)
    dL_do = np.array([naive.softmax(o) for o in os])
    dL_do[np.arange(T), classes] -= 1
    by_hand = naive.elman_bptt(h0, xs, dL_do, *(weights[key] for key in ("W_xh", "W_hh", "b_h", "W_hy")))
    for key, value in weights.items():
        slope = naive.complex_step(lambda z, key=key: naive.cross_entropy(logits(weights | {key: z}), classes), value)
        np.testing.assert_allclose(by_hand[key], slope, rtol=1e-12, atol=1e-13)


def test_complex_step_gives_jacobians():
    A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_allclose(naive.complex_step(lambda x: A @ x, np.ones(2)), A, rtol=1e-15)


def test_jacobian_product_is_the_derivative_of_the_last_state(rng):
    W_xh, W_hh, b_h = rng.standard_normal((3, 2)), rng.standard_normal((3, 3)), rng.standard_normal(3)
    xs, h0 = rng.standard_normal((6, 2)), rng.standard_normal(3)
    slope = naive.complex_step(lambda h: naive.forward(naive.elman_step, h, xs, W_xh, W_hh, b_h)[-1], h0)
    hs = naive.forward(naive.elman_step, h0, xs, W_xh, W_hh, b_h)
    np.testing.assert_allclose(naive.elman_jacobian_product(hs, W_hh), slope, rtol=1e-12, atol=1e-14)
