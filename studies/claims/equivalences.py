"""Claims on what linear networks, Markov models and ODE solvers are to each other."""

import numpy as np

import rnndyn as rd
from studies.claims.claim import CONDITION, FALSE, HOLDS, Figure, claim


def claims() -> list[dict]:
    """All of them."""
    return [*linear(), *estimation(), *markov(), *differential_equations(), *powers()]


def linear() -> list[dict]:
    """A linear network and its VARMA model."""
    rng = np.random.default_rng(0)
    A = np.array([[0.7, 0.2], [-0.3, 0.5]])
    V = np.array([[1.0, 0.5], [0.0, 2.0]])
    noise = {"process_noise": np.eye(2)}
    quiet = rd.to_varma(rd.Linear(None, A, W_hy=V, **noise))
    noisy = rd.to_varma(rd.Linear(None, A, W_hy=V, observation_noise=np.eye(2), **noise))
    narrow = rd.Linear(None, A, W_hy=V[:1], observation_noise=[[1.0]], **noise)
    y = rng.standard_normal((50, 1))
    likelihoods = rd.to_varma(narrow).loglik(y) - rd.kalman_filter(narrow, y).loglik.item()
    return [
        claim(
            "001, Linear RNNs and State-Space Models",
            "a linear RNN whose read-out V is invertible is a VARMA model",
            CONDITION,
            "without read-out noise it is a VAR(1), of MA order 0; with it a VARMA(1, 1)",
            Figure("MA order without read-out noise", len(quiet.ma), 0),
            Figure("distance of ar_1 to V A V^-1", np.abs(quiet.ar[0] - V @ A @ np.linalg.inv(V)).max(), 0.0, 1e-10),
            Figure("MA order with it", len(noisy.ma), 1),
        ),
        claim(
            "001, Linear RNNs and State-Space Models",
            "V has to be invertible",
            FALSE,
            "any V gives a VARMA model of higher order: one output of two units a VARMA(2, 2)",
            Figure("AR order", len(rd.to_varma(narrow).ar), 2),
            Figure("its log-likelihood minus the Kalman filter's", likelihoods, 0.0),
        ),
    ]


def estimation() -> list[dict]:
    """Filters, smoothers, and networks in one and in two directions."""
    net = rd.Linear(None, [[1.05]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[2.0]])
    ds = rd.rts_smoother(net, np.zeros((80, 1)), initial_mean=[0.0], initial_cov=[[1.0]])
    shares = (ds.smoothed_cov / ds.filtered_cov).values.ravel()
    still = rd.Linear(None, [[0.9]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[2.0]])
    y = rd.simulate(still, 400, rng=0).output.values
    both = rd.run(rd.smoother_network(still), y).output.values
    exact = rd.rts_smoother(still, y).smoothed_mean.values
    gap = np.abs(both - exact).ravel()
    return [
        claim(
            "001, Quantifying the Advantage of Bidirectionality",
            "for a stationary process the smoother's error is at most the filter's",
            HOLDS,
            "stationary or not; equal at the last time, and everywhere if A = 0",
            Figure("largest share for an unstable A = 1.05", float(shares.max()), 1.0),
            Figure("share at the last time", float(shares[-1]), 1.0),
        ),
        claim(
            "001, Quantifying the Advantage of Bidirectionality",
            "a bidirectional network can be the Kalman smoother",
            CONDITION,
            "a linear one with fixed weights is, away from both ends, where the gains of the smoother vary",
            Figure("distance in the middle of 400 steps", float(gap[100:300].max()), 0.0, 1e-10),
            Figure("log10 of the distance at the first step", float(np.log10(gap[0])), -0.9, 0.5),
        ),
    ]


def markov() -> list[dict]:
    """The two networks of a hidden Markov model, and the one that it is not."""
    A = np.array([[0.7, 0.25, 0.05], [0.1, 0.6, 0.3], [0.4, 0.15, 0.45]])
    B = np.array([[0.5, 0.35, 0.1, 0.05], [0.1, 0.2, 0.3, 0.4], [0.05, 0.2, 0.25, 0.5]])
    hmm = rd.HMM([0.5, 0.3, 0.2], A, B)
    x = np.array([0, 1, 2, 3, 3, 1, 0, 2, 1, 3])
    by_network = rd.run(hmm.to_rnn("belief"), hmm.one_hot(x)).state.values[:, -1].sum()
    return [
        claim(
            "001, Probabilistic RNNs and Hidden Markov Models",
            "with U = (ln A)^T the network gives every sequence the likelihood of the HMM",
            CONDITION,
            "if its one-hot state is sampled and summed over; a deterministic one takes the multiplicative recursion",
            Figure("belief network minus HMM", float(by_network - hmm.loglik(x)), 0.0, 1e-12),
            Figure("softmax(U belief) minus HMM: far from 0", pooled(hmm, x) - hmm.loglik(x), 0.1992, 1e-3),
        )
    ]


def pooled(hmm, x) -> float:
    """Log-likelihood by the wrong reading: beliefs through the softmax of (ln A)^T, which pools geometrically."""
    belief, total = hmm.initial, 0.0
    for t, symbol in enumerate(x):
        if t:
            logits = np.log(hmm.transition).T @ belief
            belief = np.exp(logits) / np.exp(logits).sum()
        joint = belief * hmm.emission[:, symbol]
        total += np.log(joint.sum())
        belief = joint / joint.sum()
    return float(total)


def differential_equations() -> list[dict]:
    """Time constants, and the ODE analogy of BPTT."""
    tau = rd.time_constant(0.95, 0.02)
    euler = rd.time_constant(0.95, 0.02, "euler")
    return [
        claim(
            "001, The LSTM",
            "a forget gate of 0.95 at dt = 0.02 s is a time constant of 0.39 s",
            CONDITION,
            "0.3899 s if the input is held over a step; 0.40 s in Euler's reading, 0.38 s in the implicit one",
            Figure("exact, s", float(tau), -0.02 / np.log(0.95), 1e-14),
            Figure("Euler, s", float(euler), 0.4, 1e-12),
        ),
        *analogy(),
    ]


def analogy() -> list[dict]:
    """The recurrence of the global error beside that of BPTT."""
    gaps = {}
    for name, net in (("linear", leaky("identity")), ("tanh", leaky("tanh"))):
        for steps, time in ((20, 2.0), (40, 2.0)):
            start = np.array([1.0, -0.5])
            ledger = rd.ode.error_ledger(net, dt=time / steps, steps=steps, initial_state=start)
            gaps[name, steps] = float(np.nanmax(ledger.product_gap.values))
    return [
        claim(
            "001, A Deeper Analogy",
            "the global error of an ODE solver and BPTT obey the same linear recurrence",
            CONDITION,
            "the same for a linear field; else BPTT has Jacobians at the states, the error their mean over a segment, "
            "and they differ by the order of the error",
            Figure("relative gap of the products, linear", gaps["linear", 40], 0.0, 1e-9),
            Figure("the same for tanh, 20 steps over 40 steps", gaps["tanh", 20] / gaps["tanh", 40], 2.0, 0.1),
        )
    ]


def leaky(activation: str):
    """A leaky network of two units, whose continuous time is the field."""
    return rd.Leaky(None, [[0.5, -1.0], [1.0, 0.2]], alpha=0.1, activation=activation)


def powers() -> list[dict]:
    """What networks can compute."""
    parity = rd.Automaton([[0, 1], [1, 0]])
    x = np.random.default_rng(0).integers(0, 2, 10_000)
    run = rd.run(parity.to_rnn(), parity.encode(x), initial_state=parity.initial_state())
    wrong = parity.decode(run.output)[0] != np.cumsum(x) % 2
    errors = {units: worst(units) for units in (32, 64)}
    return [
        claim(
            "004, Turing Completeness",
            "RNNs are Turing complete",
            CONDITION,
            "with states of unbounded precision; with floats it is a finite automaton, and can be any one exactly",
            Figure("wrong states of a parity automaton in 10^4 symbols", int(wrong.sum()), 0),
        ),
        claim(
            "004, Universal Approximation",
            "with enough units any measurable sequence-to-sequence map is approximated as closely as is wanted",
            CONDITION,
            "maps that forget, on bounded inputs; a smooth map on an interval is met to O(1/units^2)",
            Figure("error of sin with 32 units over that with 64", errors[32] / errors[64], 4.0, 0.05),
        ),
    ]


def worst(units: int) -> float:
    """Largest error of a layer of so many units that stands for the sine."""
    net = rd.interpolating_network(np.sin, 0.0, np.pi, units)
    grid = np.linspace(0, np.pi, 4001)
    return float(np.abs(rd.run(net, grid[:, None, None]).output.values.ravel() - np.sin(grid)).max())
