"""Searches for the fixed points that no start has found, and the complete search of small networks."""

from rnndyn.analysis.search.branch import branch_and_bound, drive
from rnndyn.analysis.search.further import Found, search_on

__all__ = ["Found", "branch_and_bound", "drive", "search_on"]
