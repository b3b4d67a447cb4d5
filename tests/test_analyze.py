"""The whole analysis in one call."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn import schema
from rnndyn.analyze import STAGES, analyze

NETS = {
    "autonomous": rd.Elman.random(4, gain=1.5, rng=0),
    "driven": rd.LSTM.random(3, 2, 1, rng=0),
    "float32": rd.GRU.random(3, 2, rng=0, dtype="float32"),
    "stack": rd.Stack([rd.Elman.random(3, 2, rng=0), rd.GRU.random(4, 3, 1, rng=1)]),
}


# One of them tells, uncompiled, which lines are run.
PARAMETERS = [name if name == "autonomous" else pytest.param(name, marks=pytest.mark.compiled) for name in NETS]


@pytest.fixture(scope="module", params=PARAMETERS)
def analysed(request):
    net = NETS[request.param]
    return net, analyze(net, quick=True)


def test_every_stage_gives_a_valid_result(analysed):
    net, results = analysed
    assert (
        list(results)
        == list(STAGES)
        == ["run", "fixed_points", "transitions", "lyapunov_spectrum", "jacobian_products", "gradient_flow"]
    )
    for name, ds in results.items():
        assert ds.attrs.get("omitted") is None
        assert schema.validate(ds).attrs["kind"] == name
        assert ds.attrs["network_hash"] == net.content_hash()


def test_it_survives_the_file(analysed, tmp_path):
    _, results = analysed
    tree = rd.open_results(rd.save_results(results, tmp_path / "r.nc"))
    for name, ds in results.items():
        assert schema.as_data(tree[name].to_dataset()).identical(ds)


@pytest.mark.compiled
def test_equal_calls_give_equal_results():
    net = NETS["driven"]
    first, second = analyze(net, quick=True, rng=3), analyze(net, quick=True, rng=3)
    assert all(first[name].identical(second[name]) for name in STAGES)


@pytest.mark.compiled
def test_inputs_drive_the_network():
    net, inputs = NETS["driven"], np.full((2, 30, 2), 0.5)
    results = analyze(net, inputs, quick=True)
    np.testing.assert_array_equal(results["run"].state, rd.run(net, inputs).state)
    constant = rd.fixed_points(net, [0.5, 0.5], rng=0)
    np.testing.assert_allclose(results["fixed_points"].state, constant.state, atol=1e-9)


def test_what_cannot_be_measured_says_why():
    net = rd.Bidirectional(rd.Elman.random(3, 2, rng=0), rd.Elman.random(3, 2, rng=1))
    results = analyze(net, quick=True)
    assert "omitted" not in results["run"].attrs
    for name in ("fixed_points", "transitions", "lyapunov_spectrum", "jacobian_products"):
        assert "both directions" in results[name].attrs["omitted"]


def test_wrong_inputs_are_an_error_and_not_a_result_left_out():
    with pytest.raises(ValueError, match="inputs"):
        analyze(NETS["driven"], np.zeros((10, 5)), quick=True)


@pytest.mark.compiled
def test_progress_names_each_stage():
    seen = []
    analyze(NETS["autonomous"], quick=True, progress=seen.append)
    assert seen == list(STAGES)
