"""The figure: time against T, H and I."""

import numpy as np
from matplotlib.figure import Figure


def plot(results: dict) -> Figure:
    """One panel a varied size; filled marks: run, open marks: run and gradient; dotted: the expected law."""
    sizes = list(dict.fromkeys(series["size"] for series in results["series"]))
    figure = Figure(figsize=(2.3 * len(sizes), 2.6), layout="constrained")
    for ax, size in zip(np.atleast_1d(figure.subplots(1, len(sizes))), sizes, strict=True):
        for k, series in enumerate(s for s in results["series"] if s["size"] == size):
            law = np.array(series["expected"]) / series["expected"][-1]
            for which, face in (("forward", f"C{k}"), ("gradient", "none")):
                label = series["cell"] if which == "forward" else None
                ax.loglog(series["values"], series[which], "o", color=f"C{k}", markerfacecolor=face, label=label)
                ax.loglog(series["values"], law * series[which][-1], ":", color=f"C{k}", linewidth=1)
        fixed = ", ".join(f"{key} = {value}" for key, value in series["fixed"].items())
        ax.set(xlabel=size, ylabel="seconds", title=f"{fixed}; dotted: T (H² + H I)")
        ax.legend()
    return figure
