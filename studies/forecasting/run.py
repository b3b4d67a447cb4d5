"""The measurements of the study."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rnndyn as rd
from studies.forecasting.models import HORIZONS, LEVELS, LOOKS, STEPS, Forecast, Parts, ahead, linear, naive, recurrent

SERIES = Path(__file__).parents[2] / "data" / "series" / "sunspots.csv"
SHARES = 0.6, 0.75  # where the parts end
SIZES, SEEDS, BLOCK = range(1, 8), 5, 36
SHOWN = 120  # months of the figure
SHIFT = 3 / 8  # of the transformation


def run(quick: bool) -> dict:
    """Fit, train, and judge; see the package's docstring."""
    sizes, seeds, steps = ((2, 3), 1, 20) if quick else (SIZES, SEEDS, STEPS)
    y = np.genfromtxt(SERIES, delimiter=",", skip_header=1, usecols=1)
    z = 2 * np.sqrt(y + SHIFT)
    parts = Parts(*(int(share * len(z)) for share in SHARES))
    chosen, test = slice(parts.learnt, parts.chosen - max(HORIZONS)), slice(parts.chosen, len(z) - max(HORIZONS))
    fits = {n: linear(z, parts, n) for n in sizes}
    validation = {n: float(np.mean(density(one, z, chosen))) for n, one in fits.items()}
    size = min(validation, key=validation.__getitem__)
    forecasts = naive(z, parts) | {f"linear, {size} units": fits[size]}
    rows = [judged(name, None, one, fits[size], z, test) for name, one in forecasts.items()]
    curves, shown = [], {"linear": fits[size]}
    for kind, loss in (("GRU, Gaussian", rd.losses.GaussianNLL()), ("GRU, quantiles", rd.losses.Quantile(LEVELS))):
        ours = [recurrent(z, parts, loss, seed, steps) for seed in range(seeds)]
        rows += [judged(kind, seed, one, fits[size], z, test) for seed, (one, _) in enumerate(ours)]
        rows.append(judged(f"{kind}: mean of the seeds", None, pooled([one for one, _ in ours]), fits[size], z, test))
        curves += [{"kind": kind, "seed": seed} | learning for seed, (_, learning) in enumerate(ours)]
        shown.setdefault("GRU", ours[0][0])
    return {
        "horizons": list(HORIZONS),
        "months": {"learnt": parts.learnt, "chosen": parts.chosen - parts.learnt, "judged": test.stop - test.start},
        "sizes": {str(n): value for n, value in validation.items()},
        "forecasts": rows,
        "learning": curves,
        "every": LOOKS,
        "shown": {name: drawn(one, test) for name, one in shown.items()} | {"came": (y[test][: SHOWN + 12]).tolist()},
    }


def pooled(forecasts: list[Forecast]) -> Forecast:
    """Mean of the parameters, or of the quantiles, of several."""
    return Forecast(*(None if one[0] is None else np.mean(one, axis=0) for one in zip(*forecasts, strict=True)))


def back(z: NDArray) -> NDArray:
    """Sunspot numbers, at least 0, from their transform; a rising function, so quantiles stay quantiles."""
    return np.maximum(np.square(np.maximum(z, 0) / 2) - SHIFT, 0)


# --- judging ----------------------------------------------------------------------------------------------------------


def density(forecast: Forecast, z: NDArray, where: slice) -> NDArray:
    """Minus the log-density of what came (time, horizon)."""
    outputs = np.stack([forecast.mean, 2 * np.log(forecast.deviation)], axis=-1)[where]
    return rd.losses.GaussianNLL().of_outputs(outputs, ahead(z)[where][..., None])[0]


def pinball(forecast: Forecast, z: NDArray, where: slice) -> NDArray:
    """Mean over the levels of the quantile loss of what came (time, horizon), in sunspots."""
    quantiles = np.moveaxis(back(forecast.quantiles[:, where]), 0, -1)
    return rd.losses.Quantile(LEVELS).of_outputs(quantiles, back(ahead(z)[where])[..., None])[0] / len(LEVELS)


def judged(name: str, seed: int | None, forecast: Forecast, rival: Forecast, z: NDArray, where: slice) -> dict:
    """All measures by horizon, and the differences from the linear network with their standard errors."""
    came, quantiles = ahead(z)[where], forecast.quantiles[:, where]
    found = {
        "quantile_loss": pinball(forecast, z, where).mean(axis=0),
        "quantile_gain": difference(pinball(rival, z, where) - pinball(forecast, z, where)),
        "mae": [
            rd.metrics.mean_absolute_error(back(quantiles[LEVELS.index(0.5)][:, [k]]), back(came[:, [k]]))
            for k in range(len(HORIZONS))
        ],
        "coverage": [
            rd.metrics.coverage(quantiles[0][:, [k]], quantiles[-1][:, [k]], came[:, [k]]) for k in range(len(HORIZONS))
        ],
    }
    if forecast.mean is not None:
        mean, deviation = forecast.mean[where], forecast.deviation[where]
        found |= {
            "nll": density(forecast, z, where).mean(axis=0),
            "nll_gain": difference(density(rival, z, where) - density(forecast, z, where)),
            "crps": [rd.metrics.crps(mean[:, [k]], deviation[:, [k]], came[:, [k]]) for k in range(len(HORIZONS))],
        }
    return {"name": name, "seed": seed} | {key: np.asarray(value).tolist() for key, value in found.items()}


def difference(values: NDArray) -> NDArray:
    """Mean of differences (time, horizon) and its standard error, by horizon."""
    blocks = values[: len(values) // BLOCK * BLOCK].reshape(-1, BLOCK, values.shape[1]).mean(axis=1)
    return np.stack([values.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))], axis=1)


def drawn(forecast: Forecast, where: slice) -> list:
    """Quantiles in sunspots, of the first months of the test part (horizon, level, time)."""
    return np.moveaxis(back(forecast.quantiles[:, where][:, :SHOWN]), 2, 0).tolist()
