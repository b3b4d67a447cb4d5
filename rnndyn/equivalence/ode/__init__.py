"""A recurrent network as a numerical method: one vector field, many networks, and what each does to its dynamics.

A residual or leaky network is Euler's method. Here are the networks of other methods, the step at which each loses
stability, the ledger of its errors beside backpropagation, dynamics that only the step size makes, certificates of
contraction, and networks on irregular times.
"""

from rnndyn.equivalence.ode.contraction import Contraction, contraction, logarithmic_norm
from rnndyn.equivalence.ode.fields import VectorField, vector_field
from rnndyn.equivalence.ode.irregular import irregular_inputs, irregular_network
from rnndyn.equivalence.ode.ledger import error_ledger
from rnndyn.equivalence.ode.margins import stability
from rnndyn.equivalence.ode.methods import METHODS
from rnndyn.equivalence.ode.network import network
from rnndyn.equivalence.ode.spurious import spurious_dynamics
from rnndyn.equivalence.ode.stability import critical_step, stability_function

__all__ = [
    "METHODS",
    "Contraction",
    "VectorField",
    "contraction",
    "critical_step",
    "error_ledger",
    "irregular_inputs",
    "irregular_network",
    "logarithmic_norm",
    "network",
    "spurious_dynamics",
    "stability",
    "stability_function",
    "vector_field",
]
