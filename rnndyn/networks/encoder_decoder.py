"""Two networks, one after the other: the last state of the first is where the second starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnndyn.networks.base import Network, network
from rnndyn.networks.compose import DROP, Bidirectional, looks_ahead, one_dtype


@network
class EncoderDecoder(Network):  # numpydoc ignore=PR02
    """A network that reads one sequence and then writes another ([sutskever2014]_, [cho2014]_).

    The encoder reads the source from a state of zeros; its last state is the first of the decoder.

    Parameters
    ----------
    encoder
        A network with inputs and without a read-out.
    decoder
        A network whose state is as large. With as many outputs as inputs it can be a :class:`ClosedLoop`, whose first
        input is then the output of the encoder's last state. Different dtypes become float64.

    Raises
    ------
    TypeError, ValueError
        For parts that are no networks, read the future, or do not fit.

    Notes
    -----
    In `rnndyn.run`, `rnndyn.value_and_grad` and `rnndyn.train` the inputs are a pair: the source (B, T_source, I) and
    the inputs of the decoder (B, T, I), which for a closed loop are the number of steps. States, outputs, targets,
    lengths and masks are the decoder's; ``lengths`` may also be a pair, where the sources end (at their first step or
    later) and where the decoder's sequences do, either of them None: the decoder starts from the state at each source's
    own end. A truncated gradient that reaches the decoder's first step goes on through the whole source. It has no
    dynamics but those of its parts: analyse
    these. ``rnndyn.generate(net.decoder, start, steps, initial_state=rnndyn.run(net.encoder, source).state[:, -1])``
    writes symbols after sources of one length.

    Examples
    --------
    >>> import rnndyn as rd
    >>> net = EncoderDecoder(rd.GRU.random(8, 3, rng=0), rd.GRU.random(8, 2, 2, rng=1))
    >>> net
    EncoderDecoder(GRU, GRU, hidden_size=8, input_size=2, output_size=2, state_size=8, dtype=float64)
    >>> rd.run(net, (np.ones((4, 10, 3)), np.zeros((4, 5, 2)))).output.shape
    (4, 5, 2)
    >>> rd.run(net, (np.ones((4, 10, 3)), np.zeros((4, 5, 2))), lengths=([10, 7, 7, 2], None)).output.shape
    (4, 5, 2)
    """

    encoder: Any
    decoder: Any

    def __post_init__(self) -> None:
        for name, part in self.parts().items():
            if not isinstance(part, Network):
                raise TypeError(f"{name} is a {type(part).__name__}: a network is wanted")
            if isinstance(part, (Bidirectional, EncoderDecoder)):
                raise TypeError(f"{name} is a {type(part).__name__}: a network that goes step by step is wanted")
        if looks_ahead(self.decoder):
            raise TypeError("decoder has a Bidirectional in it: a network that goes step by step is wanted")
        if not self.encoder.input_size:
            raise ValueError("encoder has no inputs: it could not read a source; give it W_xh")
        if self.encoder.output_size:
            raise ValueError(f"encoder has a read-out, which nothing would read: {DROP}")
        ours, theirs = self.encoder.state_size, self.decoder.state_size
        if ours != theirs:
            raise ValueError(f"encoder has {ours} state variables, decoder {theirs}: as many are wanted")
        for name, part in zip(self.parts(), one_dtype((self.encoder, self.decoder)), strict=True):
            self._set(name, part)

    def parts(self) -> dict[str, Network]:
        """Return the networks that this network is made of.

        Returns
        -------
        dict of Network
            Under "encoder" and "decoder".
        """
        return {"encoder": self.encoder, "decoder": self.decoder}

    def _part_fields(self, parts: dict[str, Network]) -> dict[str, Any]:
        return parts

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H of the decoder."""
        return self.decoder.hidden_size

    @property
    def state_size(self) -> int:
        """Number of state variables S of the decoder."""
        return self.decoder.state_size

    @property
    def input_size(self) -> int:
        """Number of inputs I of the decoder."""
        return self.decoder.input_size

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.decoder.dtype

    @property
    def W_hy(self) -> np.ndarray | None:
        """Read-out weights of the decoder."""
        return self.decoder.W_hy

    @property
    def b_y(self) -> np.ndarray | None:
        """Read-out bias of the decoder."""
        return self.decoder.b_y

    @property
    def output_activation(self) -> str:
        """Activation of the decoder's read-out."""
        return self.decoder.output_activation

    def __repr__(self) -> str:
        names = ("hidden_size", "input_size", "output_size", "state_size", "dtype")
        kinds = f"{type(self.encoder).__name__}, {type(self.decoder).__name__}"
        return f"EncoderDecoder({kinds}, {', '.join(f'{n}={getattr(self, n)}' for n in names)})"


@dataclass(frozen=True)
class Source:  # numpydoc ignore=PR02
    """What an encoder reads: it stands for initial states, one a sequence.

    Parameters
    ----------
    x : (batch, time, input)
        Sequences.
    ends : (batch,)
        Where they end, from 1 on.
    """

    x: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Source:
        """Some of the sequences, cut after the longest."""
        ends = self.ends[rows]
        return Source(np.ascontiguousarray(self.x[rows, : ends.max(initial=1)]), ends)
