"""What `rd.fixed_points` claims of its set, and which planted points are missing from it."""

import time

import numpy as np

import rnndyn as rd
from rnndyn.analysis.certificate import distinct
from studies.planted.ensemble import SEED, equation_of, planted, polished


def claimed(number: int, sizes: range) -> list[dict]:
    """Search so many networks, spread evenly over the sizes, and count the planted points that are missed."""
    return [claim(sizes[k % len(sizes)], k // len(sizes)) for k in range(number)]


def claim(N: int, network: int) -> dict:
    """Points found in one network, what is said of their set, and the planted points that it lacks."""
    W, points = planted(N, network)
    start = time.process_time()
    ds = rd.fixed_points(rd.Elman(None, W), rng=SEED)
    seconds = time.process_time() - start
    true = polished(W, points)
    merged = distinct(equation_of(W), np.concatenate([ds.state.values, true]))[0]  # where two are proved to be one
    return {
        "N": N,
        "network": network,
        "points": ds.sizes["point"],
        "completeness": ds.attrs["completeness"],
        "estimated_missing": ds.attrs["estimated_missing"],
        "planted": len(true),
        "planted_missed": len(merged) - ds.sizes["point"],
        "planted_moved": float(np.abs(true - points).max()),
        "uncertified": int((ds.status != "certified").sum()),
        "seconds": seconds,
    }
