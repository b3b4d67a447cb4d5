"""The loops on a GPU: one block of threads takes one sequence through time, for every cell; no cell by name."""
