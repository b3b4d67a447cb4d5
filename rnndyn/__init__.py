"""rnndyn: recurrent networks as dynamical systems that can be measured.

Everything is imported when it is first used: ``import rnndyn as rd`` costs next to nothing and compiles nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Elman": "networks",
    "Linear": "networks",
    "Leaky": "networks",
    "LSTM": "networks",
    "LayerNormLSTM": "networks",
    "GRU": "networks",
    "PiecewiseLinear": "networks",
    "Highway": "networks",
    "Residual": "networks",
    "SRU": "networks",
    "QRNN": "networks",
    "Stack": "networks",
    "Bidirectional": "networks",
    "ClosedLoop": "networks",
    "EncoderDecoder": "networks",
    "Map": "networks.map",
    "DeviceError": "errors",
    "run": "running",
    "jacobian": "running",
    "value_and_grad": "gradients",
    "train": "training.train",
    "SGD": "training.optimisers",
    "Adam": "training.optimisers",
    "Dropout": "training.dropout",
    "schedules": "training",
    "initial": "networks",
    "ScheduledSampling": "training.feeding",
    "Reinforce": "training.feeding",
    "generate": "generation",
    "Watch": "training.watching",
    "probes": "",
    "from_torch": "io.torch",
    "to_torch": "io.torch",
    "save": "io.safetensors",
    "load": "io.safetensors",
    "save_results": "io.results",
    "open_results": "io.results",
    "fixed_points": "analysis.fixed_points",
    "slow_points": "analysis.slow_points",
    "transitions": "analysis.transitions",
    "transition_graph": "analysis.transitions",
    "lyapunov_spectrum": "analysis.lyapunov",
    "lyapunov_from_jacobians": "analysis.lyapunov",
    "covariant_lyapunov_vectors": "analysis.covariant",
    "finite_time_exponents": "analysis.finite_time",
    "echo_state_test": "analysis.echo_state",
    "jacobian_products": "analysis.jacobians",
    "gradient_flow": "analysis.gradient_flow",
    "gradient_paths": "analysis.gradient_paths",
    "gradient_paths_from_terms": "analysis.gradient_paths",
    "lyapunov_value_and_grad": "analysis.lyapunov_gradient",
    "HMM": "equivalence.markov.hmm",
    "NGram": "equivalence.markov.ngram",
    "to_markov_chain": "equivalence.markov.markov_chain",
    "time_constant": "equivalence.time_constant",
    "ode": "equivalence",
    "Automaton": "equivalence.automaton",
    "interpolating_network": "equivalence.approximation",
    "fitted_network": "equivalence.approximation",
    "kalman_filter": "equivalence.linear.kalman",
    "rts_smoother": "equivalence.linear.kalman",
    "fit_linear": "equivalence.linear.fitting",
    "standard_errors": "equivalence.linear.errors",
    "steady_filter": "equivalence.linear.steady",
    "filter_network": "equivalence.linear.steady",
    "smoother_network": "equivalence.linear.steady",
    "simulate": "equivalence.linear.simulation",
    "to_varma": "equivalence.linear.to_varma",
    "VARMA": "equivalence.linear.varma",
    "plot": "",
    "losses": "",
    "metrics": "",
    "tasks": "",
    "schema": "",
    "theory": "",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name):
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'rnndyn' has no attribute {name!r}")
    home = _HOME[name]
    value = import_module(f"rnndyn.{home or name}")
    if home:
        # A module of a package is no attribute of it until it is imported.
        value = getattr(value, name, None) or import_module(f"rnndyn.{home}.{name}")
    globals()[name] = value
    return value


def __dir__():
    """All public names."""
    return sorted(__all__)
