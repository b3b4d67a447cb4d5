"""Claims on gradients: their formulas, bounds and paths."""

import numpy as np

import rnndyn as rd
from studies.claims.claim import CONDITION, FALSE, HOLDS, Figure, claim

STEPS = 12


def claims() -> list[dict]:
    """All of them."""
    return [*formulas(), *bounds(), *paths()]


def example() -> tuple:
    """A tanh network with a read-out; inputs, targets, states h_0 .. h_T, slopes, dL_t/dh_t of the squared error."""
    rng = np.random.default_rng(0)
    net = rd.Elman.random(4, 2, 3, gain=1.5, rng=rng)
    x, y = rng.standard_normal((STEPS, 2)), rng.standard_normal((STEPS, 3))
    result = rd.run(net, x)
    h = np.vstack([np.zeros(4), result.state.values])
    local = (result.output.values - y) @ net.W_hy
    return net, x, y, h, 1 - h[1:] ** 2, local


def formulas() -> list[dict]:
    """The formulas of backpropagation, as printed, against `value_and_grad` and differences."""
    net, x, y, h, slope, local = example()
    exact = rd.value_and_grad(net, x, y)[1]
    mean = rd.value_and_grad(net, x, None, loss=mean_over_time(y))[1]
    dh = np.zeros_like(local)
    dh[-1] = local[-1]
    for t in range(STEPS - 2, -1, -1):
        dh[t] = local[t] + net.W_hh.T @ (dh[t + 1] * slope[t + 1])
    da = dh * slope
    printed = np.zeros_like(local)  # eq 10 of 003 read as a recursion for dL/dh
    printed[-1] = local[-1]
    for t in range(STEPS - 2, -1, -1):
        printed[t] = (net.W_hh.T @ (printed[t + 1] * slope[t + 1])) * slope[t]
    flow = rd.gradient_flow(net, x, y).gradient_norm.values
    return [
        claim(
            "003, section 6.2, eq. 7-9; 000, eq. 4",
            "dL/dW_hh is the sum over t of delta_t h_{t-1}^T, and so on",
            HOLDS,
            "for every loss that is a sum over time",
            Figure("distance to dL/dW_hh", np.abs(da.T @ h[:-1] - exact.W_hh).max(), 0.0, 1e-12),
            Figure("distance to dL/dW_xh", np.abs(da.T @ x - exact.W_xh).max(), 0.0, 1e-12),
        ),
        claim(
            "004, Backward Pass",
            "dL/dh_t = W_hy^T dL_t/do_t + W_hh^T dL/dh_{t+1} f'(a_{t+1})",
            CONDITION,
            "f' multiplies dL/dh_{t+1} by components before W_hh^T is applied",
            Figure("distance to |dL/dh_1|", abs(np.linalg.norm(dh[0]) - flow[0]), 0.0, 1e-12),
        ),
        claim(
            "003, section 6.3, eq. 10",
            "dL/dh_{t-1} = (W_hh^T delta_t) (1 - tanh^2 a_{t-1})",
            FALSE,
            "the right-hand side is the part of dL/da_{t-1} that comes from later steps; the local loss is left out",
            Figure("printed |dL/dh_1| over the true one, far from 1", ratio(printed[0], dh[0]), 0.0, 0.2),
        ),
        claim(
            "003, eq. 16",
            "the gradient carries a factor 1/T",
            CONDITION,
            "for a mean over time; for the sum of eq. 5 there is none",
            Figure("sum over mean loss, gradient of W_hh", ratio(exact.W_hh, mean.W_hh), STEPS, 1e-12),
        ),
        claim(
            "002, step 4",
            "dL/dh_t is a product over k = t .. T of dh_{k+1}/dh_k",
            FALSE,
            "it ends at k = T - 1: T - t factors; one more shrinks or stretches the gradient once too often",
            Figure("true |dh_T/dh_t| of h' = h/2 over the printed one", one_factor_less(), 2.0),
        ),
    ]


def mean_over_time(target):
    """The squared error as a mean over time, for `value_and_grad`."""

    def loss(outputs):
        error = outputs - target
        return 0.5 * (error**2).sum() / STEPS, error / STEPS

    return loss


def one_factor_less() -> float:
    """Norm of the product of `STEPS` Jacobians of h' = h/2 over that of one more."""
    log_norm = rd.jacobian_products(rd.Linear(None, [[0.5]]), steps=STEPS + 1).log_norm.values
    return float(np.exp(log_norm[-2] - log_norm[-1]))


def ratio(a, b) -> float:
    """|a| / |b| in the 2-norm of all entries."""
    return float(np.linalg.norm(a) / np.linalg.norm(b))


def bounds() -> list[dict]:
    """Norms of products of Jacobians."""
    net, x, y, h, slope, _ = example()
    products = rd.jacobian_products(net, x)
    log_norms = sum_of_log_norms(net, slope)
    spectral = np.log(np.linalg.norm(net.W_hh, 2))
    end = products.log_norm.values
    shift = np.array([[0.0, 2.0], [0.0, 0.0]])
    shifted = rd.jacobian_products(rd.Linear(None, shift), steps=2).log_norm.values
    J = np.linalg.multi_dot([s[:, None] * net.W_hh for s in slope[::-1]])
    g = np.linalg.svd(J)[0][:, -1]  # of all dL/dh_T the one that the product shrinks most
    orthogonal = rd.Elman.random(64, recurrent="orthogonal", rng=0)
    start = np.random.default_rng(1).standard_normal(64)
    linear = rd.Linear(None, orthogonal.W_hh)
    return [
        claim(
            "001, Products of Jacobians",
            "the norm of the product is at most the product of the norms",
            HOLDS,
            "always",
            Figure("share of steps with |product| above it", float((end > log_norms + 1e-12).mean()), 0.0),
        ),
        claim(
            "003, eq. 20",
            "|prod J| <= (gamma rho)^(t-i) with rho = |W_h|_2",
            HOLDS,
            "gamma = 1 for tanh, 1/4 for the logistic function",
            Figure("steps above it", float((end > spectral * np.arange(1, STEPS + 1) + 1e-12).sum()), 0.0),
        ),
        claim(
            "002, step 4",
            "|dh_T/dh_t| is about the product of |W_hh|",
            FALSE,
            "it is a bound, and after 12 steps of this network one of e^16 too much",
            Figure("log of the product of norms minus log norm", STEPS * spectral - end[-1], 16.0, 0.15),
        ),
        claim(
            "001, Products of Jacobians",
            "largest singular values above 1 make the gradient grow",
            FALSE,
            "J = [[0, 2], [0, 0]] has the singular value 2 at every step, and J J = 0",
            Figure("log norm of J", shifted[0], np.log(2)),
            Figure("norm of J J", float(np.exp(shifted[1])), 0.0),
        ),
        claim(
            "004, Mathematical Analysis",
            "|dL/dh_0| = |dL/dh_T| |prod J|",
            FALSE,
            "it is a bound; equal only if dL/dh_T lies along the leading left singular vector",
            Figure("|J^T g| over |J| at worst: its condition", ratio(J.T @ g, g) / np.linalg.norm(J, 2), 0.0, 0.05),
        ),
        claim(
            "000, section 4; 001, Other Solutions",
            "orthogonal recurrent weights keep the norms of gradients",
            CONDITION,
            "without a nonlinearity; with tanh the slopes shrink them",
            Figure("log norm after 100 linear steps", of_100(linear, start), 0.0, 1e-12),
            Figure("the same with tanh is negative", np.sign(of_100(orthogonal, start)), -1.0),
        ),
        claim(
            "003, section 9.2.5",
            "gradient clipping helps against vanishing gradients",
            FALSE,
            "it scales down what is above the threshold and leaves the rest as it is (001 says so)",
            Figure("change of a gradient of norm 1e-9 by clipping to 1", change_by_clipping(1e-9, 1.0), 0.0),
        ),
        claim(
            "004, Activation Function Impact",
            "sigma' <= 1/4 and tanh' <= 1",
            HOLDS,
            "equality at 0",
            Figure("largest slope of sigma", slope_at_rest("sigmoid"), 0.25),
            Figure("largest slope of tanh", slope_at_rest("tanh"), 1.0),
        ),
    ]


def sum_of_log_norms(net, slope) -> np.ndarray:
    """Log of the product of the Jacobians' norms, up to each step."""
    return np.cumsum(np.log(np.linalg.norm(slope[:, :, None] * net.W_hh, 2, axis=(1, 2))))


def curves() -> dict:
    """Log norm of a product of Jacobians beside its bounds."""
    net, x, _, _, slope, _ = example()
    steps = np.arange(1, STEPS + 1)
    return {
        "norm": rd.jacobian_products(net, x).log_norm.values.tolist(),
        "bound": sum_of_log_norms(net, slope).tolist(),
        "weights": (np.log(np.linalg.norm(net.W_hh, 2)) * steps).tolist(),
    }


def of_100(net, start) -> float:
    """Log norm of the product of 100 Jacobians."""
    return rd.jacobian_products(net, steps=100, initial_state=start, every=100).log_norm[-1].item()


def change_by_clipping(norm: float, threshold: float) -> float:
    """Relative change of the training step, for a gradient of this norm."""
    net = rd.Linear([[0.0]], [[0.0]], W_hy=[[1.0]])
    x, y = np.ones((1, 1, 1)), np.full((1, 1, 1), -norm)
    step = rd.Adam(1e-3)
    after = [rd.train(net, x, y, steps=1, optimizer=step, clip_norm=clip)[0].W_xh.item() for clip in (None, threshold)]
    return abs(after[1] - after[0]) / abs(after[0])


def slope_at_rest(activation: str) -> float:
    """Largest slope of an activation on a grid, by the Jacobian of one unit."""
    net = rd.Elman(None, [[1.0]], activation=activation)
    grid = np.linspace(-5, 5, 101)[:, None]
    return float(rd.jacobian(net, grid).max())


def paths() -> list[dict]:
    """Expansion into paths, and the path of the LSTM's cell state."""
    gates = np.array([1.0, 1, 0, 1, 1, 1, 0, 1])
    some = rd.gradient_paths_from_terms(np.full(8, 0.5), gates * 0.4, terms=True)
    every = rd.gradient_paths_from_terms(np.full(8, 0.5), np.full(8, 0.4), terms=True)
    rng = np.random.default_rng(0)
    lstm = rd.LSTM.random(8, gain=8.0, rng=rng)
    remembering = lstm.replace(b_h=np.repeat([0.0, 6.0, 0.0, 0.0], 8))
    state = rng.standard_normal(16)
    products = rd.jacobian_products(remembering, steps=300, initial_state=state, every=300)
    f = 1 / (1 + np.exp(-(lstm.W_hh @ state[:8] + lstm.b_h)[8:16]))
    J = rd.jacobian(lstm, state)
    fading = rd.LSTM(None, np.zeros((32, 8)))
    return [
        claim(
            "001, Backpropagation Through Time",
            "dh_T/dh_0 of the gated scalar recurrence is a sum over 2^T paths",
            CONDITION,
            "2^(number of open gates): 64 of 8 steps with 6 open",
            Figure("paths with 8 of 8 open", every.sizes["path"], 2**8),
            Figure("paths with 6 of 8 open", some.sizes["path"], 2**6),
        ),
        claim(
            "001, The LSTM; 004, LSTM Gradient Flow",
            "the gradient with respect to c_{t-1} is that of c_t times f_t",
            CONDITION,
            "along the cell state alone; c_{t-1} acts on h_{t-1} as well, but not before the next step in this block",
            Figure("distance of dc_t/dc_{t-1} to diag(f_t)", np.abs(J[8:, 8:] - np.diag(f)).max(), 0.0, 1e-12),
        ),
        claim(
            "001, The LSTM",
            "with forget gates near 1 gradients neither vanish nor explode",
            CONDITION,
            "true of the path along the cell state; through the recurrent weights they may explode all the same",
            Figure("nat a step along the cell state", products.log_direct_norm[-1].item() / 300, 0.0, 0.01),
            Figure("all paths together grow", np.sign(products.log_norm[-1].item() - 10), 1.0),
        ),
        claim(
            "003, section 9, table",
            "the LSTM has no gradient issues",
            FALSE,
            "with forget gates at 1/2 its gradients vanish as 2^-t",
            Figure("nat a step", largest_exponent(fading), np.log(0.5)),
        ),
        *counts(),
    ]


def largest_exponent(net) -> float:
    """Nats a step."""
    return rd.lyapunov_spectrum(net, k=1, steps=500, rng=0).exponent[0].item()


def counts() -> list[dict]:
    """Numbers of parameters."""
    H, I = 7, 3
    lstm, gru = rd.LSTM.random(H, I, rng=0), rd.GRU.random(H, I, rng=0)
    sizes = [sum(a.size for a in (net.W_xh, net.W_hh, net.b_h)) for net in (lstm, gru)]
    return [
        claim(
            "004, Parameter Comparison",
            "4 (n_h + n_x + 1) n_h parameters in an LSTM, 3 (n_h + n_x + 1) n_h in a GRU",
            CONDITION,
            "true of the documents' GRU; with the reset after the product the candidate has a second bias, n_h more",
            Figure("LSTM", sizes[0], 4 * (H + I + 1) * H),
            Figure("GRU without the second bias", sizes[1], 3 * (H + I + 1) * H),
        ),
    ]
