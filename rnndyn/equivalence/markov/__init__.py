"""Hidden Markov models, Markov chains and n-grams, and the networks that they are."""
