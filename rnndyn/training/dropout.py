"""Dropout: some inputs, hidden units or recurrent weights are left out of a step of training, drawn anew at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndyn.networks.masked import maskable, masked
from rnndyn.validate import as_number

RECURRENT = ("W_hh", "W")  # the fields, in the networks that there are, through which units act on one another


@dataclass(frozen=True)
class Dropout:  # numpydoc ignore=PR02
    """What `train` leaves out at each of its steps; what is kept is scaled up, so the trained network is used as it is.

    Each rate p is the probability of being left out; what stays is multiplied by ``1 / (1 - p)``, which keeps means
    (Srivastava et al. [srivastava2014]_, section 10).

    Parameters
    ----------
    inputs : float
        Rate for the components of the inputs.
    outputs : float
        Rate for the hidden units that the read-out sees; without a read-out, for the outputs.
    recurrent : float
        Rate for the hidden units that the recurrent weights see: each sequence has one mask for all steps of time (Gal
        & Ghahramani [gal2016]_, equation 7, the same in all gates).
    weights : float
        Rate for the single recurrent weights: DropConnect (Wan et al. [wan2013]_), one mask for all steps of time and
        for all sequences of the batch, as Merity et al. [merity2018]_ (section 2) use it on recurrent weights.
    variational : bool
        Whether the masks of inputs and outputs, which each sequence has of its own, are the same at all steps of time
        ([gal2016]_); False draws them at each step (Zaremba et al. [zaremba2014]_).

    Raises
    ------
    TypeError, ValueError
        For rates that are no numbers in [0, 1).

    Notes
    -----
    What is masked is the state that enters the product, ``W_hh (mask * h)``; where a network sends something else
    through its recurrent weights (`Leaky` in the form "voltage", `PiecewiseLinear`), that. A `GRU` that resets before
    sends two things and a `LayerNormLSTM` normalises their sums: with these all sequences of a batch share one mask,
    which scales columns of W_hh. In a `Stack` the recurrent weights of each layer have masks of their own; inputs are
    those of the lowest layer, outputs those of the highest.

    Examples
    --------
    >>> Dropout(inputs=0.2, recurrent=0.1)
    Dropout(inputs=0.2, outputs=0.0, recurrent=0.1, weights=0.0, variational=True)
    """

    inputs: float = 0.0
    outputs: float = 0.0
    recurrent: float = 0.0
    weights: float = 0.0
    variational: bool = True

    def __post_init__(self):
        for name in ("inputs", "outputs", "recurrent", "weights"):
            rate = as_number(getattr(self, name), name, minimum=0.0)
            if not rate < 1:
                raise ValueError(f"{name} is {rate}: the share that is left out is wanted, a number in [0, 1)")
        if not isinstance(self.variational, bool):
            raise TypeError(f"variational is a {type(self.variational).__name__}: True or False is wanted")

    def check(self, net):
        """Raise ValueError for what the network has not."""
        if self.inputs and not net.input_size:
            raise ValueError(f"dropout has inputs={self.inputs}, but net has no inputs: pass 0")
        if (self.recurrent or self.weights) and not _recurrent(net):
            raise ValueError(f"dropout has recurrent or weights, but {net!r} has no recurrent weights: pass 0")

    def factors(self, net, rng):
        """Draw what the recurrent weights of a network are multiplied by, and so are their gradients.

        These are the masks of single weights, and those of units that all sequences share.

        Parameters
        ----------
        net : Network
            The network.
        rng : numpy.random.Generator
            Draws the masks.

        Returns
        -------
        dict of ndarray
            By the names of ``net.arrays()``, of their shapes; empty if nothing is left out.
        """
        drawn, own = {}, _with_own_masks(net)
        for name, W in _recurrent(net).items():
            shared = 0.0 if name.rpartition(".")[0] in own else self.recurrent
            if shared or self.weights:
                columns = kept(rng, (1, W.shape[1]), shared, W.dtype)
                drawn[name] = columns * kept(rng, W.shape, self.weights, W.dtype)
        return drawn

    def masked(self, net, batch, rng):
        """Draw the masks of recurrent units that each sequence has of its own.

        Parameters
        ----------
        net : Network
            The network.
        batch : int
            Number of sequences.
        rng : numpy.random.Generator
            Draws the masks.

        Returns
        -------
        Network
            With the masks, for a batch of so many sequences; itself if nothing is left out.
        """
        if not self.recurrent:
            return net
        if maskable(net):
            return masked(net, kept(rng, (batch, net.hidden_size), self.recurrent, net.dtype))
        parts = {name: self.masked(part, batch, rng) for name, part in net.parts().items()}
        return net.replace(**net._part_fields(parts)) if parts else net

    def thin(self, problem, rng):
        """Draw the masks of inputs and outputs.

        Parameters
        ----------
        problem : Problem
            One batch.
        rng : numpy.random.Generator
            Draws the masks.

        Returns
        -------
        Problem
            With the masks.
        """
        net, drawn = problem.net, {}
        sizes = {"taken": (self.inputs, net.input_size), "shown": (self.outputs, net.hidden_size)}
        batch, times = len(problem.s0), 1 if self.variational else problem.steps
        for name, (rate, width) in sizes.items():
            if rate:
                mask = kept(rng, (batch, times, width), rate, net.dtype)
                drawn[name] = np.broadcast_to(mask, (batch, problem.steps, width))
        return problem.changed(**drawn)


def kept(rng, shape, rate, dtype):
    """Factors 0, with probability ``rate``, and ``1 / (1 - rate)``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Takes one number for each factor.
    shape : tuple of int
        Of the factors.
    rate : float
        In [0, 1).
    dtype : dtype
        Of the factors.

    Returns
    -------
    ndarray
        Their mean is 1.

    Examples
    --------
    >>> sorted({float(factor) for factor in kept(np.random.default_rng(0), (100,), 0.2, np.float64)})
    [0.0, 1.25]
    """
    return (rng.random(shape) >= rate).astype(dtype) / np.dtype(dtype).type(1 - rate)


def _recurrent(net):
    """Recurrent weights of a network and its parts, by name."""
    return {name: array for name, array in net.arrays().items() if name.rpartition(".")[2] in RECURRENT}


def _with_own_masks(net, prefix=""):
    """Names of the parts in which each sequence has masks of its own; "" for the network itself."""
    below = [_with_own_masks(part, f"{prefix}.{name}" if prefix else name) for name, part in net.parts().items()]
    return set().union(*below) if below else ({prefix} if maskable(net) else set())
