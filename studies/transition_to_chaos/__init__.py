"""Random tanh networks over the gain: largest exponent, dimension and entropy rate beside mean-field theory.

``h' = tanh(J h)``, which has the exponents of ``x' = J tanh(x)``; J has Gaussian elements of variance gain^2 / N, or is
gain times an orthogonal matrix.

1. Full spectra of networks of moderate size over the gain, several networks in one call, beside the theory of infinite
   ones [sompolinsky1988]_, [molgedey1992]_. Dimension and entropy rate do not rise with the gain for ever: the
   dimension of Gaussian networks is largest near the gain 3, that of orthogonal ones, always larger, near 1.5.
2. The whole spectrum at one gain, beside the law of free products.
3. At the gains 2 and 3: the finite-size shift a / N, fitted to the departures of small networks from theory, and one
   large network, which should be on theory + a / N within its own error; beside simulations of one network with
   N = 4096 [clark2026]_.
"""

from studies.transition_to_chaos.compare import compare
from studies.transition_to_chaos.plot import plot
from studies.transition_to_chaos.run import run

__all__ = ["compare", "plot", "run"]
