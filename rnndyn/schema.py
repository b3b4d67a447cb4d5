"""The form of every result: one table is documentation, validator and builder.

`RESULTS` lists, for each kind of result, its variables with their dimensions, units and meaning. `build` makes a
Dataset from plain arrays by that table, `validate` checks one against it, and `markdown` prints it for the
documentation. No other module names a dimension or writes a unit.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnndyn.provenance import provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xarray import Dataset

VERSION = 1

DIMENSIONS = {
    "network": "networks of an ensemble",
    "batch": "sequences or trajectories",
    "time": "time steps, t = 1..T",
    "unit": "hidden units",
    "state": "components of the state (for an LSTM [h, c])",
    "input": "input channels",
    "output": "outputs",
    "point": "fixed or slow points, in a fixed order",
    "mode": "eigenvalues of one point, by falling modulus",
    "transition": "ways from a saddle to an attractor",
    "index": "exponents or singular values, largest first",
    "block": "stretches of a run, one after the other",
    "step": "training steps, 1..n",
    "layer": "layers of a stack",
    "manifold": "slow manifolds: line, ring and higher-dimensional attractors",
    "path": "ways of a gradient: through the gates of one step, or through all steps",
    "length": "recurrent factors of a path, from 0",
    "sample": "states at equal arc length along a slow manifold",
}
LEADING = ("network", "batch")  # present only for an ensemble, or for several sequences
COUNTED_FROM_ONE = ("time", "step")


class Status(IntEnum):
    """What became of one row of a result. Anything but `OK` is a warning to the reader of that row."""

    OK = 0
    NOT_CONVERGED = 1
    DIVERGED = 2
    NONFINITE_INPUT = 3
    SINGULAR = 4
    ILL_CONDITIONED = 5
    NONSTATIONARY = 6
    NOT_PD = 7
    NO_STABILISING_SOLUTION = 8
    ZERO_PROBABILITY = 9
    INTERRUPTED = 10
    SKIPPED_MEMORY = 11
    DEVICE_ERROR = 12
    CHECK_FAILED = 13

    @property
    def meaning(self) -> str:
        """The code in words: ``Status.NOT_PD.meaning == "not_pd"``."""
        return self.name.lower()


class Variable(NamedTuple):
    """One variable of a result: its dimensions, units and meaning."""

    dims: tuple[str, ...]
    units: str
    long_name: str
    kind: str = "f"  # of its dtype: floating, complex, integer, string or a status code
    optional: bool = False
    coordinate: bool = False


def _status(*dims: str) -> Variable:
    return Variable(dims, "1", "what became of this row", "status")


_TRACE = ("batch", "time")
_ALONG = ("manifold", "sample")
_SEQUENCE = ("network", "batch")

RESULTS: dict[str, dict[str, Variable]] = {
    "run": {
        "state": Variable((*_TRACE, "state"), "1", "state"),
        "hidden": Variable((*_TRACE, "unit"), "1", "hidden activity"),
        "output": Variable((*_TRACE, "output"), "1", "output", optional=True),
    },
    "training": {
        "loss": Variable(("step",), "1", "loss before the step"),
        "gradient_norm": Variable(("step",), "1", "2-norm of the whole gradient, before clipping"),
    },
    "fixed_points": {
        "state": Variable(("point", "state"), "1", "fixed point"),
        "residual": Variable(("point",), "1", "largest component of |F^p(x) - x|"),
        "status": Variable(("point",), "1", "certified, converged (without a proof) or degenerate", "string"),
        "error_bound": Variable(("point",), "1", "bound on the distance to the true fixed point, 2-norm"),
        "unique_radius": Variable(
            ("point",), "1", "half-width of a box in which the point is alone, 0 without a proof", optional=True
        ),
        "eigenvalue": Variable(("point", "mode"), "1", "eigenvalue of the Jacobian of F^p", "c"),
        "eigenvalue_error": Variable(("point", "mode"), "1", "radius of a disk that holds it", optional=True),
        "eigenvalue_condition": Variable(("point", "mode"), "1", "condition number of the eigenvalue", optional=True),
        "right_eigenvector": Variable(
            ("point", "mode", "state"), "1", "right eigenvector of the Jacobian of F^p, of norm 1", "c", optional=True
        ),
        "left_eigenvector": Variable(
            ("point", "mode", "state"), "1", "left eigenvector, left^H right = 1", "c", optional=True
        ),
        "mode_type": Variable(("point", "mode"), "1", "monotone, flip or rotation", "string", optional=True),
        "time_constant": Variable(
            ("point", "mode"), "step", "time constant -p/ln|eigenvalue|, negative for growth", optional=True
        ),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "index": Variable(("point",), "1", "sign of det(I - J)", "i"),
        "transient_growth": Variable(
            ("point",), "1", "largest 2-norm of a power of J, infinite unless stable", optional=True
        ),
        "nonnormality": Variable(
            ("point",), "1", "Henrici's departure from normality over the Frobenius norm of J", optional=True
        ),
        "input_jacobian": Variable(("point", "state", "input"), "1", "derivative of F^p in the input", optional=True),
        "network": Variable(("point",), "1", "network the point belongs to", "i", optional=True, coordinate=True),
        "input_index": Variable(
            ("point",), "1", "row of the inputs the point belongs to", "i", optional=True, coordinate=True
        ),
    },
    "slow_points": {
        "state": Variable(("point", "state"), "1", "slow or fixed point"),
        "kind": Variable(("point",), "1", "fixed, or slow: a minimum of the speed", "string"),
        "speed": Variable(("point",), "1/step", "2-norm of F(x) - x"),
        "speed_error": Variable(("point",), "1/step", "bound on the rounding error of the speed"),
        "gradient_norm": Variable(("point",), "1", "2-norm of the gradient of 1/2 |F(x) - x|^2"),
        "error_bound": Variable(("point",), "1", "bound on the distance to the true point"),
        "eigenvalue": Variable(("point", "mode"), "1", "eigenvalue of the Jacobian of F", "c"),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "on_manifold": Variable(("point",), "1", "manifold that the point lies on; -1 for none", "i"),
        "position": Variable(("point",), "1", "arc length along its manifold"),
        "status": _status("point"),
        "dimension": Variable(("manifold",), "1", "number of slow modes", "i"),
        "topology": Variable(("manifold",), "1", "line, ring or unknown", "string"),
        "length": Variable(("manifold",), "1", "arc length from end to end, or around"),
        "length_error": Variable(("manifold",), "1", "estimated error of the length"),
        "max_drift": Variable(("manifold",), "1/step", "largest speed along the manifold"),
        "first_end": Variable(("manifold",), "1", "why the manifold ends before the first sample", "string"),
        "last_end": Variable(("manifold",), "1", "why the manifold ends after the last sample", "string"),
        "manifold_status": _status("manifold"),
        "arc_length": Variable(_ALONG, "1", "arc length along the manifold"),
        "sample_state": Variable((*_ALONG, "state"), "1", "state on the manifold"),
        "drift": Variable(_ALONG, "1/step", "signed speed along the tangent"),
        "drift_error": Variable(_ALONG, "1/step", "bound on the rounding error of the drift"),
        "tangent": Variable((*_ALONG, "state"), "1", "unit tangent"),
        "multiplier_along": Variable(_ALONG, "1", "eigenvalue of the slow mode"),
        "modulus_across": Variable(_ALONG, "1", "largest modulus of the other eigenvalues"),
    },
    "transitions": {
        "saddle": Variable(("transition",), "1", "point from which it leaves", "i"),
        "branch": Variable(("transition",), "1", "side of the saddle, +1 or -1", "i"),
        "target": Variable(("transition",), "1", "stable point at which it arrives, -1 for none", "i"),
        "period": Variable(("transition",), "1", "period of the attractor in iterates, 0 where unknown", "i"),
        "share": Variable(("transition",), "1", "share of the orbits of this branch that take this way"),
        "steps": Variable(("transition",), "step", "time steps of the first orbit", "i"),
        "path_length": Variable(("transition",), "1", "length of the first orbit from the saddle on"),
        "displacement": Variable(("transition",), "1", "distance from the saddle at which the first orbit starts"),
        "status": _status("transition"),
        "state": Variable(("point", "state"), "1", "fixed point"),
        "stability": Variable(("point",), "1", "stable, unstable or undecided within the error bound", "string"),
        "n_unstable": Variable(("point",), "1", "number of eigenvalues outside the unit circle", "i"),
    },
    "lyapunov_spectrum": {
        "exponent": Variable((*_SEQUENCE, "index"), "nat/step", "Lyapunov exponent"),
        "stderr": Variable((*_SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "dimension": Variable(_SEQUENCE, "1", "Kaplan-Yorke dimension"),
        "dimension_stderr": Variable(_SEQUENCE, "1", "standard error of the dimension", optional=True),
        "entropy_rate": Variable(_SEQUENCE, "nat/step", "entropy rate: sum of the positive exponents"),
        "entropy_stderr": Variable(_SEQUENCE, "nat/step", "standard error of the entropy rate", optional=True),
        "sum_rule_defect": Variable(
            _SEQUENCE, "nat/step", "difference between the sum of all exponents and the mean of log |det J|"
        ),
        "status": _status(*_SEQUENCE),
    },
    "covariant_lyapunov_vectors": {
        "vector": Variable((*_SEQUENCE, "time", "state", "index"), "1", "covariant Lyapunov vector, of norm 1"),
        "state": Variable((*_SEQUENCE, "time", "state"), "1", "state to which the vectors belong"),
        "error": Variable((*_SEQUENCE, "time", "index"), "1", "distance between two computations of the vector"),
        "exponent": Variable((*_SEQUENCE, "index"), "nat/step", "mean growth of the vector"),
        "stderr": Variable((*_SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "local_exponent": Variable(
            (*_SEQUENCE, "time", "index"), "nat/step", "growth of the vector since the time before"
        ),
        "min_angle": Variable((*_SEQUENCE, "time"), "rad", "smallest angle between two vectors"),
        "splitting_angle": Variable(
            (*_SEQUENCE, "time"), "rad", "smallest angle between the growing and the shrinking vectors' spaces"
        ),
        "participation": Variable(
            (*_SEQUENCE, "time", "index"), "1", "participation ratio: number of state variables that take part"
        ),
        "status": _status(*_SEQUENCE),
    },
    "finite_time_exponents": {
        "local_exponent": Variable((*_SEQUENCE, "block", "index"), "nat/step", "exponent over one block"),
        "exponent": Variable((*_SEQUENCE, "index"), "nat/step", "mean over the blocks: the Lyapunov exponent"),
        "stderr": Variable((*_SEQUENCE, "index"), "nat/step", "standard error of the exponent"),
        "variance": Variable((*_SEQUENCE, "index"), "nat^2/step^2", "variance over the blocks"),
        "skewness": Variable((*_SEQUENCE, "index"), "1", "skewness over the blocks"),
        "diffusion": Variable(
            (*_SEQUENCE, "index"), "nat^2/step", "variance times the duration of a block, constant for long ones"
        ),
        "status": _status(*_SEQUENCE),
    },
    "echo_state_test": {
        "exponent": Variable(_SEQUENCE, "nat/step", "largest conditional Lyapunov exponent"),
        "low": Variable(_SEQUENCE, "nat/step", "lower end of its interval"),
        "high": Variable(_SEQUENCE, "nat/step", "upper end of its interval"),
        "verdict": Variable(_SEQUENCE, "1", "contracting, not contracting or undecided", "string"),
        "distance": Variable((*_SEQUENCE, "time"), "1", "largest distance of a trajectory from the first"),
        "decay_rate": Variable(_SEQUENCE, "nat/step", "slope of the log distance until it is lost in rounding"),
        "status": _status(*_SEQUENCE),
    },
    "jacobian_products": {
        "log_singular_value": Variable(
            (*_SEQUENCE, "time", "index"), "nat", "log of the singular values of J_t ... J_1", optional=True
        ),
        "log_norm": Variable((*_SEQUENCE, "time"), "nat", "log of the 2-norm of J_t ... J_1"),
        "rate": Variable(
            (*_SEQUENCE, "time", "index"), "nat/step", "finite-time Lyapunov exponent of t steps", optional=True
        ),
        "bound": Variable((*_SEQUENCE, "time"), "nat", "upper bound on log_norm"),
        "log_direct_path": Variable(
            (*_SEQUENCE, "time", "state"),
            "nat",
            "log of the product of the derivatives of a state variable by its own old value, gates held",
            optional=True,
        ),
        "log_direct_norm": Variable((*_SEQUENCE, "time"), "nat", "largest of log_direct_path", optional=True),
        "log_recurrent_norm": Variable(
            (*_SEQUENCE, "time"), "nat", "log of the 2-norm of all paths through recurrent weights", optional=True
        ),
        "status": _status(*_SEQUENCE)._replace(optional=True),
    },
    "gradient_flow": {
        "gradient_norm": Variable(_TRACE, "1", "2-norm of dL/ds_t over the whole state"),
        "log_gradient_norm": Variable(_TRACE, "nat", "log of gradient_norm, without underflow"),
        "gradient_norm_hidden": Variable(_TRACE, "1", "2-norm of dL/dh_t, through the hidden state", optional=True),
        "gradient_norm_cell": Variable(_TRACE, "1", "2-norm of dL/dc_t, through the cell state", optional=True),
        "bound": Variable(_TRACE, "1", "upper bound on gradient_norm", optional=True),
        "log_path_norm": Variable(
            (*_TRACE, "path"),
            "nat",
            "log of the 2-norm of what one path brings to dL/ds_t from t + 1",
            optional=True,
        ),
        "rate": Variable(("batch",), "nat/step", "growth of log_gradient_norm per step back in time", optional=True),
        "rate_stderr": Variable(("batch",), "nat/step", "standard error of the rate", optional=True),
        "rate_drift": Variable(
            ("batch",), "nat/step", "rate over the larger half of the lags minus that over the smaller", optional=True
        ),
        "status": _status("batch")._replace(optional=True),
    },
    "gradient_paths": {
        "log_sum": Variable(("batch", "length"), "nat", "log of the absolute sum of the paths of one length"),
        "sign": Variable(("batch", "length"), "1", "sign of their sum", "i"),
        "log_mass": Variable(("batch", "length"), "nat", "log of the sum of their absolute values"),
        "log_count": Variable(("batch", "length"), "nat", "log of the number of paths that are not zero"),
        "relative_error": Variable(("batch", "length"), "1", "bound on the relative rounding error of their sum"),
        "n_active": Variable(("batch",), "1", "steps with both terms, so that there are 2^n_active paths", "i"),
        "log_product": Variable(("batch",), "nat", "log of the absolute product, the sum of all paths"),
        "product_sign": Variable(("batch",), "1", "sign of the product", "i"),
        "log_term": Variable(("batch", "path"), "nat", "log of the absolute value of one path", optional=True),
        "term_sign": Variable(("batch", "path"), "1", "sign of one path", "i", optional=True),
        "term_length": Variable(("batch", "path"), "1", "recurrent factors of one path", "i", optional=True),
        "status": _status("batch"),
    },
}

_DTYPE_KINDS = {"f": "f", "c": "c", "i": "iu", "string": "UOT", "status": "iu"}


def build(
    kind: str,
    variables: Mapping[str, np.ndarray],
    *,
    net=None,
    call: Mapping | None = None,
    attrs: Mapping | None = None,
    coords: Mapping | None = None,
) -> Dataset:
    """Make the Dataset of one result from plain arrays.

    Parameters
    ----------
    kind
        A key of `RESULTS`.
    variables
        Arrays by name. Their axes are the table's dimensions in order; `network` is there only when `net` is a
        sequence of networks, and `batch` is left out of an array that has one axis fewer.
    net
        The network, or the sequence of networks, that was analysed: its class, content hash and dtype go to the attrs.
    call
        The arguments of the call, without the network: stored as JSON in `arguments` (arrays by shape, dtype and hash).
        `rng`, `device` and `time_step` are read from it.
    attrs
        Further attrs of this result (counts, say).
    coords
        Further coordinates, in the form that xarray takes. `time` and `step` count from one without asking.

    Returns
    -------
    Dataset
        With `long_name` and `units` on every variable, and the provenance in its attrs. No time stamp: equal calls give
        equal results.

    Raises
    ------
    ValueError
        A variable is not in the table, a required one is missing, or its axes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> ds = build("training", {"loss": np.ones(3), "gradient_norm": np.zeros(3)})
    >>> ds.loss.dims, ds.loss.units, ds.step.values.tolist()
    (('step',), '1', [1, 2, 3])
    """
    import xarray as xr

    call = dict(call or {})
    table = _table(kind)
    ensemble = isinstance(net, (list, tuple))
    data: dict[str, Any] = {}
    own_coords = dict(coords or {})
    for name, values in variables.items():
        if name not in table:
            raise ValueError(f"variables: {name!r} is not a variable of {kind!r}; it has {', '.join(table)}")
        array = _variable(name, np.asarray(values), table[name], ensemble, call)
        (own_coords if table[name].coordinate else data)[name] = array
    for name in COUNTED_FROM_ONE:
        size = next((v.sizes[name] for v in data.values() if name in v.dims), None)
        if size is not None and name not in own_coords:
            numbered = {"long_name": DIMENSIONS[name], "units": "step"}
            own_coords[name] = xr.Variable((name,), np.arange(1, size + 1), numbered)
    ds = xr.Dataset(data, own_coords, {**provenance(net, call, data), **_form(kind), **(attrs or {})})
    return validate(as_data(ds))


def omitted(kind: str, reason: str, *, net=None) -> Dataset:
    """Stand in for a result that could not be had: a Dataset without variables whose attrs say why in `omitted`.

    Examples
    --------
    >>> validate(omitted("gradient_flow", "the network has no parameters")).attrs["omitted"]
    'the network has no parameters'
    """
    import xarray as xr

    _table(kind)
    return xr.Dataset(attrs={**provenance(net, {}, {}), **_form(kind), "omitted": reason})


def _form(kind: str) -> dict[str, Any]:
    """Attrs that say what form a result has."""
    return {"kind": kind, "schema_version": VERSION, "Conventions": "CF-1.11"}


def as_data(ds: Dataset) -> Dataset:
    """Make data of what xarray takes for coordinates: variables named like one of their dimensions, as `state` is.

    As coordinates they would silently be missing from ``ds.mean("batch")``. As data they have one price: `assign` and
    `merge` refuse the Dataset until ``ds.set_coords("state")``.

    Examples
    --------
    >>> import xarray as xr
    >>> list(as_data(xr.Dataset({"state": (("point", "state"), [[1.0, 2.0]])})).data_vars)
    ['state']
    """
    return ds.reset_coords([name for name, v in ds.coords.items() if v.ndim > 1 and name in v.dims])


def _table(kind: str) -> dict[str, Variable]:
    if kind not in RESULTS:
        raise ValueError(f"kind: got {kind!r}; wanted one of {', '.join(RESULTS)}")
    return RESULTS[kind]


def _variable(name, values, variable, ensemble, call):
    import xarray as xr

    dims = variable.dims if ensemble else tuple(d for d in variable.dims if d != "network")
    if values.ndim == len(dims) - 1:
        dims = tuple(d for d in dims if d != "batch")
    if values.ndim != len(dims):
        raise ValueError(f"{name}: got shape {values.shape}; wanted the axes ({', '.join(dims)})")
    units = variable.units
    if call.get("time_step", 1.0) != 1.0:
        units = units.replace("/step", "/time")
    attrs = {"long_name": variable.long_name, "units": units}
    if variable.kind == "c":  # eigenvalues that happen to be real
        values = values.astype(np.result_type(values.dtype, np.complex64), copy=False)
    if variable.kind == "status":
        values = values.astype(np.int8)
        attrs["flag_values"] = np.array([int(s) for s in Status], np.int8)
        attrs["flag_meanings"] = " ".join(s.meaning for s in Status)
    return xr.Variable(dims, values, attrs)


def validate(ds: Dataset) -> Dataset:
    """Check a result against the table, and return it.

    Raises
    ------
    ValueError
        Names the first variable that is missing, unknown, or has the wrong dimensions, dtype, units or status codes.

    Examples
    --------
    >>> validate(build("training", {"loss": [1.0], "gradient_norm": [0.5]})).attrs["kind"]
    'training'
    """
    kind = str(ds.attrs.get("kind"))
    table = _table(kind)
    if "omitted" in ds.attrs:
        return ds
    missing = [name for name, v in table.items() if not v.optional and name not in ds.variables]
    unknown = [str(name) for name in ds.data_vars if name not in table]
    if missing or unknown:
        fault = f"lacks {', '.join(missing)}" if missing else f"holds the unknown {', '.join(unknown)}"
        raise ValueError(f"ds: the {kind!r} result {fault}; it has {', '.join(table)}")
    for name, variable in table.items():
        if name in ds.variables:
            _check_variable(kind, name, ds[name], variable)
    return ds


def _check_variable(kind, name, array, variable):
    wanted = [d for d in variable.dims if d in array.dims or d not in LEADING]
    if list(array.dims) != wanted:
        raise ValueError(f"ds[{name!r}]: got the dimensions {array.dims}; a {kind!r} result wants {variable.dims}")
    if array.dtype.kind not in _DTYPE_KINDS[variable.kind]:
        raise ValueError(f"ds[{name!r}]: got dtype {array.dtype}; wanted the kind {variable.kind!r}")
    if array.attrs.get("units") not in (variable.units, variable.units.replace("/step", "/time")):
        raise ValueError(f"ds[{name!r}]: got units {array.attrs.get('units')!r}; wanted {variable.units!r}")
    if not array.attrs.get("long_name"):
        raise ValueError(f"ds[{name!r}]: has no long_name")
    if variable.kind == "status" and not np.isin(array.values, [int(s) for s in Status]).all():
        raise ValueError(f"ds[{name!r}]: holds codes that are no Status")


def worst_status(ds: Dataset) -> dict[Status, int]:
    """Count the rows of each status other than OK: an empty dict is a clean result.

    Examples
    --------
    >>> worst_status(build("training", {"loss": [1.0], "gradient_norm": [0.5]}))
    {}
    """
    if "status" not in ds or ds["status"].dtype.kind not in _DTYPE_KINDS["status"]:  # words need no codes
        return {}
    codes, counts = np.unique(ds["status"].values, return_counts=True)
    return {Status(int(c)): int(n) for c, n in zip(codes, counts, strict=True) if c != Status.OK}


def markdown(kind: str | None = None) -> str:
    """Write the table of one kind of result, or of all, in Markdown for the documentation.

    Examples
    --------
    >>> print(markdown("training").splitlines()[4])
    | `loss` | step | 1 | loss before the step |
    """
    lines = []
    for name, table in RESULTS.items() if kind is None else [(kind, _table(kind))]:
        lines += [f"### `{name}`", "", "| variable | dimensions | units | meaning |", "|---|---|---|---|"]
        for variable, v in table.items():
            dims = ", ".join(f"[{d}]" if d in LEADING else d for d in v.dims)
            meaning = v.long_name.replace("|", "\\|") + (" (where there is one)" if v.optional else "")
            lines.append(f"| `{variable}` | {dims} | {v.units} | {meaning} |")
        lines.append("")
    return "\n".join(lines)
