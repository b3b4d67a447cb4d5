"""The figure: a column a network, its fixed points above, the graph of its memories below."""

from matplotlib.figure import Figure
from xarray import Dataset

from rnndyn import plot as draw
from studies.flip_flop.compare import names


def plot(results: dict) -> Figure:
    """Draw two panels a network."""
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    columns = figure.subplots(2, len(results), squeeze=False).T
    for letter, (above, below), (cell, case) in zip("abc", columns, results.items(), strict=False):
        draw.fixed_points(Dataset.from_dict(case["points"]), above, run=Dataset.from_dict(case["run"]))
        draw.transitions(Dataset.from_dict(case["transitions"]), below, names=names(case))
        above.set_title(f"{letter}  {cell}", pad=16)
    return figure
