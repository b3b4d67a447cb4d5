"""Figures of results: ``rd.plot.<result>(ds, ax=None) -> Axes``, one function for each kind of result.

Without `ax` a figure of one journal column is made, outside of pyplot: ``rd.plot.run(ds).figure.savefig("run.pdf")``.
In a program that uses pyplot, give the axes: ``rd.plot.run(ds, plt.gca())``. Nothing changes matplotlib's settings.
"""

from rnndyn.plot.gradients import gradient_flow, jacobian_products
from rnndyn.plot.growth import covariant_lyapunov_vectors, echo_state_test, finite_time_exponents
from rnndyn.plot.learning import training
from rnndyn.plot.lyapunov import lyapunov_spectrum
from rnndyn.plot.markov import hmm_filter, hmm_smoother, markov_chain
from rnndyn.plot.ode import error_ledger, ode_stability, spurious_dynamics
from rnndyn.plot.paths import gate_paths, gradient_paths
from rnndyn.plot.points import eigenvalues, fixed_points
from rnndyn.plot.slow_points import slow_points
from rnndyn.plot.state_space import kalman_filter, rts_smoother, standard_errors, steady_filter
from rnndyn.plot.traces import run
from rnndyn.plot.transitions import transitions

__all__ = [
    "covariant_lyapunov_vectors",
    "echo_state_test",
    "eigenvalues",
    "error_ledger",
    "finite_time_exponents",
    "fixed_points",
    "gate_paths",
    "gradient_flow",
    "gradient_paths",
    "hmm_filter",
    "hmm_smoother",
    "jacobian_products",
    "kalman_filter",
    "lyapunov_spectrum",
    "markov_chain",
    "ode_stability",
    "rts_smoother",
    "run",
    "slow_points",
    "spurious_dynamics",
    "standard_errors",
    "steady_filter",
    "training",
    "transitions",
]
