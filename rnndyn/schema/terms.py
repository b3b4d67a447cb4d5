"""The words that the tables of results are written in: dimensions, status codes, variables."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

DIMENSIONS = {
    "network": "networks of an ensemble",
    "batch": "sequences or trajectories",
    "time": "time steps, t = 1..T",
    "unit": "hidden units",
    "state": "components of the state (for an LSTM [h, c])",
    "state_2": "the same, as columns of a covariance",
    "input": "input channels",
    "output": "outputs",
    "output_2": "the same, as columns of a covariance",
    "point": "fixed or slow points, in a fixed order",
    "mode": "eigenvalues of one point, by falling modulus",
    "transition": "ways from a saddle to an attractor",
    "index": "exponents or singular values, largest first",
    "block": "stretches of a run, one after the other",
    "step": "training steps, 1..n",
    "watched_step": "training steps after which the network was looked at; 0 is before the first",
    "unstable": "numbers of unstable directions, from 0",
    "layer": "layers of a stack",
    "manifold": "slow manifolds: line, ring and higher-dimensional attractors",
    "path": "ways of a gradient: through the gates of one step, or through all steps",
    "lag": "steps between cause and effect, from 0",
    "length": "recurrent factors of a path, from 0",
    "cell": "cells of a partition of the states, numbered from 0",
    "next_cell": "cells one step later",
    "refinement": "step sizes, each half of the one before",
    "sample": "states at equal arc length along a slow manifold",
}
LEADING = ("network", "batch")  # present only for an ensemble, or for several sequences
COUNTED_FROM_ONE = ("time", "step")
WATCHED = "watched_step"  # a caller's own variables may stand over it, under names of his own


class Status(IntEnum):
    """What became of one row of a result. Anything but `OK` is a warning to the reader of that row."""

    OK = 0
    NOT_CONVERGED = 1
    DIVERGED = 2
    NONFINITE_INPUT = 3
    SINGULAR = 4
    ILL_CONDITIONED = 5
    NONSTATIONARY = 6
    NOT_PD = 7
    NO_STABILISING_SOLUTION = 8
    ZERO_PROBABILITY = 9
    INTERRUPTED = 10
    SKIPPED_MEMORY = 11
    DEVICE_ERROR = 12
    CHECK_FAILED = 13

    @property
    def meaning(self) -> str:
        """The code in words: ``Status.NOT_PD.meaning == "not_pd"``."""
        return self.name.lower()


class Variable(NamedTuple):
    """One variable of a result: its dimensions, units and meaning."""

    dims: tuple[str, ...]
    units: str
    long_name: str
    kind: str = "f"  # of its dtype: floating, complex, integer, string or a status code
    optional: bool = False
    coordinate: bool = False


def status(*dims: str) -> Variable:
    """The variable that says what became of each row."""
    return Variable(dims, "1", "what became of this row", "status")


TRACE = ("batch", "time")
SEQUENCE = ("network", "batch")
