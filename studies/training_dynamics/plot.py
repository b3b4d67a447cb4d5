"""The figure: one training from its first step on."""

import numpy as np
from matplotlib.figure import Figure

SHOWN = 0  # of the networks
MARKERS = ("o-", "s-", "v-")
ORDER = ("largest", "second", "third")
NAMES = ("stable", "1 unstable direction", "2 unstable directions", "3 unstable directions")


def plot(results: dict) -> Figure:
    """Draw the three panels, one above the other."""
    one = results["trained"][SHOWN]
    figure = Figure(figsize=(3.4, 5.0), layout="constrained")
    loss, exponents, points = figure.subplots(3, 1, sharex=True)
    steps, looks = np.arange(len(one["loss"])), one["watched"]
    loss.semilogy(steps, one["loss"], label="loss")
    loss.semilogy(steps, one["gradient_norm"], linewidth=0.8, label="gradient norm")
    loss.set(xlabel="training step", ylabel="loss, gradient norm")
    loss.legend()
    for k, values in enumerate(np.transpose(one["exponent"])):
        exponents.plot(looks, values, MARKERS[k], color=f"C{5 - k}", markersize=2, linewidth=0.8, label=ORDER[k])
    exponents.axhline(0, color="0.6", linewidth=0.6)
    exponents.legend(ncols=3)
    exponents.set(xlabel="training step", ylabel="exponent (nat/step)", ylim=(None, 0.25))
    for k, (counts, name) in enumerate(zip(np.transpose(one["counts"]), NAMES, strict=False)):
        points.step(looks, counts + 0.05 * k, where="post", color=f"C{k}", label=name)  # apart, to be seen
    points.set(xlabel="training step", ylabel="fixed points", ylim=(-0.2, None))
    points.legend()
    for ax in (loss, exponents):
        ax.xaxis.label.set_visible(False)
    return figure
