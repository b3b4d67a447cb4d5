"""Studies: the light ones run through in their quick form, and their figures say what they show."""

import importlib
import importlib.util
import re
from types import SimpleNamespace

import numpy as np
import pytest

import rnndyn as rd

LIGHT = (
    "architectures",
    "clipping",
    "forecasting",
    "gradient_paths",
    "isometry",
    "language_model",
    "laurent_von_brecht",
    "memory_time_constant",
    "random_matrix_products",
    "training_dynamics",
    "truncation",
)


@pytest.mark.compiled
@pytest.mark.parametrize("name", LIGHT)
def test_it_runs_and_names_its_axes(name):
    study = importlib.import_module(f"studies.{name}")
    shown(study, study.run(True))


def shown(study, results):
    """Table and figure of a study have what they need."""
    assert study.compare(results).count("|") > 20 and "nan" not in study.compare(results)
    axes = study.plot(results).axes
    assert axes and all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)


@pytest.mark.compiled
def test_every_number_of_a_claim_is_as_expected():
    study = importlib.import_module("studies.claims")
    results = study.run(False)
    shown(study, results)
    wrong = [(row["source"], figure) for row in results["claims"] for figure in row["figures"] if not figure["right"]]
    assert wrong == [] and len(results["claims"]) >= 34


def test_the_linear_forecast_is_that_of_a_filter_without_the_later_months():
    """Mean and deviation 12 months ahead, to rounding (1e-12 of values of some 10)."""
    models = importlib.import_module("studies.forecasting.models")
    z = rd.tasks.series(0, batch=1, steps=300, ar=(0.9,)).inputs.values[0, :, 0] + 10
    now, months = 250, 12
    forecast, net = models.linear(z, models.Parts(200, 250), 1), rd.fit_linear(z[:200], 1, rng=0)
    known = np.append(z[: now + 1], np.full(months, np.nan))
    last = rd.kalman_filter(net, known).isel(time=-1)
    k = models.HORIZONS.index(months)
    assert forecast.mean[now, k] == pytest.approx((net.W_hy @ last.predicted_mean.values + net.b_y).item(), rel=1e-12)
    variance = net.W_hy @ last.predicted_cov.values @ net.W_hy.T + net.observation_noise
    assert forecast.deviation[now, k] == pytest.approx(np.sqrt(variance.item()), rel=1e-12)


# ---- the benchmark on a GPU, without one ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "only, message", [("spectra", "no GPU answers"), ("markov", "have programs for a GPU, not markov")]
)
def test_the_benchmark_refuses_what_no_gpu_can_do(only, message, monkeypatch, capsys):
    from rnndyn.kernels.cuda import device
    from studies.__main__ import main

    monkeypatch.setattr(device, "problem", lambda: "no GPU answers" if only == "spectra" else None)
    assert main(["benchmark", "--device", "cuda", "--only", only]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and not said.out


def test_operations_and_bytes_are_counted():
    """A GRU with H = 2, I = 2, of 5 sequences of 3 steps: by hand."""
    roofline = importlib.import_module("studies.benchmark.cuda.roofline")
    setting = ("GRU", 2, 5, 3)
    products = 5 * 3 * 2 * (3 * 2 * 2)  # of one matrix: a multiplication and an addition for each weight
    assert roofline.products(*setting, "forward") == 2 * products
    assert roofline.products(*setting, "both") == (2 + 3) * products  # and back to h, and to two gradients
    weights, sequences = 2 * 3 * 2 * 2, 5 * 3 * 2
    assert roofline.pass_bytes(*setting, "forward") == 4 * (weights + 2 * sequences)
    assert roofline.pass_bytes(*setting, "both", "float64") == 8 * (2 * weights + 3 * sequences)
    assert roofline.ensemble_bytes("GRU", 2, 7, 5, 3) == 4 * (7 * (weights + sequences) + sequences)
    assert roofline.spectrum_bytes(3, 2, 7) == 8 * 7 * (9 + 2 * 6)


def gpu(**changes):
    """What a device of an H100 SXM says of itself: clocks in kHz, bus in bits."""
    said = {"MULTIPROCESSOR_COUNT": 132, "CLOCK_RATE": 1_980_000, "compute_capability": (9, 0)}
    return SimpleNamespace(**said | {"MEMORY_CLOCK_RATE": 2_619_000, "GLOBAL_MEMORY_BUS_WIDTH": 5120} | changes)


def test_the_limits_of_a_card_are_those_of_its_data_sheet():
    roofline = importlib.import_module("studies.benchmark.cuda.roofline")
    sheet = {"float32": 67e12, "float64": 34e12, "memory": 3.35e12}
    assert roofline.limits(gpu()) == pytest.approx(sheet, rel=0.02)
    h200 = roofline.limits(gpu(MEMORY_CLOCK_RATE=3_201_000, GLOBAL_MEMORY_BUS_WIDTH=6144))
    assert h200 == pytest.approx(sheet | {"memory": 4.8e12}, rel=0.03)
    a100 = gpu(MULTIPROCESSOR_COUNT=108, CLOCK_RATE=1_410_000, compute_capability=(8, 0), MEMORY_CLOCK_RATE=1_593_000)
    assert roofline.limits(a100) == pytest.approx({"float32": 19.5e12, "float64": 9.7e12, "memory": 2.04e12}, rel=0.01)
    for unknown in ({"compute_capability": (99, 0)}, {"CLOCK_RATE": 0}, {"MEMORY_CLOCK_RATE": 0}):
        assert roofline.limits(gpu(**unknown)) is None


def test_the_limit_is_the_slower_of_arithmetic_and_memory():
    roofline = importlib.import_module("studies.benchmark.cuda.roofline")
    card = {"float32": 60e12, "float64": 30e12, "memory": 3e12}
    assert roofline.share(1.0, 60e12, 1, card, "float32") == pytest.approx(1)
    assert roofline.share(1.0, 60e12, 1, card, "float64") == pytest.approx(2)
    assert roofline.share(2.0, 1, 3e12, card, "float32") == pytest.approx(0.5)
    assert roofline.share(1.0, 1, 1, None, "float32") is None
    search = {"network": "gru_16", "products": 10**6, "seconds": {"rnndyn": 1.0}}
    assert roofline.search_share(search, card) == pytest.approx(10**6 * 2 * 3 * 16 * 16 / 30e12)
    ensemble = {"cell": "RNN", "H": 64, "networks": 4096, "B": 8, "steps": 100, "seconds": {"rnndyn": 1.0}}
    least = 4096 * 2 * 2 * 100 * 8 * 64 * 64 / 60e12  # of two matrices
    assert roofline.ensemble_share(ensemble, card) == pytest.approx(least)


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_the_peer_computes_the_same_passes(cell, dtype):
    pytest.importorskip("torch")
    peers, run = (importlib.import_module(f"studies.benchmark.{name}") for name in ("peers", "run"))
    there = type("OnProcessor", (importlib.import_module("studies.benchmark.cuda.peers").Torch,), {"device": "cpu"})
    there.wait = peers.Torch.wait
    given = peers.problem(cell, 8, 3, 5, dtype)
    found = {"rnndyn": peers.Rnndyn.load(*given).results(), "torch": there.load(*given).results()}
    assert found["torch"][0].dtype == dtype
    run.check(found)


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("peer", ["torch", "cupy"])
def test_the_peer_computes_the_same_spectra(peer, networks):
    """Of 50 steps of a chaotic network that both start alike: rounding grows to some 1e-12. NumPy stands for CuPy."""
    cuda, here = (importlib.import_module(f"studies.benchmark.{name}") for name in ("cuda.spectra", "spectra"))
    if peer == "torch":
        pytest.importorskip("torch")
        there = type("OnProcessor", (cuda.Torch,), {"device": "cpu"})
    else:
        names = ("asarray", "tanh", "log", "abs", "diagonal", "linalg")
        library = SimpleNamespace(asnumpy=np.asarray, **{name: getattr(np, name) for name in names})
        there = type("OnProcessor", (cuda.Cupy,), {"library": staticmethod(lambda: library)})
    given = here.problem(8, 5, networks, 2)
    found, expected = there.load(*given).results(), here.Numpy.load(*given).results()
    assert found.shape == (networks, 5)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")


@needs_jax
@pytest.mark.parametrize("networks", [1, 3])
def test_jax_computes_the_same_spectra_in_a_process_of_its_own(networks):
    """On the processor where it sees no GPU; 50 steps, as above."""
    here = importlib.import_module("studies.benchmark.spectra")
    setting = 8, 5, networks, 2
    with importlib.import_module("studies.benchmark.workers").Worker("studies.benchmark.cuda.spectra", "jax", 1) as jax:
        jax.ask("load", *setting)
        found = jax.ask("results")
    assert found.shape == (networks, 5)
    np.testing.assert_allclose(found, here.Numpy.load(*here.problem(*setting)).results(), rtol=0, atol=1e-9)


def first_steps(nets, inputs):
    """Hidden states (network, sequence, unit) after the inputs, by NumPy in float64."""
    peers = importlib.import_module("studies.benchmark.peers")
    slopes = np.zeros((*inputs.shape[:2], nets[0].hidden_size))
    wide = [net.astype("float64") for net in nets]
    return np.stack([peers.Numpy.load(net, inputs.astype(float), slopes).results()[0][:, -1] for net in wide])


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_torch_takes_ensembles_along(cell):
    pytest.importorskip("torch")
    peers, cuda = (importlib.import_module(f"studies.benchmark.{name}") for name in ("peers", "cuda.ensembles"))
    there, given = type("OnProcessor", (cuda.Torch,), {"device": "cpu"}), cuda.problem(cell, 4, 3, 2, 5)
    there.wait = peers.Torch.wait
    np.testing.assert_allclose(there.load(*given).results()[0], first_steps(*given), rtol=0, atol=1e-6)


@needs_jax
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_jax_takes_ensembles_along(cell):
    cuda, workers = (importlib.import_module(f"studies.benchmark.{name}") for name in ("cuda.ensembles", "workers"))
    setting = cell, 4, 3, 2, 5
    with workers.Worker("studies.benchmark.cuda.ensembles", "jax", 1) as jax:
        jax.ask("load", *setting)
        found = jax.ask("results")[0]
    np.testing.assert_allclose(found, first_steps(*cuda.problem(*setting)), rtol=0, atol=1e-6)


def test_ensembles_are_for_a_gpu(capsys):
    from studies.__main__ import main

    assert main(["benchmark", "--only", "ensembles"]) == 2
    assert "add --device cuda" in capsys.readouterr().err


@pytest.mark.parametrize("backend, kept", [("cpu", []), ("gpu", ["jax"])])
def test_a_peer_that_has_no_gpu_is_left_out_by_a_line(backend, kept, monkeypatch, capsys):
    run = importlib.import_module("studies.benchmark.cuda.run")
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None if name == "cupy" else name)
    monkeypatch.setattr(run, "jax_backend", lambda: backend)
    assert run.present("cupy", "jax") == kept
    lines = ["cupy is left out: it is not installed", "jax is left out: the JAX installed sees no GPU"]
    assert capsys.readouterr().out.splitlines() == lines[: 2 - len(kept)]


@needs_jax
def test_where_jax_works_is_asked_in_another_process():
    assert importlib.import_module("studies.benchmark.cuda.run").jax_backend() in ("cpu", "gpu", "tpu")


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["tanh_16", "gru_16"])
def test_the_peer_finds_the_same_fixed_points(name):
    """From 64 starts, but for rare ones to which the two ways of solving for a step lead different starts."""
    pytest.importorskip("torch")
    cuda, here = (importlib.import_module(f"studies.benchmark.{name}") for name in ("cuda.searches", "searches"))
    run = importlib.import_module("studies.benchmark.run")
    net, starts = here.problem(name, 64)
    there = type("OnProcessor", (cuda.Torch,), {"device": "cpu"}).load(net, starts).results()
    assert here.q(net, there).max() < 1e-20 and len(there) > 32
    found, expected = (here.polished(net, some) for some in (there, here.Rnndyn.load(net, starts).results()))
    assert max(run.lacking(expected, found), run.lacking(found, expected)) <= 0.1 * len(expected)


def test_the_products_that_a_search_needs_are_counted():
    """tanh(x / 2) from its fixed point, and from a start whose steps are taken by hand."""
    cuda, net = importlib.import_module("studies.benchmark.cuda.searches"), rd.Elman(None, [[0.5]])
    assert cuda.products_needed(net, np.array([[0.0]])) == 3  # G, a direction, G again
    x, steps = 0.1, 0
    while abs(np.tanh(0.5 * x) - x) > cuda.CONVERGED:
        x, steps = x - (np.tanh(0.5 * x) - x) / (0.5 / np.cosh(0.5 * x) ** 2 - 1), steps + 1
    assert cuda.products_needed(net, np.array([[0.1]])) == 1 + 2 * steps
    assert cuda.products_needed(net, np.array([[0.1], [0.0]])) == 1 + 2 * steps + 3


def test_the_tables_and_figures_of_a_gpu_take_what_was_measured():
    benchmark, roofline = (importlib.import_module(f"studies.benchmark{name}") for name in ("", ".cuda.roofline"))
    run = importlib.import_module("studies.benchmark.cuda.run")
    name, seconds = "NVIDIA H100 80GB HBM3", {"rnndyn": 1e-3, "run": 5e-3, "torch": 2e-3}
    card = roofline.limits(gpu())
    rows = []
    for mode in ("forward", "both"):
        row = {"cell": "RNN", "H": 64, "B": 32, "mode": mode, "dtype": "float32", "seconds": seconds, "gflops": 3.0}
        rows.append(row | {"times_faster": {"run": 5.0, "torch": 2.0}, "roofline": roofline.pass_share(row, 100, card)})
    wide = {"N": 64, "k": 64, "networks": 4096, "steps": 20, "seconds": seconds, "times_faster": {"torch": 2.0}}
    wide |= {"differences": {"torch": 1e-12}, "roofline": roofline.spectrum_share(wide, card)}
    made = {"processor": "p", "threads": 1, "system": "s", "python": "3", "versions": {}, "date": "d"}
    results = {"machine": made | {"commit": run.commit()}, "card": name, "limits": card, "steps": 100, "rows": rows}
    search = {"network": "tanh_16", "seconds": {"rnndyn": 1e-3, "fixed_points": 1e-2, "torch": 2e-3}}
    search |= {"times_faster": {"fixed_points": 10.0, "torch": 2.0}, "points": dict.fromkeys(search["seconds"], 27)}
    search |= {"products": 30_000}
    search |= {"roofline": roofline.search_share(search, card)}
    many = {"cell": "GRU", "H": 64, "networks": 4096, "B": 8, "steps": 100, "times_faster": {"torch": 30.0}}
    many |= {"seconds": seconds, "roofline": 0.5}
    results |= {"programs": ["rnndyn", "run", "torch"], "searches": [search], "spectra": [wide], "ensembles": [many]}
    text = benchmark.compare(results)
    assert name in text and "| 64 | 64 | 4096 |" in text and text.count("| RNN |") == 2 and text.count(" % |") == 5
    assert "| GRU | 64 | 4096 | 8 | 1 | 50 % | 30 |" in text
    assert re.search(r"\| tanh_16 \| 1 \| 10 \| 2 \| 0.046 % \| 2 \| 27 \| 27 \| 27 \|", text)
    parts = results | {"rows": []}, results | {"rows": [], "ensembles": []}
    for part in (results, *parts, parts[-1] | {"searches": []}):
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in benchmark.plot(part).axes)
