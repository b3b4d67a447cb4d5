"""The loops on a GPU: one block of threads takes one sequence through time, for every cell; no cell by name.

Where most of the work is, innermost loops are ``while`` loops: of a ``range`` the compiler keeps the index, a count of
what is left and a choice between both in every turn, several times the instructions of the work itself.
"""
