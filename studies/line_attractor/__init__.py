"""Line and ring attractors: one object each, whatever the tolerance; the number of "fixed points" is a tolerance.

1. A tanh network trained to integrate pulses, a line attractor that it was not told to have.
2. A ring of 16 tanh units, whose bumps are fixed points, and one of 64, a continuum to rounding: length beside theory.
3. A linear network with a leak of 1e-4.

For each, `rnndyn.slow_points` over four decades of `max_speed`, beside what is done otherwise ([sussillo2013]_,
[golub2018]_): descend until the speed is below a tolerance, merge states that are nearer than a distance, and count.
"""

from studies.line_attractor.compare import compare
from studies.line_attractor.plot import plot
from studies.line_attractor.run import run

__all__ = ["compare", "plot", "run"]
