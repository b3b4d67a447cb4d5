"""The equations as printed in their sources, in slow plain NumPy: what the package is compared with.

Nothing here is shared with rnndyn and nothing is fast; loops run over time, and a sequence stands alone, without a
batch axis. All functions accept complex numbers, so `complex_step` differentiates any of them to the last digits
without a line of calculus.

The documents: 000 "Recurrent Neural Networks: Theory and Practice", 003 "Recurrent Neural Networks: A Mathematical
Overview", 004 "Recurrent Neural Networks (RNNs)". Gate blocks are stacked by rows as in PyTorch: LSTM i, f, g, o; GRU
r, z, n.
"""

import itertools

import numpy as np


# ---- activations and read-outs -----------------------------------------------------------------------------------
def sigmoid(a):
    """1 / (1 + exp(-a)), 004 "Activation Function Impact"."""
    return 1 / (1 + np.exp(-a))


def relu(a):
    """max(0, a); a complex step follows the side of the real part."""
    return np.where(np.real(a) > 0, a, 0)


def identity(a):
    return a


def softmax(o):
    """exp(o_i) / sum_j exp(o_j), 003 eq 4."""
    e = np.exp(o - np.max(np.real(o)))
    return e / np.sum(e)


ACTIVATIONS = {"tanh": np.tanh, "relu": relu, "sigmoid": sigmoid, "identity": identity}
OUTPUT_ACTIVATIONS = {"identity": identity, "softmax": softmax, "sigmoid": sigmoid}


# ---- one step of each cell: state (S,), input (I,) -> state (S,) -------------------------------------------------
def elman_step(h, x, W_xh, W_hh, b_h, activation="tanh"):
    """000 eq 1-2, 003 eq 1-2: a = W_xh x + W_hh h + b; h' = phi(a)."""
    a = W_xh @ x + W_hh @ h + b_h
    return ACTIVATIONS[activation](a)


def leaky_step(h, x, W_xh, W_hh, b_h, alpha, form="rate", activation="tanh"):
    """Euler's step, alpha = dt / tau, of tau dh/dt = -h + phi(W h + ...) (rate) or -h + W phi(h) + ... (voltage)."""
    phi = ACTIVATIONS[activation]
    if form == "rate":
        return (1 - alpha) * h + alpha * phi(W_hh @ h + W_xh @ x + b_h)
    return (1 - alpha) * h + alpha * (W_hh @ phi(h) + W_xh @ x + b_h)


def piecewise_linear_step(h, x, W_xh, W, b, A):
    """Durstewitz 2017 eq 1 without noise: h' = A h + W max(h, 0) + b, A diagonal."""
    return A * h + W @ relu(h) + W_xh @ x + b


def highway_step(h, x, W_xh, W_hh, b_h, activation="tanh"):
    """Srivastava 2015 eq 3 with C = 1 - T, the layer below being the step before: y = H T + x (1 - T)."""
    a_h, a_t = np.split(W_xh @ x + W_hh @ h + b_h, 2)
    t = sigmoid(a_t)
    return ACTIVATIONS[activation](a_h) * t + h * (1 - t)


def residual_step(h, x, W_xh, W_hh, b_h, skip=1.0, activation="tanh"):
    """He 2016 eq 1, y = F(x) + x, over time; 001 has the skip form h' = phi(...) + alpha h."""
    return ACTIVATIONS[activation](W_hh @ h + W_xh @ x + b_h) + skip * h


def sru_step(state, x, W_xh, b_h, v=None):
    """Lei 2018 eq 1-4 with the highway W_k x in the place of x; state = [h, c]."""
    _, c = np.split(state, 2)
    a_c, a_f, a_r, a_k = np.split(W_xh @ x + b_h, 4)
    v_f, v_r = np.zeros((2, c.size)) if v is None else v
    f = sigmoid(a_f + v_f * c)
    r = sigmoid(a_r + v_r * c)
    c = f * c + (1 - f) * a_c
    return np.concatenate([r * c + (1 - r) * a_k, c])


def qrnn_step(state, x, W_xh, b_h, pooling="fo"):
    """Bradbury 2017 eq 1-4: z, f, o of the input, then f-pooling, h, or fo-pooling, [h, c]."""
    if pooling == "f":
        a_z, a_f = np.split(W_xh @ x + b_h, 2)
        return sigmoid(a_f) * state + (1 - sigmoid(a_f)) * np.tanh(a_z)
    a_z, a_f, a_o = np.split(W_xh @ x + b_h, 3)
    _, c = np.split(state, 2)
    c = sigmoid(a_f) * c + (1 - sigmoid(a_f)) * np.tanh(a_z)
    return np.concatenate([sigmoid(a_o) * c, c])


def lstm_step(state, x, W_xh, W_hh, b_h, peephole=None):
    """000 eq 5-10; the peepholes are those of Gers and of ONNX: i and f see c_{t-1}, o sees c_t. state = [h, c]."""
    h, c = np.split(state, 2)
    a_i, a_f, a_g, a_o = np.split(W_xh @ x + W_hh @ h + b_h, 4)
    p_i, p_f, p_o = np.zeros((3, h.size)) if peephole is None else peephole
    i = sigmoid(a_i + p_i * c)
    f = sigmoid(a_f + p_f * c)
    g = np.tanh(a_g)
    c = f * c + i * g
    o = sigmoid(a_o + p_o * c)
    return np.concatenate([o * np.tanh(c), c])


def layer_norm_lstm_step(state, x, W_xh, W_hh, b_h, gain_x, gain_h, gain_c, b_c):
    """Ba 2016 eq 20-22, gates in PyTorch's order and the biases of the sums in one; eq 4 with PyTorch's 1e-5."""

    def normalised(z):
        mean = np.sum(z) / z.size
        return (z - mean) / np.sqrt(np.sum((z - mean) ** 2) / z.size + 1e-5)

    h, c = np.split(state, 2)
    a_i, a_f, a_g, a_o = np.split(gain_h * normalised(W_hh @ h) + gain_x * normalised(W_xh @ x) + b_h, 4)
    c = sigmoid(a_f) * c + sigmoid(a_i) * np.tanh(a_g)
    return np.concatenate([sigmoid(a_o) * np.tanh(gain_c * normalised(c) + b_c), c])


def gru_step(h, x, W_xh, W_hh, b_h, b_hn=0.0, reset="after", update="keep"):
    """000 eq 11-14 are reset="before", update="write"; PyTorch's documentation has reset="after", update="keep"."""
    u_r, u_z, u_n = np.split(W_xh @ x + b_h, 3)
    W_hr, W_hz, W_hn = np.split(W_hh, 3)
    r = sigmoid(u_r + W_hr @ h)
    z = sigmoid(u_z + W_hz @ h)
    n = np.tanh(u_n + (r * (W_hn @ h + b_hn) if reset == "after" else W_hn @ (r * h) + b_hn))
    return z * h + (1 - z) * n if update == "keep" else (1 - z) * h + z * n


def forward(step, s0, xs, *parameters, **options):
    """States s_1 ... s_T (T, S) from s_0 and inputs x_1 ... x_T (T, I)."""
    states, s = [], s0
    for x in xs:
        s = step(s, x, *parameters, **options)
        states.append(s)
    return np.array(states).reshape(len(xs), len(s0))


def outputs(hs, W_hy, b_y, activation="identity"):
    """000 eq 3 and 003 eq 3-4: y_t = g(W_hy h_t + b_y), (T, O)."""
    return np.array([OUTPUT_ACTIVATIONS[activation](W_hy @ h + b_y) for h in hs])


# ---- losses of one sequence --------------------------------------------------------------------------------------
def mse(ys, targets):
    """004 "Common Loss Functions": sum over time and outputs of 1/2 (y - target)^2."""
    return sum(0.5 * np.sum((y - target) ** 2) for y, target in zip(ys, targets, strict=True))


def cross_entropy(os, classes):
    """003 eq 4-5: sum over time of -log softmax(o_t)[c_t]; os are the logits."""
    return sum(-np.log(softmax(o)[c]) for o, c in zip(os, classes, strict=True))


def gaussian_nll(os, targets):
    """000 section 3.1, Nix & Weigend 1994: -log N(target; mean, variance), os = means and log-variances."""
    total = 0.0
    for o, target in zip(os, targets, strict=True):
        for mean, s, x in zip(o[: len(target)], o[len(target) :], target, strict=True):
            total = total - np.log(np.exp(-((x - mean) ** 2) / (2 * np.exp(s))) / np.sqrt(2 * np.pi * np.exp(s)))
    return total


def mixture(os, targets):
    """Bishop 1994 eq 22-29: -log sum_k w_k N(target; mean_k, variance_k), os = logits, means, log-variances."""
    total = 0.0
    for o, target in zip(os, targets, strict=True):
        D = len(target)
        K = len(o) // (1 + 2 * D)
        weights, density = softmax(o[:K]), 0.0
        for k in range(K):
            means, s = o[K + k * D :][:D], o[K + K * D + k * D :][:D]
            density = density + weights[k] * np.exp(-gaussian_nll([np.concatenate([means, s])], [target]))
        total = total - np.log(density)
    return total


def pinball(os, targets, levels=(0.1, 0.5, 0.9)):
    """Koenker & Bassett 1978: sum of p |x - q| above q, of (1 - p) |x - q| below."""
    total = 0.0
    for o, target in zip(os, targets, strict=True):
        for p, qs in zip(levels, np.reshape(o, (len(levels), -1)), strict=True):
            for x, q in zip(target, qs, strict=True):
                total = total + (p * (x - q) if np.real(x - q) > 0 else (1 - p) * (q - x))
    return total


def ctc(os, labels, blank=0):
    """Graves 2006 eq 2-3: -log of the sum over all paths that read as the labels."""
    steps, symbols = len(os), len(os[0])
    probabilities, total = [softmax(o) for o in os], 0.0
    for path in itertools.product(range(symbols), repeat=steps):
        read = [s for s, before in zip(path, (None, *path), strict=False) if s not in (before, blank)]
        if read == list(labels):
            chance = 1.0
            for p, symbol in zip(probabilities, path, strict=True):
                chance = chance * p[symbol]
            total = total + chance
    return -np.log(total)


# ---- backpropagation through time, written out -------------------------------------------------------------------
def elman_bptt(h0, xs, dL_do, W_xh, W_hh, b_h, W_hy):
    """Gradients of a tanh network by 003 eq 6-9, from dL/do_t (T, O).

    003 eq 10 gives dL/da_{t-1} where it says dL/dh_{t-1}, and leaves out the loss at t-1; here is 004's recursion
    dL/dh_t = W_hy' dL_t/do_t + W_hh' delta_{t+1}, which differentiation confirms.
    """
    hs = forward(elman_step, h0, xs, W_xh, W_hh, b_h)
    before = np.vstack([h0, hs])
    T, H = hs.shape
    gradients = {"W_xh": np.zeros_like(W_xh), "W_hh": np.zeros_like(W_hh), "b_h": np.zeros_like(b_h)}
    gradients |= {"W_hy": np.zeros_like(W_hy), "b_y": np.zeros(len(W_hy))}
    delta_next = np.zeros(H)
    for t in reversed(range(T)):
        dL_dh = W_hy.T @ dL_do[t] + W_hh.T @ delta_next
        a = W_xh @ xs[t] + W_hh @ before[t] + b_h
        delta = dL_dh * (1 - np.tanh(a) ** 2)  # eq 6
        gradients["W_xh"] += np.outer(delta, xs[t])  # eq 7
        gradients["W_hh"] += np.outer(delta, before[t])  # eq 8
        gradients["b_h"] += delta
        gradients["W_hy"] += np.outer(dL_do[t], hs[t])  # eq 9
        gradients["b_y"] += dL_do[t]
        delta_next = delta
    return gradients


def elman_jacobian_product(hs, W_hh):
    """J_T ... J_1 with J_t = diag(1 - h_t^2) W_hh, 003 eq 18-19, for a tanh network."""
    product = np.eye(len(W_hh))
    for h in hs:
        product = np.diag(1 - h**2) @ W_hh @ product
    return product


# ---- differentiation without calculus ----------------------------------------------------------------------------
def complex_step(f, x, h=1e-30):
    """Gradient (or Jacobian, values first) of f at the real array x: Im f(x + i h e_k) / h, exact to rounding."""
    columns = []
    for k in range(x.size):
        z = x.astype(complex)
        z.flat[k] += 1j * h
        columns.append(np.imag(f(z)) / h)
    columns = np.array(columns)
    if not columns.size:
        return np.zeros(np.shape(f(x.astype(complex))) + x.shape)
    return np.moveaxis(columns, 0, -1).reshape(columns.shape[1:] + x.shape)


# ---- hidden Markov models ----------------------------------------------------------------------------------------
def hmm_likelihood(initial, A, B, x):
    """Rabiner 1989 eq 19-21: alpha_1 = pi b(x_1), alpha_{t+1}(j) = [sum_i alpha_t(i) a_ij] b_j(x_{t+1}), summed."""
    alpha = initial * B[:, x[0]]
    for symbol in x[1:]:
        alpha = (A.T @ alpha) * B[:, symbol]
    return alpha.sum()


def hmm_paths(initial, A, B, x):
    """All K^T paths of states (n, T), and the joint probability of each with x, Rabiner 1989 eq 13-16."""
    paths = np.array(list(np.ndindex(*[len(initial)] * len(x))))
    probabilities = []
    for z in paths:
        p = initial[z[0]] * B[z[0], x[0]]
        for t in range(1, len(x)):
            p = p * A[z[t - 1], z[t]] * B[z[t], x[t]]
        probabilities.append(p)
    return paths, np.array(probabilities)


# ---- networks as numerical methods: Hairer, Norsett & Wanner, section II.1 ---------------------------------------
def euler_step(f, y, h):
    return y + h * f(y)


def heun_step(f, y, h):
    """Improved Euler: the mean of the slopes at both ends."""
    k1 = f(y)
    k2 = f(y + h * k1)
    return y + h / 2 * (k1 + k2)


def midpoint_step(f, y, h):
    """Runge's method."""
    return y + h * f(y + h / 2 * f(y))


def rk4_step(f, y, h):
    """The classical method of Kutta."""
    k1 = f(y)
    k2 = f(y + h / 2 * k1)
    k3 = f(y + h / 2 * k2)
    k4 = f(y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


# ---- automata ----------------------------------------------------------------------------------------------------
def read_symbols(symbols, transition, increment, initial, limit):
    """A real-time automaton with a counter; the tables are [state][symbol][counter above zero]."""
    state, count, path = initial, 0, []
    for symbol in symbols:
        above = int(count > 0)
        count_after = count + increment[state][symbol][above]
        state = transition[state][symbol][above]
        count = 0 if count_after < 0 else limit if count_after > limit else count_after
        path.append((state, count))
    return path


# ---- linear networks with noise: h_t = A h_{t-1} + d_t + eta_t (cov Q), y_t = V h_t + c + eps_t (cov R) -----------
def stationary_covariance(A, Q, terms=200):
    """Sum of A^k Q A'^k, k = 0, 1, ..., by doubling."""
    P = Q
    for _ in range(int(np.ceil(np.log2(terms)))):
        P, A = P + A @ P @ A.T, A @ A
    return P


def dense_gaussian(A, V, Q, R, m1, P1, drive, T):
    """Means (T, n) and covariance (T n, T n) of the states, h_1 being N(m1, P1), and covariance (T O, T O) of y."""
    n = len(A)
    means, states = [m1], np.zeros((T, n, T, n))
    states[0, :, 0] = P1
    for t in range(1, T):
        means.append(A @ means[-1] + drive[t])
        for s in range(t):
            states[t, :, s] = A @ states[t - 1, :, s]
            states[s, :, t] = states[t, :, s].T
        states[t, :, t] = A @ states[t - 1, :, t - 1] @ A.T + Q
    states = states.reshape(T * n, T * n)
    read = np.kron(np.eye(T), V)
    return np.array(means), states, read @ states @ read.T + np.kron(np.eye(T), R)


def gaussian_loglik(residual, cov):
    """Log N(residual; 0, cov), missing values (NaN) left out."""
    there = ~np.isnan(residual)
    r, C = residual[there], cov[np.ix_(there, there)]
    L = np.linalg.cholesky(C)
    z = np.linalg.solve(L, r)
    return -0.5 * (len(r) * np.log(2 * np.pi) + 2 * np.sum(np.log(np.diag(L))) + z @ z)


def kalman_step(m, P, y, A, V, Q, R, d):
    """Kalman 1960: update by y, then predict. Comes back: filtered mean and covariance, and the next prediction."""
    S = V @ P @ V.T + R
    K = P @ V.T @ np.linalg.inv(S)
    mf, Pf = m + K @ (y - V @ m), P - K @ S @ K.T
    return mf, Pf, A @ mf + d, A @ Pf @ A.T + Q
