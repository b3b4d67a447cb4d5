"""The form of every result: one table is documentation, validator and builder.

`RESULTS` lists, for each kind of result, its variables with their dimensions, units and meaning. `build` makes a
Dataset from plain arrays by that table, `validate` checks one against it, and `markdown` prints it for the
documentation. No other module names a dimension or writes a unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.provenance import provenance
from rnndyn.schema.equivalence import EQUIVALENCE
from rnndyn.schema.growth import GROWTH
from rnndyn.schema.markov import MARKOV
from rnndyn.schema.ode import ODE
from rnndyn.schema.points import POINTS
from rnndyn.schema.states import STATES
from rnndyn.schema.terms import COUNTED_FROM_ONE, DIMENSIONS, LEADING, WATCHED, Status, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xarray import Dataset

VERSION = 1
RESULTS: dict[str, dict[str, Variable]] = STATES | POINTS | GROWTH | EQUIVALENCE | MARKOV | ODE

_DTYPE_KINDS = {"f": "f", "c": "c", "i": "iu", "string": "UOT", "status": "iu"}


def build(
    kind: str,
    variables: Mapping[str, np.ndarray],
    *,
    net=None,
    call: Mapping | None = None,
    attrs: Mapping | None = None,
    coords: Mapping | None = None,
    own: Mapping[str, np.ndarray] | None = None,
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
    own
        Arrays over `watched_step` that a caller named himself; their other axes are numbered under that name.

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
    for name, values in (own or {}).items():
        dims = (WATCHED, *(f"{name}_{k}" for k in range(1, np.ndim(values))))
        data[name] = xr.Variable(dims, values, {"long_name": name.replace("_", " "), "units": "1"})
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
    names = [name for name in ds.coords if name in (v := ds.variables[name]).dims and v.ndim > 1]
    return ds.reset_coords(names) if names else ds


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
    unknown = [str(name) for name, v in ds.data_vars.items() if name not in table and v.dims[:1] != (WATCHED,)]
    if missing or unknown:
        fault = f"lacks {', '.join(missing)}" if missing else f"holds the unknown {', '.join(unknown)}"
        raise ValueError(f"ds: the {kind!r} result {fault}; it has {', '.join(table)}")
    for name, variable in table.items():
        if name in ds.variables:
            _check_variable(kind, name, ds.variables[name], variable)
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
