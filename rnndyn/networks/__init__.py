"""What a user holds: networks, immutable objects of NumPy arrays. Their cells' equations are in `rnndyn.cells`."""

from rnndyn.networks.base import Gradients, Network
from rnndyn.networks.closed_loop import ClosedLoop
from rnndyn.networks.compose import Bidirectional, Stack
from rnndyn.networks.elementwise import QRNN, SRU
from rnndyn.networks.elman import Elman, Linear
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.networks.gru import GRU
from rnndyn.networks.layer_norm import LayerNormLSTM
from rnndyn.networks.leaky import Leaky
from rnndyn.networks.lstm import LSTM
from rnndyn.networks.map import Map
from rnndyn.networks.piecewise import PiecewiseLinear
from rnndyn.networks.skipping import Highway, Residual

__all__ = [
    "GRU",
    "LSTM",
    "QRNN",
    "SRU",
    "Bidirectional",
    "ClosedLoop",
    "Elman",
    "EncoderDecoder",
    "Gradients",
    "Highway",
    "LayerNormLSTM",
    "Leaky",
    "Linear",
    "Map",
    "Network",
    "PiecewiseLinear",
    "Residual",
    "Stack",
]
