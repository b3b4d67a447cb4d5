"""The forecasters: each gives what comes some months ahead at every month of the series."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import rnndyn as rd

HORIZONS = (1, 12)  # months ahead
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CYCLES = range(96, 169)  # months between which the mean length of a cycle is sought
UNITS, RATE, STEPS, LOOKS = 16, 0.01, 400, 5
PASSAGE, STRIDE, WARMUP = 240, 30, 36  # months of a passage, between passages, and before its forecasts count


class Parts(NamedTuple):
    """Where what is learnt, and what is chosen by, end."""

    learnt: int
    chosen: int


class Forecast(NamedTuple):
    """Means and deviations of Gaussian forecasts (time, horizon), or their quantiles (level, time, horizon)."""

    mean: NDArray | None
    deviation: NDArray | None
    quantiles: NDArray


def gaussian(mean: NDArray, deviation: NDArray) -> Forecast:
    """Gaussian forecast with its quantiles."""
    from scipy.special import ndtri

    return Forecast(mean, deviation, mean + ndtri(LEVELS)[:, None, None] * deviation)


def ahead(z: NDArray) -> NDArray:
    """What comes (time, horizon); NaN after the end."""
    return np.stack([np.append(z[h:], np.full(h, np.nan)) for h in HORIZONS], axis=1)


# --- naive ------------------------------------------------------------------------------------------------------------


def naive(z: NDArray, parts: Parts) -> dict[str, Forecast]:
    """Forecasts without a model of the dynamics."""
    cycle = length_of_a_cycle(z[: parts.learnt])
    cycle_before = np.stack([np.append(np.full(cycle - h, np.nan), z[: len(z) - cycle + h]) for h in HORIZONS], axis=1)
    means = {
        "last month": np.repeat(z[:, None], len(HORIZONS), axis=1),
        f"{cycle} months before": cycle_before,
        "mean of all": np.full((len(z), len(HORIZONS)), z[: parts.learnt].mean()),
    }
    return {name: with_errors(mean, z, parts) for name, mean in means.items()}


def length_of_a_cycle(z: NDArray) -> int:
    """Lag at which the series is most like itself."""
    return min(CYCLES, key=lambda lag: np.mean((z[lag:] - z[:-lag]) ** 2))


def with_errors(mean: NDArray, z: NDArray, parts: Parts) -> Forecast:
    """Gaussian forecast whose variance is the mean square error of what is learnt."""
    errors = (ahead(z) - mean)[: parts.learnt - max(HORIZONS)]
    return gaussian(mean, np.broadcast_to(np.sqrt(np.nanmean(errors**2, axis=0)), mean.shape))


# --- linear -----------------------------------------------------------------------------------------------------------


def linear(z: NDArray, parts: Parts, units: int) -> Forecast:
    """The linear network that makes what is learnt most likely, and what its filter foresees."""
    net = rd.fit_linear(z[: parts.learnt], units, rng=0)
    filtered = rd.kalman_filter(net, z)
    mean, cov = filtered.filtered_mean.values.T, filtered.filtered_cov.values[-1]
    means, variances = [], []
    for h in range(1, max(HORIZONS) + 1):
        mean = net.W_hh @ mean + net.b_h[:, None]
        cov = net.W_hh @ cov @ net.W_hh.T + net.process_noise
        if h in HORIZONS:
            means.append((net.W_hy @ mean)[0] + net.b_y)
            variances.append((net.W_hy @ cov @ net.W_hy.T + net.observation_noise).item())
    return gaussian(np.stack(means, axis=1), np.broadcast_to(np.sqrt(variances), (len(z), len(HORIZONS))))


# --- recurrent --------------------------------------------------------------------------------------------------------


def recurrent(z: NDArray, parts: Parts, loss, seed: int, steps: int) -> tuple[Forecast, dict]:
    """A GRU that gives the changes from now in units of their deviation, and how it learnt."""
    x = ((z - z[: parts.learnt].mean()) / z[: parts.learnt].std())[:, None]
    change = ahead(z) - z[:, None]
    unit = np.nanstd(change[: parts.learnt - max(HORIZONS)], axis=0)
    wanted = change / unit
    begins = np.arange(0, parts.learnt - max(HORIZONS) - PASSAGE + 1, STRIDE)
    rows = begins[:, None] + np.arange(PASSAGE)
    held = slice(parts.learnt - WARMUP, parts.chosen - max(HORIZONS))
    n_outputs = len(HORIZONS) * (2 if isinstance(loss, rd.losses.GaussianNLL) else len(LEVELS))
    net = rd.GRU.random(UNITS, 1, n_outputs, recurrent="orthogonal", rng=seed)
    net, history = rd.train(
        net,
        x[rows],
        wanted[rows],
        mask=counted(PASSAGE)[None].repeat(len(rows), axis=0),
        loss=loss,
        optimizer=rd.Adam(rd.schedules.Exponential(RATE, 0.5, every=max(steps // 4, 1))),
        clip_norm=float(PASSAGE),
        steps=steps,
        batch_size=16,
        rng=seed,
        validation={"inputs": x[held][None], "targets": wanted[held][None], "mask": counted(len(x[held]))[None]},
        validate_every=LOOKS,
    )
    outputs = rd.run(net, x).output.values.reshape(len(z), -1, len(HORIZONS)).swapaxes(0, 1)
    learning = {
        "loss": (history.loss.values.reshape(-1, LOOKS).mean(axis=1) / (PASSAGE - WARMUP)).tolist(),
        "validation_loss": (history.validation_loss.values[LOOKS - 1 :: LOOKS] / (len(x[held]) - WARMUP)).tolist(),
        "best_step": history.attrs["best_step"],
    }
    if isinstance(loss, rd.losses.GaussianNLL):
        return gaussian(z[:, None] + unit * outputs[0], unit * np.exp(0.5 * outputs[1])), learning
    return Forecast(None, None, z[:, None] + unit * outputs), learning


def counted(steps: int) -> NDArray:
    """Mask without the months in which the state forgets that it began at zero."""
    return np.arange(steps) >= WARMUP
