"""The tables of fixed points, slow points and the ways between them."""

from __future__ import annotations

from rnndyn.schema.terms import Variable, status

ALONG = ("manifold", "sample")

POINTS: dict[str, dict[str, Variable]] = {
    "fixed_points": {
        "state": Variable(("point", "state"), "1", "fixed point"),
        "residual": Variable(("point",), "1", "largest component of |F^p(x) - x|"),
        "status": Variable(("point",), "1", "certified, converged (without a proof) or degenerate", "string"),
        "error_bound": Variable(("point",), "1", "bound on the distance to the true fixed point, 2-norm"),
        "unique_radius": Variable(
            ("point",), "1", "half-width of a box in which the point is alone, 0 without a proof", optional=True
        ),
        "eigenvalue": Variable(("point", "mode"), "1", "eigenvalue of the Jacobian of F^p", "c"),
        "eigenvalue_error": Variable(("point", "mode"), "1", "radius of a disk that holds it", optional=True),
        "eigenvalue_condition": Variable(("point", "mode"), "1", "condition number of the eigenvalue", optional=True),
        "right_eigenvector": Variable(
            ("point", "mode", "state"), "1", "right eigenvector of the Jacobian of F^p, of norm 1", "c", optional=True
        ),
        "left_eigenvector": Variable(
            ("point", "mode", "state"), "1", "left eigenvector, left^H right = 1", "c", optional=True
        ),
        "mode_type": Variable(("point", "mode"), "1", "monotone, flip or rotation", "string", optional=True),
        "time_constant": Variable(
            ("point", "mode"), "step", "time constant -p/ln|eigenvalue|, negative for growth", optional=True
        ),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "index": Variable(("point",), "1", "sign of det(I - J)", "i"),
        "transient_growth": Variable(
            ("point",), "1", "largest 2-norm of a power of J, infinite unless stable", optional=True
        ),
        "nonnormality": Variable(
            ("point",), "1", "Henrici's departure from normality over the Frobenius norm of J", optional=True
        ),
        "input_jacobian": Variable(("point", "state", "input"), "1", "derivative of F^p in the input", optional=True),
        "network": Variable(("point",), "1", "network the point belongs to", "i", optional=True, coordinate=True),
        "input_index": Variable(
            ("point",), "1", "row of the inputs the point belongs to", "i", optional=True, coordinate=True
        ),
    },
    "slow_points": {
        "state": Variable(("point", "state"), "1", "slow or fixed point"),
        "kind": Variable(("point",), "1", "fixed, or slow: a minimum of the speed", "string"),
        "speed": Variable(("point",), "1/step", "2-norm of F(x) - x"),
        "speed_error": Variable(("point",), "1/step", "bound on the rounding error of the speed"),
        "gradient_norm": Variable(("point",), "1", "2-norm of the gradient of 1/2 |F(x) - x|^2"),
        "error_bound": Variable(("point",), "1", "bound on the distance to the true point"),
        "eigenvalue": Variable(("point", "mode"), "1", "eigenvalue of the Jacobian of F", "c"),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "on_manifold": Variable(("point",), "1", "manifold that the point lies on; -1 for none", "i"),
        "position": Variable(("point",), "1", "arc length along its manifold"),
        "status": status("point"),
        "dimension": Variable(("manifold",), "1", "number of slow modes", "i"),
        "topology": Variable(("manifold",), "1", "line, ring or unknown", "string"),
        "length": Variable(("manifold",), "1", "arc length from end to end, or around"),
        "length_error": Variable(("manifold",), "1", "estimated error of the length"),
        "max_drift": Variable(("manifold",), "1/step", "largest speed along the manifold"),
        "first_end": Variable(("manifold",), "1", "why the manifold ends before the first sample", "string"),
        "last_end": Variable(("manifold",), "1", "why the manifold ends after the last sample", "string"),
        "manifold_status": status("manifold"),
        "arc_length": Variable(ALONG, "1", "arc length along the manifold"),
        "sample_state": Variable((*ALONG, "state"), "1", "state on the manifold"),
        "drift": Variable(ALONG, "1/step", "signed speed along the tangent"),
        "drift_error": Variable(ALONG, "1/step", "bound on the rounding error of the drift"),
        "tangent": Variable((*ALONG, "state"), "1", "unit tangent"),
        "multiplier_along": Variable(ALONG, "1", "eigenvalue of the slow mode"),
        "modulus_across": Variable(ALONG, "1", "largest modulus of the other eigenvalues"),
    },
    "transitions": {
        "saddle": Variable(("transition",), "1", "point from which it leaves", "i"),
        "branch": Variable(("transition",), "1", "side of the saddle, +1 or -1", "i"),
        "target": Variable(("transition",), "1", "stable point at which it arrives, -1 for none", "i"),
        "period": Variable(("transition",), "1", "period of the attractor in iterates, 0 where unknown", "i"),
        "share": Variable(("transition",), "1", "share of the orbits of this branch that take this way"),
        "steps": Variable(("transition",), "step", "time steps of the first orbit", "i"),
        "path_length": Variable(("transition",), "1", "length of the first orbit from the saddle on"),
        "displacement": Variable(("transition",), "1", "distance from the saddle at which the first orbit starts"),
        "status": status("transition"),
        "state": Variable(("point", "state"), "1", "fixed point"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
    },
}
