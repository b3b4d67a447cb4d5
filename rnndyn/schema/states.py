"""Tables of states and of training."""

from __future__ import annotations

from rnndyn.schema.terms import TRACE, WATCHED, Variable

STATES: dict[str, dict[str, Variable]] = {
    "run": {
        "state": Variable((*TRACE, "state"), "1", "state"),
        "hidden": Variable((*TRACE, "unit"), "1", "hidden activity"),
        "output": Variable((*TRACE, "output"), "1", "output", optional=True),
    },
    "training": {
        "loss": Variable(("step",), "1", "loss before the step"),
        "gradient_norm": Variable(("step",), "1", "2-norm of the whole gradient, before clipping"),
        "learning_rate": Variable(("step",), "1", "learning rate of the step", optional=True),
        "validation_loss": Variable(
            ("step",), "1", "loss on the validation data after the step, NaN where it was not looked at", optional=True
        ),
        "exponent": Variable((WATCHED, "index"), "nat/step", "Lyapunov exponent", optional=True),
        "exponent_stderr": Variable((WATCHED, "index"), "nat/step", "its standard error", optional=True),
        "n_fixed_points": Variable(
            (WATCHED, "unstable"), "1", "fixed points found with so many unstable directions", "i", optional=True
        ),
        "missing_fixed_points": Variable((WATCHED,), "1", "estimated number of those not found", optional=True),
        "gradient_flow": Variable((WATCHED, "time"), "nat", "log 2-norm of dL/ds_t, of all sequences", optional=True),
    },
}
