"""The tables of linear networks as state-space models."""

from __future__ import annotations

from rnndyn.schema.terms import Variable, status

MEAN = ("batch", "time", "state")
COVARIANCE = (*MEAN, "state_2")
STATE = ("state", "state_2")

FILTER: dict[str, Variable] = {
    "predicted_mean": Variable(MEAN, "1", "mean of the state given the outputs before"),
    "predicted_cov": Variable(COVARIANCE, "1", "covariance of the state given the outputs before"),
    "filtered_mean": Variable(MEAN, "1", "mean of the state given the outputs up to now"),
    "filtered_cov": Variable(COVARIANCE, "1", "covariance of the state given the outputs up to now"),
    "innovation": Variable(("batch", "time", "output"), "1", "output less its mean given the outputs before"),
    "innovation_cov": Variable(("batch", "time", "output", "output_2"), "1", "covariance of the innovation"),
    "loglik": Variable(("batch",), "nat", "log-likelihood of the whole sequence"),
    "loglik_t": Variable(("batch", "time"), "nat", "log-likelihood of the outputs given those before"),
    "status": status("batch"),
}


def _with_errors(table: dict[str, Variable]) -> dict[str, Variable]:
    """Each variable and its standard error."""
    errors = {f"{k}_stderr": v._replace(long_name=f"standard error of the {v.long_name}") for k, v in table.items()}
    return table | errors


EQUIVALENCE: dict[str, dict[str, Variable]] = {
    "kalman_filter": FILTER,
    "rts_smoother": FILTER
    | {
        "smoothed_mean": Variable(MEAN, "1", "mean of the state given all outputs"),
        "smoothed_cov": Variable(COVARIANCE, "1", "covariance of the state given all outputs"),
    },
    "steady_filter": {
        "filter_gain": Variable(("state", "output"), "1", "filter gain K: filtered less predicted mean, by innovation"),
        "predictor_gain": Variable(("state", "output"), "1", "predictor gain A K: what an innovation adds to the next"),
        "predicted_cov": Variable(STATE, "1", "covariance of the state given the outputs before"),
        "filtered_cov": Variable(STATE, "1", "covariance of the state given the outputs up to now"),
        "smoothed_cov": Variable(STATE, "1", "covariance of the state given all outputs", optional=True),
        "innovation_cov": Variable(("output", "output_2"), "1", "covariance of the innovation"),
        "eigenvalue": Variable(("mode",), "1", "eigenvalue of the filter's recurrence (I - K V) A", "c"),
        "exponent": Variable(("index",), "nat/step", "Lyapunov exponent of the filter"),
    },
    "standard_errors": _with_errors(
        {
            "psi": Variable(("lag", "output", "output_2"), "1", "weight of the innovations of this lag"),
            "innovation_cov": Variable(("output", "output_2"), "1", "covariance of the innovations"),
            "input_response": Variable(("lag", "output", "input"), "1", "response to an input", optional=True),
            "output_mean": Variable(("output",), "1", "mean of the outputs"),
            "modulus": Variable(("mode",), "1", "modulus of an eigenvalue of W_hh"),
        }
    )
    | {
        "loglik": Variable((), "nat", "log-likelihood of all sequences"),
        "score_norm": Variable((), "1", "size of the likelihood's derivative, in standard errors"),
        "status": status(),
    },
}
