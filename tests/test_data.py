"""What ships in data/ is what its README says: checksums, and the losses by rnndyn itself."""

import hashlib
import re

import numpy as np
import pytest

import rnndyn as rd

HERE = ("here/flip_flop_tanh_16", "here/flip_flop_gru_16", "here/flip_flop_lstm_16")


def test_checksums(networks_folder):
    stated = dict(
        re.findall(r"^    ([0-9a-f]{64})  (\S+)$", (networks_folder / "README.md").read_text(), flags=re.MULTILINE)
    )
    kept = [path for pattern in ("*.npz", "*.safetensors") for path in networks_folder.rglob(pattern)]
    files = {path.relative_to(networks_folder).as_posix() for path in kept}
    assert files == set(stated.values())
    for digest, file in stated.items():
        assert hashlib.sha256((networks_folder / file).read_bytes()).hexdigest() == digest, file


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
def test_networks_trained_here_hold_the_cube(networks_folder, name):
    """Corners, edges, faces and the centre of a cube, each proved, and another memory read out at each corner."""
    net = rd.load(networks_folder / f"{name}.safetensors")
    points = rd.fixed_points(net, starts=256, rng=0)
    assert np.bincount(points.n_unstable).tolist() == [8, 12, 6, 1]
    assert (points.status == "certified").all() and points.completeness == "consistent"
    corners = points.state.values[points.n_unstable.values == 0, : net.hidden_size]
    outputs = corners @ net.W_hy.T + net.b_y
    assert len({tuple(bits) for bits in np.sign(outputs)}) == 8
    assert np.abs(np.abs(outputs) - 1).max() < 0.005  # 0.0032 by the GRU
