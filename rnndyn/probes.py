"""What to look at while a network is trained: Lyapunov exponents, fixed points, the flow of gradients.

Each is an object that takes a network and gives arrays by name, for :class:`rnndyn.Watch`. It depends on nothing but
the network, so that equal networks give equal numbers and a training goes on from its file to the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from rnndyn.analysis.fixed_points import fixed_points
from rnndyn.analysis.gradient_flow import gradient_flow
from rnndyn.analysis.lyapunov import lyapunov_spectrum


@dataclass(frozen=True, eq=False)
class Spectrum:  # numpydoc ignore=PR02
    """Leading Lyapunov exponents, ``exponent`` and ``exponent_stderr (watched_step, index)``.

    Parameters
    ----------
    inputs, k, steps, warmup, rng
        As in `rnndyn.lyapunov_spectrum`; ``rng`` a seed. Of several sequences the mean is taken.

    Examples
    --------
    >>> from rnndyn.networks.elman import Linear
    >>> Spectrum(k=1)(Linear(None, [[0.5]]))["exponent"].round(6).tolist()
    [-0.693147]
    """

    inputs: Any = None
    k: int | None = None
    steps: int = 1000
    warmup: int = 200
    rng: int = 0

    def __call__(self, net):
        """Return the exponents of a network."""
        options: dict[str, Any] = {"k": self.k, "steps": self.steps, "warmup": self.warmup, "rng": self.rng}
        found = lyapunov_spectrum(net, self.inputs, **options)
        exponent, stderr = (found[name].values.reshape(-1, found.sizes["index"]) for name in ("exponent", "stderr"))
        return {"exponent": exponent.mean(axis=0), "exponent_stderr": np.sqrt((stderr**2).sum(axis=0)) / len(stderr)}


@dataclass(frozen=True, eq=False)
class FixedPoints:  # numpydoc ignore=PR02
    """Numbers of fixed points under constant input, ``n_fixed_points (watched_step, unstable)``.

    They are counted by their number of unstable directions, 0 to S; ``missing_fixed_points (watched_step)`` is how many
    the search is estimated to have missed.

    Parameters
    ----------
    input, starts, rng
        As in `rnndyn.fixed_points`; one input, ``rng`` a seed.

    Raises
    ------
    ValueError
        For several inputs.

    Examples
    --------
    >>> from rnndyn.networks.elman import Elman
    >>> FixedPoints(starts=64)(Elman(None, [[2.0]]))["n_fixed_points"].tolist()
    [2, 1]
    """

    input: Any = None
    starts: int = 256
    rng: int = 0

    def __post_init__(self):
        if np.ndim(self.input) > 1:
            raise ValueError(f"input has shape {np.shape(self.input)}: one constant input (I,) is wanted, a probe each")

    def __call__(self, net):
        """Return the numbers of a network."""
        found = fixed_points(net, self.input, starts=self.starts, rng=self.rng)
        counts = np.bincount(found["n_unstable"].values, minlength=net.state_size + 1)
        return {"n_fixed_points": counts, "missing_fixed_points": found.attrs["estimated_missing"]}


@dataclass(frozen=True, eq=False)
class GradientFlow:  # numpydoc ignore=PR02
    """Size of the gradient at each time, ``gradient_flow (watched_step, time)``.

    The logarithm of the 2-norm of dL/ds_t over the states of all sequences.

    Parameters
    ----------
    inputs, targets, loss, initial_state, lengths, mask
        As in `rnndyn.gradient_flow`.

    Examples
    --------
    >>> from rnndyn.networks.elman import Linear
    >>> probe = GradientFlow(np.ones((3, 1)), np.zeros((3, 1)), mask=[0, 0, 1])
    >>> np.diff(probe(Linear([[1.0]], [[0.5]]))["gradient_flow"]).round(6).tolist()  # halved at each step back
    [0.693147, 0.693147]
    """

    inputs: Any
    targets: Any
    loss: Any = "mse"
    initial_state: Any = None
    lengths: Any = None
    mask: Any = None

    def __call__(self, net):
        """Return the sizes for a network."""
        given = {"loss": self.loss, "initial_state": self.initial_state, "lengths": self.lengths, "mask": self.mask}
        found = gradient_flow(net, self.inputs, self.targets, **given)["log_gradient_norm"]
        logs = found.values.reshape(-1, found.sizes["time"])
        with np.errstate(divide="ignore"):  # no gradient at all
            return {"gradient_flow": logsumexp(2 * logs, axis=0) / 2}
