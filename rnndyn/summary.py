"""The headline numbers of a set of results, in words: for the report, and for the command line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.schema import Status, worst_status

MEANING = {
    Status.NOT_CONVERGED: "had not converged: more steps are wanted",
    Status.DIVERGED: "diverged",
    Status.NONFINITE_INPUT: "had inputs that are not finite",
    Status.SINGULAR: "are singular: an inverse that is needed does not exist",
    Status.ILL_CONDITIONED: "are ill-conditioned: their last digits are not to be trusted",
    Status.INTERRUPTED: "were interrupted",
    Status.SKIPPED_MEMORY: "were left out for want of memory",
    Status.CHECK_FAILED: "failed an internal check: do not use these numbers",
}


class Number(NamedTuple):
    """One headline number: its name, its value with units, and whatever must be said beside it."""

    name: str
    value: str
    note: str = ""


def headline(results, net) -> list[Number]:
    """Put the main numbers of `rnndyn.analyze` in words.

    Parameters
    ----------
    results : dict of str to Dataset
        From `rnndyn.analyze.analyze`; any of its results may be missing.
    net : Network
        The network.

    Returns
    -------
    list of Number
        The network first, then what was found.

    Examples
    --------
    >>> import rnndyn as rd
    >>> headline({}, rd.Elman.random(4, rng=0))[0].value
    'Elman, 4 hidden units, no input, float64'
    """
    found = [Number("Network", describe(net))]
    for name, numbers in _NUMBERS.items():
        ds = results.get(name)
        if ds is not None and "omitted" not in ds.attrs:
            found += numbers(ds)
    return found


def describe(net) -> str:
    """Describe a network in one line.

    Parameters
    ----------
    net : Network
        The network.

    Returns
    -------
    str
        Class and sizes.

    Examples
    --------
    >>> import rnndyn as rd
    >>> describe(rd.LSTM.random(8, 2, 1, rng=0))
    'LSTM, 8 hidden units, 2 inputs, 1 output, float64'
    """
    sizes = [f"{net.hidden_size} hidden units", _count(net.input_size, "input") if net.input_size else "no input"]
    sizes += [_count(net.output_size, "output")] if net.output_size else []
    return ", ".join([type(net).__name__, *sizes, str(net.dtype)])


def caveats(ds) -> list[str]:
    """Say what a reader of this result must not overlook.

    Parameters
    ----------
    ds : Dataset
        Any result.

    Returns
    -------
    list of str
        A sentence each; empty for a clean result.

    Examples
    --------
    >>> from rnndyn import schema
    >>> ds = schema.build("lyapunov_spectrum", {
    ...     "exponent": [[0.1]], "stderr": [[0.1]], "dimension": [1.0], "entropy_rate": [0.1],
    ...     "sum_rule_defect": [0.0], "status": [1]})
    >>> caveats(ds)
    ['1 of 1 rows had not converged: more steps are wanted.']
    """
    if "omitted" in ds.attrs:
        return []
    total = ds["status"].size if "status" in ds else 0
    said = [
        f"{n} of {total} rows {MEANING.get(code, 'are marked ' + code.meaning.replace('_', ' '))}."
        for code, n in worst_status(ds).items()
    ]
    if ds.attrs.get("kind") == "fixed_points":
        said += _uncertain_points(ds)
        said += _missing_points(ds)
    if ds.attrs.get("kind") == "transitions":
        said += _missing_attractors(ds)
    if "agreement" in ds and (ds["agreement"] == "differ").any():
        said.append("Trajectories differ: they are on different attractors, or too short, and have no common mean.")
    if ds.attrs.get("kind") == "run" and not np.isfinite(ds["state"].values).all():
        said.append("The state is not finite at some times: the network diverged.")
    return said


def _uncertain_points(ds):
    for status, words in (
        ("converged", "not certified: their error bounds are estimates"),
        ("degenerate", "degenerate: I − J has no inverse, as at a bifurcation or on a line of fixed points"),
    ):
        n = int((ds["status"].values == status).sum())
        if n:
            yield f"{n} of {_count(ds.sizes['point'], 'point')} {'is' if n == 1 else 'are'} {words}."


def _missing_attractors(ds):
    unlisted = int(((ds["target"].values < 0) & (ds["status"].values == Status.OK)).sum())
    if unlisted:
        yield f"{_count(unlisted, 'way')} to attractors that are not in the list: fixed points or cycles are missing."


def _missing_points(ds):
    for got, expected in zip(_each(ds, "index_sum"), _each(ds, "expected_index_sum"), strict=False):
        if expected != "unknown" and int(got) != int(expected):
            yield f"The indices sum to {got} instead of {expected}: fixed points are missing, or some are degenerate."
    undecided = int((ds["stability"].values == "undecided").sum())
    if undecided:
        yield f"The stability of {_count(undecided, 'point')} is undecided: an eigenvalue is too near the circle."
    missing = sum(_each(ds, "estimated_missing"))
    if np.isfinite(missing) and missing >= 0.5:
        yield f"An estimated {missing:.3g} more points would be found by more starts."


def _each(ds, name):
    """An attr of each search: of an ensemble, or under several inputs, there are several."""
    return np.ravel(ds.attrs.get(name, [])).tolist()


def _run(ds):
    shape = [_count(ds.sizes.get("batch", 1), "sequence"), _count(ds.sizes["time"], "step")]
    return [Number("Run", " of ".join(shape))]


def _fixed_points(ds):
    names, counts = np.unique(ds["stability"].values, return_counts=True)
    kinds = ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))
    starts = _each(ds, "n_starts")
    note = f"from {sum(starts)} starts" if starts else "no list of fixed points is known to be complete"
    return [Number("Fixed points", f"{ds.sizes['point']}" + (f": {kinds}" if kinds else ""), note)]


def _transitions(ds):
    saddles = ds.attrs.get("n_saddles", 0)
    if not saddles:
        return []
    arrived = int((ds["target"].values >= 0).sum())
    value = f"{arrived} of {_count(ds.sizes['transition'], 'way')} from {_count(saddles, 'saddle')}"
    return [Number("Transitions", value, "lead to an attractor in the list")]


def _lyapunov_spectrum(ds):
    units = ds["exponent"].attrs["units"]
    exponent, error = ds["exponent"].values.reshape(-1, ds.sizes["index"]), ds["stderr"].values
    leading, error = float(np.median(exponent[:, 0])), float(np.median(error.reshape(exponent.shape)[:, 0]))
    numbers = [
        Number("Leading Lyapunov exponent", f"{_text(leading, 4)} ± {_text(error, 2)} {units}", _sign(leading, error))
    ]
    for name, title, ending in (
        ("dimension", "Kaplan–Yorke dimension", ""),
        ("entropy_rate", "Entropy rate", f" {units}"),
        ("sum_rule_defect", "Sum-rule defect", f" {units}"),
    ):
        value = float(np.median(ds[name].values))
        known = np.isfinite(value)
        numbers.append(
            Number(title, f"{_text(value, 4)}{ending}" if known else "unknown", _NOTES[name if known else "unknown"])
        )
    return numbers


def _sign(leading, error):
    if not np.isfinite(leading):
        return "unknown"
    if abs(leading) <= 3 * error:
        return "its sign is not decided (within 3 standard errors of 0)"
    return "neighbours part: chaotic if states stay bounded" if leading > 0 else "contracting: neighbours meet"


_NOTES = {
    "dimension": "of the attractor",
    "entropy_rate": "sum of the positive exponents",
    "sum_rule_defect": "sum of all exponents against mean log |det J|; 0 is exact",
    "unknown": "too few exponents were computed, or some are −∞",
}


def _gradient_flow(ds):
    rate = np.median(ds["rate"]) if "rate" in ds else np.nan
    if not np.isfinite(rate):
        return [Number("Gradient growth going back", "unknown")]
    note = "vanishing" if rate < 0 else "exploding"
    return [
        Number(
            "Gradient growth going back",
            f"{_text(rate, 3)} nat/step",
            f"{note}, by a factor of e in {_text(abs(1 / rate), 3)} steps",
        )
    ]


def _text(value, digits):
    return f"{value:.{digits}g}".replace("-", "−")


def _count(n, word):
    return f"{n} {word}" + ("" if n == 1 else "s")


_NUMBERS = {
    "run": _run,
    "fixed_points": _fixed_points,
    "transitions": _transitions,
    "lyapunov_spectrum": _lyapunov_spectrum,
    "gradient_flow": _gradient_flow,
}
