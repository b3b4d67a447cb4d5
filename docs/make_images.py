"""Draw the pictures of the README, from the networks in data/networks: ``python docs/make_images.py``."""

from pathlib import Path

import numpy as np

import rnndyn as rd
from rnndyn.plot.style import look

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"


def flip_flop() -> None:
    """Fixed points of the flip-flop network between its trajectories, and their eigenvalues."""
    from matplotlib.figure import Figure

    net = rd.load(ROOT / "data/networks/flip_flop_tanh.safetensors")
    inputs = np.load(ROOT / "data/networks/flip_flop_inputs.npz")["inputs"]
    run, points = rd.run(net, inputs[:16]), rd.fixed_points(net, rng=0)
    with look():
        figure = Figure(figsize=(6.8, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
        rd.plot.fixed_points(points, left, run=run)
        rd.plot.eigenvalues(points, right)
        figure.savefig(IMAGES / "flip_flop.png", dpi=130)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    flip_flop()
