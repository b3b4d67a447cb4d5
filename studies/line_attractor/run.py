"""The measurements of the study."""

import numpy as np

import rnndyn as rd

SEED = 0
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
VISITED = 40  # steps of a run, after which the descent starts
DESCENT = 200  # steps at most for each tolerance
MERGED = 1e-3  # distance of states that count as one, the default of the program most used
UNITS, STEPS, PULSE = 24, 50, 0.2
ALPHA, J0, J1 = 0.1, -2.0, 4.0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    starts = 32 if quick else 128
    networks = {
        "trained integrator": integrator(50 if quick else 1500),
        "ring of 16": ring(16),
        "ring of 64": ring(64),
        "leaky line": rd.Linear(None, [[1 - 1e-4, 0.0], [0.3, 0.5]]),
    }
    return {name: measure(net, starts) for name, net in networks.items()}


def integrator(steps: int) -> rd.Elman:
    """A tanh network trained to report the sum of its pulses, clipped to [-1, 1]; between pulses, so without input."""
    rng = np.random.default_rng(SEED)
    pulses = PULSE * rng.choice([-1.0, 0.0, 1.0], (256, STEPS, 1), p=[0.1, 0.8, 0.1])
    targets, total = np.empty_like(pulses), np.zeros((256, 1))
    for t in range(STEPS):
        total = np.clip(total + pulses[:, t], -1, 1)
        targets[:, t] = total
    net = rd.Elman.random(UNITS, 1, 1, gain=0.9, recurrent="identity", rng=1)
    for rate, part in ((3e-3, steps), (5e-4, steps // 2)):
        options = {"optimizer": rd.Adam(rate), "clip_norm": 1.0, "batch_size": 64, "rng": SEED}
        net, _ = rd.train(net, pulses, targets, steps=part, **options)
    return rd.Elman(None, net.W_hh, net.b_h)


def ring(units: int) -> rd.Leaky:
    """The rate network with cosine connectivity."""
    theta = 2 * np.pi * np.arange(units) / units
    W = (J0 + J1 * np.cos(theta[:, None] - theta)) / units
    return rd.Leaky(None, W, alpha=ALPHA, form="rate")


def ring_length(units: int) -> float:
    """Of the ring h_i = tanh(a cos(theta_i - psi)) for many units, with a = J1 <cos tanh(a cos)>."""
    theta, a = 2 * np.pi * np.arange(1000) / 1000, 2.0
    for _ in range(200):
        a = J1 * np.mean(np.cos(theta) * np.tanh(a * np.cos(theta)))
    speed = np.sin(theta) / np.cosh(a * np.cos(theta)) ** 2
    return float(2 * np.pi * np.sqrt(units) * a * np.sqrt(np.mean(speed**2)))


def measure(net, starts: int) -> dict:
    """Our description at each tolerance, the count of the other method, and the manifold itself."""
    rows = []
    for tolerance, count in zip(TOLERANCES, unique_points(net, starts), strict=True):
        ds = rd.slow_points(net, starts=starts, max_speed=tolerance, rng=SEED)
        rows.append(
            {
                "tolerance": tolerance,
                "unique points": count,
                "manifolds": ds.sizes["manifold"],
                "topology": ds.topology.values.tolist(),
                "length": ds.length.values.tolist(),
                "length error": ds.length_error.values.tolist(),
                "fixed points on it": int(((ds.on_manifold == 0) & (ds.kind == "fixed")).sum()),
            }
        )
    curve = {name: ds[name].values[:1].tolist() for name in ("sample_state", "arc_length", "drift", "drift_error")}
    points = {name: ds[name].values.tolist() for name in ("state", "stability", "position", "on_manifold")}
    expected = ring_length(net.state_size) if isinstance(net, rd.Leaky) else None
    return {"rows": rows, "curve": curve, "points": points, "expected length": expected}


def unique_points(net, starts: int) -> list[int]:
    """For each tolerance, count states of less speed that a descent finds, and that are MERGED or more apart.

    The descent is by Levenberg-Marquardt, each state stopped at the tolerance: faster than Adam, the same rule.
    """
    first = 2 * np.random.default_rng(SEED).random((starts, net.state_size)) - 1
    x = rd.run(net, steps=VISITED, initial_state=first).state.values[:, -1]
    damping, eye, counts = np.ones(len(x)), np.eye(net.state_size), []
    for tolerance in TOLERANCES:
        for _ in range(DESCENT):
            active = np.linalg.norm(step(net, x) - x, axis=1) > tolerance
            if not active.any():
                break
            y, weight = x[active], damping[active]
            G, A = step(net, y) - y, rd.jacobian(net, y) - eye
            At = np.swapaxes(A, 1, 2)
            move = -np.linalg.solve(At @ A + weight[:, None, None] * eye, At @ G[..., None])[..., 0]
            better = np.linalg.norm(step(net, y + move) - y - move, axis=1) < np.linalg.norm(G, axis=1)
            x[active] = np.where(better[:, None], y + move, y)
            damping[active] = np.where(better, np.maximum(weight / 2, 1e-3), weight * 4)
        slow = np.linalg.norm(step(net, x) - x, axis=1) <= tolerance
        kept: list[np.ndarray] = []
        for state in x[slow]:
            if all(np.linalg.norm(state - other) >= MERGED for other in kept):
                kept.append(state)
        counts.append(len(kept))
    return counts


def step(net, x: np.ndarray) -> np.ndarray:
    """One step of many states."""
    return rd.run(net, steps=1, initial_state=x).state.values[:, 0]
