"""A network whose output is its next input."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.networks.base import Network, network
from rnndyn.networks.compose import looks_ahead
from rnndyn.networks.encoder_decoder import EncoderDecoder


@network
class ClosedLoop(Network):  # numpydoc ignore=PR02
    """The autonomous network that comes of a network when its output is fed back as its next input.

    ``x_{t+1} = y_t``, the read-out of h_t with its activation: a generator, or a forecaster that runs freely on its own
    predictions ([jaeger2001]_).

    Parameters
    ----------
    net
        A network with a read-out of as many outputs as it has inputs.

    Raises
    ------
    TypeError, ValueError
        For what is no network with a step in time, and where outputs and inputs differ in number.

    Notes
    -----
    The state is that of `net`, since the output that is fed back is a function of it: the first input is the output of
    the initial state. The Jacobian is ``J_s + J_x dy/dh``. `run` gives the outputs too. In training the gradient passes
    through every output that is fed back: one-to-many, from initial states to sequences. To feed outputs back without
    it, train `net` itself with :class:`rnndyn.ScheduledSampling`.
    Forward and backward it goes step by step through the interpreter.

    Examples
    --------
    >>> from rnndyn.networks import GRU
    >>> loop = ClosedLoop(GRU.random(8, 2, 2, rng=0))
    >>> loop
    ClosedLoop(GRU, hidden_size=8, output_size=2, state_size=8, dtype=float64)
    >>> loop.input_size
    0
    """

    net: Any

    def __post_init__(self) -> None:
        if not isinstance(self.net, Network):
            raise TypeError(f"net is a {type(self.net).__name__}: a network is wanted")
        if looks_ahead(self.net):
            kind = type(self.net).__name__
            raise TypeError(f"net is a {kind} that reads the future (Bidirectional): it cannot wait for its own output")
        if isinstance(self.net, EncoderDecoder):
            raise TypeError("net is an EncoderDecoder: close its decoder, EncoderDecoder(encoder, ClosedLoop(decoder))")
        if isinstance(self.net, ClosedLoop):
            raise TypeError("net is a ClosedLoop, which has no input left: pass the network that it is made of")
        inputs, outputs = self.net.input_size, self.net.output_size
        if not outputs:
            raise ValueError("net has no read-out, so no output to feed back: give it W_hy, and b_y if wanted")
        if inputs != outputs:
            raise ValueError(f"net has {inputs} inputs and {outputs} outputs: to feed them back, as many are wanted")

    def parts(self) -> dict[str, Network]:
        """Return the network that this network is made of.

        Returns
        -------
        dict of Network
            Under "net".
        """
        return {"net": self.net}

    def _part_fields(self, parts: dict[str, Network]) -> dict[str, Any]:
        return parts

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return self.net.hidden_size

    @property
    def state_size(self) -> int:
        """Number of state variables S."""
        return self.net.state_size

    @property
    def input_size(self) -> int:
        """0: the loop is closed."""
        return 0

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.net.dtype

    @property
    def W_hy(self) -> np.ndarray:
        """Read-out weights."""
        return self.net.W_hy

    @property
    def b_y(self) -> np.ndarray | None:
        """Read-out bias."""
        return self.net.b_y

    @property
    def output_activation(self) -> str:
        """Activation of the read-out."""
        return self.net.output_activation

    def __repr__(self) -> str:
        names = ("hidden_size", "output_size", "state_size", "dtype")
        return f"ClosedLoop({type(self.net).__name__}, {', '.join(f'{n}={getattr(self, n)}' for n in names)})"
