"""The form of results: what `build` makes is what `validate` accepts and the documentation says."""

import json

import numpy as np
import pytest
import synthetic

import rnndyn
from rnndyn import schema
from rnndyn.schema import RESULTS, Status

MADE = {kind: getattr(synthetic, kind) for kind in RESULTS}
every_kind = pytest.mark.parametrize("kind", RESULTS)


@every_kind
def test_every_variable_uses_the_fixed_words(kind):
    for variable in RESULTS[kind].values():
        assert set(variable.dims) <= set(schema.DIMENSIONS)
        assert variable.units
        assert variable.long_name


@every_kind
def test_what_is_built_is_valid(kind):
    ds = MADE[kind]()
    assert schema.validate(ds) is ds
    for name, variable in ds.variables.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["units"], name
    assert ds.attrs["kind"] == kind
    assert ds.attrs["schema_version"] == schema.VERSION
    assert ds.attrs["rnndyn_version"] == rnndyn.__version__


@every_kind
def test_equal_calls_give_equal_results(kind):
    assert MADE[kind]().identical(MADE[kind]())


def test_a_variable_named_like_its_dimension_is_data():
    ds = synthetic.run()
    assert {"state", "hidden", "output"} == set(ds.data_vars)
    assert ds.isel(batch=0, time=0).state.dims == ("state",)


def test_time_counts_from_one():
    assert synthetic.run(time=3).time.values.tolist() == [1, 2, 3]
    assert synthetic.training(steps=2).step.values.tolist() == [1, 2]


@pytest.mark.parametrize(("batch", "dims"), [(None, ("index",)), (2, ("batch", "index"))])
def test_batch_is_left_out_of_a_single_sequence(batch, dims):
    ds = synthetic.lyapunov_spectrum(batch)
    assert ds.exponent.dims == dims
    assert ds.status.dims == dims[:-1]


@pytest.mark.parametrize(("shape", "dims"), [((2,), ("network",)), ((2, 5), ("network", "batch"))])
def test_an_ensemble_has_the_dimension_network(shape, dims):
    nets = [rnndyn.Elman.random(3, rng=k) for k in range(2)]
    variables = {"exponent": np.zeros((*shape, 3)), "stderr": np.zeros((*shape, 3)), "status": np.zeros(shape, int)}
    variables |= {name: np.zeros(shape) for name in ("dimension", "entropy_rate", "sum_rule_defect")}
    ds = schema.build("lyapunov_spectrum", variables, net=nets)
    assert ds.exponent.dims == (*dims, "index")
    assert ds.attrs["network"] == "Elman"
    assert ds.attrs["network_hash"] not in [net.content_hash() for net in nets]


def test_points_of_an_ensemble_carry_their_network():
    variables = {name: v.values for name, v in synthetic.fixed_points(2).data_vars.items()}
    ds = schema.build("fixed_points", variables | {"network": np.array([0, 1])})
    assert ds.coords["network"].dims == ("point",)


def test_real_eigenvalues_become_complex_of_the_same_precision():
    variables = {name: v.values for name, v in synthetic.fixed_points(2).data_vars.items()}
    for real, wanted in ((np.float64, np.complex128), (np.float32, np.complex64)):
        variables["eigenvalue"] = np.zeros((2, 4), real)
        assert schema.build("fixed_points", variables).eigenvalue.dtype == wanted


def test_provenance_of_a_call():
    net = rnndyn.LSTM.random(3, 2, rng=0, dtype="float32")
    inputs = np.ones((5, 2))
    call = {
        "inputs": inputs,
        "rng": 7,
        "device": "cpu",
        "time_step": 0.5,
        "loss": len,
        "adam": rnndyn.Adam(1e-3),
        "many": list(range(1000)),
        "generator": np.random.default_rng(0),
    }
    variables = {name: v.values for name, v in synthetic.lyapunov_spectrum().data_vars.items()}
    ds = schema.build("lyapunov_spectrum", variables, net=net, call=call)
    stored = json.loads(ds.attrs["arguments"])
    assert stored["inputs"]["shape"] == [5, 2]
    assert stored["loss"] == "len"
    assert stored["many"]["shape"] == [1000]
    assert "0x" not in ds.attrs["arguments"], "an address differs from process to process"
    assert ds.attrs["seed"] == 7
    assert ds.attrs["dtype"] == "float32"
    assert ds.attrs["network_hash"] == net.content_hash()
    assert ds.exponent.attrs["units"] == "nat/time"
    assert synthetic.lyapunov_spectrum().exponent.attrs["units"] == "nat/step"


def test_arguments_tell_arrays_apart():
    def stored(array):
        return schema.build("training", {"loss": [1.0], "gradient_norm": [1.0]}, call={"x": array}).attrs["arguments"]

    x = np.arange(6.0).reshape(2, 3)
    assert stored(x) == stored(np.asfortranarray(x)) != stored(x.T.copy())
    assert stored(x) != stored(x.astype(np.float32))


def test_status_codes_are_flags():
    status = synthetic.lyapunov_spectrum(2, status=1).status
    assert status.dtype == np.int8
    assert status.attrs["flag_values"].tolist() == [int(code) for code in Status]
    assert status.attrs["flag_meanings"].split()[Status.NOT_CONVERGED] == "not_converged"
    assert schema.worst_status(synthetic.lyapunov_spectrum(2, status=1)) == {Status.NOT_CONVERGED: 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.drop_vars("residual"), "lacks residual"),
        (lambda ds: ds.assign(extra=ds.residual), "unknown extra"),
        (lambda ds: ds.rename(mode="modes"), r"ds\['eigenvalue'\]: got the dimensions"),
        (lambda ds: ds.assign(eigenvalue=ds.eigenvalue.real), "got dtype float64"),
        (lambda ds: ds.assign(residual=ds.residual.assign_attrs(units="m")), "got units 'm'"),
        (lambda ds: (wrong := synthetic.lyapunov_spectrum()).assign(status=wrong.status.copy(data=99)), "no Status"),
        (lambda ds: ds.assign_attrs(kind="other"), "wanted one of run, "),
    ],
)
def test_what_is_invalid_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        schema.validate(change(synthetic.fixed_points().set_coords("state")))


def test_wrong_axes_are_named():
    with pytest.raises(ValueError, match=r"loss: got shape \(2, 2\); wanted the axes \(step\)"):
        schema.build("training", {"loss": np.zeros((2, 2)), "gradient_norm": np.zeros(2)})


def test_an_unknown_variable_is_named():
    with pytest.raises(ValueError, match="'accuracy' is not a variable"):
        schema.build("training", {"accuracy": np.zeros(2)})


def test_what_was_left_out_says_why():
    ds = schema.omitted("fixed_points", "because")
    assert schema.validate(ds).attrs["omitted"] == "because"
    assert not ds.variables


@every_kind
def test_the_documentation_lists_every_variable(kind):
    table = schema.markdown(kind)
    assert all(f"| `{name}` |" in table for name in RESULTS[kind])
    assert table in schema.markdown() + "\n"
    widths = {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")}
    assert widths == {5}
