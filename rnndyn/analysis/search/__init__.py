"""Searches for fixed points that no start has found, and the complete search of small networks."""
