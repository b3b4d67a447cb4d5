"""Hidden Markov models as networks, and networks as Markov chains: likelihoods, exponents, lumpability, n-grams.

1. The log-likelihood of a model as the sum over the states of the network `to_rnn("belief")`, and as the paths of the
   sampled network `to_rnn("one_hot")`, beside two readings that look alike and are wrong: the belief put through the
   softmax in place of a sample, and a network that never hears what was observed. The gradient by logits, from expected
   counts and from differences.
2. A bit that flips with probability p, seen through noise: exponents of the belief recursion. The first is minus the
   entropy rate, which lies between two conditional entropies, enumerated; the gap to the second is the forgetting rate,
   by the sum rule, and by the distance of two beliefs.
3. Markov chains read out of a tent map, as a ReLU network, by its slope: exact at the golden mean, where two cells are
   a Markov partition; and out of a trained network that holds three bits, whose chain is known.
4. A long memory: the same bit, seen through more noise, flips seldom. n-grams of all orders, a GRU, and the model
   itself, which no other can beat, on fresh data.
"""

from studies.hmm_as_rnn.compare import compare
from studies.hmm_as_rnn.plot import plot
from studies.hmm_as_rnn.run import run

__all__ = ["compare", "plot", "run"]
