"""The tables of growth: Lyapunov exponents and vectors, products of Jacobians, gradients."""

from __future__ import annotations

from rnndyn.schema.terms import SEQUENCE, TRACE, Variable, status

GROWTH: dict[str, dict[str, Variable]] = {
    "lyapunov_spectrum": {
        "exponent": Variable((*SEQUENCE, "index"), "nat/step", "Lyapunov exponent"),
        "stderr": Variable((*SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "dimension": Variable(SEQUENCE, "1", "Kaplan-Yorke dimension"),
        "dimension_stderr": Variable(SEQUENCE, "1", "standard error of the dimension", optional=True),
        "entropy_rate": Variable(SEQUENCE, "nat/step", "entropy rate: sum of the positive exponents"),
        "entropy_stderr": Variable(SEQUENCE, "nat/step", "standard error of the entropy rate", optional=True),
        "sum_rule_defect": Variable(
            SEQUENCE, "nat/step", "difference between the sum of all exponents and the mean of log |det J|"
        ),
        "status": status(*SEQUENCE),
        "agreement": Variable(
            ("network",), "1", "whether the trajectories agree, differ or leave it unknown", "string", optional=True
        ),
        "exponent_mean": Variable(("network", "index"), "nat/step", "mean over the trajectories", optional=True),
        "exponent_mean_stderr": Variable(
            ("network", "index"), "nat/step", "standard error of the mean, from the scatter between them", optional=True
        ),
        "dimension_mean": Variable(("network",), "1", "mean of the dimension", optional=True),
        "dimension_mean_stderr": Variable(("network",), "1", "standard error of that mean", optional=True),
        "entropy_mean": Variable(("network",), "nat/step", "mean of the entropy rate", optional=True),
        "entropy_mean_stderr": Variable(("network",), "nat/step", "standard error of that mean", optional=True),
        "variance_ratio": Variable(
            ("network", "index"), "1", "variance between trajectories over that of their errors", optional=True
        ),
        "dof": Variable(("network",), "1", "degrees of freedom of the errors of the means", "i", optional=True),
        "interval_factor": Variable(
            ("network",), "1", "standard errors to each side of a mean that make a 95 % interval", optional=True
        ),
    },
    "covariant_lyapunov_vectors": {
        "vector": Variable((*SEQUENCE, "time", "state", "index"), "1", "covariant Lyapunov vector, of norm 1"),
        "state": Variable((*SEQUENCE, "time", "state"), "1", "state to which the vectors belong"),
        "error": Variable((*SEQUENCE, "time", "index"), "1", "distance between two computations of the vector"),
        "exponent": Variable((*SEQUENCE, "index"), "nat/step", "mean growth of the vector"),
        "stderr": Variable((*SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "local_exponent": Variable(
            (*SEQUENCE, "time", "index"), "nat/step", "growth of the vector since the time before"
        ),
        "min_angle": Variable((*SEQUENCE, "time"), "rad", "smallest angle between two vectors"),
        "splitting_angle": Variable(
            (*SEQUENCE, "time"), "rad", "smallest angle between the growing and the shrinking vectors' spaces"
        ),
        "participation": Variable(
            (*SEQUENCE, "time", "index"), "1", "participation ratio: number of state variables that take part"
        ),
        "status": status(*SEQUENCE),
    },
    "finite_time_exponents": {
        "local_exponent": Variable((*SEQUENCE, "block", "index"), "nat/step", "exponent over one block"),
        "exponent": Variable((*SEQUENCE, "index"), "nat/step", "mean over the blocks: the Lyapunov exponent"),
        "stderr": Variable((*SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "variance": Variable((*SEQUENCE, "index"), "nat^2/step^2", "variance over the blocks"),
        "skewness": Variable((*SEQUENCE, "index"), "1", "skewness over the blocks"),
        "diffusion": Variable(
            (*SEQUENCE, "index"), "nat^2/step", "variance times the duration of a block, constant for long ones"
        ),
        "status": status(*SEQUENCE),
    },
    "echo_state_test": {
        "exponent": Variable(SEQUENCE, "nat/step", "largest conditional Lyapunov exponent"),
        "low": Variable(SEQUENCE, "nat/step", "lower end of its interval"),
        "high": Variable(SEQUENCE, "nat/step", "upper end of its interval"),
        "verdict": Variable(SEQUENCE, "1", "contracting, not contracting or undecided", "string"),
        "distance": Variable((*SEQUENCE, "time"), "1", "largest distance of a trajectory from the first"),
        "decay_rate": Variable(SEQUENCE, "nat/step", "slope of the log distance until it is lost in rounding"),
        "status": status(*SEQUENCE),
    },
    "jacobian_products": {
        "log_singular_value": Variable(
            (*SEQUENCE, "time", "index"), "nat", "log of the singular values of J_t ... J_1", optional=True
        ),
        "log_norm": Variable((*SEQUENCE, "time"), "nat", "log of the 2-norm of J_t ... J_1"),
        "rate": Variable(
            (*SEQUENCE, "time", "index"), "nat/step", "finite-time Lyapunov exponent of t steps", optional=True
        ),
        "bound": Variable((*SEQUENCE, "time"), "nat", "upper bound on log_norm"),
        "log_direct_path": Variable(
            (*SEQUENCE, "time", "state"),
            "nat",
            "log of the product of the derivatives of a state variable by its own old value, gates held",
            optional=True,
        ),
        "log_direct_norm": Variable((*SEQUENCE, "time"), "nat", "largest of log_direct_path", optional=True),
        "log_recurrent_norm": Variable(
            (*SEQUENCE, "time"), "nat", "log of the 2-norm of all paths through recurrent weights", optional=True
        ),
        "status": status(*SEQUENCE)._replace(optional=True),
    },
    "gradient_flow": {
        "gradient_norm": Variable(TRACE, "1", "2-norm of dL/ds_t over the whole state"),
        "log_gradient_norm": Variable(TRACE, "nat", "log of gradient_norm, without underflow"),
        "gradient_norm_hidden": Variable(TRACE, "1", "2-norm of dL/dh_t, through the hidden state", optional=True),
        "gradient_norm_cell": Variable(TRACE, "1", "2-norm of dL/dc_t, through the cell state", optional=True),
        "bound": Variable(TRACE, "1", "upper bound on gradient_norm", optional=True),
        "log_path_norm": Variable(
            (*TRACE, "path"),
            "nat",
            "log of the 2-norm of what one path brings to dL/ds_t from t + 1",
            optional=True,
        ),
        "rate": Variable(("batch",), "nat/step", "growth of log_gradient_norm per step back in time", optional=True),
        "rate_stderr": Variable(("batch",), "nat/step", "standard error of the rate", optional=True),
        "rate_drift": Variable(
            ("batch",), "nat/step", "rate over the larger half of the lags minus that over the smaller", optional=True
        ),
        "status": status("batch")._replace(optional=True),
    },
    "gradient_paths": {
        "log_sum": Variable(("batch", "length"), "nat", "log of the absolute sum of the paths of one length"),
        "sign": Variable(("batch", "length"), "1", "sign of their sum", "i"),
        "log_mass": Variable(("batch", "length"), "nat", "log of the sum of their absolute values"),
        "log_count": Variable(("batch", "length"), "nat", "log of the number of paths that are not zero"),
        "relative_error": Variable(("batch", "length"), "1", "bound on the relative rounding error of their sum"),
        "n_active": Variable(("batch",), "1", "steps with both terms, so that there are 2^n_active paths", "i"),
        "log_product": Variable(("batch",), "nat", "log of the absolute product, the sum of all paths"),
        "product_sign": Variable(("batch",), "1", "sign of the product", "i"),
        "log_term": Variable(("batch", "path"), "nat", "log of the absolute value of one path", optional=True),
        "term_sign": Variable(("batch", "path"), "1", "sign of one path", "i", optional=True),
        "term_length": Variable(("batch", "path"), "1", "recurrent factors of one path", "i", optional=True),
        "status": status("batch"),
    },
}
