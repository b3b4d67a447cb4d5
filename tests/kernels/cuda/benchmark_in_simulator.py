"""The benchmark's programs for a GPU in the simulator, against peers on the processor; test_simulator.py runs it."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.kernels.cuda import device

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from studies.benchmark import peers, spectra  # noqa: E402
from studies.benchmark.cuda import ensembles, searches  # noqa: E402
from studies.benchmark.cuda import peers as there  # noqa: E402
from studies.benchmark.run import check  # noqa: E402


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_passes(cell):
    pytest.importorskip("torch")
    given = peers.problem(cell, 3, 2, 2, "float64")
    programs = {"rnndyn": there.Rnndyn, "run": there.FrontDoor, "torch": peers.Torch}
    check({name: program.load(*given).results() for name, program in programs.items()})


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_ensembles(cell):
    """Each network has its own weights and all sequences."""
    nets, inputs = ensembles.problem(cell, 3, 2, 3, 2)
    (states, _), slopes = ensembles.Rnndyn.load(nets, inputs).results(), np.zeros((3, 2, 3))
    expected = [peers.Numpy.load(net, inputs, slopes).results()[0][:, -1] for net in nets]
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-6)


def test_spectra():
    """Three steps: the errors of rounding have not grown."""
    given = spectra.problem(3, 3, 2, 3)
    found = spectra.by_rnndyn(*given, checked=False, device="cuda")()
    expected = np.sort(spectra.Numpy.load(*given).calls["spectrum"]())[:, ::-1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_searches():
    """All points of a bistable network, from starts near each of them."""
    net = rd.Elman(np.zeros((2, 1)), [[2.0, 0.1], [0.0, 0.5]], np.zeros(2))
    starts = np.array([[1.1, 0.1], [0.1, -0.1], [-0.9, 0.0], [1.0, 0.0]])
    programs = searches.Rnndyn, searches.FrontDoor, type("OnProcessor", (searches.Torch,), {"device": "cpu"})
    for program in programs:
        found = program.load(net, starts).results()
        points = np.unique(found.round(9) + 0.0, axis=0)
        assert len(points) == 3 and np.abs(np.tanh(points @ net.W_hh.T) - points).max() < 1e-8
