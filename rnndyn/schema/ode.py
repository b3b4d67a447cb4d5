"""The tables of networks as numerical methods."""

from __future__ import annotations

from rnndyn.schema.terms import TRACE, Variable, status

ODE: dict[str, dict[str, Variable]] = {
    "ode_stability": {
        "eigenvalue": Variable((*TRACE, "mode"), "1/time", "eigenvalue of the vector field's Jacobian", "c"),
        "amplification": Variable((*TRACE, "mode"), "1", "modulus of the factor by which a step multiplies the mode"),
        "critical_step": Variable(TRACE, "time", "longest step that amplifies no mode"),
        "logarithmic_norm": Variable(TRACE, "1/time", "logarithmic 2-norm of the vector field's Jacobian"),
        "step_norm": Variable(TRACE, "1", "2-norm of the step's Jacobian"),
        "status": status("batch"),
    },
    "error_ledger": {
        "error": Variable((*TRACE, "state"), "1", "exact solution minus state"),
        "local_error": Variable((*TRACE, "state"), "1", "exact solution minus one step from the exact solution before"),
        "contribution": Variable((*TRACE, "state"), "1", "part of the last error that this local error makes"),
        "bptt_contribution": Variable((*TRACE, "state"), "1", "the same by the products of backpropagation"),
        "log_product": Variable(
            TRACE, "nat", "log of the 2-norm of the product of mean Jacobians from here to the end"
        ),
        "log_bptt_product": Variable(TRACE, "nat", "log of the 2-norm of the Jacobians' product in backpropagation"),
        "product_gap": Variable(TRACE, "1", "2-norm of the products' difference over that of the first"),
        "defect": Variable(("batch",), "1", "2-norm of the last error minus the sum of its contributions"),
        "rounding": Variable(("batch",), "1", "bound on what rounding makes of the defect"),
        "bptt_defect": Variable(("batch",), "1", "the defect with the products of backpropagation"),
        "status": status("batch"),
    },
    "spurious_dynamics": {
        "state": Variable(("point", "state"), "1", "fixed point of the network, or point of a cycle"),
        "period": Variable(("point",), "1", "steps until it comes back", "i"),
        "drift": Variable(("point",), "1", "distance to which the ODE takes it meanwhile, 2-norm"),
        "origin": Variable(("point",), "1", "shared with the ODE, or invented by the step", "string"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided, in the network", "string"),
        "ode_stability": Variable(("point",), "1", "the same in the ODE, where the point is shared", "string"),
        "step_size": Variable(("refinement",), "time", "step size, halved each time"),
        "exponent": Variable(("refinement",), "nat/time", "largest Lyapunov exponent of the network of this step"),
        "stderr": Variable(("refinement",), "nat/time", "standard error of the exponent"),
        "status": status("refinement"),
    },
}
