"""The measurements of the study."""

import numpy as np

import rnndyn as rd

SEED = 0
NOISE = (0.25, 1.0, 4.0)  # variance of the read-out noise over that of the state's
SLOPES = (-0.95, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 0.98)
A, RATIO = 0.95, 4.0  # of the sequences that networks are trained on
UNITS, TIMES, BATCH, STEPS = 6, 60, 128, 1500
INSIDE = slice(20, 40)  # times that count: away from both ends


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    cases = [ratio(a, r, 200 if quick else 2000) for r in NOISE for a in SLOPES]
    trained = networks(100, ("Linear",)) if quick else networks(STEPS, ("Linear", "Elman"))
    return {"ratios": cases, "curve": curves(), "end": end(), "networks": trained}


def system(a: float, r: float) -> rd.Linear:
    """The AR(1) process with state noise 1 and read-out noise r."""
    return rd.Linear(None, [[a]], W_hy=[[1.0]], process_noise=[[1.0]], observation_noise=[[r]])


def closed_form(a: float, r: float) -> tuple[float, float]:
    """Mean square errors of the steady filter and smoother, state noise 1."""
    gap = r * (1 - a * a) - 1
    predicted = (-gap + np.sqrt(gap**2 + 4 * r)) / 2
    return predicted * r / (predicted + r), r / np.sqrt((1 + r * (1 + a * a)) ** 2 - 4 * r * r * a * a)


def ratio(a: float, r: float, sequences: int) -> dict:
    """Errors of filter and smoother by three ways, at the middle of sequences."""
    net = system(a, r)
    steps = 120
    drawn = rd.simulate(net, steps, batch=sequences, rng=SEED)
    ds, steady = rd.rts_smoother(net, drawn.output), rd.steady_filter(net)
    middle = slice(steps // 3, 2 * steps // 3)
    filtered, smoothed = (
        float(((ds[f"{name}_mean"] - drawn.state)[:, middle] ** 2).mean()) for name in ("filtered", "smoothed")
    )
    exact = closed_form(a, r)
    computed = steady.smoothed_cov.item() / steady.filtered_cov.item()
    return {"a": a, "r": r, "closed_form": exact[1] / exact[0], "computed": computed, "measured": smoothed / filtered}


def curves() -> dict:
    """The closed form for lines: a, and the ratio by noise."""
    a = np.linspace(-0.999, 0.999, 401)
    values = {str(r): [closed_form(x, r)[1] / closed_form(x, r)[0] for x in a] for r in NOISE}
    return {"a": a.tolist(), "ratio": values}


def end() -> list[float]:
    """Ratio of the variances over the last steps of a sequence, the last first."""
    ds = rd.rts_smoother(system(A, RATIO), np.zeros((200, 1)))
    shares = (ds.smoothed_cov / ds.filtered_cov).values.ravel()
    return shares[::-1][:20].tolist()


def networks(steps: int, kinds: tuple[str, ...]) -> dict:
    """Errors of trained networks on fresh sequences, and of the optimum on the same ones."""
    net = system(A, RATIO)
    train, test = (rd.simulate(net, TIMES, batch=size, rng=seed) for size, seed in ((BATCH, 1), (2000, 2)))
    optimum = rd.rts_smoother(net, test.output)
    rows = []
    for kind in kinds:
        for direction in ("forward", "both"):
            trained = fitted(start(kind, direction), train, steps)
            error = rd.run(trained, test.output.values).output.values - test.state.values
            rows.append({"kind": kind, "direction": direction, "error": mean_square(error)})
    errors = {
        name: mean_square(optimum[f"{name}_mean"].values - test.state.values) for name in ("filtered", "smoothed")
    }
    theory = dict(zip(("filtered", "smoothed"), closed_form(A, RATIO), strict=True))
    return {"networks": rows, "optimum": errors, "closed_form": theory}


def start(kind: str, direction: str):
    """A network with random weights."""
    if direction == "forward":
        return getattr(rd, kind).random(UNITS, 1, 1, gain=0.8, rng=SEED)
    one, other = (getattr(rd, kind).random(UNITS, 1, gain=0.8, rng=SEED + k) for k in (1, 2))
    readout = np.random.default_rng(SEED).standard_normal((1, 2 * UNITS)) / np.sqrt(2 * UNITS)
    return rd.Bidirectional(one, other, W_hy=readout, b_y=[0.0])


def fitted(net, drawn, steps: int):
    """The network trained to tell the state from the outputs, with a learning rate that falls twice."""
    for rate, part in ((1e-2, 0.5), (3e-3, 0.3), (5e-4, 0.2)):
        options = {"optimizer": rd.Adam(rate), "steps": max(1, int(part * steps)), "clip_norm": 50.0, "rng": SEED}
        net, _ = rd.train(net, drawn.output.values, drawn.state.values, **options)
    return net


def mean_square(error: np.ndarray) -> float:
    """Away from the ends."""
    return float((error[:, INSIDE] ** 2).mean())
