"""Cycles of piecewise-linear networks: the published ones of periods 1 to 83, found exactly, and what finding costs.

The networks are those by which [eisenmann2023]_ tests its program (two units, h' = A h + W relu(h) + b).

1. All cycles of the wanted period: their number beside the published one, multipliers, the bound on the error.
2. The number of linear problems solved until the first cycle of the period is found, one start after the other, from
   random codes and from those that runs visit; beside the published fit 1.905 + 0.0294 k, which is of other networks
   with two units and k <= 50, and beside drawing from all 4^k sequences.
"""

from studies.piecewise_linear_cycles.compare import compare
from studies.piecewise_linear_cycles.plot import plot
from studies.piecewise_linear_cycles.run import run

__all__ = ["compare", "plot", "run"]
