"""Classical models that networks are equivalent to, and the way from one to the other."""
