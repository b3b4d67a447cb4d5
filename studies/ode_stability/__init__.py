"""ODE stability: a network as a numerical method: when it loses stability, whence its error, what its step invents.

1. A driven leaky network at its fixed point, by four methods: measured growth of a small disturbance over the step
   size, beside the stability function; the step at which it changes sign, beside the critical one.
2. The ledger of a tanh network's errors by Euler's method: its sum is the global error; by the products of
   backpropagation it misses by O(error), and not at all for a linear field.
3. ``dy/dt = 2 y (1 - y)``: Euler's cycle of two past h = 1, its chaos with exponent ln 2 a step at h = 1.5; midpoint's
   own fixed points.
4. The system of Markus and Yamabe ([markus1960]_): all frozen eigenvalues decay, and the state grows.
"""

from studies.ode_stability.compare import compare
from studies.ode_stability.plot import plot
from studies.ode_stability.run import run

__all__ = ["compare", "plot", "run"]
