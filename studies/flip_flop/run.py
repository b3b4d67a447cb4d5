"""The measurements of the study."""

from pathlib import Path

import numpy as np

import rnndyn as rd

SEED = 0
SHOWN = 6  # sequences of the test set that are drawn
CELLS = ("tanh", "gru", "lstm")
NETWORKS = Path(__file__).parents[2] / "data" / "networks"


def run(quick: bool) -> dict:
    """Measure the three networks; see the package's docstring."""
    return {cell: measure(cell, 256 if quick else 2048) for cell in CELLS}


def measure(cell: str, starts: int) -> dict:
    """Fixed points, what the network reads out at each, and the attractors that its saddles join."""
    net = rd.load(NETWORKS / f"flip_flop_{cell}.safetensors").astype("float64")
    points = rd.fixed_points(net, starts=starts, rng=SEED)
    ways = rd.transitions(net, points)
    inputs = np.load(NETWORKS / "flip_flop_inputs.npz")["inputs"][:SHOWN].astype(float)
    return {
        "network": repr(net),
        "starts": starts,
        "points": points[["state", "stability", "n_unstable", "error_bound"]].to_dict(),
        "index_sum": points.attrs["index_sum"],
        "estimated_missing": points.attrs["estimated_missing"],
        "output": (points.state.values[:, : net.hidden_size] @ net.W_hy.T + net.b_y).tolist(),
        "transitions": ways.to_dict(),
        "edges": rd.transition_graph(ways).tolist(),
        "run": rd.run(net, inputs)[["state"]].round(3).to_dict(),
    }
