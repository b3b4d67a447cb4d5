"""A character model of a novel: recurrent networks against n-grams of every order.

The text is Alice's Adventures in Wonderland (`data/texts`), its white space reduced to single spaces: some 140 000
characters, of which the first 80 % are learnt, the next 10 % choose between models, and the last 10 % judge them.

1. n-grams of orders 0 to 8, each backing off to the one below: with smoothing and a discount that are chosen on the
   validation part, order by order; and with modified Kneser-Ney smoothing, which leaves nothing to choose.
2. A GRU and an LSTM of 64 units, several seeds, trained on passages of 100 characters; the weights with the lowest
   validation loss are kept.

All are judged by the perplexity of the same characters of the test part, which networks read in one go. The standard
error of a difference is that of its mean over blocks of 200 characters.
"""

from studies.language_model.compare import compare
from studies.language_model.plot import plot
from studies.language_model.run import run

__all__ = ["compare", "plot", "run"]
