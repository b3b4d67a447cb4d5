"""The Kalman filter and smoother: rnndyn and statsmodels, on one long series and on many short ones.

Both start in the stationary law and give means, covariances and likelihoods of every step, in float64. statsmodels may
use its shortcut to a steady state, and takes the series one after the other, for it has no batches.
"""

import numpy as np

import rnndyn as rd
from rnndyn.equivalence.linear.state_space import state_space, stationary
from studies.benchmark.peers import Rnndyn as Passes
from studies.benchmark.workers import Work

# Hidden units, outputs, steps, series, share of missing values.
SETTINGS = [
    (4, 2, 20_000, 1, 0.0),
    (16, 4, 5000, 1, 0.0),
    (4, 2, 5000, 1, 0.1),
    (2, 1, 100, 256, 0.0),
    (4, 2, 100, 256, 0.0),
    (16, 4, 100, 256, 0.0),
    (4, 2, 100, 256, 0.1),
]


def problem(n: int, outputs: int, steps: int, series: int, missing: float):
    """A random network of spectral radius 0.95 and sequences (series, steps, outputs) drawn from it."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, n))
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    Q, R = (M @ M.T / len(M) for M in (rng.standard_normal((n, n)), rng.standard_normal((outputs, outputs))))
    net = rd.Linear(None, A, W_hy=rng.standard_normal((outputs, n)), process_noise=Q, observation_noise=R)
    y = rd.simulate(net, steps, batch=series, rng=1).output.values
    y[rng.random(y.shape) < missing] = np.nan
    return net, y


class Rnndyn(Passes):
    """`rd.kalman_filter` and `rd.rts_smoother`, checks and Datasets included."""

    @staticmethod
    def load(net, y) -> Work:
        calls = {"filter": lambda: rd.kalman_filter(net, y), "smoother": lambda: rd.rts_smoother(net, y)}

        def results():
            ds = calls["smoother"]()
            return ds.loglik.values, ds.smoothed_mean.values, ds.smoothed_cov.values[-1]

        return Work(calls, results)


class Statsmodels:
    """One object of its state space a series, made before the clock runs; of the smoother the state's moments only."""

    @staticmethod
    def use(threads: int) -> None:
        """It takes one."""

    @staticmethod
    def load(net, y) -> Work:
        from statsmodels.tsa.statespace.kalman_smoother import SMOOTHER_STATE, SMOOTHER_STATE_COV, KalmanSmoother

        n, outputs = net.hidden_size, net.output_size

        def model(values):
            made = KalmanSmoother(k_endog=outputs, k_states=n, k_posdef=n)
            made.smoother_output = SMOOTHER_STATE | SMOOTHER_STATE_COV
            made["design"], made["transition"], made["selection"] = net.W_hy, net.W_hh, np.eye(n)
            made["state_cov"], made["obs_cov"] = net.process_noise, net.observation_noise
            made.initialize_known(*stationary(state_space(net)))
            made.bind(np.ascontiguousarray(values))
            return made

        models = [model(values) for values in y]
        calls = {
            "filter": lambda: [each.filter() for each in models],
            "smoother": lambda: [each.smooth() for each in models],
        }

        def results():
            found = calls["smoother"]()
            means = np.stack([one.smoothed_state.T for one in found])
            return np.array([one.llf for one in found]), means, found[-1].smoothed_state_cov.transpose(2, 0, 1)

        return Work(calls, results)


PEERS = {"rnndyn": Rnndyn, "statsmodels": Statsmodels}
