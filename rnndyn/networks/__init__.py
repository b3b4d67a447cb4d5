"""What a user holds: networks, immutable objects of NumPy arrays. Their cells' equations are in `rnndyn.cells`."""

from rnndyn.networks.base import Gradients, Network
from rnndyn.networks.closed_loop import ClosedLoop
from rnndyn.networks.compose import Bidirectional, Stack
from rnndyn.networks.elman import Elman, Linear
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.networks.gru import GRU
from rnndyn.networks.leaky import Leaky
from rnndyn.networks.lstm import LSTM
from rnndyn.networks.map import Map
from rnndyn.networks.piecewise import PiecewiseLinear

__all__ = [
    "GRU",
    "LSTM",
    "Bidirectional",
    "ClosedLoop",
    "Elman",
    "EncoderDecoder",
    "Gradients",
    "Leaky",
    "Linear",
    "Map",
    "Network",
    "PiecewiseLinear",
    "Stack",
]
