"""The tables of hidden Markov models and Markov chains."""

from __future__ import annotations

from rnndyn.schema.terms import TRACE, Variable, status

FILTER = {
    "predicted_belief": Variable((*TRACE, "state"), "1", "probability of the state, given the symbols before"),
    "filtered_belief": Variable((*TRACE, "state"), "1", "probability of the state, given the symbols so far"),
    "loglik_t": Variable(TRACE, "nat", "log probability of the symbol, given those before"),
    "loglik": Variable(("batch",), "nat", "log-likelihood of the sequence"),
    "status": status("batch"),
}

MARKOV: dict[str, dict[str, Variable]] = {
    "hmm_filter": FILTER,
    "hmm_smoother": FILTER
    | {"smoothed_belief": Variable((*TRACE, "state"), "1", "probability of the state, given all symbols")},
    "markov_chain": {
        "transition": Variable(("cell", "next_cell"), "1", "share of the visits that go on to each cell"),
        "count": Variable(("cell", "next_cell"), "1", "number of steps from cell to cell", "i"),
        "occupation": Variable(("cell",), "1", "share of the time"),
        "lumpability_residual": Variable(
            ("cell",),
            "1",
            "mean distance in total variation between the next cell's laws, by the cell before and by all",
        ),
        "lumpability_floor": Variable(("cell",), "1", "what finite counts alone would make of the residual"),
        "entropy_rate": Variable((), "nat/step", "entropy rate of the chain"),
        "entropy_rate_gap": Variable((), "nat/step", "entropy rate lost with a longer memory"),
        "loglik": Variable((), "nat/step", "log-likelihood of fresh data under the chain"),
        "loglik_gap": Variable((), "nat/step", "what a longer memory adds to the log-likelihood of fresh data"),
        "loglik_gap_stderr": Variable((), "nat/step", "standard error of that gap"),
        "center": Variable(("cell", "state"), "1", "mean state in the cell"),
        "status": status("cell"),
    },
}
