"""Clipping gradients: at which learning rates a task whose gradient explodes is learnt, with and without.

A tanh network that begins chaotic (gain 1.5) learns the flip-flop task of two bits over 80 steps by plain gradient
descent. Its gradient reaches norms of thousands, and one step along it can undo all that was learnt [pascanu2013]_.

1. Loss and norm of the gradient, before clipping, step by step, at one learning rate: without clipping, with the global
   norm clipped, and with each component clipped.
2. The loss after training over the learning rate, for several seeds. A run that leaves the range of numbers, or ends
   above its first loss, has diverged.
"""

from studies.clipping.compare import compare
from studies.clipping.plot import plot
from studies.clipping.run import run

__all__ = ["compare", "plot", "run"]
