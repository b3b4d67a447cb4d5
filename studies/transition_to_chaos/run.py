"""The measurements of the study."""

import numpy as np

import rnndyn as rd

KINDS = ("gaussian", "orthogonal")
GAINS = (1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
CHECKED = (2.0, 3.0)  # the gains of the large networks
SHOWN = 3.0  # the gain of the whole spectrum
QUANTITIES = ("exponent", "dimension", "entropy_rate", "unstable")
SHARE = {"gaussian": 0.35, "orthogonal": 0.5}  # of the exponents that are followed where only the dimension is wanted
WARMUP = 500
SEED = 0


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    units, networks, steps = (40, 2, 60) if quick else (200, 4, 800)
    sizes = ((20, 3), (40, 2)) if quick else ((100, 16), (200, 8), (400, 4))
    large, long = (80, 60) if quick else (1000, 2000)
    gains = GAINS[1::3] if quick else GAINS
    checked = [(kind, gain) for kind in KINDS for gain in CHECKED]
    return {
        "sweep": [measured(kind, gain, units, networks, steps) for kind in KINDS for gain in gains],
        "theory": [theory(kind, gain) for kind in KINDS for gain in np.geomspace(1.02, max(GAINS), 8 if quick else 40)],
        "spectrum": [spectrum(kind, units, networks, steps) for kind in KINDS],
        "sizes": [measured(kind, gain, n, m, long // 2, SHARE[kind]) for kind, gain in checked for n, m in sizes],
        "large": [measured(kind, gain, large, 1, long, SHARE[kind]) for kind, gain in checked],
        "limit": [theory(kind, gain) for kind, gain in checked],
    }


def exponents(kind: str, gain: float, units: int, networks: int, steps: int, share: float = 1.0):
    """Lyapunov spectra of several random networks, in one call."""
    rng = np.random.default_rng(SEED)
    nets = [rd.Elman.random(units, gain=gain, recurrent=kind, rng=rng) for _ in range(networks)]
    return rd.lyapunov_spectrum(nets, k=round(share * units), steps=steps, warmup=min(steps, WARMUP), rng=rng)


def measured(kind: str, gain: float, units: int, networks: int, steps: int, share: float = 1.0) -> dict:
    """The quantities, per unit, as means over the networks, with the standard errors.

    Those of several networks come from their scatter, those of one from its own blocks; the fraction of positive
    exponents, a count, has none.
    """
    found = exponents(kind, gain, units, networks, steps, share)
    values = {
        "exponent": found.exponent.values[:, 0],
        "dimension": found.dimension.values / units,
        "entropy_rate": found.entropy_rate.values / units,
        "unstable": (found.exponent.values > 0).sum(axis=1) / units,
    }
    own = {
        "exponent": found.stderr.values[:, 0],
        "dimension": found.dimension_stderr.values / units,
        "entropy_rate": found.entropy_stderr.values / units,
    }
    scatter = {name: values[name].std(ddof=1) / np.sqrt(networks) if networks > 1 else own[name][0] for name in own}
    return {
        "kind": kind,
        "gain": gain,
        "units": units,
        "networks": networks,
        "steps": steps,
        "value": {name: float(v.mean()) for name, v in values.items()},
        "stderr": {name: float(v) for name, v in scatter.items()},
        "sum_rule_defect": float(found.sum_rule_defect.max()),
        "not_fine": int((found.status != 0).sum()),
    }


def theory(kind: str, gain: float) -> dict:
    """The quantities of an infinite network."""
    limit = rd.theory.mean_field(float(gain), connectivity=kind)
    return {"kind": kind, "gain": float(gain), "value": {name: getattr(limit, name) for name in QUANTITIES}}


def spectrum(kind: str, units: int, networks: int, steps: int) -> dict:
    """All exponents, the mean over networks, beside theory at the fractions (i - 1/2) / N."""
    fraction = (np.arange(units) + 0.5) / units
    found = exponents(kind, SHOWN, units, networks, steps)
    return {
        "kind": kind,
        "gain": SHOWN,
        "units": units,
        "fraction": fraction.tolist(),
        "measured": found.exponent.values.mean(axis=0).tolist(),
        "theory": rd.theory.mean_field(SHOWN, connectivity=kind).spectrum(fraction).tolist(),
    }
