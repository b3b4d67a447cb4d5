"""What ships in data/ is what its README says: checksums, and the losses by rnndyn itself."""

import hashlib
import re

import numpy as np
import pytest

import rnndyn as rd

FOLDERS = {"networks": ("*.npz", "*.safetensors"), "texts": ("*.txt",), "series": ("*.csv",)}
HERE = ("here/flip_flop_tanh_16", "here/flip_flop_gru_16", "here/flip_flop_lstm_16")


@pytest.mark.parametrize("name", FOLDERS)
def test_checksums(networks_folder, name):
    folder = networks_folder.parent / name
    stated = dict(re.findall(r"^    ([0-9a-f]{64})  (\S+)$", (folder / "README.md").read_text(), flags=re.MULTILINE))
    files = {path.relative_to(folder).as_posix() for pattern in FOLDERS[name] for path in folder.rglob(pattern)}
    assert files and files == set(stated.values())
    for digest, file in stated.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest, file


def test_the_text_is_as_its_readme_says(networks_folder):
    text = (networks_folder.parent / "texts" / "alice.txt").read_bytes().decode("ascii")
    assert len(text) == 148_293 and "\r" not in text and text.count("CHAPTER") == 12


def test_the_series_is_as_its_readme_says(networks_folder):
    rows = np.genfromtxt(networks_folder.parent / "series" / "sunspots.csv", delimiter=",", skip_header=1, dtype=str)
    assert rows[:, 0].tolist() == [f"{year}-{month:02d}" for year in range(1749, 2009) for month in range(1, 13)]
    assert rows[:, 1].astype(float).min() == 0 and rows[:, 1].astype(float).max() == 253.8


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["flip_flop_tanh", "flip_flop_gru", "flip_flop_lstm", *HERE])
def test_losses(networks_folder, name):
    readme = (networks_folder / "README.md").read_text()
    stated = float(re.search(rf"`{name}\.safetensors` .*\| (\S+) \|", readme)[1])
    test = np.load(networks_folder / "flip_flop_inputs.npz")
    net = rd.load(networks_folder / f"{name}.safetensors")
    outputs = rd.run(net, test["inputs"]).output.values
    assert np.mean((outputs - test["targets"]) ** 2) == pytest.approx(stated, rel=1e-3)


@pytest.mark.compiled
@pytest.mark.parametrize("name", HERE)
def test_networks_trained_here_hold_the_cube(networks_folder, name, plain_search):
    """Corners, edges, faces and the centre of a cube, each proved, and another memory read out at each corner."""
    net = rd.load(networks_folder / f"{name}.safetensors")
    points = rd.fixed_points(net, starts=256, rng=0)
    assert np.bincount(points.n_unstable).tolist() == [8, 12, 6, 1]
    assert (points.status == "certified").all() and points.completeness == "consistent"
    corners = points.state.values[points.n_unstable.values == 0, : net.hidden_size]
    outputs = corners @ net.W_hy.T + net.b_y
    assert len({tuple(bits) for bits in np.sign(outputs)}) == 8
    assert np.abs(np.abs(outputs) - 1).max() < 0.005  # 0.0032 by the GRU
