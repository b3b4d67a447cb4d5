"""One question a file: what is asked of a network as a dynamical system. Each answer is a Dataset."""
